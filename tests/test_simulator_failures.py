"""Every failure in X's book can be had on demand."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import Fault, SimResponse
from exporter.simulator.faults import FAULT_NAMES, ROWS
from tests.simulator_support import (
    INSIGHTS_PATH,
    MEDIA_PATH,
    NOW,
    POST,
    VIDEO,
    YOUNG_POST,
    YOUNG_VIDEO,
    get,
    insights_query,
    make,
    media_query,
    post,
)


def media_answer(name: str, **particulars: Any) -> SimResponse:  # noqa: ANN401 - as `Fault` has them
    simulator = make()
    simulator.fail(name, **particulars)
    return get(simulator, MEDIA_PATH, media_query(VIDEO, YOUNG_VIDEO))


def token_answer(name: str, **particulars: Any) -> SimResponse:  # noqa: ANN401 - as `Fault` has them
    simulator = make()
    simulator.fail(name, **particulars)
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "native"}
    return post(simulator, "/2/oauth2/token", form)


def segment(problem: dict[str, Any]) -> str:
    return str(problem["type"].rpartition("/")[2])


@pytest.mark.parametrize("row", ["row01", "row03", "row05", "item_unavailable", "item_internal_error"])
def test_rows_1_3_and_5_spoil_the_first_item_of_a_good_answer(row: str) -> None:
    response = media_answer(row)
    found = response.json()
    assert response.status == 200
    assert len(found["errors"]) == 1
    assert found["errors"][0]["resource_id"] == VIDEO
    kept = {item["media_key"]: item["timestamped_metrics"][-1]["metrics"] for item in found["data"]}
    assert len(kept[YOUNG_VIDEO]) == 10
    # A figure that could not be had leaves the others; an item that could not be had is gone.
    assert (len(kept[VIDEO]) == 9) if row == "row05" else (VIDEO not in kept)


def test_row_2_is_errors_alone() -> None:
    assert list(media_answer("row02").json()) == ["errors"]


@pytest.mark.parametrize("name", ["row04", "field_unauthorized"])
def test_row_4_withholds_one_figure(name: str) -> None:
    found = media_answer(name).json()
    (error,) = found["errors"]
    assert error["title"] == "Field Authorization Error"
    assert error["field"] not in found["data"][0]["timestamped_metrics"][0]["metrics"]
    assert error["field"] in found["data"][1]["timestamped_metrics"][0]["metrics"]


@pytest.mark.parametrize("name", ["row04", "row05"])
def test_a_post_may_lose_its_only_figure(name: str) -> None:
    simulator = make()
    simulator.fail(name)
    query = insights_query(POST, YOUNG_POST, requested_metrics="Likes")
    found = get(simulator, INSIGHTS_PATH, query).json()
    posts = {entry["tweet_id"] for entry in found["data"][0]["measurement"]["metrics_time_series"]}
    assert posts == {YOUNG_POST}
    assert found["errors"][0]["field"] == "Likes"


def test_the_items_a_failure_befalls_may_be_named() -> None:
    found = media_answer("item_not_found", ids=(YOUNG_VIDEO,)).json()
    assert [item["media_key"] for item in found["data"]] == [VIDEO]


@pytest.mark.parametrize(
    ("row", "status", "essentials"),
    [
        ("row06", 400, {"title": "Invalid Request"}),
        ("row07", 400, {"title": "Invalid Request", "parameter": "media_keys", "value": "x"}),
        ("row08", 401, {"title": "Unauthorized", "type": "about:blank", "status": 401}),
        ("row09", 402, {"title": "CreditsDepleted"}),
        ("row10", 403, {"reason": "client-not-enrolled", "title": "Client Forbidden"}),
        ("row11", 403, {"reason": "user-not-enrolled"}),
        ("row12", 403, {"title": "Unsupported Authentication"}),
        ("row13", 403, {"title": "SpendCapReached", "reset_date": "2026-12-01"}),
        ("row14", 403, {"detail": "You are not permitted to perform this action."}),
        ("row16", 404, {"title": "Not Found Error"}),
        ("row17", 429, {"title": "Too Many Requests", "status": 429}),
        ("row18", 429, {"title": "UsageCapExceeded", "period": "Monthly", "scope": "Product"}),
        ("row19", 500, {"title": "Internal Server Error", "status": 500}),
        ("row20", 503, {"title": "Service Unavailable", "status": 503}),
        ("row26", 422, {"code": 214}),
    ],
)
def test_refusals_have_the_status_and_the_body_of_their_row(
    row: str, status: int, essentials: dict[str, Any]
) -> None:
    response = media_answer(row)
    assert response.status == status
    assert response.json().items() >= essentials.items()


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("row06", "invalid-request"),
        ("row09", "credits"),
        ("row10", "client-forbidden"),
        ("row12", "unsupported-authentication"),
        ("row13", "credits"),
        ("row16", "resource-not-found"),
        ("row18", "usage-capped"),
        ("rate_limited_problem", "rate-limit-exceeded"),
    ],
)
def test_problems_name_themselves_on_either_host(row: str, name: str) -> None:
    simulator = make()
    simulator.fail(row)
    assert get(simulator, MEDIA_PATH).json()["type"] == f"https://api.x.com/2/problems/{name}"
    simulator.turn(problem_host="api.twitter.com")
    assert get(simulator, MEDIA_PATH).json()["type"] == f"https://api.twitter.com/2/problems/{name}"


@pytest.mark.parametrize("row", ["row08", "row09", "row10", "row13", "row17", "row18", "row19", "row20"])
def test_problems_may_be_wrapped(row: str) -> None:
    simulator = make()
    simulator.fail(row)
    plain = get(simulator, MEDIA_PATH).json()
    simulator.turn(wrap_problems=True)
    assert get(simulator, MEDIA_PATH).json() == {"errors": [plain]}


def test_row_15_is_nothing_at_all() -> None:
    response = media_answer("row15")
    assert (response.status, response.body) == (404, b"")
    assert [name for name, _ in response.headers] == ["date"]


def test_row_17_tells_when_the_window_ends() -> None:
    response = media_answer("row17", options={"reset_seconds": 40})
    assert response.header("x-rate-limit-remaining") == "0"
    assert response.header("x-rate-limit-reset") == str(int(NOW + 40))
    assert media_answer("rate_limited_bare").header("x-rate-limit-reset") is None
    old = media_answer("rate_limited_code")
    assert old.json() == {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}


def test_row_18_leaves_something_in_the_window() -> None:
    assert int(media_answer("row18").header("x-rate-limit-remaining") or 0) > 0


def test_row_20_lacks_rate_headers_and_may_ask_for_patience() -> None:
    assert media_answer("row20").header("x-rate-limit-limit") is None
    assert media_answer("row20", options={"retry_after": 7}).header("retry-after") == "7"
    upstream = media_answer("upstream_error")
    assert upstream.status == 503
    assert upstream.body.startswith(b"upstream connect error")


def test_row_21_is_no_json() -> None:
    page, empty = media_answer("row21"), media_answer("gateway_timeout")
    assert (page.status, page.header("content-type")) == (502, "text/html")
    assert page.body.startswith(b"<html>")
    assert (empty.status, empty.body) == (504, b"")


@pytest.mark.parametrize(
    ("row", "status", "body"),
    [
        (
            "row22",
            400,
            {"error": "invalid_request", "error_description": "Value passed for the token was invalid."},
        ),
        (
            "row23",
            400,
            {
                "error": "invalid_request",
                "error_description": "Value passed for the authorization code was invalid.",
            },
        ),
        (
            "row24",
            401,
            {"error": "unauthorized_client", "error_description": "Missing valid authorization header"},
        ),
        (
            "row25",
            503,
            {
                "title": "Service Unavailable",
                "type": "about:blank",
                "status": 503,
                "detail": "Service Unavailable",
            },
        ),
    ],
)
def test_the_token_endpoint_fails_as_its_rows_say(row: str, status: int, body: dict[str, Any]) -> None:
    response = token_answer(row)
    assert (response.status, response.json()) == (status, body)
    assert media_answer(row).status == 200


def test_a_refused_token_may_be_called_an_invalid_grant() -> None:
    assert token_answer("row22", options={"error": "invalid_grant"}).json()["error"] == "invalid_grant"


def test_every_row_has_a_failure_and_every_name_is_checked() -> None:
    assert sorted(ROWS) == [f"row{number:02}" for number in range(1, 27)]
    assert set(ROWS.values()) <= FAULT_NAMES
    with pytest.raises(ValueError, match="no failure is called 'row27'"):
        Fault("row27")
    with pytest.raises(ValueError, match="no endpoint is called 'media'"):
        Fault("row08", "media")
    with pytest.raises(TypeError):
        make().fail("row08", sometimes=True)

"""Every failure in X's book can be had on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulator import Fault, Limit, SimResponse
from exporter.simulator.faults import FAULT_NAMES, ROWS
from tests.simulator_support import (
    ANALYTICS_PATH,
    HOUR,
    INSIGHTS_PATH,
    MEDIA_PATH,
    NOW,
    POST,
    VIDEO,
    YOUNG_POST,
    YOUNG_VIDEO,
    Clock,
    analytics_query,
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


# When


def statuses(count: int, ask: Callable[[], SimResponse]) -> list[int]:
    return [ask().status for _ in range(count)]


def test_a_failure_ends_after_so_many_times() -> None:
    simulator = make()
    simulator.fail("row19", times=2, after=1)
    assert statuses(5, lambda: get(simulator, MEDIA_PATH, media_query())) == [200, 500, 500, 200, 200]


def test_a_failure_lasts_from_one_time_to_another() -> None:
    clock = Clock()
    simulator = make(clock=clock)
    simulator.fail("row20", since=NOW + 10, until=NOW + 20)
    found = []
    for _ in range(3):
        found.append(get(simulator, MEDIA_PATH, media_query()).status)
        clock.seconds += 10
    assert found == [200, 503, 200]


def test_a_failure_may_come_by_chance_and_alike_in_every_run() -> None:
    runs = []
    for _ in range(2):
        simulator = make()
        simulator.fail("row19", probability=0.3)
        runs.append(statuses(100, lambda: get(simulator, MEDIA_PATH, media_query())))  # noqa: B023 - called here
    assert runs[0] == runs[1]
    assert 15 < runs[0].count(500) < 45


def test_a_failure_keeps_to_its_endpoint() -> None:
    simulator = make()
    simulator.fail("client_not_enrolled", "media_analytics")
    assert get(simulator, MEDIA_PATH, media_query()).status == 403
    assert get(simulator, ANALYTICS_PATH, analytics_query()).status == 200
    simulator.faults.clear()
    assert get(simulator, MEDIA_PATH, media_query()).status == 200


def test_failures_of_items_leave_alone_what_has_no_items() -> None:
    simulator = make()
    simulator.fail("row01", times=1)
    assert get(simulator, "/2/users/me").json()["data"]["id"] == "1"
    assert "errors" in get(simulator, MEDIA_PATH, media_query()).json()


def test_a_failure_befalls_strangers_too() -> None:
    simulator = make()
    simulator.fail("row10")
    assert get(simulator, MEDIA_PATH, media_query(), "unheard").status == 403
    assert simulator.requests[0].account == ""


def test_the_log_names_the_failure() -> None:
    simulator = make()
    simulator.fail("row10")
    get(simulator, MEDIA_PATH, media_query())
    assert (simulator.requests[0].fault, simulator.requests[0].account) == ("row10", "brand")
    assert [fault.kind for fault in simulator.faults.posted] == ["client_not_enrolled"]


# Hostile answers


def test_a_lost_answer_was_processed_all_the_same() -> None:
    response = media_answer("lost_response")
    assert response.delivery.cut
    assert b"timestamped_metrics" in response.body


@pytest.mark.parametrize("name", ["cut", "hang"])
def test_a_connection_may_end_or_stay_silent_before_anything_is_done(name: str) -> None:
    response = media_answer(name)
    assert response.body == b""
    assert response.delivery.cut or response.delivery.delay_seconds > HOUR


def test_a_late_answer_takes_its_time() -> None:
    assert media_answer("late_response", options={"seconds": 3}).delivery.delay_seconds == 3


def test_an_answer_may_lie_about_having_been_processed() -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", "native", frozenset({"tweet.read", "offline.access"}))
    simulator.fail("processed_error", "token")
    form = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": pair.refresh_token or ""}
    assert post(simulator, "/2/oauth2/token", form).status == 503
    assert simulator.tokens.is_spent(pair.refresh_token or "")


def test_bodies_may_be_huge_or_without_end() -> None:
    assert media_answer("huge_body").delivery.repeat * len(media_answer("huge_body").body) == 100 << 20
    assert media_answer("slow_body").delivery.repeat == 0
    bomb = media_answer("gzip_bomb", options={"megabytes": 4})
    assert bomb.header("content-encoding") == "gzip"
    assert len(bomb.body) < 10_000


@pytest.mark.parametrize(
    "name",
    ["deep_nesting", "truncated_json", "not_json", "empty_body", "not_utf8", "json_null", "wrong_types"],
)
def test_bodies_may_be_of_any_other_shape(name: str) -> None:
    response = media_answer(name)
    assert response.status == 200
    assert response.body != media_answer("no_rate_headers").body


def test_headers_may_be_junk_or_missing() -> None:
    junk = media_answer("header_junk")
    assert junk.header("x-rate-limit-limit") == "many"
    assert junk.header("date") == "yesterday"
    assert len([name for name, _ in junk.headers]) == len({name for name, _ in junk.headers})
    bare = media_answer("no_rate_headers")
    assert bare.header("x-rate-limit-limit") is None
    assert media_answer("bad_gzip").header("content-encoding") == "gzip"


def test_an_answer_may_point_elsewhere() -> None:
    response = media_answer("redirect", options={"location": "http://localhost:1/"})
    assert (response.status, response.header("location")) == (302, "http://localhost:1/")


# Limits


def test_a_spent_window_is_refused_until_it_ends() -> None:
    clock = Clock()
    simulator = make(clock=clock, limits={"media_analytics": Limit(2, 5.0)})
    first, second, third = (get(simulator, MEDIA_PATH, media_query()) for _ in range(3))
    assert [each.status for each in (first, second, third)] == [200, 200, 429]
    assert [each.header("x-rate-limit-remaining") for each in (first, second, third)] == ["1", "0", "0"]
    assert third.header("x-rate-limit-limit") == "2"
    assert third.json()["title"] == "Too Many Requests"
    clock.seconds = float(third.header("x-rate-limit-reset") or 0)
    assert get(simulator, MEDIA_PATH, media_query()).status == 200


def test_windows_are_kept_for_each_account_and_endpoint() -> None:
    simulator = make(limits={"media_analytics": Limit(1)})
    assert get(simulator, MEDIA_PATH, media_query()).status == 200
    assert get(simulator, MEDIA_PATH, media_query()).status == 429
    assert get(simulator, MEDIA_PATH, media_query(), "token-of-other").status == 200
    assert get(simulator, INSIGHTS_PATH, insights_query()).status == 200


def test_a_daily_window_counts_too() -> None:
    clock = Clock()
    simulator = make(clock=clock, limits={"media_analytics": Limit(100, 5.0, daily=2)})
    for _ in range(2):
        assert get(simulator, MEDIA_PATH, media_query()).status == 200
        clock.seconds += 10
    response = get(simulator, MEDIA_PATH, media_query())
    assert response.status == 429
    assert response.header("x-user-limit-24hour-remaining") == "0"
    assert response.header("x-rate-limit-remaining") == "100"
    assert int(response.header("x-user-limit-24hour-reset") or 0) > NOW + 23 * HOUR


def test_limits_may_be_changed_kept_silent_or_not_enforced() -> None:
    simulator = make(limits={"media_analytics": Limit(1)})
    simulator.turn(enforce_limits=False, rate_headers=False)
    found = [get(simulator, MEDIA_PATH, media_query()) for _ in range(2)]
    assert [response.status for response in found] == [200, 200]
    assert found[0].header("x-rate-limit-limit") is None
    simulator.turn(enforce_limits=True, rate_headers=True)
    simulator.limiter.set("media_analytics", Limit(5))
    assert get(simulator, MEDIA_PATH, media_query()).header("x-rate-limit-remaining") == "4"


def test_what_is_documented_is_the_default() -> None:
    assert get(make(), "/2/users/me").header("x-rate-limit-limit") == "75"
    assert get(make(), MEDIA_PATH, media_query()).header("x-rate-limit-limit") == "300"

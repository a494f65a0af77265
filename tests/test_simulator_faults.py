"""When scripted failures happen, and the answers nobody should send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulator import SimResponse
from tests.simulator_support import (
    ANALYTICS_PATH,
    HOUR,
    MEDIA_PATH,
    NOW,
    VIDEO,
    YOUNG_VIDEO,
    Clock,
    analytics_query,
    get,
    make,
    media_query,
    post,
)


def media_answer(name: str, **particulars: Any) -> SimResponse:  # noqa: ANN401 - as `Fault` has them
    simulator = make()
    simulator.fail(name, **particulars)
    return get(simulator, MEDIA_PATH, media_query(VIDEO, YOUNG_VIDEO))


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

"""The rate limits of the simulated X."""

from __future__ import annotations

from exporter.simulator import Limit
from tests.simulator_support import (
    HOUR,
    INSIGHTS_PATH,
    MEDIA_PATH,
    NOW,
    Clock,
    get,
    insights_query,
    make,
    media_query,
)


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

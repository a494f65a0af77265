"""What the simulated insights endpoints answer, and how each knob changes it."""

from __future__ import annotations

from typing import Any

from exporter.simulator import Item, Simulator
from exporter.simulator.metrics import INSIGHT_METRICS
from exporter.simulator.times import iso
from tests.simulator_support import (
    GONE,
    HOUR,
    INSIGHTS_PATH,
    NOW,
    POST,
    THIS_HOUR,
    YOUNG_POST,
    Clock,
    body,
    get,
    insights_query,
    make,
    seconds,
)

FIRST_HOUR = THIS_HOUR - 28 * HOUR


def entries(simulator: Simulator, *posts: str, **changes: str) -> list[dict[str, Any]]:
    data = body(get(simulator, INSIGHTS_PATH, insights_query(*posts, **changes)))["data"]
    return [entry for item in data for entry in item["measurement"].get("metrics_time_series", [])]


def entry_labels(found: list[dict[str, Any]]) -> list[int]:
    return [seconds(entry["value"]["timestamp"]["iso8601_time"]) for entry in found]


def told(entry: dict[str, Any]) -> dict[str, Any]:
    return {each["metric_type"]: each.get("metric_value", 0) for each in entry["value"]["metric_values"]}


def test_insights_cover_the_last_28_hours_with_both_ends_cut() -> None:
    simulator = make()
    found = entries(simulator)
    assert entry_labels(found) == list(range(FIRST_HOUR, THIS_HOUR + HOUR, HOUR))
    middle = found[14]
    hour = entry_labels(found)[14]
    assert told(middle) == {wire: simulator.truth(POST, wire, hour) for wire in INSIGHT_METRICS}
    first, last = told(found[0])["Impressions"], told(found[-1])["Impressions"]
    whole = simulator.truth(POST, "impressions", FIRST_HOUR)
    assert whole is not None
    assert first == int(whole * (1 - 600.25 / HOUR))
    assert last == simulator.reported(POST, "impressions", THIS_HOUR, NOW)


def test_the_total_of_the_window_falls_again() -> None:
    clock = Clock()
    simulator = make(clock=clock)

    def total() -> int:
        (item,) = body(get(simulator, INSIGHTS_PATH, insights_query(granularity="Total")))["data"]
        assert list(item["measurement"]) == ["metrics_total"]
        (entry,) = item["measurement"]["metrics_total"]
        found = {each["metric_type"]: each.get("metric_value", 0) for each in entry["value"]}
        return int(found["Impressions"])

    first = total()
    clock.seconds += 10 * HOUR
    assert 0 < total() < first


def test_the_reported_total_is_the_sum_of_the_hours() -> None:
    simulator = make()
    (item,) = body(get(simulator, INSIGHTS_PATH, insights_query()))["data"]
    (total,) = item["measurement"]["metrics_total"]
    hours = sum(told(entry)["Impressions"] for entry in entries(simulator))
    assert {"metric_type": "Impressions", "metric_value": hours} in total["value"]
    by_name = {each["metric_type"]: each.get("metric_value", 0) for each in total["value"]}
    assert by_name["UniqueVideoViews"] <= sum(told(entry)["UniqueVideoViews"] for entry in entries(simulator))


def test_a_zero_is_told_without_a_value_unless_wanted() -> None:
    simulator = make()
    found = entries(simulator)[-1]["value"]["metric_values"]
    assert {"metric_type": "AppOpens"} in found
    simulator.turn(omit_zero=False)
    assert {"metric_type": "AppOpens", "metric_value": 0} in entries(simulator)[-1]["value"]["metric_values"]


def test_insights_may_have_28_hours_without_the_cut_one() -> None:
    simulator = make()
    simulator.turn(insights_buckets=28)
    found = entries(simulator)
    assert entry_labels(found) == list(range(FIRST_HOUR + HOUR, THIS_HOUR + HOUR, HOUR))
    assert told(found[0])["Impressions"] == simulator.truth(POST, "impressions", FIRST_HOUR + HOUR)


def test_metric_types_may_be_spelled_otherwise() -> None:
    simulator = make()
    simulator.turn(metric_type="snake")
    assert "video_played_25_percent" in told(entries(simulator)[0])
    simulator.turn(metric_type="screaming")
    assert "VIDEO_PLAYED_25_PERCENT" in told(entries(simulator)[0])


def test_posts_may_come_one_by_one_or_together() -> None:
    simulator = make()
    query = insights_query(POST, YOUNG_POST)
    assert len(body(get(simulator, INSIGHTS_PATH, query))["data"]) == 1
    simulator.turn(insights_per_post=True)
    assert len(body(get(simulator, INSIGHTS_PATH, query))["data"]) == 2


def test_totals_may_stay_away_from_hours() -> None:
    simulator = make()
    simulator.turn(totals=False)
    (item,) = body(get(simulator, INSIGHTS_PATH, insights_query()))["data"]
    assert list(item["measurement"]) == ["metrics_time_series"]


def test_values_of_insights_may_be_odd_and_their_order_too() -> None:
    simulator = make()
    simulator.turn(float_ratio=0.3, string_ratio=0.3, absent_ratio=0.1, shuffle=True, omit_zero=False)
    found = entries(simulator, POST, YOUNG_POST)
    values = [each["metric_value"] for entry in found for each in entry["value"]["metric_values"]]
    assert {type(value) for value in values} == {int, float, str}
    assert entry_labels(found) != sorted(entry_labels(found))


def test_hours_before_the_post_may_be_told_without_values() -> None:
    simulator = make()
    simulator.turn(before_creation="null")
    assert all(
        list(each) == ["metric_type"] for each in entries(simulator, YOUNG_POST)[0]["value"]["metric_values"]
    )


def test_missing_posts_are_told_inside_the_data() -> None:
    simulator = make()
    simulator.world.put(YOUNG_POST, Item(owner="other"))
    found = body(get(simulator, INSIGHTS_PATH, insights_query(POST, GONE, YOUNG_POST)))
    assert "errors" not in found
    assert found["data"][0]["errors"] == [
        {"error": "1 Tweet ID(s) are unavailable", "tweets": [GONE]},
        {"error": f"Forbidden to access tweets: {YOUNG_POST}", "tweets": [YOUNG_POST]},
    ]


def test_only_missing_posts_leave_errors_alone_in_the_data() -> None:
    found = body(get(make(), INSIGHTS_PATH, insights_query(GONE)))
    assert found["data"] == [{"errors": [{"error": "1 Tweet ID(s) are unavailable", "tweets": [GONE]}]}]


def test_fields_that_were_not_asked_for_stay_away() -> None:
    simulator = make()
    found = body(
        get(simulator, INSIGHTS_PATH, insights_query(POST, GONE, **{"engagement.fields": "measurement"}))
    )
    assert list(found["data"][0]) == ["measurement"]
    assert found["errors"][0]["resource_id"] == GONE
    found = body(get(simulator, INSIGHTS_PATH, insights_query(POST, GONE, **{"engagement.fields": "errors"})))
    assert list(found["data"][0]) == ["errors"]
    query = insights_query(POST)
    del query["engagement.fields"]
    assert body(get(simulator, INSIGHTS_PATH, query)) == {}


def test_the_historical_endpoint_tells_whole_past_hours() -> None:
    simulator = make()
    query = insights_query(POST, start_time=iso(THIS_HOUR - 30 * HOUR), end_time=iso(THIS_HOUR - 20 * HOUR))
    (item,) = body(get(simulator, "/2/insights/historical", query))["data"]
    found = item["measurement"]["metrics_time_series"]
    assert entry_labels(found) == list(range(THIS_HOUR - 30 * HOUR, THIS_HOUR - 20 * HOUR, HOUR))
    hour = entry_labels(found)[0]
    assert told(found[0])["Impressions"] == simulator.truth(POST, "Impressions", hour)

"""What the simulated endpoints answer, and how each knob changes it."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from exporter.simulator import Item, ItemStatus, SimResponse, Simulator
from exporter.simulator.metrics import INSIGHT_METRICS, MEDIA_METRICS
from exporter.simulator.times import iso
from tests.simulator_support import (
    ANALYTICS_PATH,
    GONE,
    HOUR,
    INSIGHTS_PATH,
    MEDIA_PATH,
    NOW,
    OLD_FIELDS,
    POST,
    THIS_HOUR,
    TOKEN,
    VIDEO,
    YOUNG_POST,
    YOUNG_VIDEO,
    Clock,
    analytics_query,
    get,
    insights_query,
    make,
    media_query,
)

FIRST_HOUR = THIS_HOUR - 28 * HOUR


def seconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp())


def body(response: SimResponse) -> dict[str, Any]:
    assert response.status == 200, response.body
    found: dict[str, Any] = response.json()
    return found


def series(simulator: Simulator, key: str = VIDEO, **changes: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(get(simulator, MEDIA_PATH, media_query(key, **changes)))["data"][0][
        "timestamped_metrics"
    ]
    return found


def labels(found: list[dict[str, Any]]) -> list[int]:
    return [seconds(bucket["timestamp"]) for bucket in found]


def entries(simulator: Simulator, *posts: str, **changes: str) -> list[dict[str, Any]]:
    data = body(get(simulator, INSIGHTS_PATH, insights_query(*posts, **changes)))["data"]
    return [entry for item in data for entry in item["measurement"].get("metrics_time_series", [])]


def entry_labels(found: list[dict[str, Any]]) -> list[int]:
    return [seconds(entry["value"]["timestamp"]["iso8601_time"]) for entry in found]


def told(entry: dict[str, Any]) -> dict[str, Any]:
    return {each["metric_type"]: each.get("metric_value", 0) for each in entry["value"]["metric_values"]}


# Media


def test_every_hour_and_figure_of_a_video_is_the_truth() -> None:
    simulator = make()
    found = series(simulator)
    assert labels(found) == list(range(FIRST_HOUR, THIS_HOUR, HOUR))
    for bucket in found:
        hour = seconds(bucket["timestamp"])
        assert bucket["metrics"] == {name: simulator.truth(VIDEO, name, hour) for name in MEDIA_METRICS}


def test_a_cut_first_hour_holds_only_its_part() -> None:
    simulator = make()
    (first, *_) = series(simulator, start_time=iso(FIRST_HOUR + 1800))
    whole = simulator.truth(VIDEO, "watch_time_ms", FIRST_HOUR)
    assert whole is not None
    assert seconds(first["timestamp"]) == FIRST_HOUR
    assert first["metrics"]["watch_time_ms"] == whole // 2


def test_days_and_the_total_are_sums_of_hours() -> None:
    simulator = make()
    hours = series(simulator, start_time=iso(FIRST_HOUR + HOUR // 2))
    whole = sum(bucket["metrics"]["video_views"] for bucket in hours)
    days = series(simulator, start_time=iso(FIRST_HOUR + HOUR // 2), granularity="daily")
    (total,) = series(simulator, start_time=iso(FIRST_HOUR + HOUR // 2), granularity="total")
    assert sum(bucket["metrics"]["video_views"] for bucket in days) == whole
    assert total["metrics"]["video_views"] == whole
    assert all(label % 86400 == 0 for label in labels(days))
    assert seconds(total["timestamp"]) == FIRST_HOUR + HOUR // 2


def test_only_fields_that_were_asked_for_come() -> None:
    simulator = make()
    query = media_query(VIDEO)
    del query["media_analytics.fields"]
    assert body(get(simulator, MEDIA_PATH, query)) == {"data": [{"media_key": VIDEO}]}
    (bucket, *_) = series(simulator, **{"media_analytics.fields": "timestamped_metrics,video_views"})
    assert list(bucket["metrics"]) == ["video_views"]


def test_the_old_field_list_implies_the_series_and_gives_times_only_when_asked() -> None:
    simulator = make()
    simulator.turn(old_field_list=True)
    assert len(series(simulator, **{"media_analytics.fields": ",".join(OLD_FIELDS)})) == 28
    (bucket, *_) = series(simulator, **{"media_analytics.fields": "video_views"})
    assert list(bucket) == ["metrics"]


def test_an_unknown_video_is_an_error_beside_the_data() -> None:
    found = body(get(make(), MEDIA_PATH, media_query(VIDEO, "13_1")))
    assert [item["media_key"] for item in found["data"]] == [VIDEO]
    (error,) = found["errors"]
    assert error["type"] == "https://api.x.com/2/problems/resource-not-found"
    assert error["resource_id"] == error["value"] == "13_1"
    assert error["detail"] == "Could not find media_analytics with media_keys: [13_1]."


def test_only_unknown_videos_are_errors_without_data() -> None:
    found = body(get(make(), MEDIA_PATH, media_query("13_1", "13_2")))
    assert list(found) == ["errors"]
    assert len(found["errors"]) == 2


def test_any_well_formed_id_may_exist() -> None:
    found = body(get(make(any_id=True), MEDIA_PATH, media_query("13_1880028106020515840")))
    assert "errors" not in found


def test_a_key_asked_for_twice_is_answered_once() -> None:
    assert len(body(get(make(), MEDIA_PATH, media_query(VIDEO, VIDEO)))["data"]) == 1


@pytest.mark.parametrize(
    ("status", "segment"),
    [
        (ItemStatus.NOT_AUTHORIZED, "not-authorized-for-resource"),
        (ItemStatus.UNAVAILABLE, "resource-unavailable"),
        (ItemStatus.DISALLOWED, "disallowed-resource"),
        (ItemStatus.INTERNAL_ERROR, "internal-error"),
    ],
)
def test_an_item_that_cannot_be_told_about_says_why(status: ItemStatus, segment: str) -> None:
    simulator = make()
    simulator.turn(problem_host="api.twitter.com")
    simulator.world.put(VIDEO, Item(status))
    (error,) = body(get(simulator, MEDIA_PATH, media_query(VIDEO)))["errors"]
    assert error["type"] == f"https://api.twitter.com/2/problems/{segment}"


def test_the_items_of_others_are_not_ours_to_read() -> None:
    simulator = make()
    simulator.world.put(VIDEO, Item(owner="other"))
    (error,) = body(get(simulator, MEDIA_PATH, media_query(VIDEO)))["errors"]
    assert error["type"].endswith("/not-authorized-for-resource")
    assert "errors" not in body(get(simulator, MEDIA_PATH, media_query(VIDEO), "token-of-other"))


def test_a_deleted_item_is_found_until_it_is_deleted() -> None:
    clock = Clock()
    simulator = make(clock=clock)
    simulator.world.put(VIDEO, Item(deleted_at=NOW + 60))
    assert "data" in body(get(simulator, MEDIA_PATH, media_query(VIDEO)))
    clock.seconds += 61
    assert "data" not in body(get(simulator, MEDIA_PATH, media_query(VIDEO)))


def test_a_photo_has_no_figures() -> None:
    simulator = make(any_id=True)
    key = "3_1880028106020515840"
    assert "data" not in body(get(simulator, MEDIA_PATH, media_query(key)))
    simulator.turn(photo_keys="null")
    assert set(series(simulator, key)[-1]["metrics"].values()) == {None}


@pytest.mark.parametrize(
    ("knob", "kind"), [("string_ratio", str), ("float_ratio", float), ("null_ratio", type(None))]
)
def test_figures_come_in_the_kind_that_is_wanted(knob: str, kind: type) -> None:
    simulator = make()
    simulator.turn(**{knob: 1.0})
    assert {type(value) for bucket in series(simulator) for value in bucket["metrics"].values()} == {kind}


def test_kinds_of_value_mix_by_their_shares() -> None:
    simulator = make()
    simulator.turn(string_ratio=0.2, float_ratio=0.2, null_ratio=0.2, absent_ratio=0.2)
    found = [value for bucket in series(simulator) for value in bucket["metrics"].values()]
    assert {type(value) for value in found} == {str, float, type(None), int}
    assert 180 < len(found) < 270
    assert series(simulator) == series(simulator)


def test_whole_buckets_may_be_null() -> None:
    simulator = make()
    simulator.turn(null_bucket_ratio=1.0)
    assert {bucket["metrics"] for bucket in series(simulator)} == {None}


def test_labels_may_be_the_end_of_the_hour() -> None:
    simulator = make()
    starts = series(simulator)
    simulator.turn(label_end=True)
    ends = series(simulator)
    assert labels(ends) == [label + HOUR for label in labels(starts)]
    assert [bucket["metrics"] for bucket in ends] == [bucket["metrics"] for bucket in starts]


def test_one_more_bucket_may_begin_at_the_end_time() -> None:
    simulator = make()
    simulator.turn(bucket_at_end=True)
    last = series(simulator)[-1]
    assert seconds(last["timestamp"]) == THIS_HOUR
    assert last["metrics"]["watch_time_ms"] == simulator.reported(VIDEO, "watch_time_ms", THIS_HOUR, NOW)


@pytest.mark.parametrize(
    ("told_before", "count", "first"),
    [
        ("absent", 6, None),
        ("zero", 28, dict.fromkeys(MEDIA_METRICS, 0)),
        ("null", 28, dict.fromkeys(MEDIA_METRICS)),
    ],
)
def test_hours_before_the_item_are_told_as_wanted(
    told_before: str, count: int, first: dict[str, int | None] | None
) -> None:
    simulator = make()
    simulator.turn(before_creation=told_before)
    found = series(simulator, YOUNG_VIDEO)
    assert len(found) == count
    assert first is None or found[0]["metrics"] == first


def test_hours_without_any_figure_may_be_left_out() -> None:
    simulator = make()
    quiet = "13_1000000000000"
    simulator.world.put(quiet, Item())
    whole = series(simulator, quiet)
    simulator.turn(zero_fill=False)
    assert set(labels(whole)) > set(labels(series(simulator, quiet)))


def test_some_hours_may_be_missing() -> None:
    simulator = make()
    simulator.turn(missing_ratio=0.3)
    assert 10 < len(series(simulator)) < 28


def test_buckets_may_come_twice_and_in_no_order() -> None:
    simulator = make()
    plain = series(simulator)
    simulator.turn(repeat_buckets=True, shuffle=True)
    mixed = series(simulator)
    assert len(mixed) == 56
    assert labels(mixed) != sorted(labels(mixed))
    assert set(labels(mixed)) == set(labels(plain))


def test_the_newest_hours_may_not_be_out_yet() -> None:
    simulator = make()
    simulator.turn(lag_hours=2)
    assert labels(series(simulator))[-1] == THIS_HOUR - 3 * HOUR
    (total,) = series(simulator, granularity="total")
    assert total["metrics"]["video_views"] == sum(
        bucket["metrics"]["video_views"] for bucket in series(simulator)
    )


def test_one_item_may_come_as_an_object() -> None:
    simulator = make()
    simulator.turn(data_as_object=True)
    assert body(get(simulator, MEDIA_PATH, media_query(VIDEO)))["data"]["media_key"] == VIDEO
    assert isinstance(body(get(simulator, MEDIA_PATH, media_query(VIDEO, YOUNG_VIDEO)))["data"], list)


def test_a_total_may_be_flat() -> None:
    simulator = make()
    simulator.turn(flat_total=True)
    (item,) = body(get(simulator, MEDIA_PATH, media_query(VIDEO, granularity="total")))["data"]
    assert set(item) == {"media_key", *MEDIA_METRICS}


def test_items_may_come_in_no_order() -> None:
    simulator = make(any_id=True)
    simulator.turn(shuffle=True)
    keys = [f"13_188002810602051584{digit}" for digit in range(10)]
    found = [item["media_key"] for item in body(get(simulator, MEDIA_PATH, media_query(*keys)))["data"]]
    assert found != keys
    assert sorted(found) == keys


# The sibling


def test_the_sibling_tells_the_same_figures_of_a_post() -> None:
    simulator = make()
    (item,) = body(get(simulator, ANALYTICS_PATH, analytics_query()))["data"]
    assert item["id"] == POST
    assert len(item["timestamped_metrics"]) == 28
    for bucket in item["timestamped_metrics"]:
        hour = seconds(bucket["timestamp"])
        names = ("impressions", "likes", "bookmarks", "engagements")
        assert bucket["metrics"] == {name: simulator.truth(POST, name, hour) for name in names}


def test_the_sibling_knows_weeks_that_begin_on_monday() -> None:
    simulator = make()
    query = analytics_query(granularity="weekly", start_time=iso(THIS_HOUR - 20 * 24 * HOUR))
    (item,) = body(get(simulator, ANALYTICS_PATH, query))["data"]
    days = {
        datetime.fromisoformat(bucket["timestamp"]).isoweekday() for bucket in item["timestamped_metrics"]
    }
    assert days == {1}


# Insights


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


# Around the body


def test_good_answers_carry_the_headers_of_x() -> None:
    simulator = make()
    simulator.turn(date_skew_seconds=3600.0, access_level="read")
    response = get(simulator, MEDIA_PATH, media_query())
    assert response.header("content-type") == "application/json; charset=utf-8"
    assert response.header("x-access-level") == "read"
    assert response.header("api-version") == "2.168"
    transaction = response.header("x-transaction-id")
    assert transaction is not None
    assert len(transaction) == 16
    assert int(transaction, 16)
    date = response.header("date")
    assert date is not None
    assert int(parsedate_to_datetime(date).timestamp()) == int(NOW) + 3600
    assert simulator.requests[-1].transaction_id == transaction


def test_the_log_says_who_asked_for_what_and_keeps_no_token() -> None:
    simulator = make()
    get(simulator, MEDIA_PATH, media_query())
    get(simulator, MEDIA_PATH, media_query(), "wrong")
    get(simulator, "/2/nowhere")
    calls = [(call.endpoint, call.account, call.status) for call in simulator.requests]
    assert calls == [("media_analytics", "brand", 200), ("media_analytics", "", 401), ("unknown", "", 404)]
    assert simulator.counts["media_analytics"] == 2
    assert TOKEN not in repr(simulator.requests) + repr(simulator.world.accounts)


def test_a_metric_may_be_asked_about_in_either_spelling_and_must_exist() -> None:
    simulator = make()
    hour = THIS_HOUR - 5 * HOUR
    assert simulator.truth(POST, "UrlClicks", hour) == simulator.truth(POST, "url_clicks", hour)
    with pytest.raises(KeyError):
        simulator.truth(POST, "playback25", hour)

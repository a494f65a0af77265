"""What the simulated analytics endpoints answer, and how each knob changes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from exporter.simulator import Item, ItemStatus, Simulator
from exporter.simulator.metrics import MEDIA_METRICS
from exporter.simulator.times import iso
from tests.simulator_support import (
    ANALYTICS_PATH,
    HOUR,
    MEDIA_PATH,
    NOW,
    OLD_FIELDS,
    POST,
    THIS_HOUR,
    VIDEO,
    YOUNG_VIDEO,
    Clock,
    analytics_query,
    body,
    get,
    make,
    media_query,
    seconds,
)

FIRST_HOUR = THIS_HOUR - 28 * HOUR


def series(simulator: Simulator, key: str = VIDEO, **changes: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(get(simulator, MEDIA_PATH, media_query(key, **changes)))["data"][0][
        "timestamped_metrics"
    ]
    return found


def labels(found: list[dict[str, Any]]) -> list[int]:
    return [seconds(bucket["timestamp"]) for bucket in found]


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

"""Answers of /2/insights/28hr."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import WireError
from exporter.model import Answer, ItemErrorType, ItemProblem
from exporter.vocabulary import POST_METRICS, Metric
from exporter.xapi.wire import decode_insights_28hr

DATA = Path(__file__).parent / "data" / "wire"
SEVEN_PM = 1791399600
EIGHT_PM = SEVEN_PM + 3600


def post_metric(name: str) -> Metric:
    return next(metric for metric in POST_METRICS if metric.name == name)


IMPRESSIONS, LIKES, REPLIES = (post_metric(name) for name in ("impressions", "likes", "replies"))
SILENT = object()


def figure(metric_type: str, value: object = SILENT) -> dict[str, Any]:
    return {"metric_type": metric_type} | ({} if value is SILENT else {"metric_value": value})


def hour(post_id: str, at: int, *figures: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    stamp = {"iso8601_time": f"2026-10-07T{at}:00:00Z"}
    return {"tweet_id": post_id, "value": {"metric_values": figures, "timestamp": stamp}}


def insights(series: Any = None, totals: Any = None) -> bytes:  # noqa: ANN401 - any JSON
    measurement = {"metrics_time_series": series, "metrics_total": totals}
    return json.dumps({"data": [{"measurement": measurement}]}).encode()


def told(row: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in row]


def row_of(*figures: Any, metrics: Sequence[Metric] = (IMPRESSIONS, LIKES)) -> list[float | None]:  # noqa: ANN401
    """The row read from one entry; the same list as a total must say the same."""
    body = insights([hour("1", 19, *figures)], [{"tweet_id": "1", "value": figures}])
    (report,) = decode_insights_28hr(body, metrics).reports
    assert report.total is not None
    assert told(report.values) == told(report.total)
    return told(report.values)


def test_the_documented_answer_is_read_as_it_stands() -> None:
    answer = decode_insights_28hr((DATA / "insights_28hr.json").read_bytes(), (LIKES, IMPRESSIONS, REPLIES))

    (report,) = answer.reports
    assert report.id == "1880028106020515841"
    assert report.starts == (SEVEN_PM,)
    assert told(report.values) == [0, 812, None]
    assert report.total is not None
    assert told(report.total) == [None, 9120, None]
    unavailable = ItemProblem(
        "1880000000000000000", ItemErrorType.ENGAGEMENT_ERROR, "1 Tweet ID(s) are unavailable"
    )
    assert answer.problems == (unavailable,)


@pytest.mark.parametrize("spelling", ["Likes", "likes", "LIKES", "lIkEs", "_likes_"])
def test_metric_types_are_compared_without_case(spelling: str) -> None:
    assert row_of(figure(spelling, 3), figure("Impressions", 5)) == [5, 3]


@pytest.mark.parametrize(
    "spelling", ["VideoPlayed25Percent", "video_played_25_percent", "VIDEO_PLAYED_25PERCENT"]
)
def test_metric_types_are_compared_without_underscores(spelling: str) -> None:
    assert row_of(figure(spelling, 3), metrics=(post_metric("video_played_25_percent"),)) == [3]


@pytest.mark.parametrize("metric_type", ["Bookmarks", "Retweets", "", None])
def test_metric_types_nobody_asked_for_are_passed_over(metric_type: Any) -> None:  # noqa: ANN401 - any JSON
    assert row_of(figure(metric_type, 9), figure("Likes", 3), {"metric_value": 7}) == [None, 3]


def test_a_metric_object_without_value_is_zero_beside_a_number() -> None:
    assert row_of(figure("Impressions", 812), figure("Likes")) == [812, 0]
    assert row_of(figure("Likes"), figure("Impressions", "812")) == [812, 0]
    assert row_of(figure("Likes"), figure("Impressions", 0)) == [0, 0]


@pytest.mark.parametrize("metric_type", ["Replies", "SomethingNew", None])
def test_the_number_beside_it_may_be_of_any_metric(metric_type: Any) -> None:  # noqa: ANN401 - any JSON
    assert row_of(figure("Likes"), figure(metric_type, 4)) == [None, 0]


def test_a_metric_object_without_value_is_no_sample_where_nothing_has_one() -> None:
    assert row_of(figure("Likes"), figure("Impressions")) == [None, None]


@pytest.mark.parametrize("odd", [None, True, "", "many", [], {}, [5]])
def test_a_value_that_is_no_number_does_not_make_others_zero(odd: object) -> None:
    assert row_of(figure("Likes"), figure("Impressions", odd)) == [None, None]


def test_an_explicit_null_is_never_zero() -> None:
    assert row_of(figure("Impressions", 812), figure("Likes", None)) == [812, None]


def test_a_metric_that_is_not_mentioned_is_no_sample() -> None:
    assert row_of(figure("Impressions", 812)) == [812, None]


def test_an_odd_value_costs_only_itself() -> None:
    series = [
        hour("1", 19, figure("Impressions", [7]), figure("Likes", 3)),
        hour("1", 20, figure("Impressions", 5), figure("Likes")),
    ]
    (report,) = decode_insights_28hr(insights(series), (IMPRESSIONS, LIKES)).reports

    assert told(report.values) == [None, 3, 5, 0]


def test_a_silent_repetition_takes_no_number_away() -> None:
    assert row_of(figure("Likes", 3), figure("Likes")) == [None, 3]
    assert row_of(figure("Likes"), figure("Likes", 3)) == [None, 3]


def test_entries_of_one_hour_with_different_metrics_are_both_kept() -> None:
    series = [hour("1", 19, figure("Impressions", 5)), hour("1", 19, figure("Likes", 3))]
    (report,) = decode_insights_28hr(insights(series), (IMPRESSIONS, LIKES)).reports

    assert report.starts == (SEVEN_PM, SEVEN_PM)
    assert told(report.values) == [5, None, None, 3]


def test_entries_of_several_posts_may_be_mixed() -> None:
    series = [
        hour("1", 20, figure("Likes", 1)),
        hour("2", 19, figure("Likes", 2)),
        hour("1", 19, figure("Likes", 3)),
    ]
    first, second = decode_insights_28hr(insights(series), (LIKES,)).reports

    assert (first.id, first.starts, list(first.values)) == ("1", (EIGHT_PM, SEVEN_PM), [1, 3])
    assert (second.id, second.starts, list(second.values)) == ("2", (SEVEN_PM,), [2])
    assert first.total is None


def test_every_entry_of_data_is_read_for_series_and_totals() -> None:
    body = json.dumps(
        {
            "data": [
                {"measurement": {"metrics_time_series": [hour("1", 19, figure("Likes", 1))]}},
                {"measurement": {"metrics_total": [{"tweet_id": "1", "value": [figure("Likes", 9)]}]}},
                {"measurement": None},
                {},
            ]
        }
    ).encode()
    (report,) = decode_insights_28hr(body, (LIKES,)).reports

    assert list(report.values) == [1]
    assert report.total is not None
    assert list(report.total) == [9]


def test_a_total_may_come_in_parts() -> None:
    parts = [
        {"tweet_id": "1", "value": [figure("Impressions", 5), figure("Likes", 1)]},
        {"tweet_id": "1", "value": [figure("Likes", 3)]},
        {"tweet_id": "1", "value": None},
    ]
    (report,) = decode_insights_28hr(insights(None, parts), (IMPRESSIONS, LIKES)).reports

    assert report.starts == ()
    assert report.total is not None
    assert told(report.total) == [5, 3]


@pytest.mark.parametrize("value", [None, []])
def test_a_total_without_metrics_is_no_total(value: list[Any] | None) -> None:
    (report,) = decode_insights_28hr(insights(None, [{"tweet_id": "1", "value": value}]), (LIKES,)).reports

    assert report.total is None


@pytest.mark.parametrize("figures", [None, []])
def test_an_hour_without_metrics_is_a_row_without_numbers(figures: list[Any] | None) -> None:
    value = {"metric_values": figures, "timestamp": {"iso8601_time": "2026-10-07T19:00:00Z"}}
    (report,) = decode_insights_28hr(insights([{"tweet_id": "1", "value": value}]), (LIKES,)).reports

    assert report.starts == (SEVEN_PM,)
    assert told(report.values) == [None]


@pytest.mark.parametrize(
    "value", [None, {}, {"timestamp": None}, {"timestamp": {}}, {"timestamp": {"iso8601_time": None}}]
)
def test_an_entry_without_time_is_dropped_alone(value: dict[str, Any] | None) -> None:
    series = [{"tweet_id": "1", "value": value}, hour("1", 19, figure("Likes", 1))]
    (report,) = decode_insights_28hr(insights(series), (LIKES,)).reports

    assert report.starts == (SEVEN_PM,)


def test_data_may_be_one_object() -> None:
    measurement = {"metrics_time_series": [hour("1", 19, figure("Likes", 1))]}
    body = json.dumps({"data": {"measurement": measurement}}).encode()

    assert list(decode_insights_28hr(body, (LIKES,)).reports[0].values) == [1]


@pytest.mark.parametrize("body", [b"{}", b'{"data": null}', b'{"data": []}', b'{"data": [{}]}'])
def test_an_answer_without_data_is_empty(body: bytes) -> None:
    assert decode_insights_28hr(body, POST_METRICS) == Answer(())


SERIES = "$.data[0].measurement.metrics_time_series"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "$"),
        (b'{"data": 5}', "$.data"),
        (b'{"data": [{"measurement": []}]}', "$.data[0].measurement"),
        (insights({}), SERIES),
        (insights([{"value": None}]), f"{SERIES}[0]"),
        (insights([{"tweet_id": 1}]), f"{SERIES}[0].tweet_id"),
        (insights([{"tweet_id": "1", "value": []}]), f"{SERIES}[0].value"),
        (insights([{"tweet_id": "1", "value": {"metric_values": {}}}]), f"{SERIES}[0].value.metric_values"),
        (insights([hour("1", 19, "Likes")]), f"{SERIES}[0].value.metric_values[0]"),
        (insights([hour("1", 19, {"metric_type": 5})]), f"{SERIES}[0].value.metric_values[0].metric_type"),
        (insights(None, [{"tweet_id": "1", "value": {}}]), "$.data[0].measurement.metrics_total[0].value"),
        (insights(None, [{"value": []}]), "$.data[0].measurement.metrics_total[0]"),
    ],
)
def test_an_envelope_of_another_shape_is_an_error_that_names_the_place(body: bytes, path: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_insights_28hr(body, POST_METRICS)

    assert caught.value.path == path
    assert caught.value.problem

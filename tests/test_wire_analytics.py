"""Answers of /2/media/analytics and /2/tweets/analytics."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import WireError
from exporter.model import Answer, Endpoint, ItemErrorType, ItemProblem
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS, Metric
from exporter.xapi.wire import decode, decode_media_analytics, decode_tweets_analytics

DATA = Path(__file__).parent / "data" / "wire"
SEVEN_PM = 1791399600
EIGHT_PM = SEVEN_PM + 3600

VIEWS, PLAYS = MEDIA_METRICS[:2]


def post_metric(name: str) -> Metric:
    return next(metric for metric in POST_METRICS if metric.name == name)


def media(*entries: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps({"data": entries}).encode()


def entry(key: str, *buckets: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"media_key": key, "timestamped_metrics": buckets}


def bucket(hour: int, **metrics: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"timestamp": f"2026-10-07T{hour}:00:00Z", "metrics": metrics}


def rows(answer: Answer, width: int) -> list[list[float | None]]:
    """The rows of the only report, None for no sample."""
    (report,) = answer.reports
    cells = [None if math.isnan(value) else value for value in report.values]
    assert len(cells) == width * len(report.starts)
    return [cells[place : place + width] for place in range(0, len(cells), width)]


def test_the_documented_media_answer_is_read_as_it_stands() -> None:
    answer = decode_media_analytics((DATA / "media_analytics.json").read_bytes(), MEDIA_METRICS)

    (report,) = answer.reports
    assert report.id == "13_1880028106020515840"
    assert report.starts == (SEVEN_PM, EIGHT_PM)
    assert report.total is None
    assert rows(answer, 10) == [[41, 57, 30, 22, 15, 9, 4, 0, None, 418233], [None] * 10]
    detail = "Could not find media_analytics with media_keys: [13_1]."
    assert answer.problems == (ItemProblem("13_1", ItemErrorType.RESOURCE_NOT_FOUND, detail),)


def test_the_documented_post_answer_is_read_as_it_stands() -> None:
    metrics = [post_metric("likes"), post_metric("impressions"), post_metric("follows")]
    answer = decode_tweets_analytics((DATA / "tweets_analytics.json").read_bytes(), metrics)

    assert answer.reports[0].id == "1880028106020515841"
    assert answer.reports[0].starts == (SEVEN_PM,)
    assert rows(answer, 3) == [[12, 812, None]]


def test_decode_reads_each_endpoint_its_own_way() -> None:
    media_body = (DATA / "media_analytics.json").read_bytes()
    posts_body = (DATA / "tweets_analytics.json").read_bytes()
    insights_body = (DATA / "insights_28hr.json").read_bytes()
    impressions = (post_metric("impressions"),)

    assert decode(Endpoint.MEDIA_ANALYTICS, media_body, (VIEWS,)).reports[0].values[0] == 41
    assert decode(Endpoint.TWEETS_ANALYTICS, posts_body, impressions).reports[0].values[0] == 812
    assert decode(Endpoint.INSIGHTS_28HR, insights_body, impressions).reports[0].values[0] == 812


def test_rows_follow_the_asked_metrics_in_their_order() -> None:
    body = media(entry("13_1", bucket(19, video_views=1, playback_start=2)))

    assert rows(decode_media_analytics(body, (PLAYS, VIEWS)), 2) == [[2, 1]]
    assert rows(decode_media_analytics(body, (PLAYS,)), 1) == [[2]]


def test_a_metric_nobody_asked_for_costs_nothing_whatever_its_value() -> None:
    body = media(entry("13_1", bucket(19, video_views=1, playback_start={"odd": True}, new_metric=[])))

    assert rows(decode_media_analytics(body, (VIEWS,)), 1) == [[1]]


def test_an_absent_metric_is_no_sample() -> None:
    body = media(entry("13_1", bucket(19, video_views=1)))

    assert rows(decode_media_analytics(body, (VIEWS, PLAYS)), 2) == [[1, None]]


def test_a_zero_beside_a_null_is_still_a_zero() -> None:
    body = media(entry("13_1", bucket(19, video_views=0, playback_start=None)))

    assert rows(decode_media_analytics(body, (VIEWS, PLAYS)), 2) == [[0, None]]


def test_an_absent_metric_beside_an_odd_value_is_no_sample() -> None:
    body = media(entry("13_1", bucket(19, video_views=True), bucket(20, playback_start=2)))

    assert rows(decode_media_analytics(body, (VIEWS, PLAYS)), 2) == [[None, None], [None, 2]]


def test_a_bucket_without_metrics_is_a_row_without_numbers() -> None:
    without = {"timestamp": "2026-10-07T19:00:00Z"}
    body = media(entry("13_1", without, without | {"metrics": None}, bucket(20, video_views=1)))

    assert rows(decode_media_analytics(body, (VIEWS,)), 1) == [[None], [None], [1]]


def test_a_bucket_without_timestamp_is_dropped_alone() -> None:
    body = media(entry("13_1", {"metrics": {"video_views": 5}}, bucket(20, video_views=1)))
    answer = decode_media_analytics(body, (VIEWS,))

    assert answer.reports[0].starts == (EIGHT_PM,)
    assert rows(answer, 1) == [[1]]


def test_buckets_keep_the_answers_order_and_repetitions() -> None:
    body = media(
        entry("13_1", bucket(20, video_views=1), bucket(19, video_views=2), bucket(20, video_views=3))
    )
    answer = decode_media_analytics(body, (VIEWS,))

    assert answer.reports[0].starts == (EIGHT_PM, SEVEN_PM, EIGHT_PM)
    assert rows(answer, 1) == [[1], [2], [3]]


def test_entries_of_one_media_key_are_one_report() -> None:
    body = media(
        entry("13_1", bucket(19, video_views=1)),
        entry("13_2", bucket(19, video_views=2)),
        entry("13_1", bucket(20, video_views=3)),
    )
    first, second = decode_media_analytics(body, (VIEWS,)).reports

    assert (first.id, first.starts, list(first.values)) == ("13_1", (SEVEN_PM, EIGHT_PM), [1, 3])
    assert (second.id, second.starts, list(second.values)) == ("13_2", (SEVEN_PM,), [2])


def test_data_may_be_one_object() -> None:
    body = json.dumps({"data": entry("13_1", bucket(19, video_views=1))}).encode()

    assert rows(decode_media_analytics(body, (VIEWS,)), 1) == [[1]]


@pytest.mark.parametrize("buckets", [None, []])
def test_an_entry_without_buckets_is_a_report_without_data(buckets: list[Any] | None) -> None:
    body = media({"media_key": "13_1", "timestamped_metrics": buckets}, {"media_key": "13_2"})
    answer = decode_media_analytics(body, (VIEWS,))

    assert [report.id for report in answer.reports] == ["13_1", "13_2"]
    assert not any(report.starts or report.carries_data for report in answer.reports)


def test_metrics_flat_beside_the_media_key_are_no_hour() -> None:
    body = media({"media_key": "13_1", "timestamp": "2026-10-07T19:00:00Z", "video_views": 5})

    assert decode_media_analytics(body, (VIEWS,)).reports[0].starts == ()


@pytest.mark.parametrize("body", [b"{}", b'{"data": null, "errors": null}', b'{"data": []}', b'{"meta": 1}'])
def test_an_answer_without_data_is_empty(body: bytes) -> None:
    assert decode_media_analytics(body, MEDIA_METRICS) == Answer(())


def test_a_post_metric_the_sibling_lacks_is_no_sample() -> None:
    body = json.dumps(
        {
            "data": [
                {
                    "id": "1",
                    "timestamped_metrics": [
                        bucket(19, likes=1, video_views=2, VideoViews=3, impressions=4),
                        bucket(20, likes=5, impressions="6"),
                    ],
                }
            ]
        }
    ).encode()
    metrics = [post_metric(name) for name in ("video_views", "impressions", "video_starts", "likes")]

    assert rows(decode_tweets_analytics(body, metrics), 4) == [[None, 4, None, 1], [None, 6, None, 5]]
    assert rows(decode_tweets_analytics(body, metrics[:1]), 1) == [[None], [None]]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"<html>", "$"),
        (b'{"data": [', "$"),
        (b'{"data": []} trailing', "$"),
        (b'{"data": NaN}', "$"),
        (b"null", "$"),
        (b"[]", "$"),
        (b"5", "$"),
        (b'{"data": 5}', "$.data"),
        (b'{"data": "none"}', "$.data"),
        (b'{"data": [null]}', "$.data[0]"),
        (b'{"data": [{}]}', "$.data[0]"),
        (b'{"data": {}}', "$.data"),
        (b'{"data": [{"media_key": "13_1"}, {"media_key": 13}]}', "$.data[1].media_key"),
        (b'{"data": [{"media_key": null}]}', "$.data[0].media_key"),
        (b'{"data": [{"media_key": "1", "timestamped_metrics": {}}]}', "$.data[0].timestamped_metrics"),
        (b'{"data": [{"media_key": "1", "timestamped_metrics": [7]}]}', "$.data[0].timestamped_metrics[0]"),
        (
            b'{"data": [{"media_key": "1", "timestamped_metrics": [{"metrics": []}]}]}',
            "$.data[0].timestamped_metrics[0].metrics",
        ),
    ],
)
def test_an_envelope_of_another_shape_is_an_error_that_names_the_place(body: bytes, path: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_media_analytics(body, MEDIA_METRICS)

    assert caught.value.path == path
    assert caught.value.problem


def test_an_error_says_what_was_found_and_what_was_expected() -> None:
    with pytest.raises(WireError, match=r"^\$\.data\[0\]: Object missing required field `media_key`$"):
        decode_media_analytics(b'{"data": [{"id": "1"}]}', MEDIA_METRICS)
    with pytest.raises(WireError, match=r"^\$\.data\[0\]\.id: Expected `str`, got `int`$"):
        decode_tweets_analytics(b'{"data": [{"id": 1}]}', POST_METRICS)


def test_an_id_that_is_not_utf8_is_an_error() -> None:
    with pytest.raises(WireError, match="not UTF-8"):
        decode_media_analytics(b'{"data": [{"media_key": "\xff"}]}', MEDIA_METRICS)


def test_bottomless_nesting_is_an_error() -> None:
    with pytest.raises(WireError, match="nested too deeply"):
        decode_media_analytics(b'{"meta": ' + b"[" * 200_000, MEDIA_METRICS)

"""What counts as a number and as a time, wherever it stands in an answer."""

from __future__ import annotations

import math

import pytest

from exporter.errors import WireError
from exporter.model import ItemReport
from exporter.vocabulary import MEDIA_METRICS
from exporter.xapi.wire import decode_media_analytics

VIEWS = MEDIA_METRICS[0]
START = MEDIA_METRICS[1]
ELEVEN = 1791370800


def read(value: str, timestamp: str = '"2026-10-07T11:00:00Z"') -> ItemReport:
    metrics = f'{{"video_views": {value}, "playback_start": 7}}'
    bucket = f'{{"timestamp": {timestamp}, "metrics": {metrics}}}'
    body = f'{{"data": [{{"media_key": "13_1", "timestamped_metrics": [{bucket}]}}]}}'
    (report,) = decode_media_analytics(body.encode(), (VIEWS, START)).reports
    return report


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        ("41", 41.0),
        ("0", 0.0),
        ("-3", -3.0),
        ("-0", 0.0),
        ("41.0", 41.0),
        ("4.5e2", 450.0),
        ('"418233"', 418233.0),
        ('"-2"', -2.0),
        ('"12.25"', 12.25),
        ('"007"', 7.0),
        ("9223372036854775807", 9223372036854775807.0),
        ("1" + "0" * 30, 1e30),
    ],
)
def test_integers_floats_and_decimal_strings_are_numbers(spelling: str, number: float) -> None:
    assert list(read(spelling).values) == [number, 7.0]


@pytest.mark.parametrize(
    "spelling",
    [
        "null",
        "true",
        "false",
        "[]",
        "[5]",
        "{}",
        '{"value": 5}',
        '""',
        '"5 "',
        '" 5"',
        '"5\\n"',
        '"+5"',
        '"5."',
        '".5"',
        '"1e5"',
        '"0x1"',
        '"1_0"',
        '"1,000"',
        '"٣"',
        '"NaN"',
        '"Infinity"',
        '"-inf"',
        '"' + "9" * 400 + '"',
        "1e400",
        "-1e400",
        "1" + "0" * 400,
        "-1" + "0" * 400,
        "1" + "0" * 5000,
    ],
)
def test_any_other_value_is_no_sample_and_costs_only_itself(spelling: str) -> None:
    unknown, known = read(spelling).values

    assert math.isnan(unknown)
    assert known == 7.0


def test_a_text_that_is_not_utf8_is_no_sample_and_costs_only_itself() -> None:
    body = (
        b'{"data": [{"media_key": "13_1", "timestamped_metrics": [{"timestamp": "2026-10-07T11:00:00Z", '
        b'"metrics": {"video_views": "\xff", "playback_start": 7}}]}]}'
    )
    (report,) = decode_media_analytics(body, (VIEWS, START)).reports

    assert math.isnan(report.values[0])
    assert report.values[1] == 7.0


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        ("2026-10-07T11:00:00Z", ELEVEN),
        ("2026-10-07T11:00:00.000Z", ELEVEN),
        ("2026-10-07T11:00:00.5Z", ELEVEN + 0.5),
        ("2026-10-07T11:00:00.250000000Z", ELEVEN + 0.25),
        ("2026-10-07T11:00:00+00:00", ELEVEN),
        ("2026-10-07T11:00:00-00:00", ELEVEN),
        ("2026-10-07T11:00:00+0000", ELEVEN),
        ("2026-10-07T13:00:00+02:00", ELEVEN),
        ("2026-10-07T06:30:00-04:30", ELEVEN),
        ("2026-10-07T11:29:00Z", ELEVEN + 29 * 60),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_timestamp_is_read_as_unix_seconds(timestamp: str, seconds: float) -> None:
    assert read("41", f'"{timestamp}"').starts == (seconds,)


@pytest.mark.parametrize(
    "timestamp",
    [
        "null",
        '""',
        '"soon"',
        '"2026-10-07"',
        '"2026-10-07T11:00:00"',
        '"2026-10-07 11:00:00Z"',
        '"2026-10-07T11:00Z"',
        '"2026-13-07T11:00:00Z"',
        '"2026-02-30T11:00:00Z"',
        '"0000-10-07T11:00:00Z"',
        '"2026-10-07T11:00:60Z"',
        '"2026-10-07T11:00:00+99:00"',
        '"2026-10-07T11:00:00+02:00:30"',
        '"2026-10-07T11:00:00Z\\n"',
        '"20261007T110000Z"',
        '"٢٠٢٦-10-07T11:00:00Z"',
        '"1791370800"',
    ],
)
def test_a_bucket_whose_timestamp_names_no_moment_is_dropped(timestamp: str) -> None:
    report = read("41", timestamp)

    assert report.starts == ()
    assert len(report.values) == 0


@pytest.mark.parametrize("timestamp", ["1791370800", "true", "[]", "{}"])
def test_a_timestamp_that_is_no_text_is_an_error_that_names_the_place(timestamp: str) -> None:
    with pytest.raises(WireError) as caught:
        read("41", timestamp)

    assert caught.value.path == "$.data[0].timestamped_metrics[0].timestamp"

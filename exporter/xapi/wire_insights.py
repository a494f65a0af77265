"""Reads the answers of `GET /2/insights/28hr` and of `GET /2/insights/historical`, which are alike.

One entry of the series is one (post, hour) with several metrics; `value` is an object there and an array
in the totals::

    {"data": [{
        "measurement": {
            "metrics_time_series": [{"tweet_id": "1", "value": {
                "metric_values": [{"metric_type": "Impressions", "metric_value": 8},
                                  {"metric_type": "Likes"}],
                "timestamp": {"iso8601_time": "2026-10-07T19:00:00Z"}}}],
            "metrics_total": [{"tweet_id": "1", "value": [{"metric_type": "Likes", "metric_value": 9}]}]},
        "errors": [{"error": "free text", "tweets": ["2"]}]}]}
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET

from exporter.model import Answer
from exporter.vocabulary import POST_METRICS, Metric, folded
from exporter.xapi.wire_envelope import ABSENT, Envelope, read_envelope
from exporter.xapi.wire_problems import read_engagement_errors, read_problems
from exporter.xapi.wire_reports import Reports
from exporter.xapi.wire_steps import Steps, finished
from exporter.xapi.wire_values import Cell, RowPacker, Value, number, unix_seconds

if TYPE_CHECKING:
    _Spelling: TypeAlias = str
else:
    # X echoes the request's spelling. Naming the spellings spares a new string per figure, a fifth of the
    # time; one that is not named is read by the tolerant decoder.
    _Spelling = Literal[tuple(spelling for metric in POST_METRICS for spelling in (metric.wire, metric.name))]


class _Figure(msgspec.Struct, gc=False):
    metric_type: _Spelling | None = None
    metric_value: Value | msgspec.UnsetType = UNSET


class _OddFigure(msgspec.Struct, gc=False):
    metric_type: str | None = None
    metric_value: msgspec.Raw | msgspec.UnsetType = UNSET


_AnyFigure: TypeAlias = _Figure | _OddFigure
_F = TypeVar("_F", bound=_AnyFigure)


class _Timestamp(msgspec.Struct, gc=False):
    iso8601_time: str | None = None


class _Bucket(msgspec.Struct, Generic[_F], gc=False):
    metric_values: list[_F] | None = None
    timestamp: _Timestamp | None = None


class _SeriesEntry(msgspec.Struct, Generic[_F], gc=False):
    tweet_id: str
    value: _Bucket[_F] | None = None


class _TotalEntry(msgspec.Struct, Generic[_F], gc=False):
    tweet_id: str
    value: list[_F] | None = None


class _Measurement(msgspec.Struct, Generic[_F], gc=False):
    metrics_time_series: list[_SeriesEntry[_F]] | None = None
    metrics_total: list[_TotalEntry[_F]] | None = None


class _Engagement(msgspec.Struct, Generic[_F], gc=False):
    measurement: _Measurement[_F] | None = None
    errors: msgspec.Raw = ABSENT


# Stands in a row until something is told of the metric.
_UNTOLD = math.nan

_Decoder: TypeAlias = msgspec.json.Decoder[Envelope[_Engagement[Any]]]
_EXPECTED: _Decoder = msgspec.json.Decoder(Envelope[_Engagement[_Figure]])
_TOLERANT: _Decoder = msgspec.json.Decoder(Envelope[_Engagement[_OddFigure]])


def decode_insights_28hr(body: bytes, metrics: Sequence[Metric]) -> Answer:
    """Read a 200 of either endpoint; rows are as wide as `metrics` and in their order.

    Several entries for one (post, hour) stay several rows, in the answer's order, since each may carry
    other metrics.

    :raises WireError: the envelope cannot be read.
    """
    return finished(decoding_insights_28hr(body, metrics))


def decoding_insights_28hr(body: bytes, metrics: Sequence[Metric]) -> Steps:
    """As `decode_insights_28hr`, in steps."""
    envelope = read_envelope(body, _EXPECTED, _TOLERANT)
    yield
    row_of = _RowReader(metrics)
    start_of = cache(unix_seconds)  # the same 28 timestamps stand in every entry
    reports = Reports()
    problems = list(read_problems(envelope.errors))
    for engagement in envelope.entries():
        if engagement.measurement is not None:
            series = engagement.measurement.metrics_time_series or ()
            yield from _read_series(series, reports, row_of, start_of)
            _read_totals(engagement.measurement.metrics_total or (), reports, row_of)
        problems.extend(read_engagement_errors(engagement.errors))
    return Answer(reports.finished(), tuple(problems))


class _RowReader:
    """Lays a list of metric objects out in one row, a cell per asked metric."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._blank: list[Cell] = [_UNTOLD] * (len(metrics) + 1)
        self._columns = _Columns(metrics)
        self._packed = RowPacker(len(metrics))

    def __call__(self, figures: Sequence[_AnyFigure]) -> array[float]:
        columns = self._columns
        row = self._blank.copy()
        silent = []
        for figure in figures:
            value = figure.metric_value
            if value is UNSET:
                silent.append(columns[figure.metric_type])
            else:
                row[columns[figure.metric_type]] = value
        # A metric object without a value means 0, but only where X said anything at all.
        if silent and any(not math.isnan(number(figure.metric_value)) for figure in figures):
            for column in silent:
                if row[column] is _UNTOLD:
                    row[column] = 0
        row.pop()
        return self._packed([row])


class _Columns(dict[str | None, int]):
    """Each metric's place in a row by the spelling on the wire, filled in as spellings are met.

    Case and underscores make no difference. What was not asked for has the spare last place, as its value
    still tells silence from zero. Lives for one answer, so odd spellings do not pile up.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__({None: len(metrics)})
        self._by_folded = {folded(metric.wire): column for column, metric in enumerate(metrics)}
        self._spare = len(metrics)

    def __missing__(self, spelling: str) -> int:
        column = self[spelling] = self._by_folded.get(folded(spelling), self._spare)
        return column


def _read_series(
    entries: Sequence[_SeriesEntry[Any]],
    reports: Reports,
    row_of: _RowReader,
    start_of: Callable[[str | None], float | None],
) -> Iterator[None]:
    for entry in entries:
        yield
        rows = reports.rows(entry.tweet_id)
        bucket = entry.value
        if bucket is None or bucket.timestamp is None:
            continue
        start = start_of(bucket.timestamp.iso8601_time)
        if start is not None:
            rows.starts.append(start)
            rows.values.extend(row_of(bucket.metric_values or ()))


def _read_totals(entries: Sequence[_TotalEntry[Any]], reports: Reports, row_of: _RowReader) -> None:
    for entry in entries:
        rows = reports.rows(entry.tweet_id)
        if entry.value:
            rows.add_total(row_of(entry.value))

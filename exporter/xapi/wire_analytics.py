"""Reads the answers of `GET /2/media/analytics` and of its sibling `GET /2/tweets/analytics`.

Both carry one entry per item with one bucket per hour::

    {"data": [{"media_key": "13_1", "timestamped_metrics": [
        {"timestamp": "2026-10-07T19:00:00Z", "metrics": {"video_views": 41, "watch_time_ms": "418233"}}]}]}

`timestamp` is the start of the bucket. Metrics beside `media_key` itself are X's totals and are passed
over: hours are what we ask for.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from functools import cache, lru_cache
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec.structs import astuple

from exporter.errors import WireError
from exporter.figures.hours import Hours
from exporter.model import Answer, Endpoint, ItemReport, Passage, Standing
from exporter.vocabulary import Metric, wire_name
from exporter.xapi.wire_envelope import ABSENT, Envelope, read_envelope
from exporter.xapi.wire_passages import Known, Shortened, shortened
from exporter.xapi.wire_problems import read_problems
from exporter.xapi.wire_steps import Steps, finished
from exporter.xapi.wire_values import RowPacker, Value, unix_seconds

# Entries with all their hours, which take a millisecond at most.
_READ_AT_ONCE = 10

_Row = TypeVar("_Row", bound=msgspec.Struct)


class _Bucket(msgspec.Struct, Generic[_Row], gc=False):
    timestamp: str | None = None
    metrics: _Row | None = None


class _Media(msgspec.Struct, Generic[_Row], gc=False):
    id: str = msgspec.field(name="media_key")
    timestamped_metrics: list[_Bucket[_Row]] | None = None


class _Post(msgspec.Struct, Generic[_Row], gc=False):
    id: str
    timestamped_metrics: list[_Bucket[_Row]] | None = None


_Entry: TypeAlias = _Media[msgspec.Struct] | _Post[msgspec.Struct]
_Decoder: TypeAlias = msgspec.json.Decoder[Envelope[_Entry]]

_ID_NAMES = {Endpoint.MEDIA_ANALYTICS: "media_key", Endpoint.TWEETS_ANALYTICS: "id"}


def decode_media_analytics(body: bytes, metrics: Sequence[Metric]) -> Answer:
    """Read a 200 of `/2/media/analytics`; rows are as wide as `metrics` and in their order.

    :raises WireError: the envelope cannot be read.
    """
    return finished(decoding_analytics(Endpoint.MEDIA_ANALYTICS, body, metrics))


def decode_tweets_analytics(body: bytes, metrics: Sequence[Metric]) -> Answer:
    """Read a 200 of `/2/tweets/analytics`; metrics which that endpoint lacks are NaN in every row.

    :raises WireError: the envelope cannot be read.
    """
    return finished(decoding_analytics(Endpoint.TWEETS_ANALYTICS, body, metrics))


def nothing_known(_item_id: str) -> Hours | None:
    """Whatever the item, nothing is known of it."""
    return None


def decoding_analytics(
    endpoint: Endpoint, body: bytes, metrics: Sequence[Metric], known: Known = nothing_known
) -> Steps:
    """As `decode_media_analytics` and `decode_tweets_analytics`, in steps.

    Hours `known`, which were read for the same `metrics`, are standing where X still says the same of them.
    """
    decoders = _decoders(endpoint, tuple([wire_name(metric, endpoint) for metric in metrics]))
    brief = shortened(body, _ID_NAMES[endpoint], known)
    yield
    try:
        envelope = read_envelope(brief.text, *decoders)
    except WireError:
        # The whole body tells where in it the fault is.
        envelope = read_envelope(body, *decoders)
    reports = yield from _reports(envelope.entries(), len(metrics), brief)
    if brief.known:  # a stub turned up where no series is read
        envelope = read_envelope(body, *decoders)
        reports = yield from _reports(envelope.entries(), len(metrics), Shortened(body, {}, {}))
    return Answer(reports, tuple(read_problems(envelope.errors)))


@lru_cache(maxsize=64)
def _decoders(endpoint: Endpoint, fields: tuple[str | None, ...]) -> tuple[_Decoder, _Decoder]:
    # The fields of a row are those asked for, in their order, so a decoded struct is a finished row and
    # what was not asked for is skipped unread. A metric that the endpoint lacks has its place all the same.
    columns = [f"column_{number}" for number in range(len(fields))]
    names = {column: name or f"no {column}" for column, name in zip(columns, fields, strict=True)}

    def row(cell: Any, unknown: object) -> Any:  # noqa: ANN401 - types made at run time
        told = [(column, cell, unknown) for column in columns]
        return msgspec.defstruct("_Row", told, rename=names, gc=False)

    return _decoder(endpoint, row(Value, math.nan)), _decoder(endpoint, row(msgspec.Raw, ABSENT))


def _decoder(endpoint: Endpoint, row: Any) -> _Decoder:  # noqa: ANN401 - a type made at run time
    entry = _Media if endpoint is Endpoint.MEDIA_ANALYTICS else _Post
    return msgspec.json.Decoder(Envelope[entry[row]])  # type: ignore[valid-type]


def _reports(
    entries: Sequence[_Entry], width: int, brief: Shortened
) -> Generator[None, None, tuple[ItemReport, ...]]:
    """Lay the buckets of each item out in rows. Takes out of `brief.known` what stubs it meets."""
    reports: dict[str, ItemReport] = {}
    unknown = (math.nan,) * width
    packed = RowPacker(width)
    starts_of = cache(_starts)  # the same timestamps stand in every entry
    for place in range(0, len(entries), _READ_AT_ONCE):
        yield
        told: list[msgspec.Struct | None] = []
        read: list[tuple[str, tuple[float, ...], int, Standing | None, Passage | None]] = []
        for entry in entries[place : place + _READ_AT_ONCE]:
            buckets = entry.timestamped_metrics or []
            series = brief.known.pop(buckets[0].timestamp or "", None) if buckets else None
            if series is None:
                series = brief.new.get(entry.id)
            else:
                del buckets[0]
            starts = starts_of(tuple([bucket.timestamp for bucket in buckets]))
            whole = len(starts) == len(buckets)
            if not whole:
                buckets = [bucket for bucket in buckets if unix_seconds(bucket.timestamp) is not None]
            rows = [bucket.metrics for bucket in buckets]
            told += rows
            standing = passage = None
            if series is not None:
                standing = series.standing
                passage = series.passage_with(starts, 2 * len(rows) - rows.count(None) if whole else 0)
            read.append((entry.id, starts, len(rows) * width, standing, passage))
        values = packed([unknown if row is None else astuple(row) for row in told])
        end = 0
        for item_id, starts, size, standing, passage in read:
            begin, end = end, end + size
            report = ItemReport(item_id, starts, values[begin:end], None, standing, passage)
            before = reports.get(item_id)
            reports[item_id] = report if before is None else before.followed_by(report)
    return tuple(reports.values())


def _starts(timestamps: tuple[str | None, ...]) -> tuple[float, ...]:
    """The starts of those buckets whose `timestamps` can be read."""
    starts = map(unix_seconds, timestamps)
    return tuple([start for start in starts if start is not None])

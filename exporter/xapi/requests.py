"""The query of one poll request per endpoint: which ids, which hours, which metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from exporter.figures.window import WINDOW_HOURS
from exporter.model import HOUR_SECONDS, Endpoint
from exporter.vocabulary import POST_WITNESS, Metric, wire_name


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an endpoint turned out to want its query.

    `repeated_keys`: arrays of `/2/insights/28hr` as repeated keys, which its specification says, instead
    of joined by commas, which both official SDKs do. `older_fields`: `media_analytics.fields` without
    `timestamped_metrics`, which specifications before 2.167 do not know.
    """

    repeated_keys: bool = False
    older_fields: bool = False

    def fallback(self, endpoint: Endpoint, parameters: Sequence[str]) -> Dialect | None:
        """What else to try once X refused `parameters` (by name) of a request; None for nothing."""
        if endpoint is Endpoint.MEDIA_ANALYTICS and not self.older_fields:
            return Dialect(older_fields=True) if "media_analytics.fields" in parameters else None
        if endpoint is Endpoint.INSIGHTS_28HR and not self.repeated_keys:
            arrays = {"tweet_ids", "requested_metrics"}
            return Dialect(repeated_keys=True) if arrays & set(parameters) else None
        return None


@dataclass(frozen=True, slots=True)
class PollRequest:
    """One request: `query` is its encoded query string.

    `start` and `end` are the hour-aligned, half-open bounds it asks for in Unix seconds, None for
    `/2/insights/28hr`, which has none.
    """

    endpoint: Endpoint
    ids: tuple[str, ...]
    query: str
    start: float | None
    end: float | None


def asked_metrics(metrics: Sequence[Metric], endpoint: Endpoint) -> list[str]:
    """The wire names to ask `endpoint` for, so that `metrics` can be told.

    Insights are also asked for the witness metric, without which a 0 cannot be told from silence.
    """
    wanted = list(metrics)
    if endpoint is Endpoint.INSIGHTS_28HR and POST_WITNESS not in wanted:
        wanted.append(POST_WITNESS)
    return [name for metric in wanted if (name := wire_name(metric, endpoint)) is not None]


def poll_request(
    endpoint: Endpoint, ids: Sequence[str], metrics: Sequence[Metric], now: float, dialect: Dialect
) -> PollRequest:
    """The request for the last 28 whole hours of `ids` at `now`, Unix seconds of X's clock."""
    names = asked_metrics(metrics, endpoint)
    end = now // HOUR_SECONDS * HOUR_SECONDS
    start = end - WINDOW_HOURS * HOUR_SECONDS
    bounds = {"start_time": _rfc3339(start), "end_time": _rfc3339(end)}
    if endpoint is Endpoint.INSIGHTS_28HR:
        arrays = {"tweet_ids": list(ids), "requested_metrics": names}
        fixed = {"granularity": "Hourly", "engagement.fields": "errors,measurement"}
        return PollRequest(endpoint, tuple(ids), _encoded(arrays, fixed, dialect), None, None)
    if endpoint is Endpoint.MEDIA_ANALYTICS:
        series = [] if dialect.older_fields else ["timestamped_metrics"]
        arrays = {
            "media_keys": list(ids),
            "media_analytics.fields": [*names, "media_key", "timestamp", *series],
        }
    else:
        arrays = {"ids": list(ids), "analytics.fields": [*names, "id", "timestamp", "timestamped_metrics"]}
    fixed = {**bounds, "granularity": "hourly"}
    return PollRequest(endpoint, tuple(ids), _encoded(arrays, fixed, dialect), start, end)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded(arrays: dict[str, list[str]], fixed: dict[str, str], dialect: Dialect) -> str:
    if dialect.repeated_keys:
        return urlencode([*fixed.items(), *((key, value) for key in arrays for value in arrays[key])])
    return urlencode([*fixed.items(), *((key, ",".join(values)) for key, values in arrays.items())])

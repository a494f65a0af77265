"""The query of one poll request per endpoint: which ids, which hours, which metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from exporter.figures.window import WINDOW_HOURS
from exporter.model import HOUR_SECONDS, Endpoint
from exporter.vocabulary import POST_WITNESS, Metric, wire_name

# They take posts and metrics in the same words; only the second one is given bounds.
INSIGHTS = frozenset({Endpoint.INSIGHTS_28HR, Endpoint.INSIGHTS_HISTORICAL})


@dataclass(frozen=True, slots=True)
class Bounds:
    """The hours a request asks for: `start` and `end` lie on the hour, half-open, in Unix seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an endpoint turned out to want its query.

    `repeated_keys`: arrays of `/2/insights/…` as repeated keys, which their specification says, instead
    of joined by commas, which both official SDKs do. `older_fields`: `media_analytics.fields` without
    `timestamped_metrics`, which specifications before 2.167 do not know.
    """

    repeated_keys: bool = False
    older_fields: bool = False

    def fallback(self, endpoint: Endpoint, parameters: Sequence[str]) -> Dialect | None:
        """What else to try once X refused `parameters` (by name) of a request; None for nothing."""
        if endpoint is Endpoint.MEDIA_ANALYTICS and not self.older_fields:
            return Dialect(older_fields=True) if "media_analytics.fields" in parameters else None
        if endpoint in INSIGHTS and not self.repeated_keys:
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
    if endpoint in INSIGHTS and POST_WITNESS not in wanted:
        wanted.append(POST_WITNESS)
    return [name for metric in wanted if (name := wire_name(metric, endpoint)) is not None]


def poll_request(
    endpoint: Endpoint,
    ids: Sequence[str],
    metrics: Sequence[Metric],
    now: float,
    dialect: Dialect,
    bounds: Bounds | None = None,
) -> PollRequest:
    """The request for the hours of `ids` within `bounds`, by default the last 28 whole ones.

    `now` is Unix seconds of X's clock. `/2/insights/28hr` takes no bounds.
    """
    arrays, fixed = _asked(endpoint, ids, asked_metrics(metrics, endpoint), dialect)
    if endpoint is Endpoint.INSIGHTS_28HR:
        return PollRequest(endpoint, tuple(ids), _encoded(arrays, fixed, dialect), None, None)
    asked = bounds or _newest_whole_hours(now)
    fixed = {"start_time": _rfc3339(asked.start), "end_time": _rfc3339(asked.end), **fixed}
    return PollRequest(endpoint, tuple(ids), _encoded(arrays, fixed, dialect), asked.start, asked.end)


def _newest_whole_hours(now: float) -> Bounds:
    end = now // HOUR_SECONDS * HOUR_SECONDS
    return Bounds(end - WINDOW_HOURS * HOUR_SECONDS, end)


def _asked(
    endpoint: Endpoint, ids: Sequence[str], names: list[str], dialect: Dialect
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The parameters without the bounds: arrays, and what is the same in every request."""
    if endpoint in INSIGHTS:
        arrays = {"tweet_ids": list(ids), "requested_metrics": names}
        return arrays, {"granularity": "Hourly", "engagement.fields": "errors,measurement"}
    if endpoint is Endpoint.MEDIA_ANALYTICS:
        series = [] if dialect.older_fields else ["timestamped_metrics"]
        fields = [*names, "media_key", "timestamp", *series]
        return {"media_keys": list(ids), "media_analytics.fields": fields}, {"granularity": "hourly"}
    fields = [*names, "id", "timestamp", "timestamped_metrics"]
    return {"ids": list(ids), "analytics.fields": fields}, {"granularity": "hourly"}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded(arrays: dict[str, list[str]], fixed: dict[str, str], dialect: Dialect) -> str:
    if dialect.repeated_keys:
        pairs = [*fixed.items(), *((key, value) for key in arrays for value in arrays[key])]
    else:
        pairs = [*fixed.items(), *((key, ",".join(values)) for key, values in arrays.items())]
    # Allowed in a query as they are (RFC 3986), and a batch has hundreds of commas.
    return urlencode(pairs, safe=",:")

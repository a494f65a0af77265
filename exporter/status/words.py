"""How the status page says numbers, times and states."""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.model import Endpoint, ItemErrorType, Kind
from exporter.polling.patience import REFUSED
from exporter.selfmetrics.instruments import PollOutcome
from exporter.status.items import ItemStatus
from exporter.status.status import EndpointState, Scheme
from exporter.vocabulary import Metric
from exporter.xapi.limits import Window

# Stands where there is no number.
NO_NUMBER = "\N{EN DASH}"
_TO, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Up to twice the larger unit, the smaller one says more.
_SPANS = ((2 * _DAY, _DAY, "d"), (2 * _HOUR, _HOUR, "h"), (2 * _MINUTE, _MINUTE, "min"))
# At least so much of a change needs no decimals.
_WHOLE_PERCENT = 10
# Beyond it the percentage of a change says less than the number itself.
_MOST_PERCENT = 999

STATES = {
    EndpointState.IN_SERVICE: "In service",
    EndpointState.RESERVE: "In reserve",
    EndpointState.UNASKED: "Not asked yet",
    EndpointState.LIMITED: "Limit spent",
    EndpointState.FAILING: "Failing",
    EndpointState.PARKED: "Out of service",
}
OUTCOMES = {
    PollOutcome.SUCCESS: "complete",
    PollOutcome.PARTIAL: "in part",
    PollOutcome.FAILURE: "failed",
}
SCHEMES = {
    Scheme.BEARER: "bearer token",
    Scheme.OAUTH1: "OAuth 1.0a keys",
    Scheme.OAUTH2: "OAuth 2.0 login",
}
KINDS = {Kind.MEDIA: "Media", Kind.POST: "Posts"}
NOUNS = {Kind.MEDIA: ("media", "media"), Kind.POST: ("post", "posts")}
ENDPOINTS = {
    Endpoint.MEDIA_ANALYTICS: "Media analytics",
    Endpoint.INSIGHTS_28HR: "28-hour insights",
    Endpoint.TWEETS_ANALYTICS: "Post analytics",
    Endpoint.INSIGHTS_HISTORICAL: "Historical insights",
}
WINDOWS = {Window.M15: "15 min", Window.H24: "24 h"}

# What a complaint of X about an item means, and what to do about it.
COMPLAINTS = {
    ItemErrorType.RESOURCE_NOT_FOUND: (
        "X does not know the id. Check it; if the item was deleted, take it out of the configuration."
    ),
    ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE: (
        "X does not show the item to this account. Check that the account owns it."
    ),
    ItemErrorType.RESOURCE_UNAVAILABLE: (
        "X does not make the item available, as after a takedown. Look at it on X; if it is gone, take it "
        "out of the configuration."
    ),
    ItemErrorType.DISALLOWED_RESOURCE: (
        "X does not allow the item to be read. Look at it on X; if it is gone, take it out of the "
        "configuration."
    ),
    ItemErrorType.NOT_AUTHORIZED_FOR_FIELD: (
        "X withholds some metrics. Check that the account owns the item and that its plan includes them."
    ),
    ItemErrorType.FIELD_HYDRATION_FAILURE: (
        "X could not work out the figures this time. There is nothing to do: the exporter asks again."
    ),
    ItemErrorType.INTERNAL_ERROR: (
        "X has a fault of its own here. There is nothing to do: the exporter asks again."
    ),
    ItemErrorType.ENGAGEMENT_ERROR: (
        "X gives no figures. Check that the account owns the item and that it is young enough for insights."
    ),
    ItemErrorType.OTHER: "X complains. Its own words say why.",
}
WITHOUT_WORDS = "X answered without figures and did not say why. The exporter asks again."
UNANSWERED = "X has not answered yet."


def number(value: float | None) -> str:
    """`value` with a comma at every third digit, a dash for none."""
    if value is None:
        return NO_NUMBER
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def signed(value: float | None) -> str:
    """A change: `value` with its sign, a dash for none."""
    return number(value) if not value else f"{_sign(value)}{number(abs(value))}"


def percent(ratio: float | None) -> str:
    """A change as a percentage with its sign, empty where it would say nothing."""
    if ratio is None or ratio == 0 or abs(ratio) * 100 > _MOST_PERCENT:
        return ""
    size = abs(ratio) * 100
    return f"{_sign(ratio)}{size:.{0 if size >= _WHOLE_PERCENT else 1}f} %"


def _sign(value: float) -> str:
    return "+" if value > 0 else _MINUS


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: ``50 s``, ``12 min``, ``3 h``, ``12 d``."""
    for least, unit, name in _SPANS:
        if seconds >= least:
            return f"{seconds // unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"


def exact_span(seconds: float) -> str:
    """A length of time to the minute: ``2 h 5 min``, ``3 h``, ``50 min``."""
    hours, minutes = divmod(round(seconds / _MINUTE), _HOUR // _MINUTE)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes or not hours))


def iso(timestamp: float) -> str:
    """A time as machines read it, in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(timestamp: float, now: float) -> str:
    """A time of day in UTC, with the day where it is not today's."""
    at, today = datetime.fromtimestamp(timestamp, UTC), datetime.fromtimestamp(now, UTC)
    return at.strftime("%H:%M" if at.date() == today.date() else "%-d %b %H:%M")


def hour_span(start: float) -> str:
    """The hour that begins at `start`, in UTC: ``19:00`` to ``20:00`` with a dash."""
    begins, ends = (datetime.fromtimestamp(at, UTC) for at in (start, start + _HOUR))
    return f"{begins:%H:%M}{_TO}{ends:%H:%M}"


def metric_name(metric: Metric) -> str:
    """The metric as people write it: ``video views``."""
    return metric.name.replace("_", " ")


def counted(count: int, one: str, many: str) -> str:
    """`count` with the noun that fits it."""
    return f"{count:,} {one if count == 1 else many}"


def source_name(source: str) -> str:
    """The endpoint whose value is `source`; a value that is not known stands for itself."""
    return ENDPOINTS[Endpoint(source)] if source in set(Endpoint) else source


def recheck(item: ItemStatus) -> str:
    """How often an item that polls leave out is asked for."""
    refused = any(kind in REFUSED for kind, _ in item.complaints)
    return "once a day" if refused else "every six hours"


def item_words(item: ItemStatus) -> tuple[tuple[str, str], ...]:
    """What is wrong with one item: (our sentence, X's own words, which may be empty), none if nothing is."""
    if item.state.up is None:
        return ((UNANSWERED, ""),)
    told = tuple((COMPLAINTS[kind], detail) for kind, detail in item.complaints)
    return told if told or item.state.up else ((WITHOUT_WORDS, ""),)

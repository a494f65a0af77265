"""PromQL the dashboards are made of.

Every query stands on the exporter's own families; none needs a recording rule. Two replicas that show the
same item count once (`max by (id)`), and a join holds while they disagree about a name (`topk by (id)`).
Grafana fills in `$account`, `$label`, `$value`, `$id` and `$instance`, see `grafana.variables`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Names in deploy/prometheus/rules.yaml.
_ALERT_NAMES = (
    "XMediaViewsDropped",
    "XPostImpressionsDropped",
    "XItemNotReported",
    "XPollFailing",
    "XEndpointParked",
    "XLoginRequired",
    "XTokenExpiring",
    "XRateLimitNearlySpent",
    "XConfigReloadFailed",
    "XRemoteWriteFailing",
    "XExporterDown",
)
# The project's alerts that fire about the chosen accounts, or about no account in particular.
_NAMES = "|".join(_ALERT_NAMES)
FIRING = f'ALERTS{{alertname=~"{_NAMES}",alertstate="firing",account=~"$account"}}'
# The end of the time range, whatever the moment that is drawn.
AT_END = "@ end()"
# Selects the item of the Item dashboard.
ITEM = 'id="$id"'
_CHOSEN = 'account=~"$account",$label=~"$value"'


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of item, and how the dashboards speak of it.

    `prefix` begins its families, `values` is the family of hourly figures, `lead` the metric that says how
    an item fares. `one`, `many` and `counted` are the words for an item, for items and for what `lead`
    counts. The methods give one series per item; `of` is a selector, `when` a modifier: ``offset 24h``.
    """

    prefix: str
    values: str
    lead: str
    one: str
    many: str
    counted: str

    def hour(self, metric: str | None = None, *, of: str = "", when: str = "") -> str:
        """The newest complete hour's amount of `metric`, of `lead` where none is named."""
        return _per_item(self.values, _matchers(f'metric="{metric or self.lead}"', of), when)

    def sum_28h(self, metric: str | None = None, *, of: str = "", when: str = "") -> str:
        """The sum of `metric` over the last 28 hours."""
        return _per_item(f"{self.values}_28h", _matchers(f'metric="{metric or self.lead}"', of), when)

    def state(self, suffix: str, *, of: str = "") -> str:
        """A family with the one label `id`, such as ``up``."""
        return _per_item(f"{self.prefix}_{suffix}", of, "")

    def chosen(self, *labels: str) -> str:
        """The items that the Overview's variables choose: always 1, with `labels` beside `id`."""
        kept = ", ".join(("id", *labels))
        return f"topk by (id) (1, max by ({kept}) ({self.prefix}_info{{{_CHOSEN}}}))"


MEDIA = Subject("x_media", "x_media_analytics", "video_views", "video", "videos", "views")
POST = Subject("x_post", "x_post_insights", "impressions", "post", "posts", "impressions")


def _matchers(*matchers: str) -> str:
    return ",".join(matcher for matcher in matchers if matcher)


def _per_item(family: str, matchers: str, when: str) -> str:
    return f"max by (id) ({family}{{{matchers}}}{when and f' {when}'})"


def among_chosen(expression: str, subject: Subject, *labels: str) -> str:
    """`expression` (one series per `id`) for the chosen items only, with `labels` from their info."""
    return f"({expression}) * on (id) group_left ({', '.join(labels)}) {subject.chosen(*labels)}"


def total(expression: str, subject: Subject) -> str:
    """The sum of `expression` over the chosen items."""
    return f"sum({among_chosen(expression, subject)})"


def by_label(expression: str, subject: Subject) -> str:
    """`expression` summed by the label the reader groups by; items without it stand under `none`."""
    summed = f"sum by ($label) ({among_chosen(expression, subject, '$label')})"
    return f'label_replace({summed}, "$label", "none", "$label", "")'


def chosen_with_group(subject: Subject) -> str:
    """The chosen items with their `name`, and what the reader groups by as the label `group`."""
    named = subject.chosen("name", "$label")
    return f'max by (id, name, group) (label_replace({named}, "group", "$1", "$label", "(.*)"))'


def lead_of_item(when: str = "") -> str:
    """Views of the Item dashboard's video, or impressions of its post, in the last hour."""
    return either(MEDIA.hour(of=ITEM, when=when), POST.hour(of=ITEM, when=when))


def sum_of_item(when: str = "") -> str:
    """The same over the last 28 hours."""
    return either(MEDIA.sum_28h(of=ITEM, when=when), POST.sum_28h(of=ITEM, when=when))


def if_known_now(over_time: Callable[[str], str]) -> str:
    """`over_time` of no modifier, but nothing at all where the end of the time range has no figure.

    A panel that shows the last figure of a time range would else go on showing one that was withdrawn.
    """
    return f"({over_time('')}) and on () ({over_time(AT_END)})"


def either(media: str, post: str) -> str:
    """The one of the two that has data: an id is a media key or a post id, never both."""
    return f"{media} or {post}"

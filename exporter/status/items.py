"""One watched item as the status page shows it: its newest hour, the hour before, the last 28."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.figures.state import ItemState
from exporter.figures.window import WINDOW_HOURS
from exporter.model import HOUR_SECONDS, Item, ItemErrorType, Kind, created_timestamp_seconds
from exporter.vocabulary import Metric
from exporter.xapi.failure_words import shown

# What a post or video is judged by first; the first metric asked for stands in where it is not among them.
_HEADLINES = {Kind.MEDIA: "video_views", Kind.POST: "impressions"}


@dataclass(frozen=True, slots=True)
class Headline:
    """The one metric that the status page shows of each item, and its place in the items' rows."""

    metric: Metric
    column: int


def headline(kind: Kind, metrics: tuple[Metric, ...]) -> Headline:
    """The metric to show of items that are asked for `metrics`."""
    names = [metric.name for metric in metrics]
    column = names.index(_HEADLINES[kind]) if _HEADLINES[kind] in names else 0
    return Headline(metrics[column], column)


@dataclass(frozen=True, slots=True)
class ItemStatus:
    """How one item stands. Figures are those of the headline metric, None where X gave none.

    `stale` says that the hour shown has grown too old, so that its value is withdrawn here as on
    `/metrics`; hours past stay in the curve, at their time. `left_out_until` is until when polls leave the
    item out because X has nothing for it, Unix seconds, None for one that is asked for in each.
    """

    item: Item
    state: ItemState
    headline: Headline
    stale: bool
    left_out_until: float | None = None

    @property
    def value(self) -> float | None:
        """The figure of the hour shown, None when it is withdrawn."""
        return None if self.stale else self._at(-1)

    @property
    def before(self) -> float | None:
        """The figure of the hour before the hour shown, None when that is withdrawn."""
        hours = self.state.hours
        return None if self.stale or hours is None or hours.count == 1 else self._at(-2)

    @property
    def change(self) -> float | None:
        """By how much the hour shown differs from the one before."""
        value, before = self.value, self.before
        return None if value is None or before is None else value - before

    @property
    def change_ratio(self) -> float | None:
        """The change as a part of the hour before, None also where that one had nothing."""
        change, before = self.change, self.before
        return None if change is None or not before else change / before

    @property
    def hour(self) -> int | None:
        """The hour shown, as hours since the epoch; it stays known when its value is withdrawn."""
        return None if self.state.hours is None else self.state.hours.last

    @property
    def withdrawn(self) -> bool:
        """Whether there is an hour shown that has grown too old."""
        return self.stale and self.state.hours is not None

    @property
    def sum_28h(self) -> float | None:
        """Sum over the hours known of the last 28, None when withdrawn or where hours do not add up."""
        hours = self.state.hours
        if self.stale or hours is None or not self.headline.metric.additive:
            return None
        column = hours.values[self.headline.column :: hours.width]
        known = [value for value in column if not math.isnan(value)]
        return math.fsum(known) if known else None

    @property
    def hours_known(self) -> int | None:
        """How many hours `sum_28h` is made of, 1 to 28."""
        hours = self.state.hours
        return None if self.sum_28h is None or hours is None else hours.covered

    @property
    def created_at(self) -> float | None:
        """When X minted the id, Unix seconds."""
        return created_timestamp_seconds(self.item.id)

    @property
    def url(self) -> str | None:
        """The post's page on X; media have none of their own."""
        return f"https://x.com/i/status/{self.item.id}" if self.item.kind is Kind.POST else None

    @property
    def complaints(self) -> tuple[tuple[ItemErrorType, str], ...]:
        """What X complained of in its last answer: the type, and its own words, fit to be shown."""
        return tuple((problem.type, shown(problem.detail)) for problem in self.state.problems)

    def curve(self, last: int) -> Iterator[tuple[int, float | None]]:
        """Yield (start in Unix seconds, figure) of the 28 hours that end with hour `last`, oldest first."""
        hours = self.state.hours
        first = last + 1 if hours is None else hours.first
        column = [] if hours is None else hours.values[self.headline.column :: hours.width]
        for hour in range(last - WINDOW_HOURS + 1, last + 1):
            place = hour - first
            known = 0 <= place < len(column)
            yield hour * HOUR_SECONDS, _number(column[place]) if known else None

    def _at(self, place: int) -> float | None:
        hours = self.state.hours
        if hours is None:
            return None
        return _number(hours.values[self.headline.column + place * hours.width])


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value

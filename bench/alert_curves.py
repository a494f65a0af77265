"""Hourly figures of made-up items, and what Prometheus would have scraped of them, in promtool's notation.

Hours count from the start of a test; figures are amounts per hour. Scrapes are `GRID_MINUTES` apart. An
hour becomes visible `POLL_OFFSET_MINUTES` after its end, or later where a poll is late, and stays until a
newer one comes or the exporter's `poll.stale_after` has passed since its end.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

GRID_MINUTES = 10
POLL_OFFSET_MINUTES = 5
_PER_HOUR = 60 // GRID_MINUTES

Curve = Callable[[float], float]
"""Amount per hour at a time in hours."""


@dataclass(frozen=True, slots=True)
class Item:
    """One watched item.

    `figures` holds one amount per hour from hour 0 on, None where X never reports that hour.
    `created_hour` is when its id was minted, negative for items older than the test, None for ids that do
    not tell. `late_minutes` says how much later than usual an hour became visible. During `unscraped`
    hours Prometheus could not read the exporter.
    """

    id: str
    figures: tuple[float | None, ...]
    created_hour: float | None = -240.0
    late_minutes: Mapping[int, int] = field(default_factory=dict)
    unscraped: tuple[float, float] | None = None
    name: str = ""
    kind: str = "media"
    account: str = "brand"
    stale_after_hours: int = 4
    instance: str = "a:9877"


def flat(level: float) -> Curve:
    """The same amount each hour."""
    return lambda _hour: level


def decay(half_life: float, since: float = 0.0) -> Curve:
    """Halves every `half_life` hours, 1 at `since`."""
    return lambda hour: 2.0 ** (-(hour - since) / half_life)


def first_burst(created: float) -> Curve:
    """How a new post starts: many times its later level, falling with a power of its age."""
    return lambda hour: 1 + 4 * math.pow(max(hour - created, 0.3), -1.3)


def night(fold: float, phase: float = 0.0, *, steep: bool = False) -> Curve:
    """Day and night, `fold` times apart, brightest at `phase`; `steep` changes within about an hour."""

    def at(hour: float) -> float:
        light = math.cos(2 * math.pi * (hour - phase) / 24)
        return math.pow(fold, (max(-1.0, min(1.0, 6 * light)) if steep else light) / 2)

    return at


def spike(begin: float, hours: float, height: float) -> Curve:
    """`height` times the usual for `hours` hours."""
    return lambda hour: height if begin <= hour < begin + hours else 1.0


def drop(begin: float, share: float, end: float = math.inf) -> Curve:
    """Only `share` of the usual between `begin` and `end`; an hour cut by either is in between."""

    def at(hour: float) -> float:
        low = max(0.0, min(hour + 1, end) - max(hour, begin))
        return 1 - min(1.0, low) * (1 - share)

    return at


def figures(
    hours: int, *curves: Curve, rng: random.Random | None = None, noise: float = 0.35
) -> tuple[float | None, ...]:
    """The product of `curves` for each hour, rounded, with even noise of ±`noise` where `rng` is given."""

    def at(hour: int) -> float:
        amount = math.prod(curve(hour) for curve in curves)
        return float(round(amount * (1 + rng.uniform(-noise, noise)) if rng else amount))

    return tuple(at(hour) for hour in range(hours))


def born(amounts: Sequence[float | None], created: float) -> tuple[float | None, ...]:
    """`amounts` without the hours before `created`, the first one cut as the clock cuts it."""
    return tuple(
        None if amount is None or hour + 1 <= created else float(round(amount * min(1.0, hour + 1 - created)))
        for hour, amount in enumerate(amounts)
    )


def without(amounts: Sequence[float | None], begin: int, end: int) -> tuple[float | None, ...]:
    """`amounts` with the hours from `begin` up to `end` left out."""
    return tuple(None if begin <= hour < end else amount for hour, amount in enumerate(amounts))


def scraped(item: Item) -> list[tuple[str, str]]:
    """The series of `item` as (series, values) in promtool's notation."""
    metric = "video_views" if item.kind == "media" else "impressions"
    analytics = "x_media_analytics" if item.kind == "media" else "x_post_insights"
    place = f'id="{item.id}",instance="{item.instance}",job="x"'
    about = f'{place},account="{item.account}",name="{item.name or item.id}"'
    values, starts = _shown(item)
    series: list[tuple[str, Iterable[float | None]]] = [
        (f'{analytics}{{{place},metric="{metric}"}}', values),
        (f"x_{item.kind}_bucket_start_timestamp_seconds{{{place}}}", starts),
        (f"x_{item.kind}_info{{{about}}}", _constant(item, 1)),
    ]
    if item.created_hour is not None:
        created = _constant(item, item.created_hour * 3600)
        series.append((f"x_{item.kind}_created_timestamp_seconds{{{place}}}", created))
    return [(name, notation(samples)) for name, samples in series]


def notation(samples: Iterable[float | None]) -> str:
    """`samples` as promtool writes them, equal neighbours joined."""
    return " ".join(_run(value, sum(1 for _ in run)) for value, run in groupby(samples))


def _run(value: float | None, length: int) -> str:
    if value is None:
        return f"_x{length}"
    return f"{value:.10g}+0x{length - 1}"


def _scrapes(item: Item) -> int:
    return (len(item.figures) + 1) * _PER_HOUR + 1


def _constant(item: Item, value: float) -> list[float | None]:
    return [None if _hidden(item, scrape) else value for scrape in range(_scrapes(item))]


def _hidden(item: Item, scrape: int) -> bool:
    return item.unscraped is not None and item.unscraped[0] <= scrape / _PER_HOUR < item.unscraped[1]


def _shown(item: Item) -> tuple[list[float | None], list[float | None]]:
    """The figure and the start of the hour shown, in seconds, at each scrape."""
    values: list[float | None] = [None] * _scrapes(item)
    starts: list[float | None] = [None] * _scrapes(item)
    for hour, amount in enumerate(item.figures):
        if amount is None:
            continue
        late = POLL_OFFSET_MINUTES + item.late_minutes.get(hour, 0)
        seen = (hour + 1) * _PER_HOUR + math.ceil(late / GRID_MINUTES)
        stale = (hour + 1 + item.stale_after_hours) * _PER_HOUR
        for scrape in range(seen, len(values)):
            hidden = _hidden(item, scrape)
            values[scrape] = None if hidden or scrape >= stale else amount
            starts[scrape] = None if hidden else hour * 3600.0
    return values, starts

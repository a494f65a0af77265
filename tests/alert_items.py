"""Items that alerts about views are proven with: those that must page, and those that must not."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from bench.alert_curves import (
    Curve,
    Item,
    born,
    decay,
    drop,
    figures,
    first_burst,
    flat,
    night,
    spike,
    without,
)

# A night that falls while the exporter is blind, in the tests about blindness.
_DUSK = night(10, 40)


@dataclass(frozen=True, slots=True)
class Collapse:
    """An item that falls at `begin` and must page for it, through `lasts` hours without a gap."""

    item: Item
    begin: float
    lasts: int = 6

    @property
    def deadline_hour(self) -> int:
        """Two hours after the end of the first wholly low hour."""
        return math.ceil(self.begin) + 3


def _item(
    name: str,
    *curves: Curve,
    hours: int = 62,
    seed: int | None = None,
    created: float = -240,
    gaps: tuple[tuple[int, int], ...] = (),
    late: Mapping[int, int] | None = None,
) -> Item:
    """An item with noise where there is a `seed`, without the hours of `gaps`."""
    rng = None if seed is None else random.Random(seed)
    amounts = born(figures(hours, *curves, rng=rng), created)
    for begin, end in gaps:
        amounts = without(amounts, begin, end)
    return Item(name, amounts, created, late_minutes=late or {})


def _old(name: str, *curves: Curve, seed: int | None = None, begin: float = 41.5) -> Collapse:
    return Collapse(_item(name, *curves, hours=55, seed=seed), begin)


def silent_items() -> list[Item]:
    """Items that never page."""
    return [
        *(
            _item(f"decay-{half_life}h", flat(200_000), decay(half_life), seed=half_life, created=0)
            for half_life in (6, 8, 12, 24, 96)
        ),
        *(_item(f"night-10-{phase}", flat(3000), night(10, phase), seed=phase) for phase in (2, 10, 18)),
        *(
            _item(
                f"decay-{half_life}h-night-10", flat(90_000), decay(half_life), night(10, phase), seed=phase
            )
            for half_life, phase in ((12, 5), (24, 13), (48, 21))
        ),
        _item("noise", flat(800), seed=1),
        Item("noise-of-unknown-age", figures(62, flat(800), rng=random.Random(2)), created_hour=None),
        _item("small-collapse", flat(40), drop(45.5, 0)),
        _item("first-hours", flat(4000), decay(8, 1.4), first_burst(1.4), seed=3, created=1.4),
        _item("gone-at-five-hours", flat(4000), drop(5, 0), created=0.5),
        _item("spike-of-an-hour", flat(500), spike(33, 1, 20), seed=4),
        _item("spike-on-the-first-day", flat(500), spike(14, 2, 10), seed=5, created=0.2),
        _item("spike-of-five-hours", flat(500), spike(34, 5, 8), seed=6),
        _item("spike-of-five-hours-on-the-first-day", flat(500), spike(12, 5, 10), seed=9, created=0.2),
        _item("night-30-on-the-first-day", flat(6000), night(30, 2), seed=10, created=0.2),
        _item("blind-for-ten-hours", flat(3000), _DUSK, seed=7, gaps=((44, 54),)),
        _item(
            "missing-and-late",
            flat(3000),
            _DUSK,
            seed=8,
            gaps=((47, 48), (56, 58)),
            late={46: 45, 50: 20, 55: 45},
        ),
        Item(
            "blind-for-most-of-a-day",
            without(figures(62, flat(2_000_000), decay(6)), 33, 53),
            stale_after_hours=24,
        ),
        Item("exporter-down-at-dusk", figures(62, flat(3000), _DUSK), unscraped=(44.2, 51.3)),
    ]


def silent_from_second_day() -> list[Item]:
    """Items whose first night may page, since there is no yesterday; later ones must not."""
    return [
        _item("night-30", flat(6000), night(30, 12), seed=11),
        _item("night-10-steep", flat(3000), night(10, 12, steep=True), seed=12),
        _item("night-30-steep", flat(6000), night(30, 3, steep=True), seed=13),
        _item("decay-24h-night-30", flat(400_000), decay(24), night(30, 18), seed=14),
    ]


def collapses() -> list[Collapse]:
    """Items that page."""
    low = drop(41.5, 0.02)
    down = figures(55, flat(1000), low)
    return [
        _old("to-zero", flat(1000), drop(41.5, 0)),
        _old("to-a-tenth", flat(1000), drop(41, 0.1), begin=41),
        _old("noisy", flat(1000), drop(41.2, 0.05), seed=21, begin=41.2),
        _old("steep-decay", flat(900_000), decay(6), drop(41.7, 0.03), seed=22, begin=41.7),
        *(_old(f"by-night-{phase}", flat(4000), night(10, phase), low, seed=phase) for phase in (0, 8, 16)),
        _old("decay-and-night", flat(60_000), decay(24), night(10, 38), low, seed=23),
        Collapse(_item("young", flat(5000), decay(24), drop(8.5, 0.03), hours=55, created=0.3), 8.5),
        Collapse(
            _item("first-day", flat(9000), decay(8), drop(14.5, 0.05), hours=55, seed=24, created=0.3), 14.5
        ),
        Collapse(
            _item(
                "late-polls-on-the-first-day",
                flat(5000),
                drop(14.5, 0.02),
                hours=55,
                created=0.3,
                late={15: 40, 16: 20},
            ),
            14.5,
        ),
        Collapse(
            _item("risen-on-the-first-day", flat(800), spike(9, 24, 8), drop(14.5, 0.02), created=0.3),
            14.5,
        ),
        Collapse(_item("second-day", flat(5000), drop(30.5, 0.02), hours=55, created=0.3), 30.5),
        Collapse(Item("late-polls", down, late_minutes={42: 30, 43: 20}), 41.5),
        Collapse(Item("restarted", down, unscraped=(46.3, 46.6)), 41.5),
        # X leaves out four hours while the item is down: what is shown is withdrawn in between.
        Collapse(Item("blind-while-down", without(down, 45, 49)), 41.5, 9),
        Collapse(Item("post", down, kind="post"), 41.5),
    ]

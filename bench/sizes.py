"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """`series` are value series, ten a media; the rest are counts, but for `idle_seconds`."""

    series: int
    polls: int
    rounds: int
    busy_scrapes: int
    answers: int
    growth: tuple[int, ...]
    starts: int
    idle_seconds: float


FULL = Sizes(
    series=100_000,
    polls=10,
    rounds=10,
    busy_scrapes=1000,
    answers=10,
    growth=(1_000, 10_000, 100_000),
    starts=7,
    idle_seconds=20,
)
SMOKE = Sizes(
    series=1000, polls=1, rounds=1, busy_scrapes=5, answers=1, growth=(100, 200), starts=1, idle_seconds=0.5
)

"""How long to wait before asking again."""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS = 1.0
CAP_SECONDS = 900.0


def full_jitter_seconds(failures: int, random: Callable[[], float]) -> float:
    """A delay drawn evenly from nothing to 1 s, doubled per failure after the first, at most 15 min.

    `failures` counts from 1. `random` gives numbers in [0, 1). Drawing from the whole range spreads
    clients that failed together.
    """
    ceiling = min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30))
    return ceiling * random()

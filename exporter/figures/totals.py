"""Sums over hours that are carried along: what goes is subtracted, what comes is added.

They are kept only while they are exact. A float holds every whole number up to 2^53, so adding and subtracting
whole numbers that are not negative rounds nothing as long as the sums stay below. A fraction, a metric
without a number or an enormous sum ends that, and hours are added up one by one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from operator import add, sub

_MOST = 2.0**52


def exact_totals(rows: array[float], width: int) -> array[float] | None:
    """The sum of each of the `width` columns of `rows`, None where they may not be carried along."""
    return _checked([math.fsum(rows[column::width]) for column in range(width)]) if _whole(rows) else None


def moved_totals(totals: array[float], gone: array[float], come: array[float]) -> array[float] | None:
    """`totals` without the rows `gone` and with the rows `come`, None where they may not be carried along."""
    if not _whole(come):
        return None
    width = len(totals)
    moved: Iterable[float] = totals
    # What comes is added first, so that no sum on the way is negative.
    for start in range(0, len(come), width):
        moved = map(add, moved, come[start : start + width])
    for start in range(0, len(gone), width):
        moved = map(sub, moved, gone[start : start + width])
    return _checked(list(moved))


def _whole(rows: array[float]) -> bool:
    return all(map(float.is_integer, rows)) and min(rows, default=0.0) >= 0


def _checked(sums: list[float]) -> array[float] | None:
    return array("d", sums) if max(sums) <= _MOST else None

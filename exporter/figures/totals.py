"""Sums over hours that are carried along: what goes is subtracted, what comes is added.

They are kept only while they are exact. A float holds every whole number up to 2^53, so adding and subtracting
whole numbers that are not negative rounds nothing as long as the sums stay below. A fraction, a metric
without a number or an enormous sum ends that, and hours are added up one by one.
"""

from __future__ import annotations

import math
from array import array

_MOST = 2.0**52


def exact_totals(rows: array[float], width: int) -> array[float] | None:
    """The sum of each of the `width` columns of `rows`, None where they may not be carried along."""
    return _checked([math.fsum(rows[column::width]) for column in range(width)]) if _whole(rows) else None


def moved_totals(totals: array[float], gone: array[float], come: array[float]) -> array[float] | None:
    """`totals` without the row `gone` and with the row `come`, None where they may not be carried along."""
    if not _whole(come):
        return None
    rows = zip(totals, come, gone, strict=True)
    return _checked([total + more - less for total, more, less in rows])


def _whole(rows: array[float]) -> bool:
    return all(map(float.is_integer, rows)) and min(rows, default=0.0) >= 0


def _checked(sums: list[float]) -> array[float] | None:
    return array("d", sums) if max(sums) <= _MOST else None

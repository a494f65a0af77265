"""Collects what the entries of one answer say about each item."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

from exporter.model import ItemReport


@dataclass(slots=True)
class Rows:
    """The buckets of one item so far: `starts` in Unix seconds, and `values`, one row after the other."""

    starts: list[float] = field(default_factory=list)
    values: array[float] = field(default_factory=lambda: array("d"))
    total: array[float] | None = None

    def add_total(self, row: array[float]) -> None:
        """Take `row` as the item's total; a number in it wins over one told before in this answer."""
        if self.total is None:
            self.total = row
        else:
            told = zip(self.total, row, strict=True)
            self.total = array("d", [old if math.isnan(new) else new for old, new in told])


class Reports:
    """The items of one answer, in the order of their first mention."""

    def __init__(self) -> None:
        self._items: dict[str, Rows] = {}

    def rows(self, item_id: str) -> Rows:
        """The rows of `item_id`, to be added to."""
        rows = self._items.get(item_id)
        if rows is None:
            rows = self._items[item_id] = Rows()
        return rows

    def finished(self) -> tuple[ItemReport, ...]:
        """One report per item."""
        return tuple(
            ItemReport(item_id, tuple(rows.starts), rows.values, rows.total)
            for item_id, rows in self._items.items()
        )

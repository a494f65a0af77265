"""In which order items stand on the page, and how many of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter

from exporter.status.items import ItemStatus

# Rows on a page that is not asked to show all, over all lists; a list has between 10 and 100 of them.
_ROWS = 600
_MOST_ROWS, _LEAST_ROWS = 100, 10


class Sort(StrEnum):
    """What items may be sorted by; the value is that of `sort` in the page's address."""

    VIEWS = "views"
    """The figure of the hour shown, the largest first."""
    CHANGE = "change"
    """The change against the hour before, the deepest fall first."""
    NAME = "name"
    """The name, from A to Z."""
    AGE = "age"
    """The age, the youngest first."""


@dataclass(frozen=True, slots=True)
class Order:
    """What items are sorted by; `reverse` turns the sort's own direction round."""

    sort: Sort = Sort.VIEWS
    reverse: bool = False

    @property
    def query(self) -> str:
        """The value of `sort` that asks for this."""
        return f"-{self.sort}" if self.reverse else self.sort.value

    @property
    def ascends(self) -> bool:
        """Whether smaller values stand first."""
        return (self.sort is not Sort.VIEWS) is not self.reverse

    def next(self, sort: Sort) -> Order:
        """The order that the heading of column `sort` leads to: the sort, or the other way round."""
        return Order(sort, self.sort is sort and not self.reverse)


def parse_order(text: str) -> Order:
    """The order that `text`, from the page's address, asks for; the usual one where it makes no sense."""
    name = text.removeprefix("-")
    return Order(Sort(name), text.startswith("-")) if name in set(Sort) else Order()


def ordered(items: tuple[ItemStatus, ...], order: Order) -> list[ItemStatus]:
    """`items` as `order` wants them; those without a value stand last either way."""
    key = _KEYS[order.sort]
    pairs = [(key(item), item) for item in items]
    without = [item for value, item in pairs if value is None]
    keyed = [(value, item) for value, item in pairs if value is not None]
    keyed.sort(key=itemgetter(0), reverse=not order.ascends)
    return [item for _, item in keyed] + without


def rows_per_list(lists: int) -> int:
    """How many items each of so many lists shows on a page that is not asked to show all."""
    return max(_LEAST_ROWS, min(_MOST_ROWS, _ROWS // max(1, lists)))


def _age(item: ItemStatus) -> float | None:
    return None if item.created_at is None else -item.created_at


_KEYS: dict[Sort, Callable[[ItemStatus], float | str | None]] = {
    Sort.VIEWS: lambda item: item.value,
    Sort.CHANGE: lambda item: item.change,
    Sort.NAME: lambda item: item.item.name.casefold(),
    Sort.AGE: _age,
}

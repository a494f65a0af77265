"""How hours and items are cut into requests, so that every answer stays well below what is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.backfill.coverage import Coverage
from exporter.backfill.span import Span
from exporter.backfill.wanted import Wanted, born_hour
from exporter.model import HOUR_SECONDS, Endpoint, Item
from exporter.vocabulary import Metric
from exporter.xapi.client import MAX_BODY_BYTES
from exporter.xapi.requests import INSIGHTS, Bounds, asked_metrics

# What historical insights take at most; nothing is known to be shorter.
LONGEST_HOURS = 28 * 24
# Left for numbers and spellings longer than those the sizes below were measured with.
_EXPECTED_BYTES = MAX_BODY_BYTES * 5 // 8


@dataclass(frozen=True, slots=True)
class Slice:
    """One request: some items, and some consecutive hours of them."""

    span: Span
    items: tuple[Item, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the items."""
        return tuple(item.id for item in self.items)

    @property
    def bounds(self) -> Bounds:
        """The hours as a request names them."""
        return Bounds(self.span.first * HOUR_SECONDS, self.span.end * HOUR_SECONDS)

    @property
    def rows(self) -> int:
        """How many hours of items there are to tell of, as far as ids say when they were minted."""
        return sum(int(self.span.end - max(self.span.first, born_hour(item))) for item in self.items)

    def only(self, items: Iterable[Item]) -> Slice:
        """The same hours of `items`."""
        return Slice(self.span, tuple(items))


def slices_of(wanted: Wanted, endpoint: Endpoint, span: Span, coverage: Coverage) -> list[Slice]:
    """The requests to `endpoint` for all hours of `span` that are not covered yet, the newest first.

    The cut depends on what is wanted and on the end alone, so that what goes on later cuts alike. An item
    is not asked for in hours before X minted its id.
    """
    at_most = hours_of_slice(endpoint, len(wanted.items), wanted.metrics)
    found = []
    for window in _windows(span, at_most):
        missing = [item for item in wanted.items if _lacks(item, window, coverage)]
        found += [Slice(window, batch) for batch in _batches(missing, endpoint.batch_size)]
    return found


def hours_of_slice(endpoint: Endpoint, items: int, metrics: Sequence[Metric]) -> int:
    """How many hours one request for so many items may ask for: whole days, where it is at least one."""
    bytes_per_hour = min(items, endpoint.batch_size) * _bucket_bytes(endpoint, metrics)
    hours = max(1, min(LONGEST_HOURS, _EXPECTED_BYTES // bytes_per_hour))
    return hours if hours < 24 else hours // 24 * 24  # noqa: PLR2004 - hours of a day


def _bucket_bytes(endpoint: Endpoint, metrics: Sequence[Metric]) -> int:
    """About how large one hour of one item is in an answer, by what each endpoint writes beside numbers."""
    names = len(asked_metrics(metrics, endpoint))
    return 160 + 52 * names if endpoint in INSIGHTS else 64 + 28 * names


def _windows(span: Span, hours: int) -> Iterator[Span]:
    for end in range(span.end, span.first, -hours):
        yield Span(max(span.first, end - hours), end)


def _lacks(item: Item, window: Span, coverage: Coverage) -> bool:
    return born_hour(item) < window.end and not coverage.covers(item.id, window)


def _batches(items: Sequence[Item], size: int) -> Iterator[tuple[Item, ...]]:
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])

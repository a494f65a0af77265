"""Which hours of which items X has answered about, so that nothing is asked twice."""

from __future__ import annotations

import re
from collections.abc import Mapping

from exporter.backfill.span import Span

_RANGE = re.compile(r"(-?\d{1,9})\.\.(-?\d{1,9})", re.ASCII)


class Coverage:
    """The hours answered for each item, as spans that neither touch nor overlap, in order."""

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._spans = {item_id: _parsed(text) for item_id, text in (texts or {}).items()}

    def covers(self, item_id: str, span: Span) -> bool:
        """Whether every hour of `span` has been answered."""
        spans = self._spans.get(item_id, ())
        return any(known.first <= span.first and span.end <= known.end for known in spans)

    def add(self, item_id: str, span: Span) -> None:
        """X has answered about every hour of `span`, be it that it has nothing for it."""
        self._spans[item_id] = self.with_span(item_id, span)

    def with_span(self, item_id: str, span: Span) -> tuple[Span, ...]:
        """What would be answered with `span` added."""
        first, end = span.first, span.end
        apart = []
        for known in self._spans.get(item_id, ()):
            if known.end < first or known.first > end:
                apart.append(known)
            else:
                first, end = min(first, known.first), max(end, known.end)
        return tuple(sorted([*apart, Span(first, end)], key=lambda each: each.first))

    def text_with(self, item_id: str, span: Span) -> str:
        """What is to be kept of an item once `span` is answered: `Coverage` reads it again."""
        return " ".join(f"{each.first}..{each.end}" for each in self.with_span(item_id, span))


def _parsed(text: str) -> tuple[Span, ...]:
    return tuple(Span(int(first), int(end)) for first, end in _RANGE.findall(text))

"""The last 28 hours of an item as a small SVG bar chart, with a text for each bar and one for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup, escape

from exporter.figures.window import WINDOW_HOURS
from exporter.model import HOUR_SECONDS
from exporter.status.items import ItemStatus
from exporter.status.words import counted, hour_span, metric_name, number

_STEP, _BAR, _HEIGHT = 7, 6, 28
# An hour with a small figure, 0 among them, is seen to be there; an hour without one leaves a gap.
_LEAST_HEIGHT = 1.0


class Sparklines:
    """Draws the 28 hours that end with hour `last` (hours since the epoch), item by item."""

    def __init__(self, last: int) -> None:
        self._last = last
        starts = range((last + 1 - WINDOW_HOURS) * HOUR_SECONDS, (last + 1) * HOUR_SECONDS, HOUR_SECONDS)
        # An invisible column over each bar, as high as the chart, tells its hour and figure.
        self._columns = [
            f'<rect x="{place * _STEP}"><title>{_hour(start)}: ' for place, start in enumerate(starts)
        ]
        self._until = _hour(starts[-1])

    def draw(self, item: ItemStatus) -> Markup:
        """The hours of `item` as an SVG element, or in words where there are none."""
        values = [value for _, value in item.curve(self._last)]
        known = [value for value in values if value is not None]
        if not known:
            return Markup('<span class="none">nothing reported</span>')
        name = metric_name(item.headline.metric)
        label = f"{name}, 28 hours to {self._until}: {_summary(values, known)}"
        return Markup(  # noqa: S704 - of what is put in, the texts are escaped and the rest are numbers
            f'<svg class="spark" viewBox="0 0 {_STEP * len(values)} {_HEIGHT}" role="img" '
            f'aria-label="{escape(label)}"><path d="{_bars(values, max(known))}"/>'
            f"{self._hovers(values, str(escape(name)))}</svg>"
        )

    def _hovers(self, values: Sequence[float | None], name: str) -> str:
        return "".join(
            f"{column}{'not reported' if value is None else f'{number(value)} {name}'}</title></rect>"
            for column, value in zip(self._columns, values, strict=True)
        )


def _bars(values: Sequence[float | None], highest: float) -> str:
    """All bars in one path; a negative figure, which nothing promises not to come, is as flat as 0."""
    scale = (_HEIGHT - _LEAST_HEIGHT) / highest if highest > 0 else 0.0
    return "".join(
        f"M{place * _STEP} {_HEIGHT}v-{max(0.0, value) * scale + _LEAST_HEIGHT:.1f}h{_BAR}V{_HEIGHT}z"
        for place, value in enumerate(values)
        if value is not None
    )


def _summary(values: Sequence[float | None], known: Sequence[float]) -> str:
    lowest, highest, newest = number(min(known)), number(max(known)), number(known[-1])
    missing = len(values) - len(known)
    gaps = f"; {counted(missing, 'hour', 'hours')} not reported" if missing else ""
    return f"lowest {lowest}, highest {highest}, newest {newest}{gaps}"


def _hour(start: int) -> str:
    return f"{datetime.fromtimestamp(start, UTC):%a} {hour_span(start)} UTC"

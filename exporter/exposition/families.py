"""The metric families of media and posts, and their sample lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from exporter.exposition.escaping import escape_label_value
from exporter.exposition.page import Family
from exporter.figures.state import ItemState
from exporter.model import Item, Kind, created_timestamp_seconds
from exporter.vocabulary import Metric

# Stands for the id in a template; no id has such a character.
_ID = "\N{NULL}"

_POLLED = "Polled and held in memory since X limits requests; a scrape never calls X."


@dataclass(frozen=True, slots=True)
class View:
    """What a rendering needs beside the items.

    `metrics` are the account's chosen ones, in the order of the rows; `now` is Unix seconds.
    """

    metrics: tuple[Metric, ...]
    now: float
    stale_after_seconds: float
    _templates: dict[str, str] = field(default_factory=dict, repr=False)

    def template(self, name: str, metrics: Sequence[Metric]) -> str:
        """The lines of an item whose `metrics` all have whole numbers, with places for id and numbers."""
        known = self._templates.get(name)
        if known is None:
            lines = [f'{name}{{id="{_ID}",metric="{metric.name}"}} %s\n' for metric in metrics]
            known = self._templates[name] = "".join(lines)
        return known


@dataclass(frozen=True, slots=True)
class Row:
    """One family: its head and the function that writes an item's sample lines, empty for none.

    `configured` says that the lines follow from the configuration alone, so that no answer changes them.
    `withdrawn` says that an item has no lines here once its figures are stale.
    """

    family: Family
    lines: Callable[[str, Item, ItemState, View], str]
    configured: bool = False
    withdrawn: bool = False


def _number(value: float) -> str:
    """`value` as the shortest text that reads back as the same number."""
    return f"{value:.0f}" if value.is_integer() else repr(value)


def _per_metric(name: str, item: Item, view: View, metrics: Sequence[Metric], row: Sequence[float]) -> str:
    """One line per metric that has a number; whole numbers for all of them are the usual case."""
    try:
        numbers = tuple(map(int, row))
    except ValueError:  # a NaN, which stands for no number
        numbers = ()
    if numbers == tuple(row):
        return view.template(name, metrics).replace(_ID, item.id) % numbers
    head = f'{name}{{id="{item.id}",metric="'
    return "".join(
        [
            f'{head}{metric.name}"}} {_number(value)}\n'
            for metric, value in zip(metrics, row, strict=True)
            if not math.isnan(value)
        ]
    )


def _values(name: str, item: Item, state: ItemState, view: View) -> str:
    return "" if state.hours is None else _per_metric(name, item, view, view.metrics, state.hours.shown)


def _sums(name: str, item: Item, state: ItemState, view: View) -> str:
    if state.hours is None:
        return ""
    pairs = zip(view.metrics, state.hours.sums(), strict=True)
    sums = [total for metric, total in pairs if metric.additive]
    return _per_metric(name, item, view, [metric for metric in view.metrics if metric.additive], sums)


def _covered(name: str, item: Item, state: ItemState, _view: View) -> str:
    return "" if state.hours is None else f'{name}{{id="{item.id}"}} {state.hours.covered()}\n'


def _reported(name: str, item: Item, state: ItemState, view: View) -> str:
    return "" if state.total is None else _per_metric(name, item, view, view.metrics, state.total)


def _bucket_start(name: str, item: Item, state: ItemState, _view: View) -> str:
    if state.hours is None:
        return ""
    return f'{name}{{id="{item.id}"}} {state.hours.shown_start_seconds}\n'


def _created(name: str, item: Item, _state: ItemState, _view: View) -> str:
    created = created_timestamp_seconds(item.id)
    return "" if created is None else f'{name}{{id="{item.id}"}} {_number(created)}\n'


def _info(name: str, item: Item, _state: ItemState, _view: View) -> str:
    labels = [("id", item.id), ("account", item.account), ("name", item.name), *item.labels]
    text = ",".join(f'{label}="{escape_label_value(value)}"' for label, value in labels)
    return f"{name}{{{text}}} 1\n"


def _up(name: str, item: Item, state: ItemState, _view: View) -> str:
    return "" if state.up is None else f'{name}{{id="{item.id}"}} {int(state.up)}\n'


def _row(
    name: str,
    text: str,
    lines: Callable[[str, Item, ItemState, View], str],
    *,
    configured: bool = False,
    withdrawn: bool = False,
) -> Row:
    origin = "From the configuration." if configured else _POLLED
    return Row(Family(name, "gauge", f"{text} {origin}"), lines, configured, withdrawn)


def _rows(kind: Kind) -> Iterator[Row]:
    values, source = {
        Kind.MEDIA: ("x_media_analytics", "GET /2/media/analytics, timestamped_metrics.metrics"),
        Kind.POST: ("x_post_insights", "GET /2/insights/28hr, metrics_time_series.metric_values"),
    }[kind]
    thing = kind.value
    yield _row(
        values,
        f"Amount of each metric in the newest complete hour X reported for this {thing}"
        f" ({source}; watch_time_ms in milliseconds).",
        _values,
        withdrawn=True,
    )
    yield _row(
        f"{values}_28h",
        f"Sum of each metric over the complete and known hours among the {thing}'s last 28 ({source}).",
        _sums,
        withdrawn=True,
    )
    yield _row(
        f"x_{thing}_28h_buckets",
        "How many hours the 28-hour sum covers, 1 to 28.",
        _covered,
        withdrawn=True,
    )
    if kind is Kind.POST:
        yield _row(
            "x_post_insights_28h_reported",
            "X's own total over its sliding 28 hours, unaltered (GET /2/insights/28hr, metrics_total).",
            _reported,
            withdrawn=True,
        )
    yield _row(
        f"x_{thing}_bucket_start_timestamp_seconds",
        "Start of the hour shown; stays when stale values are withdrawn.",
        _bucket_start,
    )
    yield _row(
        f"x_{thing}_created_timestamp_seconds",
        "When X minted the id, read from the snowflake in it.",
        _created,
        configured=True,
    )
    yield _row(f"x_{thing}_info", "Always 1; carries the item's name and own labels.", _info, configured=True)
    yield _row(
        f"x_{thing}_up",
        f"1 when X's last answer for this {thing} carried data, 0 when X answered without any for it.",
        _up,
    )


ROWS: dict[Kind, tuple[Row, ...]] = {kind: tuple(_rows(kind)) for kind in Kind}
FAMILIES: tuple[Family, ...] = tuple(row.family for kind in Kind for row in ROWS[kind])


def sample_lines(
    kind: Kind, items: Sequence[tuple[Item, ItemState]], view: View, *, configured: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield each family's name and the sample lines of `items`, each ended by a newline, empty for none.

    Of those families that follow from the configuration alone, or of those that answers and time change.
    """
    fresh = [(item, state) for item, state in items if not state.is_stale(view.now, view.stale_after_seconds)]
    for row in ROWS[kind]:
        if row.configured is configured:
            shown = fresh if row.withdrawn else items
            lines = [row.lines(row.family.name, item, state, view) for item, state in shown]
            yield row.family.name, "".join(lines).encode()

"""The metric families of media and posts, and their sample lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import TypeAlias

from exporter.exposition.escaping import escape_label_value
from exporter.exposition.page import Family
from exporter.figures.state import ItemState
from exporter.model import Item, Kind, created_timestamp_seconds
from exporter.vocabulary import Metric

# Stands for the id in a template; no id has such a character.
_ID = "\N{NULL}"

_POLLED = "Polled and held in memory since X limits requests; a scrape never calls X."


# The items of a slot, with what X has said about each.
Shown: TypeAlias = Sequence[tuple[Item, ItemState]]


@dataclass(frozen=True, slots=True)
class View:
    """What a rendering needs beside the items.

    `metrics` are the account's chosen ones, in the order of the rows; `now` is Unix seconds.
    """

    metrics: tuple[Metric, ...]
    now: float
    stale_after_seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One family: its head and the function that writes the sample lines of items, empty for none.

    `configured` says that the lines follow from the configuration alone, so that no answer changes them.
    `withdrawn` says that an item has no lines here once its figures are stale.
    """

    family: Family
    lines: Callable[[str, Shown, View], str]
    configured: bool = False
    withdrawn: bool = False


def _number(value: float) -> str:
    """`value` as the shortest text that reads back as the same number."""
    return f"{value:.0f}" if value.is_integer() else repr(value)


def _per_metric(name: str, metrics: Sequence[Metric], rows: Sequence[tuple[Item, Sequence[float]]]) -> str:
    """One line for each metric that has a number, item by item; mostly all are whole numbers."""
    numbers = list(chain.from_iterable([row for _, row in rows]))
    if all(map(float.is_integer, numbers)):
        lines = "".join([f'{name}{{id="{_ID}",metric="{metric.name}"}} %d\n' for metric in metrics])
        around = lines.split(_ID)
        return "".join([item.id.join(around) for item, _ in rows]) % tuple(numbers)
    return "".join(
        [
            f'{name}{{id="{item.id}",metric="{metric.name}"}} {_number(value)}\n'
            for item, row in rows
            for metric, value in zip(metrics, row, strict=True)
            if not math.isnan(value)
        ]
    )


def _values(name: str, shown: Shown, view: View) -> str:
    rows = [(item, state.hours.shown) for item, state in shown if state.hours is not None]
    return _per_metric(name, view.metrics, rows)


def _sums(name: str, shown: Shown, view: View) -> str:
    rows = [(item, state.hours.sums()) for item, state in shown if state.hours is not None]
    additive = [metric.additive for metric in view.metrics]
    if not all(additive):
        rows = [(item, list(compress(sums, additive))) for item, sums in rows]
    return _per_metric(name, list(compress(view.metrics, additive)), rows)


def _covered(name: str, shown: Shown, _view: View) -> str:
    known = [(item.id, state.hours) for item, state in shown if state.hours is not None]
    return "".join([f'{name}{{id="{item_id}"}} {hours.covered()}\n' for item_id, hours in known])


def _reported(name: str, shown: Shown, view: View) -> str:
    return _per_metric(
        name, view.metrics, [(item, state.total) for item, state in shown if state.total is not None]
    )


def _bucket_start(name: str, shown: Shown, _view: View) -> str:
    known = [(item.id, state.hours) for item, state in shown if state.hours is not None]
    return "".join([f'{name}{{id="{item_id}"}} {hours.shown_start_seconds}\n' for item_id, hours in known])


def _created(name: str, shown: Shown, _view: View) -> str:
    known = [(item.id, created_timestamp_seconds(item.id)) for item, _ in shown]
    return "".join([f'{name}{{id="{item_id}"}} {_number(at)}\n' for item_id, at in known if at is not None])


def _info(name: str, shown: Shown, _view: View) -> str:
    return "".join([f"{name}{{{_info_labels(item)}}} 1\n" for item, _ in shown])


def _info_labels(item: Item) -> str:
    labels = [("id", item.id), ("account", item.account), ("name", item.name), *item.labels]
    return ",".join([f'{label}="{escape_label_value(value)}"' for label, value in labels])


def _up(name: str, shown: Shown, _view: View) -> str:
    return "".join(
        [f'{name}{{id="{item.id}"}} {state.up:d}\n' for item, state in shown if state.up is not None]
    )


def _row(
    name: str,
    text: str,
    lines: Callable[[str, Shown, View], str],
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


def sample_lines(kind: Kind, items: Shown, view: View, *, configured: bool) -> Iterator[tuple[str, bytes]]:
    """Yield each family's name and the sample lines of `items`, each ended by a newline, empty for none.

    Of those families that follow from the configuration alone, or of those that answers and time change.
    """
    fresh = [(item, state) for item, state in items if not state.is_stale(view.now, view.stale_after_seconds)]
    for row in ROWS[kind]:
        if row.configured is configured:
            shown = fresh if row.withdrawn else items
            yield row.family.name, row.lines(row.family.name, shown, view).encode()

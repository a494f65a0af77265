"""The metric families of media and posts, and their sample lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import TypeAlias

from exporter.exposition.escaping import escape_label_value
from exporter.exposition.page import Family
from exporter.figures.hours import Hours
from exporter.figures.state import ItemState
from exporter.model import Item, Kind, created_timestamp_seconds
from exporter.vocabulary import Metric

# Stands for the id in a template; no id has such a character.
_ID = "\N{NULL}"

_POLLED = "Polled and held in memory since X limits requests; a scrape never calls X."


@dataclass(frozen=True, slots=True)
class Shown:
    """`items` with what X has said about each, and the `hours` known of those that have any, by id."""

    items: Sequence[tuple[Item, ItemState]]
    hours: Sequence[tuple[str, Hours]]


@dataclass(frozen=True, slots=True)
class View:
    """What a rendering needs to know.

    `metrics` are the account's chosen ones, in the order of the rows. Of `all` items of a slot, the figures
    of the `fresh` ones may stand; after `stale_at` (Unix seconds) those of one more may not.
    """

    metrics: tuple[Metric, ...]
    all: Shown
    fresh: Shown
    stale_at: float


def view_of(
    items: Sequence[tuple[Item, ItemState]],
    metrics: tuple[Metric, ...],
    now: float,
    stale_after_seconds: float,
) -> View:
    """The view of `items` at `now`, Unix seconds."""
    ends = [state.stale_at(stale_after_seconds) for _, state in items]
    stands = [end >= now for end in ends]
    everything = _shown(items)
    fresh = everything if all(stands) else _shown(list(compress(items, stands)))
    return View(metrics, everything, fresh, min(compress(ends, stands), default=math.inf))


def _shown(items: Sequence[tuple[Item, ItemState]]) -> Shown:
    return Shown(items, [(item.id, state.hours) for item, state in items if state.hours is not None])


Lines: TypeAlias = Callable[[str, Shown, Sequence[Metric]], bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One family: its head and the function that writes the sample lines of items, empty for none.

    `configured` says that the lines follow from the configuration alone, so that no answer changes them.
    `withdrawn` says that an item has no lines here once its figures are stale.
    """

    family: Family
    lines: Lines
    configured: bool = False
    withdrawn: bool = False


def _number(value: float) -> str:
    """`value` as the shortest text that reads back as the same number."""
    return f"{value:.0f}" if value.is_integer() else repr(value)


def _per_metric(name: str, metrics: Sequence[Metric], rows: Sequence[tuple[str, Sequence[float]]]) -> bytes:
    """One line for each metric that has a number, id by id; mostly all are whole numbers."""
    numbers = tuple(chain.from_iterable([row for _, row in rows]))
    if all(map(float.is_integer, numbers)):
        lines = "".join([f'{name}{{id="{_ID}",metric="{metric.name}"}} %d\n' for metric in metrics])
        around = lines.split(_ID)
        # Numbers are put into bytes a third faster than into a string that is encoded afterwards.
        return "".join([item_id.join(around) for item_id, _ in rows]).encode() % numbers
    return "".join(
        [
            f'{name}{{id="{item_id}",metric="{metric.name}"}} {_number(value)}\n'
            for item_id, row in rows
            for metric, value in zip(metrics, row, strict=True)
            if not math.isnan(value)
        ]
    ).encode()


def _values(name: str, shown: Shown, metrics: Sequence[Metric]) -> bytes:
    return _per_metric(name, metrics, [(item_id, hours.shown) for item_id, hours in shown.hours])


def _sums(name: str, shown: Shown, metrics: Sequence[Metric]) -> bytes:
    additive = [metric.additive for metric in metrics]
    rows: list[tuple[str, Sequence[float]]] = [(item_id, hours.sums) for item_id, hours in shown.hours]
    if not all(additive):
        rows = [(item_id, list(compress(sums, additive))) for item_id, sums in rows]
    return _per_metric(name, list(compress(metrics, additive)), rows)


def _covered(name: str, shown: Shown, _metrics: Sequence[Metric]) -> bytes:
    return "".join([f'{name}{{id="{item_id}"}} {hours.covered}\n' for item_id, hours in shown.hours]).encode()


def _reported(name: str, shown: Shown, metrics: Sequence[Metric]) -> bytes:
    told = [(item.id, state.total) for item, state in shown.items if state.total is not None]
    return _per_metric(name, metrics, told)


def _bucket_start(name: str, shown: Shown, _metrics: Sequence[Metric]) -> bytes:
    starts = [(item_id, hours.shown_start_seconds) for item_id, hours in shown.hours]
    return "".join([f'{name}{{id="{item_id}"}} {start}\n' for item_id, start in starts]).encode()


def _created(name: str, shown: Shown, _metrics: Sequence[Metric]) -> bytes:
    known = [(item.id, created_timestamp_seconds(item.id)) for item, _ in shown.items]
    return "".join(
        [f'{name}{{id="{item_id}"}} {_number(at)}\n' for item_id, at in known if at is not None]
    ).encode()


def _info(name: str, shown: Shown, _metrics: Sequence[Metric]) -> bytes:
    return "".join([f"{name}{{{_info_labels(item)}}} 1\n" for item, _ in shown.items]).encode()


def _info_labels(item: Item) -> str:
    labels = [("id", item.id), ("account", item.account), ("name", item.name), *item.labels]
    return ",".join([f'{label}="{escape_label_value(value)}"' for label, value in labels])


def _up(name: str, shown: Shown, _metrics: Sequence[Metric]) -> bytes:
    said = [(item.id, state.up) for item, state in shown.items if state.up is not None]
    return "".join([f'{name}{{id="{item_id}"}} {up:d}\n' for item_id, up in said]).encode()


def _row(
    name: str,
    text: str,
    lines: Lines,
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


def sample_lines(kind: Kind, view: View, *, configured: bool) -> Iterator[tuple[str, bytes]]:
    """Yield each family's name and its sample lines, each ended by a newline, empty for none.

    Of those families that follow from the configuration alone, or of those that answers and time change.
    """
    for row in ROWS[kind]:
        if row.configured is configured:
            shown = view.fresh if row.withdrawn else view.all
            yield row.family.name, row.lines(row.family.name, shown, view.metrics)

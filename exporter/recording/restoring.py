"""What the journal knows of the watched items, as the states they had."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

from exporter.board import Watch
from exporter.figures.hours import Hours, packed_hours
from exporter.figures.state import ItemState
from exporter.figures.window import WINDOW_HOURS
from exporter.journal import JournalFile, SavedState, StoredBucket
from exporter.model import has_number


def restored(journal: JournalFile, watch: Watch) -> dict[str, ItemState]:
    """The state of each item of `watch` that X has ever answered about.

    Raises:
        JournalError: the journal cannot be read.
    """
    names = tuple(metric.name for metric in watch.metrics)
    saved = journal.states(item.id for item in watch.items)
    hours = _hours(journal, saved, names)
    return {item_id: _state(state, hours.get(item_id), names) for item_id, state in saved.items()}


def _state(saved: SavedState, hours: Hours | None, names: Sequence[str]) -> ItemState:
    total = None if saved.total is None else _arranged(saved.total, saved.metrics, names)
    if total is not None and not has_number(total):
        total = None
    return ItemState(saved.up, hours, total, saved.answered_at, saved.problems)


def _hours(journal: JournalFile, ids: Iterable[str], names: Sequence[str]) -> dict[str, Hours]:
    # Most items share their newest hour, so that a few ranges cover them all.
    by_newest: dict[int, list[str]] = defaultdict(list)
    for item_id, newest in journal.newest_complete(ids).items():
        by_newest[newest].append(item_id)
    hours: dict[str, Hours] = {}
    for newest, together in by_newest.items():
        rows: dict[str, dict[int, array[float]]] = defaultdict(dict)
        first = newest - WINDOW_HOURS + 1
        for bucket in journal.buckets(
            item_ids=together, first_hour=first, last_hour=newest, only_complete=True
        ):
            rows[bucket.item_id][bucket.hour] = _row(bucket, names)
        for item_id, told in rows.items():
            packed = packed_hours(told, len(names))
            if packed is not None:
                hours[item_id] = packed
    return hours


def _row(bucket: StoredBucket, names: Sequence[str]) -> array[float]:
    return _arranged(bucket.figures, bucket.metrics, names)


def _arranged(figures: array[float], told: Sequence[str], names: Sequence[str]) -> array[float]:
    """`figures` of the metrics `told` in the order of `names`, NaN for those that were not told."""
    if tuple(told) == tuple(names):
        return figures
    by_name = dict(zip(told, figures, strict=True))
    return array("d", [by_name.get(name, math.nan) for name in names])

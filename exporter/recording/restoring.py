"""What the journal knows of the watched items, as the states they had."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from exporter.board import Watch
from exporter.figures.hours import Hours, packed_hours
from exporter.figures.state import ItemState
from exporter.figures.window import WINDOW_HOURS
from exporter.journal import JournalFile, SavedState, StoredBucket
from exporter.model import Endpoint, has_number
from exporter.vocabulary import Metric


def restored(journal: JournalFile, watch: Watch) -> dict[str, ItemState]:
    """The state of each item of `watch` that X has ever answered about.

    Raises:
        JournalError: the journal cannot be read.
    """
    names = tuple(metric.name for metric in watch.metrics)
    saved = journal.states(item.id for item in watch.items)
    hours = _hours(journal, saved, watch.metrics)
    return {item_id: _state(state, hours.get(item_id), names) for item_id, state in saved.items()}


def _state(saved: SavedState, hours: Hours | None, names: Sequence[str]) -> ItemState:
    total = None if saved.total is None else _arranged(saved.total, saved.metrics, names)
    if total is not None and not has_number(total):
        total = None
    return ItemState(saved.up, hours, total, saved.answered_at, saved.problems)


def _hours(journal: JournalFile, ids: Iterable[str], metrics: Sequence[Metric]) -> dict[str, Hours]:
    # Most items share their newest hour, so that a few ranges cover them all.
    by_newest: dict[int, list[str]] = defaultdict(list)
    for item_id, newest in journal.newest_complete(ids).items():
        by_newest[newest].append(item_id)
    hours: dict[str, Hours] = {}
    for newest, together in by_newest.items():
        first = newest - WINDOW_HOURS + 1
        told = journal.buckets(item_ids=together, first_hour=first, last_hour=newest, only_complete=True)
        for item_id, buckets in groupby(told, attrgetter("item_id")):
            packed = _packed(list(buckets), metrics)
            if packed is not None:
                hours[item_id] = packed
    return hours


def _packed(buckets: Sequence[StoredBucket], metrics: Sequence[Metric]) -> Hours | None:
    """The hours of one item, oldest first. What the newest one's source lacks is not shown, as before."""
    source = buckets[-1].source
    shown = [metric.name if _has(source, metric) else None for metric in metrics]
    rows = {bucket.hour: _arranged(bucket.figures, bucket.metrics, shown) for bucket in buckets}
    return packed_hours(rows, len(metrics))


def _has(source: str, metric: Metric) -> bool:
    return source != Endpoint.TWEETS_ANALYTICS or metric.twin is not None


def _arranged(figures: array[float], told: Sequence[str], names: Sequence[str | None]) -> array[float]:
    """`figures` of the metrics `told` in the order of `names`, NaN for those that were not told."""
    if tuple(told) == tuple(names):
        return figures
    by_name: dict[str | None, float] = dict(zip(told, figures, strict=True))
    return array("d", [by_name.get(name, math.nan) for name in names])

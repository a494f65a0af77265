"""The journal by itself: ``python -m bench.journal``, or ``--smoke`` for a glance.

A journal is filled as hourly polls fill it, in a directory that is removed afterwards; then single pieces of
the daemon's work with it are timed. Needs some 600 MB of disk and a few minutes.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.items import made_up_items
from bench.table import Row, as_text
from exporter.journal import Bucket, BucketState, JournalFile, SavedState, Told
from exporter.model import HOUR_SECONDS, Kind
from exporter.vocabulary import MEDIA_METRICS

_METRICS = tuple(metric.name for metric in MEDIA_METRICS)
_FIRST_HOUR = 480_000
_BATCH = 100
_DAYS = 35


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of items and hours."""

    items: int
    hours: int


class Filled:
    """A journal of made-up items, with `size.hours` hours of each."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.path = folder / "journal" / "journal.sqlite3"
        self.ids = [item.id for item in made_up_items(Kind.MEDIA, size.items)]
        self.journal = JournalFile.open(self.path, _FIRST_HOUR * HOUR_SECONDS)
        self._chance = random.Random(7)
        self.next_hour = _FIRST_HOUR
        for _ in range(size.hours):
            self.poll()

    def poll(self) -> None:
        """Write what the poll after the next hour tells: that hour of each item, and its state."""
        hour, self.next_hour = self.next_hour, self.next_hour + 1
        seen_at = (hour + 1) * HOUR_SECONDS + 301.25
        for ids in self._batches():
            buckets = [Bucket(item_id, hour, self._row(), BucketState.COMPLETE) for item_id in ids]
            told = Told("brand", Kind.MEDIA, "media_analytics", _METRICS, seen_at, buckets)
            self.journal.write([told], self._states(ids, seen_at))

    def first_poll(self) -> None:
        """Write 28 hours of each item at once, as after a start without a journal."""
        first, self.next_hour = self.next_hour, self.next_hour + 28
        seen_at = self.next_hour * HOUR_SECONDS + 301.25
        for ids in self._batches():
            buckets = [
                Bucket(item_id, hour, self._row(), BucketState.COMPLETE)
                for item_id in ids
                for hour in range(first, self.next_hour)
            ]
            told = Told("brand", Kind.MEDIA, "media_analytics", _METRICS, seen_at, buckets)
            self.journal.write([told], self._states(ids, seen_at))

    def restore(self) -> int:
        """Read what a start reads; returns how many hours that is."""
        self.journal.states(self.ids)
        newest = max(self.journal.newest_complete(self.ids).values())
        return sum(1 for _ in self.journal.buckets(item_ids=self.ids, first_hour=newest - 27))

    def reopen(self) -> None:
        """Close the journal and open it again."""
        self.journal.close()
        self.journal = JournalFile.open(self.path, self.next_hour * HOUR_SECONDS)

    def _batches(self) -> Iterator[list[str]]:
        for start in range(0, len(self.ids), _BATCH):
            yield self.ids[start : start + _BATCH]

    def _row(self) -> array[float]:
        views = int(self._chance.lognormvariate(4, 2))
        shares = (1, 0.9, 0.7, 0.5, 0.4, 0.3, 0.02, 0.01, 0, 9_000)
        return array("d", [int(views * share) for share in shares])

    def _states(self, ids: Sequence[str], seen_at: float) -> list[SavedState]:
        return [
            SavedState(
                item_id,
                "brand",
                Kind.MEDIA,
                up=True,
                metrics=_METRICS,
                total=None,
                answered_at=seen_at,
                problems=(),
            )
            for item_id in ids
        ]


def seconds(work: Callable[[], object], tries: int = 5) -> tuple[float, float]:
    """The least time by the clock and the least CPU of this process that `work` took."""
    by_clock, cpu = [], []
    for _ in range(tries):
        began, cpu_began = time.perf_counter(), time.process_time()
        work()
        by_clock.append(time.perf_counter() - began)
        cpu.append(time.process_time() - cpu_began)
    return min(by_clock), min(cpu)


def _row(work: str, unit: str, ours: float, why: str, limit: float | None = None) -> Row:
    return Row(work, unit, ours, "", None, limit, why)


def kept_rows(size: Size) -> Iterator[Row]:
    """The journal of one exporter after five weeks."""
    with tempfile.TemporaryDirectory() as folder:
        filled = Filled(Path(folder), size)
        name = f"{size.hours} hours x {size.items} items"
        filled.reopen()
        megabytes = filled.path.stat().st_size / 1e6
        yield _row(
            f"file, {name}", "MB", megabytes, "Size without what waits beside it, ten metrics an hour."
        )
        opening, _ = seconds(filled.reopen)
        yield _row(f"open, {name}", "s", opening, "Closing, and opening with a look at every page.")
        reading, _ = seconds(filled.restore)
        yield _row(f"restore, {name}", "s", reading, "Reading states and the last 28 hours of all items.")
        by_clock, cpu = seconds(filled.poll)
        yield _row(
            f"hourly poll, {size.items} items", "s", by_clock, "One new hour and the state of each item."
        )
        yield _row(f"hourly poll, {size.items} items, CPU", "s", cpu, "The same, CPU of the process.")
        until = filled.next_hour
        asked, _ = seconds(lambda: filled.journal.settling(until - 7 * 24, until))
        yield _row("settling, 7 days", "s", asked, "How old figures were when they last changed.")
        pruned, _ = seconds(lambda: filled.journal.prune(_FIRST_HOUR + 1), tries=1)
        yield _row(f"retention, {size.items} items", "s", pruned, "Removing one hour of all items.")
        listed, _ = seconds(lambda: sum(1 for _ in filled.journal.buckets()), tries=1)
        yield _row(f"reading all, {name}", "s", listed, "Every hour of every item, item by item.")
        filled.journal.close()


def large_rows(items: int) -> Iterator[Row]:
    """An hourly poll of many items, beside 28 hours of each."""
    with tempfile.TemporaryDirectory() as folder:
        filled = Filled(Path(folder), Size(items, 0))
        by_clock, _ = seconds(filled.first_poll, tries=1)
        yield _row(f"first poll, {items} items", "s", by_clock, "28 hours of each item.")
        by_clock, cpu = seconds(filled.poll)
        why = "One new hour and the state of each item, in batches of 100."
        yield _row(f"hourly poll, {items} items", "s", by_clock, why, 60.0)
        yield _row(f"hourly poll, {items} items, CPU", "s", cpu, "The same, CPU of the process.")
        reading, _ = seconds(filled.restore, tries=1)
        yield _row(
            f"restore, {items} items", "s", reading, "Reading states and the last 28 hours of all items."
        )
        filled.journal.close()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.journal", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small: shows that it works, not how fast")
    smoke = parser.parse_args().smoke
    rows = [
        *kept_rows(Size(20, 30) if smoke else Size(1000, _DAYS * 24)),
        *large_rows(200 if smoke else 10_000),
    ]
    print(as_text(rows))
    print(f"\nLoad of the machine (1 min): {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

"""Answers and journals for the tests of the journal."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from pathlib import Path

from exporter.journal import Bucket, BucketState, JournalFile, SavedState, StoredBucket, Told
from exporter.model import HOUR_SECONDS, ItemErrorType, ItemProblem, Kind

NONE = math.nan
METRICS = ("impressions", "likes", "video_views")
HOUR = 490_000
NOW = (HOUR + 1) * HOUR_SECONDS + 300.0
CUT, RUNNING, COMPLETE = BucketState.CUT, BucketState.RUNNING, BucketState.COMPLETE


def bucket(item_id: str, hour: int, *figures: float, state: BucketState = COMPLETE) -> Bucket:
    return Bucket(item_id, hour, array("d", figures), state)


def told(
    *buckets: Bucket,
    seen_at: float = NOW,
    metrics: tuple[str, ...] = METRICS,
    source: str = "insights_28hr",
    account: str = "brand",
) -> Told:
    kind = Kind.MEDIA if source == "media_analytics" else Kind.POST
    return Told(account, kind, source, metrics, seen_at, buckets)


def saved(item_id: str, answered_at: float | None = NOW, account: str = "brand") -> SavedState:
    problem = ItemProblem(None, ItemErrorType.NOT_AUTHORIZED_FOR_FIELD, "not for you: \u2603")
    total = array("d", [5, NONE, 2.5])
    return SavedState(
        item_id,
        account,
        Kind.POST,
        up=True,
        metrics=METRICS,
        total=total,
        answered_at=answered_at,
        problems=(problem,),
    )


def opened(folder: Path) -> JournalFile:
    return JournalFile.open(folder / "journal.sqlite3", NOW)


def numbers(stored: StoredBucket) -> dict[str, float]:
    """The numbers of an hour by metric, without those X did not give."""
    pairs = zip(stored.metrics, stored.figures, strict=True)
    return {metric: number for metric, number in pairs if not math.isnan(number)}


def standing(journal: JournalFile) -> dict[tuple[str, int], dict[str, float]]:
    return {(each.item_id, each.hour): numbers(each) for each in journal.buckets()}


def only(stored: Iterable[StoredBucket]) -> StoredBucket:
    (one,) = stored
    return one


FILLING = [
    told(*(bucket(str(item), HOUR - hour, item, hour, 1e6) for hour in range(28) for item in range(40)))
]


def filled(folder: Path) -> Path:
    """A closed journal of some twenty pages."""
    journal = opened(folder)
    journal.write(FILLING)
    journal.close()
    return folder / "journal.sqlite3"

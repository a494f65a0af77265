"""One row of the table of hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from exporter.journal.catalogue import KnownItem, MetricLists
from exporter.journal.figures import decode
from exporter.journal.trouble import TornError
from exporter.journal.values import BucketState, StoredBucket

_STATES = {state.value: state for state in BucketState}


class Row(NamedTuple):
    """The columns of the table `bucket`; see `exporter.journal.schema`."""

    hour: int
    item: int
    state: int
    source: int
    metrics: int
    figures: bytes
    first_seen: int
    last_changed: int
    completed_at: int | None
    was_newest: int
    revisions: int

    @property
    def is_whole(self) -> bool:
        """Whether this is a complete hour with a number."""
        return self.state == BucketState.COMPLETE and bool(self.figures)


COLUMNS = ", ".join(f"bucket.{name}" for name in Row._fields)


def stored(row: Row, item: KnownItem, lists: MetricLists, names: Mapping[int, str]) -> StoredBucket:
    """A row as the rest of the program knows it.

    Raises:
        TornError: the journal never wrote such a row.
    """
    if row.state not in _STATES or row.source not in names:
        raise TornError("a row of an unknown state or source")
    metrics = lists.names(row.metrics)
    return StoredBucket(
        item_id=item.id,
        account=item.account,
        kind=item.kind,
        hour=row.hour,
        metrics=metrics,
        figures=decode(row.figures, len(metrics)),
        state=_STATES[row.state],
        source=names[row.source],
        first_seen=row.first_seen / 1000,
        last_changed=row.last_changed / 1000,
        completed_at=None if row.completed_at is None else row.completed_at / 1000,
        revisions=row.revisions,
    )

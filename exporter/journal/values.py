"""What goes into the journal and what comes out of it.

An *hour* is hours since the Unix epoch (start label // 3600). A row of figures has one double a metric,
in the order of the metric names beside it; NaN means X gave no number. Times are Unix seconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from exporter.model import ItemProblem, Kind


class BucketState(IntEnum):
    """How much of its hour a bucket tells; fuller is larger."""

    CUT = 0
    """The beginning of a sliding window cut it."""
    RUNNING = 1
    """The hour, with `poll.settle` added, was not over when X answered."""
    COMPLETE = 2
    """The whole hour."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one answer says of one hour of one item; `figures` is as wide as the answer's metrics."""

    item_id: str
    hour: int
    figures: array[float]
    state: BucketState


@dataclass(frozen=True, slots=True)
class Told:
    """The buckets of one answer.

    `source` is the endpoint they came from (``media_analytics``, ``insights_28hr``, ``tweets_analytics``,
    ``insights_historical``). `metrics` are the snake_case names of the columns of every bucket's figures.
    `seen_at` is when X answered, Unix seconds.
    """

    account: str
    kind: Kind
    source: str
    metrics: tuple[str, ...]
    seen_at: float
    buckets: Sequence[Bucket]


@dataclass(frozen=True, slots=True)
class SavedState:
    """What stands of an item beside its hours; the fields are those of `exporter.figures.state.ItemState`.

    `metrics` are the columns of `total`.
    """

    item_id: str
    account: str
    kind: Kind
    up: bool | None
    metrics: tuple[str, ...]
    total: array[float] | None
    answered_at: float | None
    problems: tuple[ItemProblem, ...]


@dataclass(frozen=True, slots=True)
class StoredBucket:
    """One hour of one item as it stands in the journal.

    `first_seen` is when X first told of the hour, `last_changed` when its numbers or its state last became
    others, `completed_at` when it was first told complete, None before that; all in Unix seconds.
    `revisions` counts how often X restated the complete hour with other numbers. `source` is the endpoint
    of the answer that last changed it.
    """

    item_id: str
    account: str
    kind: Kind
    hour: int
    metrics: tuple[str, ...]
    figures: array[float]
    state: BucketState
    source: str
    first_seen: float
    last_changed: float
    completed_at: float | None
    revisions: int


@dataclass(frozen=True, slots=True)
class Settling:
    """How old the buckets of one endpoint were when they last changed.

    The ages are seconds after the end of the hour: half of the buckets, nine in ten, 99 in 100 and all of
    them were no older. `hours` counts the buckets looked at, `restated` those of them that X changed after
    they had been complete.
    """

    median_seconds: float
    p90_seconds: float
    p99_seconds: float
    max_seconds: float
    hours: int
    restated: int

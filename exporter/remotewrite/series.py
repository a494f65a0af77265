"""What an hour in the journal is as samples: one series for each item and metric, one sample an hour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.journal import StoredBucket
from exporter.model import HOUR_SECONDS, Kind

FAMILIES: Final[Mapping[Kind, str]] = {
    Kind.MEDIA: "x_media_analytics_hourly",
    Kind.POST: "x_post_insights_hourly",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What X reported of one metric of one item for one hour.

    `hour` is hours since the Unix epoch, counted to the beginning of the hour. `value` is a number.
    """

    family: str
    item_id: str
    metric: str
    hour: int
    value: float

    @property
    def series(self) -> tuple[str, str, str]:
        """What tells its series from the others that are sent."""
        return (self.family, self.item_id, self.metric)

    @property
    def bucket(self) -> tuple[str, int]:
        """The item and hour it comes from, as the outbox names them."""
        return (self.item_id, self.hour)


def timestamp_ms(hour: int) -> int:
    """The time of an hour's sample, Unix milliseconds: the last of the hour.

    In Prometheus 2 a range takes in both of its ends. One stamped on the hour itself would make a sum over
    24 hours one of 25 hours whenever it is worked out on the hour.
    """
    return (hour + 1) * HOUR_SECONDS * 1000 - 1


def samples_of(buckets: Iterable[StoredBucket]) -> Iterator[Sample]:
    """The samples of `buckets` in their order; a figure that X did not give is none."""
    for bucket in buckets:
        family = FAMILIES[bucket.kind]
        for metric, value in zip(bucket.metrics, bucket.figures, strict=True):
            if not math.isnan(value):
                yield Sample(family, bucket.item_id, metric, bucket.hour, value)

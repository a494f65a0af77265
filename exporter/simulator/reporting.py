"""What the API reports about an item: buckets of figures as they stood at the time of asking.

Times are Unix seconds. Ranges are half-open, ``[start, end)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from exporter.simulator.figures import Figures, Row
from exporter.simulator.knobs import Knobs
from exporter.simulator.metrics import MEDIA_METRICS, POST_INDEX, POST_METRICS
from exporter.simulator.times import DAY, HOUR, WEEK
from exporter.simulator.world import World

# Unix time began on a Thursday; weeks begin on Monday.
_FIRST_MONDAY = 4 * DAY
# Distinct viewers of several hours are fewer than the sum of each hour's.
_DISTINCT_SHARE = 0.87


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of an answer: its label, and its figures in table order or None for all null."""

    label: int
    row: Row | None


@dataclass(frozen=True, slots=True)
class Range:
    """What was asked for: ``[start, end)`` in steps of `step` seconds, 0 for one bucket of everything."""

    start: float
    end: float
    step: int


class Reporter:
    """Answers for the figures of `world` as the knobs would have them told."""

    def __init__(self, seed: int, world: World, knobs: Callable[[], Knobs]) -> None:
        self.figures = Figures(seed)
        self._seed = seed
        self._world = world
        self._knobs = knobs

    def final_row(self, item_id: str, hour: int) -> Row | None:
        """The whole hour as it ends up, what befell the item included; None before its birth."""
        row = self.figures.row(item_id, hour)
        weight = self._world.weight(item_id, hour)
        if row is None or weight == 1:
            return row
        return tuple(int(value * weight) for value in row)

    def told_row(self, item_id: str, hour: int, span: Range, now: float) -> Row | None:
        """That part of the hour that lies in `span` and has passed at `now`, as X tells it then."""
        row = self.final_row(item_id, hour)
        if row is None:
            return None
        began = max(float(hour), self.figures.profile(item_id).born)
        covered = min(hour + HOUR, span.end, now) - max(began, span.start)
        share = max(0.0, covered) / (hour + HOUR - began) * self._settled_share(hour, now)
        return row if share >= 1 else tuple(int(value * share) for value in row)

    def buckets(self, item_id: str, span: Range, now: float) -> list[Bucket]:
        """The buckets of one item, in the order they are sent."""
        knobs = self._knobs()
        labels = _labels(span)
        if knobs.bucket_at_end and span.step and span.end % span.step == 0:
            labels.append(int(span.end))
        found = [bucket for label in labels if (bucket := self._bucket(item_id, label, span, now))]
        if knobs.repeat_buckets:
            found = [bucket for bucket in found for _ in range(2)]
        if knobs.shuffle:
            found.sort(key=lambda bucket: blake2b(f"{self._seed}{item_id}{bucket.label}".encode()).digest())
        return found

    def total(self, item_id: str, span: Range, now: float) -> Row:
        """The sum over all of `span`, hours that are not out yet left aside."""
        return self._sum(item_id, _hours(span, span.start, min(span.end, self._out_until(now))), span, now)

    def chance(self, *parts: object) -> float:
        """A number in [0, 1) that `parts` and the seed decide."""
        text = "|".join(map(str, (self._seed, *parts)))
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) / 2**32

    def _bucket(self, item_id: str, label: int, span: Range, now: float) -> Bucket | None:
        knobs = self._knobs()
        if span.step and min(label + span.step, now) > self._out_until(now):
            return None
        if knobs.missing_ratio and self.chance("missing", item_id, label) < knobs.missing_ratio:
            return None
        shown = label + span.step if knobs.label_end else label
        if span.step and label + span.step <= self.figures.profile(item_id).born:
            return self._unborn(item_id, shown)
        row = self._bucket_row(item_id, label, span, now)
        return Bucket(shown, row) if knobs.zero_fill or any(row) else None

    def _bucket_row(self, item_id: str, label: int, span: Range, now: float) -> Row:
        if not span.step:
            return self.total(item_id, span, now)
        if span.step == HOUR and label < span.end:
            return self.told_row(item_id, label, span, now) or _zeros(item_id)
        end = label + span.step
        if label >= span.end:
            # The bucket that begins at `end_time` lies beyond what was asked for and is filled none the less.
            span = Range(span.start, end, span.step)
        return self._sum(item_id, _hours(span, label, end), span, now)

    def _unborn(self, item_id: str, label: int) -> Bucket | None:
        told = self._knobs().before_creation
        if told == "absent":
            return None
        return Bucket(label, _zeros(item_id) if told == "zero" else None)

    def _sum(self, item_id: str, hours: range, span: Range, now: float) -> Row:
        rows = [row for hour in hours if (row := self.told_row(item_id, hour, span, now))]
        if not rows:
            return _zeros(item_id)
        summed = [sum(column) for column in zip(*rows, strict=True)]
        if "_" not in item_id and len(rows) > 1:
            distinct = POST_INDEX["unique_video_views"]
            most = max(row[distinct] for row in rows)
            summed[distinct] = max(most, int(summed[distinct] * _DISTINCT_SHARE))
        return tuple(summed)

    def _out_until(self, now: float) -> float:
        lag_hours = self._knobs().lag_hours
        return now // HOUR * HOUR - lag_hours * HOUR if lag_hours else now

    def _settled_share(self, hour: int, now: float) -> float:
        knobs = self._knobs()
        if knobs.revision_hours and now < hour + HOUR + knobs.revision_hours * HOUR:
            return 1 - knobs.revision_ratio
        return 1.0


def _zeros(item_id: str) -> Row:
    return (0,) * len(MEDIA_METRICS if "_" in item_id else POST_METRICS)


def _labels(span: Range) -> list[int]:
    if not span.step:
        return [int(span.start)]
    shift = _FIRST_MONDAY % WEEK if span.step == WEEK else 0
    first = int((span.start - shift) // span.step) * span.step + shift
    return list(range(first, -int(-span.end // 1), span.step))


def _hours(span: Range, start: float, end: float) -> range:
    first = int(max(start, span.start) // HOUR) * HOUR
    return range(first, -int(-min(end, span.end) // 1), HOUR)

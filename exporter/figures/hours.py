"""The complete hours known of one item, and what they add up to."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from exporter.figures.window import WINDOW_HOURS, AnswerHours, ToldHours
from exporter.model import HOUR_SECONDS, ItemReport, Passage, has_number

# Seven halves from 0 to less than this are added and subtracted without any rounding on the way.
_EXACT_BELOW = 2.0**49


@dataclass(slots=True)  # not frozen, which takes thrice the time to make, and it is made for every item
class Hours:
    """Up to 28 consecutive complete hours of one item; the last of them is the hour shown.

    `first` is the first hour as hours since the epoch. `values` holds one row per hour, `width` metrics
    wide, NaN where X gave no number; an hour of which nothing is known is a row of NaN. The last row
    always has a number: it is the newest complete hour with at least one metric. `passage` is the text in
    which X told some of these hours, just as they stand here.

    `covered` is how many of the 28 hours that end with the hour shown are known, 1 to 28. `sums` are those of
    each metric over the hours known, NaN for a metric no hour has a number for. Both are worked out here
    where they are not given. Nothing is changed later.
    """

    first: int
    width: int
    values: array[float]
    passage: Passage | None = field(default=None, compare=False)
    covered: int = 0
    sums: array[float] = field(default_factory=lambda: array("d"))

    def __post_init__(self) -> None:
        if not self.covered:
            self.covered = _covered(self.values, self.width)
        if not self.sums:
            self.sums = array("d", [_sum(self.values[place :: self.width]) for place in range(self.width)])

    @property
    def count(self) -> int:
        """How many hours lie from the first to the hour shown, known or not."""
        return len(self.values) // self.width

    @property
    def last(self) -> int:
        """The hour shown, as hours since the epoch."""
        return self.first + len(self.values) // self.width - 1

    @property
    def shown_start_seconds(self) -> int:
        """Start of the hour shown, Unix seconds."""
        return self.last * HOUR_SECONDS

    @property
    def shown_end_seconds(self) -> int:
        """End of the hour shown, Unix seconds; staleness counts from here."""
        return (self.first + len(self.values) // self.width) * HOUR_SECONDS

    @property
    def shown(self) -> array[float]:
        """The metrics of the hour shown."""
        return self.values[-self.width :]

    def between(self, first: int, last: int) -> array[float]:
        """The metrics of the hours `first` to `last`, which must be among those held, one after another."""
        return self.values[(first - self.first) * self.width : (last + 1 - self.first) * self.width]

    def rows(self) -> Iterator[tuple[int, array[float]]]:
        """Yield (hour, metrics), oldest first, hours of which nothing is known included."""
        for index in range(self.count):
            yield self.first + index, self.values[index * self.width : (index + 1) * self.width]

    @property
    def has_gaps(self) -> bool:
        """Whether nothing is known of an hour that lies before the hour shown."""
        return self.covered * self.width != len(self.values)

    def reshaped(self, columns: Sequence[int | None]) -> Hours | None:
        """The same hours with other metrics: `columns` gives each new one's old place, None if it is new.

        None when no number is left.
        """
        rows = {
            hour: array("d", [math.nan if old is None else row[old] for old in columns])
            for hour, row in self.rows()
        }
        return packed_hours(rows, len(columns))


def _covered(values: array[float], width: int) -> int:
    """How many of the rows in `values` have a number."""
    for column in range(width):
        if not math.isnan(sum(values[column::width])):
            return len(values) // width  # a metric that has a number in every hour, as most have
    return sum(has_number(values[start : start + width]) for start in range(0, len(values), width))


def _sum(column: array[float]) -> float:
    """The sum of the numbers in `column`, rounded once; NaN without any, and where no float holds it."""
    try:
        total = math.fsum(column)
        if total == total:  # noqa: PLR0124 - NaN alone differs from itself: every hour has a number
            return total
        known = [value for value in column if not math.isnan(value)]
        return math.fsum(known) if known else math.nan
    except OverflowError:
        return math.nan


def _moved(
    sums: array[float], over: array[float], restated: array[float], come: array[float]
) -> array[float]:
    """`sums` without one row that is `over`, and with three that have `come`, where two were `restated`.

    That is what happens in an hour. Empty where the sums have to be added up anew.
    """
    numbers = (*sums, *come, *over, *restated)
    if min(numbers) < 0 or max(numbers) >= _EXACT_BELOW:
        return array("d")
    width = len(sums)
    rows = [numbers[start : start + width] for start in range(0, len(numbers), width)]
    moved = [
        total + one + two + three - four - five - six
        for total, one, two, three, four, five, six in zip(*rows, strict=True)
    ]
    # What is not whole may have been rounded, and an hour without a number has made a NaN of the sum.
    return array("d", moved if all(map(float.is_integer, moved)) else ())


@dataclass(slots=True)
class Merged:
    """Hours after an answer, and how many of those known before it restated with other numbers.

    `first_told` are the hours (since the epoch) that it was the first to tell whole, oldest first. There are
    none for an item of which no hour was known: its first answer brings 28 hours at once, whenever X had
    them.
    """

    hours: Hours | None
    revised: int = 0
    first_told: Sequence[int] = ()


def merge(hours: Hours | None, report: ItemReport, width: int, answer: AnswerHours) -> Merged:
    """Lay the whole, complete hours of one answer over those known: the newest answer wins.

    An hour cut by the window or still running when X answered is no hour here, so it never replaces a
    complete one. Hours that the answer does not name stay.
    """
    report = in_full_for(hours, report)
    told = answer.told(report.starts)
    run = _run(report, width, told) if told.is_run else None
    joined = None if run is None else _joined(hours, *run, width, report.passage)
    if joined is not None:
        return joined
    rows = whole_rows(report, width, told)
    if hours is None:
        return Merged(packed_hours(rows, width))
    known = dict(hours.rows())
    revised = sum(
        hour in known and known[hour].tobytes() != row.tobytes() and has_number(known[hour])
        for hour, row in rows.items()
    )
    packed = packed_hours(known | rows, width)
    return Merged(packed, revised, _first_told(hours, packed))


def _first_told(old: Hours, new: Hours | None) -> Sequence[int]:
    """The hours known in `new` of which `old`, from before an answer, knew nothing; oldest first."""
    if new is None:
        return ()
    gaps = [hour for hour, row in old.rows() if hour >= new.first and not has_number(row)]
    hours = range(max(new.first, old.last + 1), new.last + 1)
    return tuple([hour for hour in (*gaps, *hours) if has_number(new.between(hour, hour))])


def in_full_for(hours: Hours | None, report: ItemReport) -> ItemReport:
    """`report`, without rows for what is standing only where that stands in `hours` as it did."""
    if report.standing is None or (hours is not None and report.standing.values is hours.values):
        return report
    return report.in_full()


def _run(report: ItemReport, width: int, told: ToldHours) -> tuple[int, array[float]] | None:
    """The first of the hours told, which are a run, and the rows of it up to the newest with a number."""
    (first, row), (last, last_row) = told.rows[0], told.rows[-1]
    while not has_number(report.values[last_row * width : (last_row + 1) * width]):
        if last == first:
            return None
        last, last_row = last - 1, last_row - 1
    oldest = last - WINDOW_HOURS + 1
    if first < oldest:
        first, row = oldest, row + oldest - first
    return first, report.values[row * width : (last_row + 1) * width]


def _joined(
    hours: Hours | None, first: int, come: array[float], width: int, passage: Passage | None
) -> Merged | None:
    """The usual case without a loop: rows that have `come` for the hours from `first` on, known ones before.

    None when it is not that case.
    """
    last = first + len(come) // width - 1
    if hours is None:
        return Merged(Hours(first, width, come, _within(passage, first, last)))
    before = hours.first + len(hours.values) // width - 1
    if not first - 1 <= before <= last:
        return None
    since = max(last - WINDOW_HOURS + 1, hours.first)
    has_gaps, covered = hours.has_gaps, _covered(come, width)
    if since < first:
        # Of the rows before, some are over, some stay, and some are restated.
        over, stays = (since - hours.first) * width, (first - hours.first) * width
        values = hours.values[over:stays] + come
        restated = hours.values[stays:]
        revised = _revised(restated, come, width, has_gaps=has_gaps)
        usual = over == width and len(restated) == 2 * width and len(come) == 3 * width
        sums = _moved(hours.sums, hours.values[:over], restated, come) if usual else array("d")
        covered = 0 if has_gaps else covered + first - since
        joined = Hours(since, width, values, _within(passage, since, last), covered, sums)
    else:
        told = come[(hours.first - first) * width :] if first < hours.first else come
        restated = hours.values[(first - hours.first) * width :] if first > hours.first else hours.values
        revised = _revised(restated, told, width, has_gaps=has_gaps)
        joined = Hours(first, width, come, _within(passage, first, last), covered)
    if has_gaps or joined.has_gaps:
        return Merged(joined, revised, _first_told(hours, joined))
    return Merged(joined, revised, range(before + 1, last + 1))


def _within(passage: Passage | None, first: int, last: int) -> Passage | None:
    """`passage` where it tells none but the hours from `first` to `last`."""
    if passage is None or passage.first < first or passage.first + passage.rows - 1 > last:
        return None
    return passage


def _revised(before: array[float], now: array[float], width: int, *, has_gaps: bool) -> int:
    """How many rows that had a number are not the same in `now`, which begins with the same hour."""
    size, at, revised = width * before.itemsize, len(before) * before.itemsize, 0
    old, new = before.tobytes(), now[: len(before)].tobytes()
    while old[:at] != new[:at]:  # from the newest hour backwards, as X restates few others
        row = old[at - size : at]
        if row != new[at - size : at] and not (has_gaps and not has_number(array("d", row))):
            revised += 1
        at -= size
    return revised


def whole_rows(report: ItemReport, width: int, told: ToldHours) -> dict[int, array[float]]:
    """The metrics of each hour that `report` tells whole, by the hour since the epoch."""
    rows: dict[int, array[float]] = {}
    for hour, index in told.rows:
        row = report.values[index * width : (index + 1) * width]
        rows[hour] = _overlaid(rows[hour], row) if hour in rows else row
    return rows


def _overlaid(earlier: array[float], later: array[float]) -> array[float]:
    # One answer may tell an hour in several buckets, each with some of the metrics.
    return array("d", [old if math.isnan(new) else new for old, new in zip(earlier, later, strict=True)])


def packed_hours(rows: dict[int, array[float]], width: int) -> Hours | None:
    """The hours of `rows` up to the newest with a number, 28 at most; None where there is no number."""
    newest = next((hour for hour in sorted(rows, reverse=True) if has_number(rows[hour])), None)
    if newest is None:
        return None
    oldest = max(min(rows), newest - WINDOW_HOURS + 1)
    unknown = array("d", [math.nan]) * width
    values = array("d")
    for hour in range(oldest, newest + 1):
        values.extend(rows.get(hour, unknown))
    return Hours(oldest, width, values)

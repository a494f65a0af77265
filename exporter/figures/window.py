"""Which buckets of an answer are whole hours that may be shown, and which hour each one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.model import HOUR_SECONDS

WINDOW_HOURS = 28

# An answer is stamped with a clock that may differ from ours by moments. A label is taken to lie in the
# future, and thus to name the end of its hour, only when it does so by more than that.
FUTURE_MARGIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class AnswerWindow:
    """The time one answer speaks about, all in Unix seconds of X's clock.

    X read its figures at some moment between `sent_at` and `received_at`, the same when nothing is known
    about the way. `start` and `end` are the hour-aligned bounds the request gave (half-open), or None for
    the sliding 28 hours of `/2/insights/28hr`. `settle_seconds` is `poll.settle`. `labels_name_ends` says
    that this endpoint's labels name the end of their hour instead of its start.
    """

    sent_at: float
    received_at: float
    settle_seconds: float = 0
    start: float | None = None
    end: float | None = None
    labels_name_ends: bool = False

    def hour_of(self, label: float) -> int | None:
        """The hour a bucket labelled `label` tells about, as hours since the epoch.

        None for a bucket that must not be shown: off the hour, outside the bounds, cut by the beginning
        of a sliding window, or not complete when X answered.
        """
        hour, beyond = divmod(label, HOUR_SECONDS)
        start = label - HOUR_SECONDS if self.labels_name_ends else label
        if beyond or not self._is_whole(start) or not self._was_complete(start):
            return None
        return int(hour) - self.labels_name_ends

    def part_of(self, label: float) -> tuple[int, bool] | None:
        """The hour that a bucket labelled `label` tells only a part of, and whether its beginning is cut.

        If it is not cut, the hour was still running, or not settled, when X answered. None for a bucket that
        tells a whole hour, and for one off the hour or outside the answer's time.
        """
        hour, beyond = divmod(label, HOUR_SECONDS)
        start = label - HOUR_SECONDS if self.labels_name_ends else label
        if beyond or start > self.received_at:
            return None
        if not self._is_whole(start):
            sliding = self.start is None
            is_cut = sliding and start + HOUR_SECONDS > self.received_at - WINDOW_HOURS * HOUR_SECONDS
            return (int(hour) - self.labels_name_ends, True) if is_cut else None
        return None if self._was_complete(start) else (int(hour) - self.labels_name_ends, False)

    def _is_whole(self, start: float) -> bool:
        # The sliding window began at the latest 28 h before the answer came in; what began before that
        # may be cut. Given bounds lie on the hour and cut nothing.
        if self.start is None or self.end is None:
            return start >= self.received_at - WINDOW_HOURS * HOUR_SECONDS
        return self.start <= start < self.end

    def _was_complete(self, start: float) -> bool:
        # X may have read the figures as early as the request was sent.
        return start + HOUR_SECONDS + self.settle_seconds <= self.sent_at


def labels_name_ends(labels: Sequence[float], received_at: float) -> bool:
    """Whether a sliding answer's labels must be ends of hours: the newest lies in the future.

    Nobody public has shown which of the two X sends; a start in the future cannot be.
    """
    return max(labels, default=0.0) > received_at + FUTURE_MARGIN_SECONDS


@dataclass(frozen=True, slots=True)
class ToldHours:
    """Which hours a report tells: `rows` holds (hour, row of the report) in the answer's order.

    `is_run` says that the hours follow one another without gap, repetition or disorder, as do their rows.
    """

    rows: tuple[tuple[int, int], ...]
    is_run: bool


class AnswerHours:
    """The whole, complete hours of one answer, whose items mostly share their labels."""

    def __init__(self, window: AnswerWindow) -> None:
        self._window = window
        self._known: dict[tuple[float, ...], ToldHours] = {}
        self._parts: dict[tuple[float, ...], tuple[tuple[int, int, bool], ...]] = {}

    @property
    def sent_at(self) -> float:
        """When the answer was asked for, Unix seconds of X's clock."""
        return self._window.sent_at

    def told(self, labels: tuple[float, ...]) -> ToldHours:
        """What of `labels` may be shown, and as which hour."""
        known = self._known.get(labels)
        if known is None:
            known = self._known[labels] = self._told(labels)
        return known

    def parts(self, labels: tuple[float, ...]) -> tuple[tuple[int, int, bool], ...]:
        """(row, hour, is cut) of each of `labels` that tells only a part of its hour."""
        known = self._parts.get(labels)
        if known is None:
            found = [(row, self._window.part_of(label)) for row, label in enumerate(labels)]
            known = self._parts[labels] = tuple((row, *part) for row, part in found if part is not None)
        return known

    def _told(self, labels: tuple[float, ...]) -> ToldHours:
        hours = [(self._window.hour_of(label), row) for row, label in enumerate(labels)]
        rows = tuple((hour, row) for hour, row in hours if hour is not None)
        steps = pairwise(rows)
        is_run = all(later == (hour + 1, row + 1) for (hour, row), later in steps)
        return ToldHours(rows, bool(rows) and is_run)

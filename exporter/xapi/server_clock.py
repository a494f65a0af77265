"""X's clock, as far as the `Date` header of its answers tells it."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime


class ServerClock:
    """The time at X, from this machine's clock and the last `Date` header.

    A header names a whole second, so it only corrects a clock that it contradicts: as long as the second
    it names can lie between sending and receiving, this machine's clock is taken to be right.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.offset_seconds = 0.0

    def now(self) -> float:
        """Unix seconds at X."""
        return self._clock() + self.offset_seconds

    def observe(self, date: str | None, sent_at: float, received_at: float) -> None:
        """Take the `Date` header of an answer; times are this machine's, unreadable headers are ignored."""
        stamp = _seconds(date)
        if stamp is None:
            return
        if stamp > received_at:
            self.offset_seconds = stamp - received_at
        elif stamp + 1 <= sent_at:
            self.offset_seconds = stamp - sent_at
        else:
            self.offset_seconds = 0.0


def _seconds(date: str | None) -> float | None:
    if not date:
        return None
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None

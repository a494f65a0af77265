"""How long after its end X tells an hour: measured answer by answer, and what the last hours teach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from exporter.board import Absorbed
from exporter.figures.window import AnswerWindow
from exporter.model import HOUR_SECONDS

# When X gave no answer for longer than this beyond the usual pause between two polls, the hours that ended
# meanwhile could not be seen: they say nothing about how late X tells them.
OUTAGE_SECONDS = 3600.0
# What X did the day before says little about now.
REMEMBERED_HOURS = 6


class Delays:
    """When the last hours of one endpoint came in, counted from their ends.

    Only hours that could have been seen sooner count: X had answered about the item not much longer ago than
    the usual pause between two polls, so that the hour was not there yet when X was asked before.
    """

    def __init__(self) -> None:
        self._by_hour: dict[int, Counter[float]] = {}

    def learn(self, absorbed: Absorbed, window: AnswerWindow, every_seconds: float) -> Mapping[float, int]:
        """Take an answer; how many items' hours it was the first to tell, by their delay in seconds.

        A delay ends when the answer was received. `every_seconds` is the usual pause between two polls.
        """
        delays = Counter[float]()
        for (asked_before, hour), items in absorbed.first_told.items():
            if asked_before is None or window.received_at - asked_before > every_seconds + OUTAGE_SECONDS:
                continue
            delay_seconds = window.received_at - (hour + 1) * HOUR_SECONDS
            self._by_hour.setdefault(hour, Counter())[delay_seconds] += items
            delays[delay_seconds] += items
        for hour in sorted(self._by_hour)[:-REMEMBERED_HOURS]:
            del self._by_hour[hour]
        return delays

    def median_seconds(self) -> float | None:
        """The delay that half of the items' last hours did not exceed, None as long as nothing is known."""
        counts = sum(self._by_hour.values(), Counter[float]())
        half, passed = counts.total() / 2, 0
        for delay_seconds in sorted(counts):
            passed += counts[delay_seconds]
            if passed >= half:
                return delay_seconds
        return None

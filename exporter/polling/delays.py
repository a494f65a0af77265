"""How long after its end X tells an hour: measured answer by answer, and what the last hours teach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from exporter.board import Absorbed
from exporter.figures.state import ItemState
from exporter.figures.window import AnswerWindow
from exporter.model import HOUR_SECONDS, has_number

# When X gave no answer for longer than this beyond the usual pause between two polls, the hours that ended
# meanwhile could not be seen: they say nothing about how late X tells them.
OUTAGE_SECONDS = 3600.0
# What X did the day before says little about now.
REMEMBERED_HOURS = 6


def first_sights(before: ItemState, after: ItemState) -> Sequence[int]:
    """The hours (since the epoch) that an answer was the first to tell whole, oldest first.

    `before` and `after` are the item's states around the answer. None of an item of which no hour was known:
    its first answer brings 28 hours at once, whenever X had them.
    """
    old, new = before.hours, after.hours
    if old is None or new is None:
        return ()
    hours = range(old.last + 1, new.last + 1)
    gaps = [] if old.covered() == old.count else [hour for hour, row in old.rows() if not has_number(row)]
    if not hours and not gaps:
        return ()
    return [hour for hour in (*gaps, *hours) if hour >= new.first and has_number(new.between(hour, hour))]


class Delays:
    """When the last hours of one endpoint came in, counted from their ends.

    Only hours that could have been seen sooner count: X had answered about the item not much longer ago than
    the usual pause between two polls, so that the hour was not there yet when X was asked before.
    """

    def __init__(self) -> None:
        self._by_hour: dict[int, Counter[float]] = {}

    def learn(self, absorbed: Absorbed, window: AnswerWindow, every_seconds: float) -> list[float]:
        """Take an answer; the delays in seconds of the hours it was the first to tell, one an item and hour.

        A delay ends when the answer was received. `every_seconds` is the usual pause between two polls.
        """
        told = list[int]()
        for item_id, after in absorbed.after.items():
            before = absorbed.before[item_id]
            asked_before = before.answered_at
            if asked_before is None or window.received_at - asked_before > every_seconds + OUTAGE_SECONDS:
                continue
            told += first_sights(before, after)
        counts = Counter(told)
        delays = []
        for hour, items in counts.items():
            delay_seconds = window.received_at - (hour + 1) * HOUR_SECONDS
            self._by_hour.setdefault(hour, Counter())[delay_seconds] += items
            delays += [delay_seconds] * items
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

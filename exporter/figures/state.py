"""What stands for one item between two polls."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.figures.hours import Hours, Merged, merge
from exporter.figures.window import AnswerHours
from exporter.model import ItemProblem, ItemReport


@dataclass(slots=True)  # not frozen, which takes thrice the time to make, and it is made for every item
class ItemState:
    """All that X has said about one item; never changed once made.

    `up` is whether its last answer for the item carried data, None until there was one. `hours` are the
    complete hours known. `total` is X's own sum over its sliding 28 hours (`metrics_total`), one number a
    metric, from the last answer only. `answered_at` is when X last answered, Unix seconds. `problems` are
    what X complained of in its last answer.
    """

    up: bool | None = None
    hours: Hours | None = None
    total: array[float] | None = None
    answered_at: float | None = None
    problems: tuple[ItemProblem, ...] = ()

    def stale_at(self, stale_after_seconds: float) -> float:
        """The last moment the item's value and sum series may stand, Unix seconds; -inf without any.

        Counted from the end of the hour shown, or, where X sends a total but no complete hour, from the
        answer.
        """
        if self.hours is not None:
            return self.hours.shown_end_seconds + stale_after_seconds
        if self.total is not None and self.answered_at is not None:
            return self.answered_at + stale_after_seconds
        return -math.inf

    def is_stale(self, now: float, stale_after_seconds: float) -> bool:
        """Whether the value and sum series must not be shown at `now`."""
        return now > self.stale_at(stale_after_seconds)


def absorbed(
    state: ItemState,
    report: ItemReport | None,
    problems: Sequence[ItemProblem],
    width: int,
    answer: AnswerHours,
) -> tuple[ItemState, Merged]:
    """`state` after an answer that asked for the item, and what the answer did to its hours.

    `report` is None when the answer has none for the item: X answered without data, so `up` falls, while
    the hours stand until they are stale.
    """
    told = tuple(problems)
    if report is None:
        stands = ItemState(up=False, hours=state.hours, answered_at=answer.sent_at, problems=told)
        return stands, Merged(state.hours)
    merged = merge(state.hours, report, width, answer)
    return ItemState(report.carries_data, merged.hours, report.total, answer.sent_at, told), merged

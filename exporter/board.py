"""What every watched item's figures are now, and the rendered page that scrapes read.

The items stand in slots of 100 media or 25 posts, the sizes of one request. An answer renders the slots it
touches, in short turns between which scrapes are answered, and puts them on the page in one step: a scrape
sees an answer whole or not at all. What grows stale is withdrawn by the next scrape itself, so it needs no
poll and no timer.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from exporter.exposition.families import View, sample_lines, view_of
from exporter.exposition.page import Page
from exporter.exposition.piece import Piece, make_piece
from exporter.figures.hours import Hours, Merged
from exporter.figures.state import ItemState, absorbed
from exporter.figures.window import AnswerHours, AnswerWindow
from exporter.model import Answer, Endpoint, Item, ItemProblem, Kind
from exporter.turns import Turns
from exporter.vocabulary import Metric

SLOT_SIZES = {
    Kind.MEDIA: Endpoint.MEDIA_ANALYTICS.batch_size,
    Kind.POST: Endpoint.INSIGHTS_28HR.batch_size,
}

# A fraction of a millisecond.
_ABSORBED_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Watch:
    """What one account watches of one kind; `metrics` are the columns of its items' rows."""

    account: str
    kind: Kind
    items: tuple[Item, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What an answer changed: states by id `before` and `after` it, and how many known hours it restated.

    `first_told` counts the items of which it was the first to tell an hour whole, by when X had answered
    about them before (Unix seconds) and by that hour (since the epoch).
    """

    before: Mapping[str, ItemState]
    after: Mapping[str, ItemState]
    revised: int
    first_told: Mapping[tuple[float | None, int], int]


@dataclass(slots=True)
class _Slot:
    key: str
    kind: Kind
    items: tuple[Item, ...]
    metrics: tuple[Metric, ...]
    stale_at: float = math.inf


@dataclass(frozen=True, slots=True)
class _Rendered:
    states: Mapping[str, ItemState]
    merged: Mapping[str, Merged]
    pieces: Mapping[str, Mapping[str, Piece]]
    stale_at: Mapping[str, float]


class Board:
    """Holds the states of all watched items and keeps `page` in step with them.

    Ids are unique over media and posts since a media key has an underscore. `clock` gives Unix seconds.
    All methods belong to the event loop. `turns` are what its work waits for, and all other work on answers.
    """

    def __init__(self, page: Page, clock: Callable[[], float]) -> None:
        self.turns = Turns()
        self._page = page
        self._clock = clock
        self._stale_after_seconds = math.inf
        self._watches: tuple[Watch, ...] = ()
        self._slots: dict[str, _Slot] = {}
        self._slot_of: dict[str, _Slot] = {}
        self._states: dict[str, ItemState] = {}
        self._next_stale_at = math.inf
        self._publishing = asyncio.Lock()

    def state(self, item_id: str) -> ItemState:
        """What X has said about an item; for one that is not watched, nothing."""
        return self._states.get(item_id, ItemState())

    def hours(self, item_id: str, metrics: Sequence[Metric]) -> Hours | None:
        """The hours known of an item that is watched for exactly these `metrics`, None where none are."""
        slot = self._slot_of.get(item_id)
        return self._states[item_id].hours if slot is not None and slot.metrics == tuple(metrics) else None

    def standing(self) -> list[tuple[Watch, Mapping[str, ItemState]]]:
        """What is shown, with the states of its items."""
        return [(watch, self.states_of(watch)) for watch in self._watches]

    def states_of(self, watch: Watch) -> dict[str, ItemState]:
        """What X has said about each item of `watch` that is shown."""
        return {item.id: self._states[item.id] for item in watch.items if item.id in self._states}

    async def watch(
        self,
        watches: Iterable[Watch],
        stale_after_seconds: float,
        restored: Mapping[str, ItemState] | None = None,
    ) -> None:
        """Show exactly `watches` from now on.

        Items watched before keep their figures; others begin with what `restored` has of them.
        """
        async with self._publishing:
            watched = tuple(watches)
            slots = {slot.key: slot for watch in watched for slot in _slots(watch)}
            slot_of = {item.id: slot for slot in slots.values() for item in slot.items}
            known = restored or {}
            states = {
                item_id: _carried_over(self._states[item_id], self._slot_of[item_id], slot)
                if item_id in self._states
                else known.get(item_id, ItemState())
                for item_id, slot in slot_of.items()
            }
            self._stale_after_seconds = stale_after_seconds
            # Scrapes go on reading what was shown before until everything is ready.
            pieces = await self._rendered_whole(slots.values(), states)
            self._watches, self._slots, self._slot_of, self._states = watched, slots, slot_of, states
            self._page.clear()
            for key, shown in pieces.items():
                self._page.publish(key, shown)
            self._note_next_stale()

    async def absorb(
        self,
        asked: Sequence[Item],
        metrics: Sequence[Metric],
        answer: Answer,
        window: AnswerWindow,
    ) -> Absorbed:
        """Take X's answer to a request for `asked` and show it.

        `metrics` are those the answer was decoded for. Items that are no longer watched, or whose metrics
        have changed since, are left as they are.
        """
        async with self._publishing:
            columns = tuple(metrics)
            touched = [
                item
                for item in asked
                if (slot := self._slot_of.get(item.id)) is not None and slot.metrics == columns
            ]
            rendered = await self.turns.run(self._rendering(touched, answer, window, len(columns)))
            before = {item_id: self._states[item_id] for item_id in rendered.states}
            self._states.update(rendered.states)
            for key, pieces in rendered.pieces.items():
                self._page.update(key, pieces)
                self._slots[key].stale_at = rendered.stale_at[key]
            self._note_next_stale()
            revised = sum([merged.revised for merged in rendered.merged.values()])
            first_told = [
                (before[item_id].answered_at, hour)
                for item_id, merged in rendered.merged.items()
                for hour in merged.first_told
            ]
            return Absorbed(before, rendered.states, revised, Counter(first_told))

    async def forget_hours(self, items: Iterable[Item]) -> None:
        """Take back every hour of `items`: they turned out to stand under the wrong label."""
        async with self._publishing:
            known = [item.id for item in items if item.id in self._states]
            for item_id in known:
                self._states[item_id] = replace(self._states[item_id], hours=None)
            now = self._clock()
            for slot in {self._slot_of[item_id].key: self._slot_of[item_id] for item_id in known}.values():
                self._show(slot, now)
            self._note_next_stale()

    def withdraw_stale(self) -> None:
        """Take what has grown stale off the page; every scrape calls this before it reads."""
        now = self._clock()
        if now <= self._next_stale_at:
            return
        for slot in self._slots.values():
            if now > slot.stale_at:
                self._show(slot, now)
        self._note_next_stale()

    def _show(self, slot: _Slot, now: float) -> None:
        """Render at once what the states say now."""
        view = self._view(slot, self._states, now)
        self._page.update(slot.key, dict(_pieces(slot.kind, view)))
        slot.stale_at = view.stale_at

    def _note_next_stale(self) -> None:
        self._next_stale_at = min((slot.stale_at for slot in self._slots.values()), default=math.inf)

    async def _rendered_whole(
        self, slots: Iterable[_Slot], states: Mapping[str, ItemState]
    ) -> dict[str, dict[str, Piece]]:
        now = self._clock()
        pieces: dict[str, dict[str, Piece]] = {}
        for slot in slots:
            view = self._view(slot, states, now)
            configured = _pieces(slot.kind, view, configured=True)
            pieces[slot.key] = dict(await self.turns.take(chain(configured, _pieces(slot.kind, view))))
            slot.stale_at = view.stale_at
        return pieces

    def _rendering(
        self, touched: Sequence[Item], answer: Answer, window: AnswerWindow, width: int
    ) -> Generator[None, None, _Rendered]:
        """Work out what `answer` changes, in steps."""
        changed: dict[str, tuple[ItemState, Merged]] = {}
        for portion in self._absorbed(touched, answer, window, width):
            changed.update(portion)
            yield
        states = {item_id: state for item_id, (state, _) in changed.items()}
        slots = {slot.key: slot for slot in (self._slot_of[item.id] for item in touched)}
        shown = (item.id for slot in slots.values() for item in slot.items)
        everything = {item_id: self._states[item_id] for item_id in shown} | states
        now = self._clock()
        pieces: dict[str, dict[str, Piece]] = {key: {} for key in slots}
        stale_at: dict[str, float] = {}
        for key, slot in slots.items():
            view = self._view(slot, everything, now)
            stale_at[key] = view.stale_at
            for family, piece in _pieces(slot.kind, view):
                pieces[key][family] = piece
                yield
        merged = {item_id: each for item_id, (_, each) in changed.items()}
        return _Rendered(states, merged, pieces, stale_at)

    def _absorbed(
        self, touched: Sequence[Item], answer: Answer, window: AnswerWindow, width: int
    ) -> Iterator[list[tuple[str, tuple[ItemState, Merged]]]]:
        """Yield, some at a time, items' ids, states after `answer`, and what it did to their hours."""
        reports = {report.id: report for report in answer.reports}
        problems = _by_item(answer.problems)
        hours = AnswerHours(window)
        for start in range(0, len(touched), _ABSORBED_AT_ONCE):
            yield [
                (
                    item.id,
                    absorbed(
                        self._states[item.id],
                        reports.get(item.id),
                        problems.get(item.id, ()),
                        width,
                        hours,
                    ),
                )
                for item in touched[start : start + _ABSORBED_AT_ONCE]
            ]

    def _view(self, slot: _Slot, states: Mapping[str, ItemState], now: float) -> View:
        items = [(item, states[item.id]) for item in slot.items]
        return view_of(items, slot.metrics, now, self._stale_after_seconds)


def _pieces(kind: Kind, view: View, *, configured: bool = False) -> Iterator[tuple[str, Piece]]:
    """Yield what there is of each family: of those that answers and time change, or of the others."""
    for family, lines in sample_lines(kind, view, configured=configured):
        yield family, make_piece(lines)


def _slots(watch: Watch) -> Iterator[_Slot]:
    size = SLOT_SIZES[watch.kind]
    for start in range(0, len(watch.items), size):
        key = f"{watch.kind}/{watch.account}/{start}"
        yield _Slot(key, watch.kind, watch.items[start : start + size], watch.metrics)


def _carried_over(state: ItemState, before: _Slot, now: _Slot) -> ItemState:
    if before.metrics == now.metrics:
        return state
    columns = [before.metrics.index(metric) if metric in before.metrics else None for metric in now.metrics]
    hours = None if state.hours is None else state.hours.reshaped(columns)
    return replace(state, hours=hours, total=None)


def _by_item(problems: Iterable[ItemProblem]) -> dict[str, tuple[ItemProblem, ...]]:
    grouped: dict[str, tuple[ItemProblem, ...]] = {}
    for problem in problems:
        if problem.id is not None:
            grouped[problem.id] = (*grouped.get(problem.id, ()), problem)
    return grouped

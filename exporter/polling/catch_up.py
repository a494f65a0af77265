"""Asking again soon for the hour that just ended, where X did not have it yet when it was polled."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from exporter.config.settings import PollSettings
from exporter.figures.state import ItemState
from exporter.model import HOUR_SECONDS, Item
from exporter.plan import CATCH_UP_SECONDS, catch_up_requests, catch_up_rounds
from exporter.polling.feed import Feed
from exporter.polling.results import Batch, batches
from exporter.xapi.failures import Failure
from exporter.xapi.limits import RateWindow

# X may leave out an hour in which nothing happened. An item whose newest hour is older than this is taken to
# be quiet, and the hour that it lacks for one that will not come.
QUIET_HOURS = 3
# A round asks X for no longer than this; what it has not brought by then is left to the next one.
ROUND_SECONDS = 60.0
# A round that comes before this part of the time that X needed lately comes too early.
EARLY_PART = 0.5


@dataclass(frozen=True, slots=True)
class CatchUpSurroundings:
    """What catching up works with.

    `feed` gives the feed to catch up on, None once it is gone, and `poll` the configuration's `poll`: a
    reload changes both. `busy` tells whether a poll of the feed is under way. `state_of` gives what X has
    said of an item by its id. `clock` gives Unix seconds, `sleep` takes seconds.
    """

    feed: Callable[[], Feed | None]
    poll: Callable[[], PollSettings]
    busy: Callable[[], bool]
    state_of: Callable[[str], ItemState]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    log: FilteringBoundLogger


class CatchUp:
    """The rounds that follow the scheduled polls of one account's items of one kind.

    There is a timer only while an item lacks the hour. All methods belong to the event loop.
    """

    def __init__(self, surroundings: CatchUpSurroundings) -> None:
        self._with = surroundings
        self._following: asyncio.Task[None] | None = None
        self._hour = 0
        self._asked = 0

    def begin(self, polled_at: float) -> None:
        """Follow the scheduled poll that began at `polled_at`, Unix seconds, with the rounds it needs."""
        self.stop()
        feed, poll = self._with.feed(), self._with.poll()
        if feed is None or not poll.catch_up:
            return
        hour = newest_hour(feed.source.now(), poll.settle_seconds)
        if hour != self._hour:
            self._hour, self._asked = hour, 0
        if self._lacking(feed):
            self._following = asyncio.create_task(self._follow(polled_at), name="catch-up")

    def stop(self) -> None:
        """Drop the rounds that are left: the next poll begins, or nothing is polled any more."""
        if self._following is not None:
            self._following.cancel()
            self._following = None

    async def _follow(self, polled_at: float) -> None:
        try:
            for after_seconds in catch_up_rounds(self._with.poll().every_seconds):
                at = polled_at + after_seconds
                pause = at - self._with.clock()
                last = after_seconds == CATCH_UP_SECONDS[-1]
                # The last one is never left out: it shows, for one request, that X has become quicker.
                if pause < 0 or (self._is_too_early(at) and not last):
                    continue
                await self._with.sleep(pause)
                if not await self._round(last=last):
                    return
        except Exception:
            # Nothing known ends here; whatever it is, the next scheduled poll brings what is missing.
            self._with.log.exception("catch-up broke off")

    def _is_too_early(self, at: float) -> bool:
        feed = self._with.feed()
        usual_seconds = None if feed is None else feed.source.delays.median_seconds()
        ended_at = (self._hour + 1) * HOUR_SECONDS
        return usual_seconds is not None and at - ended_at < usual_seconds * EARLY_PART

    def _lacking(self, feed: Feed) -> list[Item]:
        return lacking(feed, self._hour, self._with.state_of)

    async def _round(self, *, last: bool) -> bool:
        """Ask once for what is lacking; whether another round may have a point."""
        feed, poll = self._with.feed(), self._with.poll()
        if feed is None or not poll.catch_up:
            return False
        if self._with.busy() or feed.turn.locked() or feed.source.parked is not None:
            return True
        async with feed.turn:
            items, asked_before = self._lacking(feed), self._asked
            await self._ask(feed, sampled(items, feed.source.endpoint.batch_size), poll, last=last)
            left = self._lacking(feed)
        if self._asked > asked_before:
            self._with.log.info(
                "asked again for the hour that was missing",
                account=feed.watch.account,
                endpoint=feed.source.endpoint.value,
                requests=self._asked - asked_before,
                items=len(items),
                still_missing=len(left),
            )
        return bool(left)

    async def _ask(self, feed: Feed, pending: Sequence[Batch], poll: PollSettings, *, last: bool) -> None:
        """Ask for the batches one after the other, as far as they may be and as long as that has a point."""
        deadline = self._with.clock() + ROUND_SECONDS
        queue = deque(pending[: self._affordable(feed, poll)])
        is_look = True
        while queue:
            batch = queue.popleft()
            outcome = await feed.ask(feed.source, batch, lambda: len(queue) + 1, deadline, most_tries=1)
            if isinstance(outcome, Failure):
                # Without a code it was not sent: a limit forbids it.
                self._asked += bool(outcome.code)
                return
            self._asked += 1
            came = sum(not lacks(self._with.state_of(item.id), self._hour) for item in batch)
            if is_look and came < (1 if last else len(batch) / 2):
                return
            is_look = False

    def _affordable(self, feed: Feed, poll: PollSettings) -> int:
        """How many requests a round may send: what the hour's budget and X's limits leave."""
        now, channel = feed.source.now(), feed.source
        requests = len(batches(feed.watch.items, channel.endpoint))
        budget = catch_up_requests(requests, poll.every_seconds) - self._asked
        windows = channel.ledger.current(now).values()
        return max(0, int(min(budget, spare_requests(windows, requests, poll, now))))


def newest_hour(now: float, settle_seconds: float) -> int:
    """The newest hour that counts as complete at `now` (Unix seconds), as hours since the epoch."""
    return math.floor((now - settle_seconds) / HOUR_SECONDS) - 1


def lacking(feed: Feed, hour: int, state_of: Callable[[str], ItemState]) -> list[Item]:
    """The items of `feed` that X answered about without `hour`, and may have it for soon.

    Items that X has nothing for, or that its last poll did not answer, are left to the scheduled polls.
    """
    result = feed.last_result
    unanswered = set() if result is None else {item.id for batch in result.failures for item in batch}
    due = feed.source.patience.due(feed.watch.items, feed.source.now())
    return [item for item in due if item.id not in unanswered and lacks(state_of(item.id), hour)]


def lacks(state: ItemState, hour: int) -> bool:
    """Whether an item of `state` has no `hour` (since the epoch) yet, though it had one shortly before."""
    if not state.up or state.hours is None:
        return False
    return hour - QUIET_HOURS <= state.hours.last < hour


def sampled(items: Sequence[Item], size: int) -> list[Batch]:
    """`items` in as few batches of at most `size` as they need; the first one is a sample of them all."""
    step = math.ceil(len(items) / size) or 1
    first = tuple(items[::step])
    others = [item for place, item in enumerate(items) if place % step]
    rest = [tuple(others[start : start + size]) for start in range(0, len(others), size)]
    return [first, *rest] if first else []


def spare_requests(windows: Iterable[RateWindow], requests: int, poll: PollSettings, now: float) -> float:
    """How many requests X's limits leave beside those of the scheduled polls, each of so many `requests`.

    `windows` are X's as it last told them, `now` is Unix seconds.
    """
    spare = math.inf
    for window in windows:
        if window.remaining is not None and window.reset_timestamp_seconds is not None:
            ends = max(now, window.reset_timestamp_seconds)
            polls = _polls_until(ends, poll) - _polls_until(now, poll)
            spare = min(spare, window.remaining - polls * requests)
    return spare


def _polls_until(at: float, poll: PollSettings) -> int:
    return math.floor((at - poll.offset_seconds) / poll.every_seconds)

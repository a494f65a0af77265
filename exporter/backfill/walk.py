"""Asking for all slices of what one account wants of one kind, until nothing more is to be had."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.backfill.coverage import Coverage
from exporter.backfill.reading import Labels, Outcome, outcome_of, told_of
from exporter.backfill.slices import Slice, slices_of
from exporter.backfill.span import Span
from exporter.backfill.wanted import Wanted
from exporter.journal import Told
from exporter.model import Endpoint, Item, ItemProblem
from exporter.polling.channel import Channel
from exporter.polling.exchange import Answered, Surroundings
from exporter.polling.feed import ROUND_SECONDS, SIBLING_REASONS
from exporter.xapi.backoff import full_jitter_seconds
from exporter.xapi.failures import Failure, Verdict

# A slice that failed in so many rounds in which others did not is given up; the next run asks again.
MOST_FAILURES = 3
# So many rounds in a row that bring nothing, with ever longer pauses, are most of an hour without X.
MOST_BARREN_ROUNDS = 10
# After so many failures in a row nothing else is tried before the next round.
FAILURES_IN_A_ROW = 4

_FAULT = "X had a fault of its own with these items, twice."


@dataclass(frozen=True, slots=True)
class Missed:
    """Hours of items that could not be had, and the sentence that says why."""

    span: Span
    item_ids: tuple[str, ...]
    why: str


@dataclass(slots=True)
class Findings:
    """What came of a walk: hours kept, slices not had, and items that X complained of.

    `refused` are items X gave nothing for; they were not asked for again. `complaints` are about items it
    gave figures for none the less. Both are by id.
    """

    rows: int = 0
    missed: list[Missed] = field(default_factory=list)
    refused: dict[str, ItemProblem] = field(default_factory=dict)
    complaints: dict[str, ItemProblem] = field(default_factory=dict)


@dataclass(slots=True)
class Pace:
    """How far a walk is: slices done of those there are, and what it waits for, empty for nothing."""

    name: str
    done: int = 0
    total: int = 0
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where answers go: `keep` puts one down for the items and hours asked; `coverage` tells those kept."""

    coverage: Coverage
    keep: Callable[[Told, Sequence[str], Span], None]


class Walk:
    """Asks through the first of `channels` that gives what is wanted; `show` is called as it comes along.

    The second channel is asked for what the first one refuses, or for everything it has not given once it
    turns out to be retired or not enrolled.
    """

    def __init__(
        self,
        wanted: Wanted,
        span: Span,
        channels: Mapping[Endpoint, Channel],
        surroundings: Surroundings,
        keeping: Keeping,
        *,
        workers: int,
        show: Callable[[], None] = lambda: None,
    ) -> None:
        self.pace = Pace(wanted.name)
        self._wanted = wanted
        self._span = span
        self._channels = [channels[endpoint] for endpoint in wanted.endpoints]
        self._with = surroundings
        self._keeping = keeping
        self._workers = workers
        self._show = show
        self._labels = Labels()
        self._faulty: list[Missed] = []
        self._findings = Findings()

    async def run(self) -> Findings:
        """Ask until every slice is answered or given up."""
        for channel in self._channels:
            slices = slices_of(self._wanted, channel.endpoint, self._span, self._keeping.coverage)
            self.pace.total = self.pace.done + len(slices)
            self._show()
            self._faulty = []
            failures = await self._ask_all(channel, slices)
            missed = [Missed(each.span, each.ids, failure.sentence) for each, failure in failures.items()]
            self._findings.missed = missed + self._faulty
            if not any(_sibling_may_help(failure) for failure in failures.values()):
                break
        return self._findings

    async def _ask_all(self, channel: Channel, pending: Sequence[Slice]) -> dict[Slice, Failure]:
        given_up: dict[Slice, Failure] = {}
        tries: Counter[Slice] = Counter()
        barren = 0
        while pending:
            failures, unasked = await self._round(channel, pending)
            is_barren = len(failures) + len(unasked) == len(pending)
            barren = barren + 1 if is_barren else 0
            tries.update(() if is_barren else failures)
            hopeless = barren >= MOST_BARREN_ROUNDS or channel.parked is not None
            pending = [*unasked]
            for each, failure in failures.items():
                if hopeless or not _is_passing(failure) or tries[each] >= MOST_FAILURES:
                    given_up[each] = failure
                else:
                    pending.append(each)
            if hopeless and failures:
                why = channel.parked or next(iter(failures.values()))
                return given_up | dict.fromkeys(pending, why)
            if failures and pending:
                await self._pause(barren)
        return given_up

    async def _round(
        self, channel: Channel, pending: Sequence[Slice]
    ) -> tuple[dict[Slice, Failure], list[Slice]]:
        """Ask for each of `pending` once; the failures, and what was left out since X seems to be down."""
        queue = deque(pending)
        failures: dict[Slice, Failure] = {}
        at_work = 0
        in_a_row = 0

        def due() -> int:
            return len(queue) + at_work

        async def work() -> None:
            nonlocal at_work, in_a_row
            while queue and in_a_row < FAILURES_IN_A_ROW:
                each = queue.popleft()
                at_work += 1
                failure = await self._have(channel, each, due)
                at_work -= 1
                if failure is None:
                    in_a_row = 0
                else:
                    failures[each] = failure
                    in_a_row += _is_passing(failure)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._workers, len(queue))):
                group.create_task(work())
        return failures, list(queue)

    async def _have(self, channel: Channel, whole: Slice, due: Callable[[], int]) -> Failure | None:
        """Ask for one slice, and once more for items that X had a passing fault with."""
        asked = whole.only(item for item in whole.items if self._is_open(item, whole.span))
        if asked.items:
            outcome = await self._ask(channel, asked, due)
            if isinstance(outcome, Outcome) and outcome.again:
                await self._with.sleep(full_jitter_seconds(1, self._with.random))
                outcome = await self._ask(channel, asked.only(outcome.again), due, is_last=True)
            if isinstance(outcome, Failure):
                return outcome
            if outcome.again:
                self._faulty.append(Missed(asked.span, tuple(item.id for item in outcome.again), _FAULT))
        self.pace.done += 1
        self._show()
        return None

    def _is_open(self, item: Item, span: Span) -> bool:
        return item.id not in self._findings.refused and not self._keeping.coverage.covers(item.id, span)

    async def _ask(
        self, channel: Channel, asked: Slice, due: Callable[[], int], *, is_last: bool = False
    ) -> Outcome | Failure:
        answered = await channel.ask(
            asked.ids,
            self._wanted.metrics,
            due=due,
            deadline=math.inf,
            waiting=self._waiting,
            bounds=asked.bounds,
        )
        self._waits_for("")
        if isinstance(answered, Failure):
            return answered
        return self._take(channel, asked, answered, is_last=is_last)

    def _take(self, channel: Channel, asked: Slice, answered: Answered, *, is_last: bool) -> Outcome:
        if channel.endpoint is Endpoint.INSIGHTS_HISTORICAL:
            answered = self._labels.learn(asked, answered)
        told = told_of(self._wanted, channel.endpoint, asked, answered)
        outcome = outcome_of(asked, answered.answer, is_last=is_last)
        self._keeping.keep(told, [item.id for item in outcome.answered], asked.span)
        self._findings.rows += len(told.buckets)
        self._findings.refused |= outcome.refused
        self._findings.complaints |= outcome.complaints
        return outcome

    async def _pause(self, barren: int) -> None:
        self._waits_for("X, which gives no answer at the moment" if barren else "another try")
        await self._with.sleep(max(ROUND_SECONDS, full_jitter_seconds(barren + 5, self._with.random)))
        self._waits_for("")

    def _waiting(self, is_limited: bool) -> None:  # noqa: FBT001 - the channel gives nothing else
        self._waits_for("X's request limit" if is_limited else "another try")

    def _waits_for(self, what: str) -> None:
        if what != self.pace.waits_for:
            self.pace.waits_for = what
            self._show()


def _is_passing(failure: Failure) -> bool:
    """Whether it makes sense to ask again in a while; a slow retry is left to the next run."""
    return failure.verdict is Verdict.RETRY and failure.probe_after_seconds is None


def _sibling_may_help(failure: Failure) -> bool:
    return failure.reason in SIBLING_REASONS or failure.verdict is Verdict.REFUSED

"""All items of one kind of one account: the polls that ask for them, batch by batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from exporter.board import Board, Watch
from exporter.figures.window import WINDOW_HOURS
from exporter.model import HOUR_SECONDS, Item, Kind
from exporter.polling.channel import Channel
from exporter.polling.complaints import log_news, passing
from exporter.polling.conversation import MAX_TRIES
from exporter.polling.exchange import Answered, Surroundings
from exporter.polling.results import Batch, PollResult, Round, batches
from exporter.recording.entries import Heard
from exporter.selfmetrics.instruments import PollOutcome
from exporter.xapi.backoff import full_jitter_seconds
from exporter.xapi.failures import Failure, Reason, Verdict

# Reasons that say the 28-hour endpoint is not to be had, so that its sibling is asked instead.
SIBLING_REASONS = frozenset({Reason.RETIRED, Reason.NOT_ENROLLED})

# Rounds after the first wait at least this long, since each batch has just been tried several times.
ROUND_SECONDS = 30.0
# A probe that is due may still be refused by a clock that was just set: do not ask in circles.
PROBE_SECONDS = 1.0


class Feed:
    """Polls the items of `watch` through the first of `channels` that is in service.

    The first channel is the wanted source; a second one, the sibling of the 28-hour endpoint, serves as
    long as the first is parked as retired or not enrolled. `turn` is held by who polls everything, so
    that such polls do not overlap. `before` is the feed of the same items before a reload.
    """

    def __init__(
        self,
        watch: Watch,
        channels: Sequence[Channel],
        board: Board,
        surroundings: Surroundings,
        *,
        workers: int,
        before: Feed | None = None,
    ) -> None:
        self.watch = watch
        self.channels = tuple(channels)
        self.last_result: PollResult | None = None if before is None else before.last_result
        self._board = board
        self._with = surroundings
        self._workers = workers
        self.turn: asyncio.Lock = asyncio.Lock() if before is None else before.turn
        for channel in self.channels:
            channel.patience.keep_only(watch.items)
        self._unsettled = {item.id for item in watch.items}
        if before is not None:
            self._unsettled -= before.settled_ids

    @property
    def settled(self) -> bool:
        """Whether every item has had a first outcome: good, bad, or waiting for a retry or a limit."""
        return not self._unsettled

    @property
    def settled_ids(self) -> set[str]:
        """The ids of the items that have had a first outcome."""
        return {item.id for item in self.watch.items} - self._unsettled

    @property
    def source(self) -> Channel:
        """The channel that the next poll asks first."""
        first = self.channels[0]
        if len(self.channels) == 1 or not _gives_way(first) or _probe_is_due(first):
            return first
        return self.channels[1]

    async def poll(
        self,
        items: Sequence[Item],
        deadline: float,
        *,
        progress: Callable[[int], None] = lambda _done: None,
        most_rounds: int | None = None,
    ) -> PollResult:
        """Ask for `items` until all are answered or `deadline` (Unix seconds) is near.

        Each batch is shown as soon as it is in; `progress` is told how many items it was. Batches that
        failed in passing are asked again in later rounds, ever more slowly, at most `most_rounds` in all.
        Items that X had a fault with in an answer that is otherwise good are asked for once more.
        Items that X has long had nothing for are left out; with nothing else to ask for, nothing is
        known or changed afterwards.
        """
        started = self._with.clock()
        channel = self.source
        pending = batches(channel.patience.due(items, started), channel.endpoint)
        if not pending:
            progress(len(items))
            return PollResult(channel.account, channel.endpoint, 0, {})
        self._show_source(channel)
        total = len(pending)
        rounds = 0
        refused: dict[Batch, Failure] = {}
        while True:
            asked = await self._round(channel, pending, deadline, progress)
            failures = refused | asked.failures
            if failures and len(self.channels) > 1 and channel is self.channels[0] and _gives_way(channel):
                channel = self._switched(channel)
                failed = [item for batch in failures for item in batch]
                pending = batches(channel.patience.due(failed, started), channel.endpoint)
                total = len(batches(items, channel.endpoint))
                refused = {}
                continue
            if asked.faulty and rounds == 0:
                await self._ask_again(channel, asked.faulty, deadline)
            rounds += 1
            self.last_result = PollResult(channel.account, channel.endpoint, total, failures)
            self._show_success(self.last_result)
            refused = {batch: each for batch, each in failures.items() if each.verdict is Verdict.REFUSED}
            pending = [batch for batch in failures if batch not in refused]
            waiting_for = [failures[batch] for batch in pending]
            pause = None if rounds == most_rounds else self._pause(channel, waiting_for, rounds)
            if pause is None or self._with.clock() + pause > deadline:
                break
            await self._with.sleep(pause)
        self.last_result = replace(self.last_result, finished_at=self._with.clock())
        self._show_finished(self.last_result, self._with.clock() - started)
        return self.last_result

    async def _round(
        self,
        channel: Channel,
        pending: Sequence[Batch],
        deadline: float,
        progress: Callable[[int], None],
    ) -> Round:
        queue = deque(pending)
        round_ = Round({}, [])
        in_hand: list[Batch] = []

        async def work() -> None:
            while queue:
                batch = queue.popleft()
                in_hand.append(batch)
                outcome = await self.ask(channel, batch, lambda: len(queue) + len(in_hand), deadline)
                in_hand.remove(batch)
                progress(len(batch))
                if isinstance(outcome, Failure):
                    round_.failures[batch] = outcome
                else:
                    round_.faulty.extend(passing(batch, outcome.answer))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._workers, len(queue))):
                group.create_task(work())
        if len(pending) > 1:
            # What one answer leaves free, the next one takes again.
            self._with.tidy()
        return round_

    async def _ask_again(self, channel: Channel, faulty: Sequence[Item], deadline: float) -> None:
        """Ask once more for items that X had a passing fault with; what fails now has been answered."""
        pause = full_jitter_seconds(1, self._with.random)
        if channel.parked is not None or self._with.clock() + pause > deadline:
            return
        await self._with.sleep(pause)
        again = batches(faulty, channel.endpoint)
        labels = (channel.account, channel.endpoint.value, Reason.SERVER_ERROR.value)
        self._with.metrics.retries.labels(*labels).inc(len(again))
        await self._round(channel, again, deadline, lambda _done: None)

    async def ask(
        self,
        channel: Channel,
        batch: Batch,
        due: Callable[[], int],
        deadline: float,
        *,
        most_tries: int = MAX_TRIES,
    ) -> Answered | Failure:
        """Ask `channel` about one batch and show what X answers; the rest is as `Channel.ask` has it."""
        ids = [item.id for item in batch]
        outcome = await channel.ask(
            ids,
            self.watch.metrics,
            due=due,
            deadline=deadline,
            waiting=lambda limited: self.settle(self.watch.items if limited else batch),
            most_tries=most_tries,
        )
        if isinstance(outcome, Answered):
            await self._show(channel, batch, outcome)
        self.settle(batch)
        return outcome

    async def _show(self, channel: Channel, batch: Batch, answered: Answered) -> None:
        if answered.relabelled:
            self._with.log.warning(
                "X labels hours by their end here; hours read before are dropped and read again"
            )
            await self._board.forget_hours(self.watch.items)
            first = int(answered.window.received_at // HOUR_SECONDS) - WINDOW_HOURS - 1
            self._with.record.forgotten((item.id for item in self.watch.items), first)
        log = self._with.log.bind(endpoint=channel.endpoint.value)
        log_news(log, answered.answer, answered.transaction_id, self._board.state)
        channel.patience.learn(batch, answered.answer, self._with.clock())
        absorbed = await self._board.absorb(batch, self.watch.metrics, answered.answer, answered.window)
        self._with.record.heard(
            Heard(
                channel.account,
                channel.endpoint,
                self.watch.metrics,
                answered.answer,
                answered.window,
                absorbed.before,
                absorbed.after,
            )
        )
        endpoint, metrics = channel.endpoint.value, self._with.metrics
        metrics.bucket_revisions.labels(endpoint).inc(absorbed.revised)
        delays = channel.delays.learn(absorbed, answered.window, self._with.every_seconds)
        metrics.bucket_delay_seconds.observe(endpoint, delays)
        returned = sum(report.carries_data for report in answered.answer.reports)
        metrics.resources_returned.labels(channel.account, endpoint).inc(returned)
        for problem in answered.answer.problems:
            metrics.item_errors.labels(channel.account, endpoint, problem.type.value).inc()
        await self._with.record.room()

    def broke_off(self) -> None:
        """A poll ended in an error that nobody foresaw: it counts as failed, and as an outcome."""
        labels = (self.watch.account, self.source.endpoint.value)
        self._with.metrics.poll_success.labels(*labels).set(0)
        self._with.metrics.polls.labels(*labels, PollOutcome.FAILURE.value).inc()
        self.settle(self.watch.items)

    def settle(self, items: Iterable[Item]) -> None:
        """Take `items` to have had a first outcome."""
        self._unsettled.difference_update(item.id for item in items)

    def _pause(self, channel: Channel, failures: Sequence[Failure], rounds: int) -> float | None:
        """Seconds until another round makes sense, None for never within this poll."""
        pauses = [
            failure.probe_after_seconds
            or max(ROUND_SECONDS, full_jitter_seconds(rounds + 5, self._with.random))
            for failure in failures
            if failure.verdict is Verdict.RETRY
        ]
        until_probe = channel.seconds_until_probe()
        if until_probe is not None and failures:
            pauses.append(max(PROBE_SECONDS, until_probe))
        return min(pauses, default=None)

    def _switched(self, channel: Channel) -> Channel:
        # The first source is out of service, not failing: that it is parked says so.
        self._with.metrics.poll_success.remove(channel.account, channel.endpoint.value)
        self._show_source(self.channels[1])
        return self.channels[1]

    def _show_source(self, source: Channel) -> None:
        if self.watch.kind is Kind.POST:
            for each in self.channels:
                shown = self._with.metrics.post_source.labels(each.account, each.endpoint.value)
                shown.set(each is source)

    def _show_success(self, result: PollResult) -> None:
        labels = (self.watch.account, result.endpoint.value)
        metrics = self._with.metrics
        metrics.poll_success.labels(*labels).set(result.outcome is PollOutcome.SUCCESS)
        if result.outcome is PollOutcome.SUCCESS:
            metrics.poll_last_success_timestamp_seconds.labels(*labels).set(self._with.clock())

    def _show_finished(self, result: PollResult, duration_seconds: float) -> None:
        labels = (self.watch.account, result.endpoint.value)
        metrics = self._with.metrics
        metrics.polls.labels(*labels, result.outcome.value).inc()
        metrics.poll_last_duration_seconds.labels(*labels).set(duration_seconds)
        self._with.log.info(
            "poll finished",
            endpoint=result.endpoint.value,
            outcome=result.outcome.value,
            batches=result.batches,
            failed=len(result.failures),
            duration_seconds=round(duration_seconds, 3),
        )


def _gives_way(channel: Channel) -> bool:
    return channel.parked is not None and channel.parked.reason in SIBLING_REASONS


def _probe_is_due(channel: Channel) -> bool:
    until_probe = channel.seconds_until_probe()
    return until_probe is not None and until_probe <= 0

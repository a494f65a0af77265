"""The part that works: the accounts, the board, and the schedule that drives the polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import httpx
from structlog.typing import FilteringBoundLogger

from exporter.accounts import Account, Shop, World, new_items, open_account
from exporter.board import Board, Watch
from exporter.config.settings import Config
from exporter.exposition.families import FAMILIES
from exporter.exposition.page import Page
from exporter.memory import Memory
from exporter.model import HOUR_SECONDS, Endpoint, Item, Kind
from exporter.polling.catch_up import CatchUp, CatchUpSurroundings
from exporter.polling.feed import Feed
from exporter.polling.results import PollResult
from exporter.polling.schedule import Schedule, next_due
from exporter.recording.recorder import Recorder
from exporter.selfmetrics.collectors import RateLimits, SignIns
from exporter.selfmetrics.instruments import PollOutcome, SelfMetrics
from exporter.xapi.limits import RateWindow, Window

# A refresh of tokens in flight may take this long at a stop; nothing else may.
REFRESH_SECONDS = 30.0
# An item that X has just answered about is not asked for again at a start, be its newest hour there or not.
ASKED_LATELY_SECONDS = 600.0


class Engine:
    """Polls what the configuration watches and keeps the page that scrapes read.

    Everything belongs to one event loop. `apply` may be called again with another configuration. With a
    `recorder`, what it knows outlives the process.
    """

    def __init__(
        self,
        world: World,
        metrics: SelfMetrics,
        log: FilteringBoundLogger,
        recorder: Recorder | None = None,
    ) -> None:
        self.page = Page(FAMILIES)
        self.board = Board(self.page, world.clock)
        self.metrics = metrics
        self.accounts: dict[str, Account] = {}
        self.config: Config | None = None
        self.memory = Memory(recorder, world.clock)
        self._world = world
        self._log = log
        self._schedule = Schedule()
        self._started = False
        self._https: list[httpx.AsyncClient] = []
        self._polling: dict[asyncio.Task[object], Feed] = {}
        self._catch_ups: dict[str, CatchUp] = {}
        metrics.registry.register(RateLimits(self._rate_limits))
        metrics.registry.register(
            SignIns(lambda: [account.signer.status() for account in self.accounts.values()])
        )

    @property
    def ready(self) -> bool:
        """Whether every batch has had a first outcome: good, bad, or waiting for a retry or a limit."""
        return self.config is not None and all(feed.settled for feed in self.feeds)

    @property
    def feeds(self) -> list[Feed]:
        """What is polled, by account and kind."""
        return [feed for account in self.accounts.values() for feed in account.feeds.values()]

    @property
    def watches(self) -> list[Watch]:
        """What is watched, by account and kind."""
        return [feed.watch for feed in self.feeds]

    @property
    def next_poll_timestamp_seconds(self) -> float | None:
        """When the next scheduled poll of any feed is due, Unix seconds, None before `start`."""
        due = [self.next_poll_of(feed) for feed in self.feeds]
        return min((at for at in due if at is not None), default=None)

    def next_poll_of(self, feed: Feed) -> float | None:
        """When the next scheduled poll of `feed` is due, Unix seconds, None before `start`."""
        return self._schedule.next_run(_job_name(feed))

    async def apply(self, config: Config) -> None:
        """Watch what `config` names from now on.

        Items, tokens, limits and schedule that it shares with the configuration before go on as they are;
        new items are polled at once, and the series of removed ones go.
        """
        if self.config is None or config.api != self.config.api:
            # The client before stays open for the polls that still use it, until the engine stops.
            self._https.append(self._world.open_http(config.api))
        await self.memory.adopt(config, self.board.standing)
        shop = Shop(self._world, self._https[-1], self.board, self.metrics, self._log, self.memory)
        before, self.config = self.accounts, config
        self.accounts = {
            account.name: open_account(account, config, shop, before.get(account.name))
            for account in config.accounts
        }
        await self._recall(config)
        await self._dismiss(before)
        if self._started:
            self._reschedule(before)

    def start(self) -> None:
        """Poll at once what has no figure for the newest complete hour, and everything on schedule."""
        self._schedule.start()
        self._started = True
        self._reschedule({})

    async def poll_once(self, progress: Callable[[int], None]) -> list[PollResult]:
        """Poll everything one time, without a schedule; `progress` gets how many more items are done."""
        deadline = self._world.clock() + self._current().poll.every_seconds
        polls = [
            feed.poll(feed.watch.items, deadline, progress=progress, most_rounds=1) for feed in self.feeds
        ]
        return list(await asyncio.gather(*polls))

    async def stop(self) -> None:
        """Start no poll any more, drop those in flight, and wait for what must not be dropped."""
        self._schedule.stop()
        for catch_up in self._catch_ups.values():
            catch_up.stop()
        await asyncio.gather(*(account.signer.aclose(REFRESH_SECONDS) for account in self.accounts.values()))
        for http in self._https:
            await http.aclose()
        await self.memory.aclose()

    async def _recall(self, config: Config) -> None:
        """Show everything watched, and go on where the process before ended."""
        await self.memory.recall_channels(self.accounts)
        states = await self.memory.recall_states(self.board, self.watches)
        await self.board.watch(self.watches, config.poll.stale_after_seconds, states)
        for feed in self.feeds:
            feed.settle(item for item in feed.watch.items if item.id in states)
            for endpoint, at in self.memory.last_successes(feed).items():
                shown = self.metrics.poll_last_success_timestamp_seconds
                shown.labels(feed.watch.account, endpoint.value).set(at)

    def _current(self) -> Config:
        if self.config is None:
            raise RuntimeError("apply a configuration first")
        return self.config

    async def _dismiss(self, before: dict[str, Account]) -> None:
        """Let go of the accounts and sign-ins that are no longer used."""
        gone = set(before) - set(self.accounts)
        for task, feed in self._polling.items():
            if feed.watch.account in gone:
                task.cancel()
        for name in gone:
            self.metrics.forget(name)
        signers = {id(account.signer) for account in self.accounts.values()}
        old = [account.signer for account in before.values() if id(account.signer) not in signers]
        await asyncio.gather(*(signer.aclose(REFRESH_SECONDS) for signer in old))

    def _reschedule(self, before: dict[str, Account]) -> None:
        poll = self._current().poll
        for name in self._schedule.names() - {_job_name(feed) for feed in self.feeds}:
            self._schedule.remove(name)
            if name in self._catch_ups:
                self._catch_ups.pop(name).stop()
        for account in self.accounts.values():
            for feed in account.feeds.values():
                job = partial(self.poll_on_schedule, account.config.name, feed.watch.kind)
                self._schedule.every(_job_name(feed), job, poll.every_seconds, poll.offset_seconds)
                new = new_items(feed, before.get(account.config.name))
                wanting = [
                    item
                    for item in new
                    if self._lacks_newest_hour(item) and (before or not self._asked_just_now(item))
                ]
                if wanting:
                    self._schedule.once(partial(self._first_poll, feed, wanting))
        self._show_next_polls()

    async def poll_on_schedule(self, account: str, kind: Kind) -> None:
        """Poll all items of one feed, and have what X was late with asked again soon."""
        # Looked up when it runs, since a reload may have put another feed there.
        feed = self.accounts[account].feeds[kind]
        catch_up = self._catch_ups.setdefault(_job_name(feed), self._catch_up(account, kind))
        catch_up.stop()
        began_at = self._world.clock()
        async with feed.turn:
            done = await self._poll(feed, feed.watch.items)
        if done:
            catch_up.begin(began_at)

    def _catch_up(self, account: str, kind: Kind) -> CatchUp:
        def feed() -> Feed | None:
            now = self.accounts.get(account)
            return None if now is None else now.feeds.get(kind)

        def busy() -> bool:
            return any(
                (each.watch.account, each.watch.kind) == (account, kind) for each in self._polling.values()
            )

        return CatchUp(
            CatchUpSurroundings(
                feed=feed,
                poll=lambda: self._current().poll,
                busy=busy,
                state_of=self.board.state,
                clock=self._world.clock,
                sleep=self._world.sleep,
                log=self._log,
            )
        )

    async def _first_poll(self, feed: Feed, items: Sequence[Item]) -> None:
        """Poll what is new, after a pause where starts before have just done so in vain."""
        pause = self.memory.pause_seconds(feed)
        if pause > 0:
            feed.settle(items)
            self._log.info(
                "X did not answer the last start; waiting before it is asked", seconds=round(pause)
            )
            try:
                await self._world.sleep(pause)
            except asyncio.CancelledError:
                return  # the process ends, and nothing has been begun
            # A reload may have come in between.
            account = self.accounts.get(feed.watch.account)
            now = None if account is None else account.feeds.get(feed.watch.kind)
            if now is None:
                return
            wanted = {item.id for item in items}
            feed, items = now, [item for item in now.watch.items if item.id in wanted]
        self.memory.begun(feed)
        await self._poll(feed, items)

    async def _poll(self, feed: Feed, items: Sequence[Item]) -> bool:
        """Poll `items` of `feed` until its next scheduled poll at most; whether it ended by itself."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a poll is a task")
        self._polling[task] = feed
        self._show_next_polls()
        poll = self._current().poll
        deadline = next_due(self._world.clock(), poll.every_seconds, poll.offset_seconds)
        try:
            # What `login` in another process has changed shows even if nothing is asked of X.
            await self.accounts[feed.watch.account].signer.look()
            result = await feed.poll(items, deadline)
            if result.batches and result.outcome is PollOutcome.SUCCESS:
                self.memory.succeeded(feed, result.endpoint)
        except asyncio.CancelledError:
            # Only the end of the process or of the account cancels a poll, and neither needs its result.
            return False
        except Exception:  # noqa: BLE001 - see below
            # Nothing known ends here; whatever it is, the other polls and the next one must go on.
            self._log.exception("poll broke off", account=feed.watch.account, kind=feed.watch.kind.value)
            feed.broke_off()
            return False
        else:
            return True
        finally:
            del self._polling[task]

    def _lacks_newest_hour(self, item: Item) -> bool:
        hours = self.board.state(item.id).hours
        return hours is None or hours.shown_end_seconds < self._newest_end_seconds()

    def _asked_just_now(self, item: Item) -> bool:
        """Whether the process before this one asked X for the newest hour, and had an answer without it."""
        answered_at, poll = self.board.state(item.id).answered_at, self._current().poll
        if answered_at is None or answered_at < self._newest_end_seconds() + poll.settle_seconds:
            return False
        return self._world.clock() - answered_at < min(poll.every_seconds, ASKED_LATELY_SECONDS)

    def _newest_end_seconds(self) -> float:
        """End of the newest hour that counts as complete by now, Unix seconds."""
        return (self._world.clock() - self._current().poll.settle_seconds) // HOUR_SECONDS * HOUR_SECONDS

    def _show_next_polls(self) -> None:
        for feed in self.feeds:
            due = self.next_poll_of(feed)
            labels = (feed.watch.account, feed.source.endpoint.value)
            if due is not None:
                self.metrics.poll_next_timestamp_seconds.labels(*labels).set(due)

    def _rate_limits(self) -> Iterator[tuple[str, Endpoint, Window, RateWindow]]:
        now = self._world.clock()
        for account in self.accounts.values():
            for endpoint, channel in account.channels.items():
                for window, figures in channel.ledger.current(now).items():
                    yield account.config.name, endpoint, window, figures


def _job_name(feed: Feed) -> str:
    return f"{feed.watch.account}/{feed.watch.kind}"

"""The part that works: accounts, their channels and feeds, the board, and the schedule that drives them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import httpx
from structlog.typing import FilteringBoundLogger

from exporter.board import Board, Watch
from exporter.config.settings import AccountConfig, ApiSettings, Config
from exporter.exposition.families import FAMILIES
from exporter.exposition.page import Page
from exporter.model import HOUR_SECONDS, Endpoint, Item, Kind
from exporter.polling.channel import Channel, Surroundings
from exporter.polling.feed import Feed, PollResult
from exporter.polling.schedule import Schedule, next_due
from exporter.selfmetrics import RateLimits, SelfMetrics, SignIns
from exporter.signin.scheme import RefreshObserver, RefreshOutcome, Signer
from exporter.xapi.client import XClient
from exporter.xapi.limits import Ledger, RateWindow, Window

# A refresh of tokens in flight may take this long at a stop; nothing else may.
REFRESH_SECONDS = 30.0

SOURCES: dict[str, tuple[Endpoint, ...]] = {
    "insights_28hr": (Endpoint.INSIGHTS_28HR,),
    "tweets_analytics": (Endpoint.TWEETS_ANALYTICS,),
    "auto": (Endpoint.INSIGHTS_28HR, Endpoint.TWEETS_ANALYTICS),
}


@dataclass(frozen=True, slots=True)
class World:
    """Everything the engine does not make itself: time, chance, the network, sign-in.

    `clock` gives Unix seconds, `monotonic` seconds of a clock that is never set back, `random` numbers in
    [0, 1). `open_http` makes the HTTP client for `api`; `sign_in` makes an account's credentials.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    open_http: Callable[[ApiSettings], httpx.AsyncClient]
    sign_in: Callable[[AccountConfig, Config, httpx.AsyncClient, RefreshObserver], Signer]


@dataclass(slots=True)
class Account:
    """One account at work; channels outlive reloads, feeds stand for what is watched now."""

    config: AccountConfig
    signer: Signer
    channels: dict[Endpoint, Channel]
    feeds: dict[Kind, Feed]


class RefreshJournal:
    """Counts and logs what becomes of token refreshes."""

    def __init__(self, metrics: SelfMetrics, log: FilteringBoundLogger) -> None:
        self._metrics = metrics
        self._log = log

    def refreshed(self, account: str, outcome: RefreshOutcome, sentence: str) -> None:
        """A refresh was sent and ended."""
        self._metrics.token_refreshes.labels(account, outcome.value).inc()
        if outcome is RefreshOutcome.SUCCESS:
            self._log.info("token refreshed", account=account)
        else:
            self._log.warning(sentence, account=account, outcome=outcome.value)

    def unsaved(self, account: str, sentence: str) -> None:
        """New tokens came and cannot be stored."""
        self._log.error(sentence, account=account)


class Engine:
    """Polls what the configuration watches and keeps the page that scrapes read.

    Everything belongs to one event loop. `apply` may be called again with another configuration.
    """

    def __init__(self, world: World, metrics: SelfMetrics, log: FilteringBoundLogger) -> None:
        self.page = Page(FAMILIES)
        self.board = Board(self.page, world.clock)
        self.metrics = metrics
        self.accounts: dict[str, Account] = {}
        self.config: Config | None = None
        self._world = world
        self._log = log
        self._schedule = Schedule()
        self._http: httpx.AsyncClient | None = None
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
        """When the next scheduled poll of any feed is due, None before `start`."""
        due = [self.next_poll_of(feed) for feed in self.feeds]
        return min((at for at in due if at is not None), default=None)

    def next_poll_of(self, feed: Feed) -> float | None:
        """When the next scheduled poll of `feed` is due, Unix seconds, None before `start`."""
        return self._schedule.next_run(_job_name(feed))

    async def apply(self, config: Config) -> None:
        """Watch what `config` names. What it shares with the configuration before keeps its figures."""
        if self._http is None:
            self._http = self._world.open_http(config.api)
        self.config = config
        for account in config.accounts:
            self.accounts[account.name] = self._account(account, config, self._http)
        await self.board.watch(self.watches, config.poll.stale_after_seconds)
        for account in config.accounts:
            counts = {Kind.MEDIA: len(account.media), Kind.POST: len(account.posts)}
            self.metrics.watch_items(account.name, counts)

    def start(self) -> None:
        """Poll at once what has no figure for the newest complete hour, and everything on schedule."""
        if self.config is None:
            raise RuntimeError("apply a configuration first")
        self._schedule.start()
        for feed in self.feeds:
            self._schedule.every(
                _job_name(feed),
                self._scheduled_poll(feed.watch.account, feed.watch.kind),
                self.config.poll.every_seconds,
                self.config.poll.offset_seconds,
            )
            wanting = [item for item in feed.watch.items if self._lacks_newest_hour(item)]
            if wanting:
                self._schedule.once(f"{_job_name(feed)}/first", partial(self._poll, feed, wanting))
        self._show_next_polls()

    async def poll_once(self, progress: Callable[[int], None]) -> list[PollResult]:
        """Poll everything one time, without a schedule; `progress` gets how many more items are done."""
        deadline = self._world.clock() + self._config().poll.every_seconds
        return list(
            await asyncio.gather(
                *(
                    feed.poll(feed.watch.items, deadline, progress=progress, most_rounds=1)
                    for feed in self.feeds
                )
            )
        )

    async def stop(self) -> None:
        """Start no poll any more, drop those in flight, and wait for what must not be dropped."""
        self._schedule.stop()
        await asyncio.gather(*(account.signer.aclose(REFRESH_SECONDS) for account in self.accounts.values()))
        if self._http is not None:
            await self._http.aclose()

    def _config(self) -> Config:
        if self.config is None:
            raise RuntimeError("apply a configuration first")
        return self.config

    def _account(self, account: AccountConfig, config: Config, http: httpx.AsyncClient) -> Account:
        world, api = self._world, config.api
        signer = world.sign_in(account, config, http, RefreshJournal(self.metrics, self._log))
        surroundings = Surroundings(
            client=XClient(
                http, api.base_url, api.timeout_seconds, clock=world.clock, monotonic=world.monotonic
            ),
            credentials=signer,
            in_flight=asyncio.Semaphore(api.max_concurrency),
            metrics=self.metrics,
            log=self._log.bind(account=account.name),
            clock=world.clock,
            sleep=world.sleep,
            random=world.random,
            settle_seconds=config.poll.settle_seconds,
        )
        endpoints = _endpoints(account)
        self.metrics.watch_account(account.name, [each for kind in endpoints.values() for each in kind])
        channels = {
            endpoint: Channel(account.name, endpoint, surroundings, Ledger())
            for kind in endpoints.values()
            for endpoint in kind
        }
        feeds = {
            kind: Feed(
                _watch(account, kind),
                [channels[endpoint] for endpoint in sources],
                self.board,
                surroundings,
                workers=api.max_concurrency,
            )
            for kind, sources in endpoints.items()
        }
        return Account(account, signer, channels, feeds)

    def _scheduled_poll(self, account: str, kind: Kind) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            # Looked up when it runs, since a reload may have put another feed there.
            feed = self.accounts[account].feeds[kind]
            await self._poll(feed, feed.watch.items)

        return run

    async def _poll(self, feed: Feed, items: Sequence[Item]) -> None:
        self._show_next_polls()
        poll = self._config().poll
        deadline = next_due(self._world.clock(), poll.every_seconds, poll.offset_seconds)
        async with feed.turn:
            await feed.poll(items, deadline)

    def _lacks_newest_hour(self, item: Item) -> bool:
        hours = self.board.state(item.id).hours
        settle_seconds = self._config().poll.settle_seconds
        return hours is None or hours.shown_end_seconds + HOUR_SECONDS + settle_seconds <= self._world.clock()

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


def _watch(account: AccountConfig, kind: Kind) -> Watch:
    if kind is Kind.MEDIA:
        return Watch(account.name, kind, account.media, account.media_metrics)
    return Watch(account.name, kind, account.posts, account.post_metrics)


def _endpoints(account: AccountConfig) -> dict[Kind, tuple[Endpoint, ...]]:
    """The endpoints each watched kind may be polled from, the wanted one first."""
    endpoints: dict[Kind, tuple[Endpoint, ...]] = {}
    if account.media:
        endpoints[Kind.MEDIA] = (Endpoint.MEDIA_ANALYTICS,)
    if account.posts:
        endpoints[Kind.POST] = SOURCES[account.post_source]
    return endpoints

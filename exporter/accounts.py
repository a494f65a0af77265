"""One account at work: its sign-in, its channels to X's endpoints, and the feeds that poll through them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from structlog.typing import FilteringBoundLogger

from exporter.board import Board, Watch
from exporter.config.settings import AccountConfig, ApiSettings, Config
from exporter.model import Endpoint, Item, Kind
from exporter.polling.channel import Channel
from exporter.polling.exchange import Surroundings
from exporter.polling.feed import Feed
from exporter.recording.record import Record, Unrecorded
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.signin.scheme import RefreshObserver, RefreshOutcome, Signer
from exporter.xapi.client import XClient
from exporter.xapi.limits import Ledger

_SOURCES: dict[str, tuple[Endpoint, ...]] = {
    "insights_28hr": (Endpoint.INSIGHTS_28HR,),
    "tweets_analytics": (Endpoint.TWEETS_ANALYTICS,),
    "auto": (Endpoint.INSIGHTS_28HR, Endpoint.TWEETS_ANALYTICS),
}


@dataclass(frozen=True, slots=True)
class World:
    """Everything the engine does not make itself: time, chance, the network, sign-in.

    `clock` gives Unix seconds, `monotonic` seconds of a clock that is never set back, `random` numbers in
    [0, 1). `open_http` makes the HTTP client for `api`; `sign_in` makes an account's credentials. `tidy` is
    called after several answers, which leave much memory free.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    open_http: Callable[[ApiSettings], httpx.AsyncClient]
    sign_in: Callable[[AccountConfig, Config, httpx.AsyncClient, RefreshObserver], Signer]
    tidy: Callable[[], None] = lambda: None


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


@dataclass(frozen=True, slots=True)
class Shop:
    """What all accounts work with: the world, one HTTP client, the board, the metrics, log and record."""

    world: World
    http: httpx.AsyncClient
    board: Board
    metrics: SelfMetrics
    log: FilteringBoundLogger
    record: Record = field(default_factory=Unrecorded)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of `whole` at work; `config` is its part."""

    whole: Config
    config: AccountConfig
    signer: Signer
    channels: dict[Endpoint, Channel]
    feeds: dict[Kind, Feed]


def open_account(config: AccountConfig, whole: Config, shop: Shop, before: Account | None) -> Account:
    """Put an account to work, going on from what it was `before` a reload as far as that still holds."""
    signer = _signer(config, whole, shop, before)
    surroundings = _surroundings(config, whole, shop, signer)
    endpoints = endpoints_of(config)
    every = [endpoint for sources in endpoints.values() for endpoint in sources]
    known = before.channels if before is not None and _same_credentials(config, whole, before) else {}
    channels = {
        # Replicas that wait for the same reset do not all come back in the same second.
        endpoint: known.get(endpoint)
        or Channel(config.name, endpoint, surroundings, Ledger(1 + 2 * shop.world.random()))
        for endpoint in every
    }
    for channel in channels.values():
        channel.adopt(surroundings)
    feeds = {
        kind: Feed(
            watch_of(config, kind),
            [channels[endpoint] for endpoint in sources],
            shop.board,
            surroundings,
            workers=whole.api.max_concurrency,
            before=None if before is None else before.feeds.get(kind),
        )
        for kind, sources in endpoints.items()
    }
    shop.metrics.watch_account(config.name, every)
    shop.metrics.watch_items(config.name, {Kind.MEDIA: len(config.media), Kind.POST: len(config.posts)})
    for endpoint in set() if before is None else set(before.channels) - set(channels):
        shop.metrics.forget(config.name, endpoint)
    return Account(whole, config, signer, channels, feeds)


def new_items(feed: Feed, before: Account | None) -> list[Item]:
    """The items of `feed` that were not watched, or not for the same metrics, before a reload."""
    old = None if before is None else before.feeds.get(feed.watch.kind)
    if old is None or old.watch.metrics != feed.watch.metrics:
        return list(feed.watch.items)
    known = {item.id for item in old.watch.items}
    return [item for item in feed.watch.items if item.id not in known]


def watch_of(account: AccountConfig, kind: Kind) -> Watch:
    """What `account` watches of `kind`."""
    if kind is Kind.MEDIA:
        return Watch(account.name, kind, account.media, account.media_metrics)
    return Watch(account.name, kind, account.posts, account.post_metrics)


def endpoints_of(account: AccountConfig) -> dict[Kind, tuple[Endpoint, ...]]:
    """The endpoints each watched kind may be polled from, the wanted one first."""
    endpoints: dict[Kind, tuple[Endpoint, ...]] = {}
    if account.media:
        endpoints[Kind.MEDIA] = (Endpoint.MEDIA_ANALYTICS,)
    if account.posts:
        endpoints[Kind.POST] = _SOURCES[account.post_source]
    return endpoints


def _same_credentials(config: AccountConfig, whole: Config, before: Account) -> bool:
    """Whether what X has said before (limits, a missing plan) still holds."""
    return config.auth == before.config.auth and whole.api.base_url == before.whole.api.base_url


def _signer(config: AccountConfig, whole: Config, shop: Shop, before: Account | None) -> Signer:
    if (
        before is not None
        and _same_credentials(config, whole, before)
        and whole.api == before.whole.api
        and whole.state_dir == before.whole.state_dir
    ):
        return before.signer
    return shop.world.sign_in(config, whole, shop.http, RefreshJournal(shop.metrics, shop.log))


def _surroundings(config: AccountConfig, whole: Config, shop: Shop, signer: Signer) -> Surroundings:
    world, api = shop.world, whole.api
    client = XClient(
        shop.http, api.base_url, api.timeout_seconds, clock=world.clock, monotonic=world.monotonic
    )
    return Surroundings(
        client=client,
        credentials=signer,
        in_flight=asyncio.Semaphore(api.max_concurrency),
        metrics=shop.metrics,
        log=shop.log.bind(account=config.name),
        clock=world.clock,
        sleep=world.sleep,
        random=world.random,
        settle_seconds=whole.poll.settle_seconds,
        every_seconds=whole.poll.every_seconds,
        record=shop.record,
        turns=shop.board.turns,
        hours=shop.board.hours,
        tidy=world.tidy,
    )

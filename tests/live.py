"""An engine that polls a simulated X over real sockets, with time that leaps over every long wait."""

from __future__ import annotations

import asyncio
import io
import json
import random
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prometheus_client.registry import CollectorRegistry

from exporter.accounts import World
from exporter.config.load import parse_config
from exporter.config.settings import AccountConfig, Config, OAuth2Auth, Secret
from exporter.engine import Engine
from exporter.logs import build_logger
from exporter.model import Endpoint, Kind
from exporter.polling.channel import Channel
from exporter.polling.feed import Feed
from exporter.polling.results import PollResult
from exporter.reality import open_http
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.signin.scheme import RefreshObserver, Signer, Surroundings, Unobserved
from exporter.signin.schemes import open_keeper, open_signer
from exporter.signin.token_endpoint import Grant
from exporter.simulator import Account, App, OAuth1Keys, Simulator
from exporter.simulator import World as SimWorld
from exporter.simulator.serving import Served
from exporter.status.status import observe
from exporter.xapi.failures import PARK_REASONS, Reason
from tests.simulated import FIVE_PAST_EIGHT, TOKEN

T = TypeVar("T")

# Shorter waits take their time: they are for an answer that is on the wire.
SHORT_SECONDS = 0.3
KEYS = OAuth1Keys("consumer", "secret&%", "access", "access-secret+=")
APP = App("web", "app-secret&:")
SCOPES = frozenset({"tweet.read", "users.read", "offline.access"})


class Leaping:
    """A clock that runs as everywhere, but for `sleep`, which leaps to the end of long waits.

    With `short_seconds` of infinity it never leaps.
    """

    def __init__(self, epoch: float = FIVE_PAST_EIGHT, *, short_seconds: float = SHORT_SECONDS) -> None:
        self.waits: list[float] = []
        self._short_seconds = short_seconds
        self._ahead = epoch - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        until = self() + seconds
        self.waits.append(seconds)
        await asyncio.sleep(seconds if seconds <= self._short_seconds else 0.01)
        self._ahead += max(0.0, until - self())

    def pass_by(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._ahead += seconds


@dataclass(frozen=True, slots=True)
class Live:
    """The engine at work against `x`, which listens at `base_url`."""

    x: Simulator
    base_url: str
    engine: Engine
    clock: Leaping
    log: io.StringIO

    def feed(self, kind: Kind = Kind.MEDIA, account: str = "brand") -> Feed:
        return self.engine.accounts[account].feeds[kind]

    def channel(self, kind: Kind = Kind.MEDIA, account: str = "brand") -> Channel:
        return self.feed(kind, account).channels[0]

    async def poll(
        self, kind: Kind = Kind.MEDIA, account: str = "brand", *, rounds: int | None = 1
    ) -> PollResult:
        """Poll all items once: one round, or as many as fit within most of an hour."""
        feed = self.feed(kind, account)
        return await feed.poll(feed.watch.items, self.clock() + 3300, most_rounds=rounds)

    def text(self) -> str:
        """What a scrape reads of the items."""
        self.engine.board.withdraw_stale()
        return self.engine.page.text(None, b"").decode()

    def sample(
        self, name: str, account: str = "brand", endpoint: Endpoint | None = None, **labels: str
    ) -> float:
        """One of the exporter's own metrics; it must be there."""
        if endpoint is not None:
            labels["endpoint"] = endpoint.value
        value = self.engine.metrics.registry.get_sample_value(name, {"account": account, **labels})
        assert value is not None, (name, labels)
        return value

    def parked(self, endpoint: Endpoint, account: str = "brand") -> list[Reason]:
        """The reasons for which `/metrics` shows the endpoint as parked."""
        name = "x_exporter_endpoint_parked"
        return [each for each in PARK_REASONS if self.sample(name, account, endpoint, reason=each.value)]

    def lines(self, *levels: str) -> list[dict[str, Any]]:
        """Log lines of these levels, of all where none is named."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if not levels or line["level"] in levels]

    def sentences(self) -> list[str]:
        """What the status page says of endpoints that do not do well."""
        status = observe(self.engine, self.clock())
        endpoints = (each for watch in status.watches for each in watch.endpoints)
        return [endpoint.failure.sentence for endpoint in endpoints if endpoint.failure is not None]

    def calls(self, endpoint: str = "media_analytics") -> list[int]:
        """The statuses X answered with, in order."""
        return [call.status for call in self.x.requests if call.endpoint == endpoint]


def live(
    act: Callable[[Live], Coroutine[Any, Any, T]],
    text: str,
    *,
    folder: Path | None = None,
    sim_world: SimWorld | None = None,
    through: Callable[[str], str] = lambda url: url,
    clock: Leaping | None = None,
) -> T:
    """Run `act` with an engine for the configuration `text`; `folder` is where it would lie.

    ``BASE_URL`` in `text` is the simulated X; `through` gives another address for it, as a proxy has.
    """
    time_there = clock or Leaping()
    world = sim_world or SimWorld((brand(),), apps=(APP,), any_id=True)

    async def stage(x: Simulator, base_url: str) -> T:
        log = io.StringIO()
        metrics = SelfMetrics(CollectorRegistry(), version="0", revision="")
        engine = Engine(_world(time_there), metrics, build_logger("debug", "json", log))
        url = through(base_url)
        config = parse_config(text.replace("BASE_URL", url).encode(), "test.yaml", folder or Path.cwd(), {})
        await engine.apply(config)
        try:
            return await act(Live(x, base_url, engine, time_there, log))
        finally:
            await engine.stop()

    with Served(Simulator(world, clock=time_there)) as served:
        return asyncio.run(stage(served.simulator, served.base_url))


def brand(**changes: Any) -> Account:  # noqa: ANN401 - whatever an account has
    """The account that the tests are about."""
    return Account(
        **{"name": "brand", "user_id": "1", "username": "brand", "bearer_tokens": (TOKEN,), **changes}
    )


def config_text(
    *,
    media: Iterable[str] = (),
    posts: Iterable[str] = (),
    auth: str = f"{{bearer_token: {TOKEN}}}",
    name: str = "brand",
    timeout: str = "30s",
) -> str:
    """A configuration of one account; `account_text` makes more of them."""
    top = f"api: {{base_url: BASE_URL, timeout: {timeout}}}\nstate_dir: state\naccounts:\n"
    return top + account_text(name, auth, media=media, posts=posts)


def account_text(name: str, auth: str, *, media: Iterable[str] = (), posts: Iterable[str] = ()) -> str:
    """One entry of `accounts`."""
    lines = [f"  - name: {name}", f"    auth: {auth}"]
    for key, ids in (("media", list(media)), ("posts", list(posts))):
        if ids:
            lines += [f"    {key}:", *(f"      - '{item_id}'" for item_id in ids)]
    return "\n".join([*lines, ""])


OAUTH2 = "{oauth2: {client_id: web, client_secret: 'app-secret&:', client_type: confidential}}"
AUTH2 = OAuth2Auth("web", Secret("app-secret&:"), "confidential")


def sign_in(x: Simulator, state_dir: Path, clock: Callable[[], float], account: str = "brand") -> None:
    """Store a first token pair of `account`, as `login` in another process does."""
    asyncio.run(signed_in(x, state_dir, clock, account))


async def signed_in(
    x: Simulator, state_dir: Path, clock: Callable[[], float], account: str = "brand"
) -> None:
    """As `sign_in`, where a loop runs already."""
    pair = x.tokens.issue(account, "web", SCOPES)
    assert pair.refresh_token is not None
    lifetime = pair.expires_at - clock()
    grant = Grant(Secret(pair.access_token), Secret(pair.refresh_token), lifetime, tuple(sorted(SCOPES)))
    async with httpx.AsyncClient() as http:
        surroundings = Surroundings(http, clock, asyncio.sleep, random.random)
        keeper = open_keeper(account, AUTH2, state_dir, surroundings, Unobserved())
        await keeper.adopt(grant, clock())


def _world(clock: Leaping) -> World:
    def sign_in(
        account: AccountConfig, config: Config, http: httpx.AsyncClient, observer: RefreshObserver
    ) -> Signer:
        surroundings = Surroundings(http, clock, clock.sleep, lambda: 0.5)
        return open_signer(account, config.api, config.state_dir, surroundings, observer)

    return World(
        clock=clock,
        monotonic=time.monotonic,
        sleep=clock.sleep,
        random=lambda: 0.5,
        open_http=open_http,
        sign_in=sign_in,
    )

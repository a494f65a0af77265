"""An engine that polls a simulated X without sockets, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prometheus_client.registry import CollectorRegistry

from exporter.accounts import World
from exporter.config.load import parse_config
from exporter.config.settings import AccountConfig, ApiSettings, Config
from exporter.engine import Engine
from exporter.logs import silent_logger
from exporter.model import Kind
from exporter.polling.feed import Feed
from exporter.polling.results import PollResult
from exporter.recording.recorder import Recorder
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.signin.scheme import RefreshObserver, Signer, Surroundings
from exporter.signin.schemes import open_signer
from exporter.simulator import Account, Knobs, Limit, SimRequest, Simulator
from exporter.simulator import World as SimWorld
from tests import virtual_time

T = TypeVar("T")

# 2026-10-07T20:05:00Z
FIVE_PAST_EIGHT = 1_791_403_500.0
HOUR = 3600.0
TOKEN = "token-of-brand"


def media_key(number: int) -> str:
    """A media key that is some two days old at `FIVE_PAST_EIGHT`."""
    return f"13_{_snowflake(number)}"


def post_id(number: int) -> str:
    """A post id that is some two days old at `FIVE_PAST_EIGHT`."""
    return str(_snowflake(number) + 1)


def _snowflake(number: int) -> int:
    born_ms = int((FIVE_PAST_EIGHT - 50 * HOUR) * 1000) - 1288834974657
    return (born_ms << 22) + 2 * number


def config_text(media: int = 0, posts: int = 0, extra: str = "", top: str = "") -> str:
    """A configuration of one account that watches so many items."""
    lines = ["accounts:", "  - name: brand", f"    auth: {{bearer_token: {TOKEN}}}"]
    if media:
        lines += ["    media:", *(f"      - '{media_key(number)}'" for number in range(media))]
    if posts:
        lines += ["    posts:", *(f"      - '{post_id(number)}'" for number in range(posts))]
    return "\n".join([top, *lines, extra, ""])


@dataclass(slots=True)
class Play:
    """The engine at work against `x`; `clock` gives the virtual time, `waits` what was slept for."""

    x: Simulator
    engine: Engine
    clock: Callable[[], float]
    waits: list[float]
    open_engine: Callable[[], Coroutine[Any, Any, Engine]]

    async def restart(self) -> None:
        """Stop the engine and make another, which knows what is in the journal and nothing else."""
        await self.engine.stop()
        self.engine = await self.open_engine()

    def feed(self, kind: Kind = Kind.MEDIA) -> Feed:
        """The only account's feed of `kind`."""
        return next(feed for feed in self.engine.feeds if feed.watch.kind is kind)

    async def poll(self, kind: Kind = Kind.MEDIA, *, within: float = 0.9 * HOUR) -> PollResult:
        """Poll all items of `kind` once, for at most `within` seconds."""
        feed = self.feed(kind)
        return await feed.poll(feed.watch.items, self.clock() + within)

    def text(self) -> str:
        """What a scrape reads of the items."""
        self.engine.board.withdraw_stale()
        return self.engine.page.text(None, b"").decode()

    def sample(self, name: str, **labels: str) -> float | None:
        """One of the exporter's own metrics."""
        return self.engine.metrics.registry.get_sample_value(name, labels)

    def endpoint_sample(self, name: str, endpoint: str = "media_analytics", **labels: str) -> float | None:
        """One of the exporter's own metrics about an endpoint of the only account."""
        return self.sample(name, account="brand", endpoint=endpoint, **labels)


def play(
    act: Callable[[Play], Coroutine[Any, Any, T]],
    *,
    text: str = "",
    knobs: Knobs | None = None,
    limits: dict[str, Limit] | None = None,
    sim_world: SimWorld | None = None,
    epoch: float = FIVE_PAST_EIGHT,
    random: Callable[[], float] = lambda: 0.5,
    folder: Path | None = None,
    tidy: Callable[[], None] = lambda: None,
) -> T:
    """Run `act` with an engine that watches what the configuration `text` names.

    The configuration lies in `folder`, if one is given, and so do the engine's journals.
    """

    async def stage(clock: Callable[[], float]) -> T:
        account = Account("brand", "1", "brand", (TOKEN,))
        world = sim_world or SimWorld((account,), any_id=True)
        x = Simulator(world, clock=clock, knobs=knobs, limits=limits)
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(seconds)

        async def open_engine() -> Engine:
            metrics = SelfMetrics(CollectorRegistry(), version="0", revision="")
            recorder = None
            if folder is not None:
                recorder = Recorder(clock, sleep, silent_logger(), metrics.watch_journal().set)
            engine = Engine(
                replace(_world(x, clock, sleep, random), tidy=tidy), metrics, silent_logger(), recorder
            )
            content = (text or config_text(1)).encode()
            await engine.apply(parse_config(content, "test.yaml", folder or Path.cwd(), {}))
            return engine

        scene = Play(x, await open_engine(), clock, waits, open_engine)
        try:
            return await act(scene)
        finally:
            await scene.engine.stop()

    return virtual_time.run(epoch, stage)


def _world(
    x: Simulator,
    clock: Callable[[], float],
    sleep: Callable[[float], Coroutine[Any, Any, None]],
    random: Callable[[], float],
) -> World:
    def sign_in(
        account: AccountConfig, config: Config, http: httpx.AsyncClient, observer: RefreshObserver
    ) -> Signer:
        surroundings = Surroundings(http, clock, sleep, random)
        return open_signer(account, config.api, config.state_dir, surroundings, observer)

    return World(
        clock=clock,
        monotonic=clock,
        sleep=sleep,
        random=random,
        open_http=lambda _api: open_http(x, _api),
        sign_in=sign_in,
    )


class Body(httpx.AsyncByteStream):
    """A body that comes as one over a connection does: to be read once, and as it was sent."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


def open_http(x: Simulator, _api: ApiSettings) -> httpx.AsyncClient:
    """An HTTP client whose every request `x` answers."""

    async def answer(request: httpx.Request) -> httpx.Response:
        response = x.respond(
            SimRequest(
                request.method,
                request.url.path,
                request.url.query.decode(),
                dict(request.headers),
                request.content,
                request.url.scheme,
            )
        )
        await asyncio.sleep(response.delivery.delay_seconds)
        if response.delivery.cut:
            raise httpx.ReadError("the connection was cut", request=request)
        return httpx.Response(response.status, headers=list(response.headers), stream=Body(response.body))

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def idle_engine() -> Engine:
    """An engine that watches nothing and is never started, for what only needs its metrics."""
    clock = lambda: FIVE_PAST_EIGHT  # noqa: E731 - a constant clock needs no name of its own
    world = _world(Simulator(SimWorld(()), clock=clock), clock, asyncio.sleep, lambda: 0.5)
    return Engine(world, SelfMetrics(CollectorRegistry(), version="0", revision=""), silent_logger())

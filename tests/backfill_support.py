"""A backfill against a simulated X without sockets, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from exporter.accounts import World
from exporter.backfill.coverage import Coverage
from exporter.backfill.job import run_walks
from exporter.backfill.span import Span, first_hour
from exporter.backfill.walk import Findings, Keeping, Pace
from exporter.backfill.wanted import Wanted, wanted_of
from exporter.config.load import parse_config
from exporter.config.settings import AccountConfig, Config
from exporter.journal import Told
from exporter.model import HOUR_SECONDS
from exporter.signin.scheme import RefreshObserver, Signer, Surroundings
from exporter.signin.schemes import open_signer
from exporter.simulator import Account, Knobs, Limit, Simulator
from exporter.simulator import World as SimWorld
from tests import virtual_time
from tests.simulated import FIVE_PAST_EIGHT, TOKEN, open_http

T = TypeVar("T")

# 2026-10-07T20:00:00Z, the end of the newest whole hour.
NOW_HOUR = first_hour(FIVE_PAST_EIGHT)
# One figure: (item, hour since the epoch, metric).
Place = tuple[str, int, str]


def last_hours(count: int) -> Span:
    """So many hours, up to the newest whole one."""
    return Span(NOW_HOUR - count, NOW_HOUR)


@dataclass(slots=True)
class Kept:
    """What a backfill has put down, in memory."""

    coverage: Coverage = field(default_factory=Coverage)
    told: list[Told] = field(default_factory=list)

    def keep(self, told: Told, item_ids: Sequence[str], span: Span) -> None:
        self.told.append(told)
        for item_id in item_ids:
            self.coverage.add(item_id, span)

    @property
    def figures(self) -> dict[Place, float]:
        """Every number kept."""
        return {
            (bucket.item_id, bucket.hour, metric): value
            for told in self.told
            for bucket in told.buckets
            for metric, value in zip(told.metrics, bucket.figures, strict=True)
            if value == value  # noqa: PLR0124 - NaN alone differs from itself
        }

    @property
    def sources(self) -> set[str]:
        """The endpoints that told anything."""
        return {told.source for told in self.told}


@dataclass(slots=True)
class Stage:
    """`x` to be asked, and what asks it."""

    x: Simulator
    config: Config
    world: World
    waits: list[float]
    kept: Kept = field(default_factory=Kept)
    paces: list[tuple[str, int, int, str]] = field(default_factory=list)

    @property
    def wanted(self) -> list[Wanted]:
        """Everything that is watched."""
        return wanted_of(self.config, None, ())

    async def run(self, span: Span) -> dict[str, Findings]:
        """Backfill everything watched."""

        def show(paces: Sequence[Pace]) -> None:
            self.paces += [(pace.name, pace.done, pace.total, pace.waits_for) for pace in paces]

        keeping = Keeping(self.kept.coverage, self.kept.keep)
        return await run_walks(self.config, self.world, self.wanted, span, keeping, show)

    def asked(self, endpoint: str) -> int:
        """Requests so far to one endpoint."""
        return self.x.counts[endpoint]

    def truth(self, span: Span, skipped: Sequence[str] = ()) -> dict[Place, float]:
        """What really happened to everything watched; `skipped` are metrics left out."""
        return {
            (item.id, hour, metric.name): float(amount)
            for wanted in self.wanted
            for item in wanted.items
            for hour in range(span.first, span.end)
            for metric in wanted.metrics
            if metric.name not in skipped
            and (amount := self.x.truth(item.id, metric.name, hour * HOUR_SECONDS)) is not None
        }


def staged(
    act: Callable[[Stage], Coroutine[Any, Any, T]],
    text: str,
    *,
    knobs: Knobs | None = None,
    limits: dict[str, Limit] | None = None,
    sim_world: SimWorld | None = None,
    folder: Path | None = None,
) -> T:
    """Run `act` with the configuration `text`, which lies in `folder`."""

    async def stage(clock: Callable[[], float]) -> T:
        world = sim_world or SimWorld((Account("brand", "1", "brand", (TOKEN,)),), any_id=True)
        x = Simulator(world, clock=clock, knobs=knobs, limits=limits)
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(seconds)

        config = parse_config(text.encode(), "test.yaml", folder or Path.cwd(), {})
        return await act(Stage(x, config, virtual_world(x, clock, sleep), waits))

    return virtual_time.run(FIVE_PAST_EIGHT, stage)


def virtual_world(
    x: Simulator, clock: Callable[[], float], sleep: Callable[[float], Coroutine[Any, Any, None]]
) -> World:
    """A world in which `x` is X."""

    def sign_in(
        account: AccountConfig, config: Config, http: httpx.AsyncClient, observer: RefreshObserver
    ) -> Signer:
        surroundings = Surroundings(http, clock, sleep, lambda: 0.5)
        return open_signer(account, config.api, config.state_dir, surroundings, observer)

    return World(
        clock=clock,
        monotonic=clock,
        sleep=sleep,
        random=lambda: 0.5,
        open_http=lambda api: open_http(x, api),
        sign_in=sign_in,
    )

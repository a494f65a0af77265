"""Days of the sample brand in moments: what a Prometheus would have read of our /metrics all the while.

The engine polls a simulated X at five past each hour of a clock that leaps; every few minutes of that clock
its page is fetched over a real socket and kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from exporter.model import Kind
from exporter.polling.schedule import next_due
from exporter.simulator.sample import sample_config_yaml, sample_items, sample_world
from exporter.simulator.world import Effect, Item
from exporter.simulator.world import World as SimWorld
from exporter.web.addresses import bind
from exporter.web.app import WebServices, build_app
from exporter.web.server import WebServer
from tests.live import Leaping, Live, live

HOUR = 3600.0
POLL_OFFSET_SECONDS = 300.0
# Shorter than the five minutes that Prometheus looks back, and a part of an hour.
STEP_SECONDS = 240.0
# What an item keeps of its figures when it falls.
LOW_SHARE = 0.03
# The rules read no other metric, and every other one takes time.
_METRICS = "    media_metrics: [video_views]\n    post_metrics: [impressions]\n"
_SAMPLE = re.compile(r"^(x_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls an item, as Unix seconds: it falls, comes back, or is deleted on X."""

    falls: float | None = None
    recovers: float = math.inf
    deleted: float = math.inf


@dataclass(frozen=True, slots=True)
class Story:
    """The sample brand from `start` to `end`, Unix seconds, and what befalls whom, by kind and name."""

    start: float
    end: float
    fates: Mapping[tuple[Kind, str], Fate]

    def id(self, kind: Kind, name: str) -> str:
        """The id of the brand's item of that kind and name."""
        items = (item for item in sample_items(self.end) if item.name == name)
        return next(item.id for item in items if ("_" in item.id) is (kind is Kind.MEDIA))

    def world(self) -> SimWorld:
        """A simulated X in which it happens."""
        world = sample_world(self.end)
        for (kind, name), fate in self.fates.items():
            world.put(self.id(kind, name), Item(deleted_at=fate.deleted))
            if fate.falls is not None:
                world.affect(self.id(kind, name), Effect(fate.falls, LOW_SHARE, fate.recovers))
        return world


@dataclass(frozen=True, slots=True)
class Played:
    """The exporter at the end of its story, serving at `address`; `pages` by time, oldest first.

    `truth` gives what an item's hour finally amounts to, by id, metric and the hour's start.
    """

    address: str
    pages: list[tuple[float, str]]
    truth: Callable[[str, str, int], int | None]

    def openmetrics(self, shift_seconds: float, job: str) -> Iterator[str]:
        """The samples of a Prometheus that scraped every page, so much later than it was served."""
        target = f'instance="{self.address}",job="{job}"'
        for time, page in self.pages:
            at = f"{time + shift_seconds:.3f}"
            for name, labels, value in _SAMPLE.findall(page):
                yield f"{name}{{{labels + ',' if labels else ''}{target}}} {value} {at}\n"
        yield "# EOF\n"


def play(
    story: Story, families: Iterable[str], folder: Path, then: Callable[[Played], Awaitable[None]]
) -> None:
    """Play `story`, keeping `families` of each page; `then` has the exporter afterwards.

    From there on its clock runs as any.
    """
    text = sample_config_yaml("BASE_URL", story.end) + _METRICS

    async def act(stage: Live) -> None:
        async with _served(stage) as server, httpx.AsyncClient(trust_env=False) as http:
            address = f"127.0.0.1:{server.port}"
            wanted = httpx.URL(f"http://{address}/metrics", params={"name[]": list(families)})
            pages = [page async for page in _pages(stage, http, wanted, story)]
            await then(Played(address, pages, stage.x.truth))

    live(act, text, folder=folder, sim_world=story.world(), clock=Leaping(story.start))


def _served(stage: Live) -> WebServer:
    engine = stage.engine
    services = WebServices(
        page=engine.page,
        registry=engine.metrics.registry,
        before_scrape=engine.board.withdraw_stale,
        ready=lambda: engine.ready,
    )
    return WebServer(build_app(services), [bind("127.0.0.1", 0)])


async def _pages(
    stage: Live, http: httpx.AsyncClient, wanted: httpx.URL, story: Story
) -> AsyncIterator[tuple[float, str]]:
    for at in _times(story):
        stage.clock.pass_by(at - stage.clock())
        if (at - POLL_OFFSET_SECONDS) % HOUR == 0:
            for kind in Kind:
                await stage.poll(kind)
        yield at, (await http.get(wanted)).raise_for_status().text


def _times(story: Story) -> Iterator[float]:
    """When there is a scrape: at every poll, every few minutes from there on, and at the end."""
    at = next_due(story.start, HOUR, POLL_OFFSET_SECONDS)
    while at < story.end:
        yield at
        at += STEP_SECONDS
    yield story.end

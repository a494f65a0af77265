"""The exporter itself as a contestant: engine and web server as `run` puts them together.

``python -m bench.daemon API_PORT MEDIA POSTS [FOLDER]`` watches so many made-up items and says the port it
serves on. With a folder it keeps a journal there, as `run` does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.contestant import Command, obey, resident_mb
from bench.items import FIRST_ID, made_up_items
from exporter.commands.lean import run_lean
from exporter.config.apart import load_config_apart
from exporter.config.settings import Config
from exporter.daemon import build_engine
from exporter.engine import Engine
from exporter.logs import silent_logger
from exporter.model import HOUR_SECONDS, Item, Kind
from exporter.polling.feed import Feed
from exporter.reality import real_world
from exporter.web.addresses import bind
from exporter.web.app import WebServices, build_app
from exporter.web.server import WebServer

_CONFIG = """
api: {{base_url: "http://127.0.0.1:{port}"}}
accounts:
  - name: brand
    auth: {{bearer_token: made-up}}
    {kind}: ["{id}"]
"""


def config(port: int, media: int, posts: int, folder: Path) -> Config:
    """The configuration that watches so many items of the API at `port`."""
    kind, first = ("media", f"13_{FIRST_ID}") if media else ("posts", str(FIRST_ID))
    file = folder / "bench.yaml"
    file.write_text(_CONFIG.format(port=port, kind=kind, id=first), encoding="utf-8")
    loaded = load_config_apart(file, os.environ)
    items = (*made_up_items(Kind.MEDIA, media), *made_up_items(Kind.POST, posts))
    account = dataclasses.replace(loaded.accounts[0], items=items)
    return dataclasses.replace(loaded, accounts=(account,))


class Clock:
    """This machine's clock, ahead by as many seconds as is said."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        """Unix seconds."""
        return time.time() + self.ahead_seconds


class Ours:
    """The commands of this contestant; CPU is that of the whole process, all threads of it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._busy: asyncio.Task[int] | None = None

    @property
    def _feed(self) -> Feed:
        return self._engine.feeds[0]

    async def poll(self, times: int) -> dict[str, float]:
        """Poll everything `times` times; the CPU and wall seconds of one such poll."""
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(times):
            await self._poll(self._feed.watch.items)
        return {
            "cpu": (time.process_time() - cpu) / times,
            "wall": (time.perf_counter() - wall) / times,
        }

    async def poll_hourly(self, times: int) -> dict[str, float]:
        """Poll everything `times` times, each an hour later; the CPU and wall seconds of one such poll."""
        taken = []
        for _ in range(times):
            self._clock.ahead_seconds += HOUR_SECONDS
            taken.append(await self.poll(1))
        return {name: statistics.mean(each[name] for each in taken) for name in ("cpu", "wall")}

    async def change(self, _argument: None) -> float:
        """Poll one batch, so that its figures change; CPU seconds."""
        cpu = time.process_time()
        await self._poll(self._feed.watch.items[:100])
        return time.process_time() - cpu

    async def render(self, _argument: None) -> float:
        """Render everything anew; CPU seconds."""
        cpu = time.process_time()
        await self._engine.board.watch(self._engine.watches, stale_after_seconds=4 * 3600)
        return time.process_time() - cpu

    async def keep_polling(self, on: bool) -> int:  # noqa: FBT001 - a command's argument
        """Poll everything over and over, or stop that and give how many polls it came to."""
        if on:
            self._busy = asyncio.create_task(self._polls())
            return 0
        if self._busy is None:
            return 0
        busy, self._busy = self._busy, None
        busy.cancel()
        return await busy

    async def cpu(self, _argument: None) -> float:
        """CPU seconds so far."""
        return time.process_time()

    async def answers(self, _argument: None) -> float:
        """How many answers have been taken in so far."""
        labels = {"account": "brand", "endpoint": self._feed.source.endpoint.value, "code": "200"}
        return self._engine.metrics.registry.get_sample_value("x_exporter_requests_total", labels) or 0

    async def memory(self, _argument: None) -> float:
        """Resident memory, MB."""
        return resident_mb(os.getpid())

    async def _poll(self, items: tuple[Item, ...]) -> None:
        result = await self._feed.poll(items, self._clock() + HOUR_SECONDS, most_rounds=1)
        if result.failures:
            raise RuntimeError(f"the canned API failed: {next(iter(result.failures.values()))}")

    async def _polls(self) -> int:
        done = 0
        try:
            while True:
                await self._poll(self._feed.watch.items)
                done += 1
        except asyncio.CancelledError:
            return done


async def _serve(configured: Config, *, keep_history: bool) -> None:
    clock = Clock()
    world = dataclasses.replace(real_world(), clock=clock)
    engine = build_engine(world, silent_logger(), keep_history=keep_history)
    await engine.apply(configured)
    ours = Ours(engine, clock)
    services = WebServices(
        engine.page, engine.metrics.registry, engine.board.withdraw_stale, lambda: engine.ready
    )
    async with WebServer(build_app(services), [bind("127.0.0.1", 0)]) as server:
        commands: dict[str, Command] = {
            "poll": ours.poll,
            "poll_hourly": ours.poll_hourly,
            "change": ours.change,
            "render": ours.render,
            "keep_polling": ours.keep_polling,
            "cpu": ours.cpu,
            "answers": ours.answers,
            "memory": ours.memory,
        }
        await obey(server.port, commands)
    await engine.stop()


def main() -> None:
    """Serve until ended, as the arguments say."""
    port, media, posts = map(int, sys.argv[1:4])
    with tempfile.TemporaryDirectory() as scratch:
        configured = config(port, media, posts, Path(*sys.argv[4:] or [scratch]))
    run_lean(_serve(configured, keep_history=len(sys.argv) > 4))

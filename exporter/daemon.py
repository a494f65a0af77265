"""The daemon: engine and web server in one process, from the first socket to the last signal."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from prometheus_client.registry import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.accounts import World
from exporter.config.settings import Config, RemoteWriteSettings
from exporter.engine import Engine
from exporter.historian import Historian
from exporter.plan import plan_for
from exporter.recording.recorder import Recorder
from exporter.reloading import Reloader
from exporter.remotewrite.surroundings import Surroundings
from exporter.remotewrite.writer import RemoteWriter
from exporter.sdnotify import ServiceManager
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.status.routes import status_routes
from exporter.web.addresses import bind, parse_listen_address
from exporter.web.app import WebServices, build_app
from exporter.web.server import WebServer

if TYPE_CHECKING:
    # With YAML and bcrypt, 2 MB that a daemon without a web configuration does without.
    from exporter.web.live import LiveWebConfig


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides.

    `load` reads the configuration anew. `enable_lifecycle` lets `POST /-/reload` reload it.
    `watch_file` is reloaded when its content changes, None for never. `web_config_file` asks for TLS and
    passwords, None for neither. With `keep_history` there is a journal below the configuration's `state_dir`.
    """

    listen_address: str
    load: Callable[[], Config]
    web_config_file: Path | None = None
    keep_history: bool = True
    enable_lifecycle: bool = False
    watch_file: Path | None = None


def build_engine(world: World, log: FilteringBoundLogger, *, keep_history: bool = False) -> Engine:
    """An engine with its own registry of metrics, and with a journal where history is to be kept."""
    metrics = SelfMetrics(
        CollectorRegistry(), version=__version__, revision=os.environ.get("X_ANALYTICS_EXPORTER_REVISION", "")
    )
    recorder = None
    if keep_history:
        up = metrics.watch_journal()
        recorder = Recorder(world.clock, world.sleep, log, up.set)
    return Engine(world, metrics, log, recorder)


def build_historian(engine: Engine, world: World, log: FilteringBoundLogger) -> Historian | None:
    """Who looks after the journal of `engine`, None where it keeps none."""
    recorder = engine.memory.recorder
    if recorder is None:
        return None
    surroundings = Surroundings(world.clock, world.sleep, world.random, _open_receiver_http, log)
    writer = RemoteWriter(recorder.run, surroundings, engine.metrics.registry)
    return Historian(recorder, writer, world.clock, log)


def _open_receiver_http(settings: RemoteWriteSettings) -> httpx.AsyncClient:
    # Loaded where something is sent, which most daemons do not.
    from exporter.remotewrite.receiver import open_receiver_http  # noqa: PLC0415

    return open_receiver_http(settings)


async def serve(config: Config, options: Options, log: FilteringBoundLogger, world: World) -> None:
    """Poll and serve until SIGTERM or SIGINT, then stop cleanly; a second signal stops at once.

    Raises:
        StartError: the address cannot be listened on.
    """
    stop = stop_signal()
    async with running(config, options, log, world):
        await stop.wait()
        log.info("stopping")


@asynccontextmanager
async def running(
    config: Config, options: Options, log: FilteringBoundLogger, world: World
) -> AsyncIterator[int]:
    """The daemon at work as long as the context lasts; gives the port it listens on.

    Raises:
        ConfigError: the web configuration is wrong.
        StartError: the address cannot be listened on.
    """
    live = None if options.web_config_file is None else _live(options.web_config_file, log, world)
    # Bound before anything else, so that a busy port costs no request to X.
    listener = bind(*parse_listen_address(options.listen_address))
    engine = build_engine(world, log, keep_history=options.keep_history)
    systemd = ServiceManager.from_environ(os.environ, os.getpid())
    around_reloads = partial(systemd.during_reload, world.monotonic)
    historian = build_historian(engine, world, log)
    reloader = Reloader(
        options.load, engine, log, world.clock, around_reloads, None if historian is None else historian.adopt
    )
    await reloader.start(config)
    services = WebServices(
        page=engine.page,
        registry=engine.metrics.registry,
        before_scrape=engine.board.withdraw_stale,
        ready=lambda: engine.ready,
        reload=reloader.reload if options.enable_lifecycle else None,
        routes=status_routes(engine, world.clock, (lambda: None) if historian is None else historian.view),
    )
    async with _web_server(services, live, listener) as server, _reloading(reloader, options):
        engine.start()
        _log_start(engine, config, server.port, log)
        try:
            async with _known_to_systemd(systemd):
                yield server.port
        finally:
            if historian is not None:
                await historian.aclose()
            await engine.stop()


def _live(file: Path, log: FilteringBoundLogger, world: World) -> LiveWebConfig:
    from exporter.web.live import LiveWebConfig  # noqa: PLC0415 - see above
    from exporter.web.webconfig import load_web_config  # noqa: PLC0415 - see above

    return LiveWebConfig(load_web_config(file), log, world.monotonic)


def _web_server(services: WebServices, live: LiveWebConfig | None, listener: socket.socket) -> WebServer:
    tls = live.tls_context if live is not None and live.serves_tls else None
    return WebServer(build_app(services, live), [listener], tls)


@asynccontextmanager
async def _reloading(reloader: Reloader, options: Options) -> AsyncIterator[None]:
    """Reload on SIGHUP, and on a change of the watched file, as long as the context lasts."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reloader.request)
    watching = None if options.watch_file is None else asyncio.create_task(reloader.watch(options.watch_file))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


@asynccontextmanager
async def _known_to_systemd(manager: ServiceManager) -> AsyncIterator[None]:
    """Tell the service manager, if there is one, that the daemon works, lives, and stops."""
    manager.ready()
    alive = asyncio.create_task(manager.keep_alive())
    try:
        yield
    finally:
        alive.cancel()
        manager.stopping()


def _log_start(engine: Engine, config: Config, port: int, log: FilteringBoundLogger) -> None:
    plan = plan_for(config)
    log.info(
        "started",
        version=__version__,
        port=port,
        accounts=len(config.accounts),
        items=plan.items,
        requests_per_hour=plan.requests_per_hour,
        catch_up_requests_per_hour=plan.catch_up_requests,
        next_poll_timestamp_seconds=engine.next_poll_timestamp_seconds,
    )


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets from now on; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def note(number: signal.Signals) -> None:
        if stop.is_set():
            # The second signal: the operator does not want to wait any more.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    return stop

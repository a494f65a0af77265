"""The daemon: engine and web server in one process, from the first socket to the last signal."""

from __future__ import annotations

import asyncio
import random
import signal
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
from prometheus_client import disable_created_metrics
from prometheus_client.registry import CollectorRegistry
from structlog.typing import FilteringBoundLogger

from exporter import __version__
from exporter.accounts import World
from exporter.config.settings import AccountConfig, ApiSettings, Config
from exporter.engine import Engine
from exporter.landing import landing_page
from exporter.plan import plan_for
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.signin.scheme import RefreshObserver, Signer, Surroundings
from exporter.signin.schemes import open_signer
from exporter.web.addresses import bind, parse_listen_address
from exporter.web.app import WebServices, build_app
from exporter.web.server import WebServer

USER_AGENT = f"x-analytics-exporter/{__version__}"


def open_http(api: ApiSettings) -> httpx.AsyncClient:
    """The HTTP client for all requests to X, as `api` asks: timeout, proxy, certificate authorities."""
    verify = ssl.create_default_context(cafile=str(api.ca_file)) if api.ca_file else True
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        timeout=api.timeout_seconds,
        proxy=api.proxy_url.reveal() if api.proxy_url else None,
        verify=verify,
        # The environment's proxies serve the way to X, not the way to this machine itself.
        trust_env=not _is_loopback(api.base_url),
        follow_redirects=False,
    )


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def sign_in(
    account: AccountConfig, config: Config, http: httpx.AsyncClient, observer: RefreshObserver
) -> Signer:
    """The sign-in of `account`, as its `auth` asks, by this machine's clock."""
    surroundings = Surroundings(http, time.time, asyncio.sleep, random.random)
    return open_signer(account, config.api, config.state_dir, surroundings, observer)


def real_world() -> World:
    """This machine's clock, chance and network."""
    return World(
        clock=time.time,
        monotonic=time.monotonic,
        sleep=asyncio.sleep,
        random=random.random,
        open_http=open_http,
        sign_in=sign_in,
    )


def build_engine(world: World, log: FilteringBoundLogger) -> Engine:
    """An engine with its own registry of metrics."""
    # A second timestamp series for every counter: Prometheus reads none of them.
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library leaves it bare
    metrics = SelfMetrics(CollectorRegistry(), version=__version__, revision="")
    return Engine(world, metrics, log)


async def serve(config: Config, listen_address: str, log: FilteringBoundLogger, world: World) -> None:
    """Poll and serve until SIGTERM or SIGINT, then stop cleanly; a second signal stops at once.

    Raises:
        StartError: the address cannot be listened on.
    """
    async with running(config, listen_address, log, world) as port:
        log.info("listening", address=listen_address, port=port)
        await stop_signal()
        log.info("stopping")


@asynccontextmanager
async def running(
    config: Config, listen_address: str, log: FilteringBoundLogger, world: World
) -> AsyncIterator[int]:
    """The daemon at work as long as the context lasts; gives the port it listens on.

    Raises:
        StartError: the address cannot be listened on.
    """
    # Bound before anything else, so that a busy port costs no request to X.
    listener = bind(*parse_listen_address(listen_address))
    engine = build_engine(world, log)
    await engine.apply(config)
    engine.metrics.config_last_reload_successful.set(1)
    engine.metrics.config_last_reload_success_timestamp_seconds.set(world.clock())
    services = WebServices(
        page=engine.page,
        registry=engine.metrics.registry,
        before_scrape=engine.board.withdraw_stale,
        ready=lambda: engine.ready,
        landing=lambda: landing_page(engine),
        reload=None,
    )
    async with WebServer(build_app(services), [listener]) as server:
        engine.start()
        _log_start(engine, log)
        try:
            yield server.port
        finally:
            await engine.stop()


def _log_start(engine: Engine, log: FilteringBoundLogger) -> None:
    config = engine.config
    if config is None:
        return
    plan = plan_for(config)
    log.info(
        "started",
        version=__version__,
        accounts=len(config.accounts),
        items=plan.items,
        requests_per_hour=plan.requests_per_hour,
        next_poll_timestamp_seconds=engine.next_poll_timestamp_seconds,
    )


async def stop_signal() -> None:
    """Wait for SIGTERM or SIGINT; a second one ends the process at once."""
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
    await stop.wait()

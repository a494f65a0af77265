"""`demo`: the simulated X API and the exporter that polls it, in one process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from exporter.commands.console import local_url
from exporter.config.load import parse_config
from exporter.config.settings import Config
from exporter.daemon import Options, running, stop_signal
from exporter.logs import Format, build_logger, route_library_logs
from exporter.reality import real_world
from exporter.simulator import Simulator, asgi
from exporter.simulator.sample import SAMPLE_SEED, sample_config_yaml, sample_world
from exporter.web.addresses import bind, parse_listen_address
from exporter.web.server import WebServer


def demo(listen_address: str, log_level: str, log_format: Format) -> int:
    """Run until stopped by a signal, and return 0.

    Raises:
        StartError: the address cannot be listened on.
    """
    asyncio.run(_demo(listen_address, log_level, log_format))
    return 0


async def _demo(listen_address: str, log_level: str, log_format: Format) -> None:
    stop = stop_signal()
    log = build_logger(log_level, log_format)
    route_library_logs(log)
    host, _ = parse_listen_address(listen_address)
    now = time.time()
    simulator = Simulator(sample_world(now), clock=time.time, seed=SAMPLE_SEED)
    async with WebServer(asgi(simulator), [bind("127.0.0.1", 0)]) as api:
        config = _config(local_url("", api.port), now)
        options = Options(listen_address, lambda: config, keep_history=False)
        async with running(config, options, log, real_world()) as port:
            _explain(local_url(host, port), local_url("", api.port), config)
            await stop.wait()


def _config(base_url: str, now: float) -> Config:
    text = sample_config_yaml(base_url, now).encode()
    return parse_config(text, "demo.yaml", Path.cwd(), {})


def _explain(exporter: str, api: str, config: Config) -> None:
    (account,) = config.accounts
    video = account.media[0]
    click.echo(
        f"""
The exporter watches {len(account.media)} videos and {len(account.posts)} posts of a made-up brand, on a
simulated X.

  {exporter}/          what is watched, and how it fares
  {exporter}/metrics   what Prometheus scrapes

Look for the last full hour of "{video.name}":
  curl -s {exporter}/metrics | grep 'x_media_analytics{{id="{video.id}"'

Let its views drop, and see the next poll show it (polls are at five past the hour):
  curl -s {api}/_simulator/knobs -d '{{"items": {{"{video.id}": {{"drop_at": "now", "factor": 0.02}}}}}}'

Stop it with Ctrl+C.
"""
    )

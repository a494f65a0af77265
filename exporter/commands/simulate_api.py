"""`simulate-api`: the simulated X API alone."""

from __future__ import annotations

import asyncio
import time

import click

from exporter.commands.console import local_url
from exporter.daemon import stop_signal
from exporter.simulator import Simulator, asgi
from exporter.simulator.sample import SAMPLE_SEED, SAMPLE_TOKEN, sample_world
from exporter.web.addresses import bind, parse_listen_address
from exporter.web.server import WebServer


def simulate_api(listen: str) -> int:
    """Serve until stopped by a signal, and return 0.

    Raises:
        StartError: the address cannot be listened on.
    """
    asyncio.run(_serve(listen))
    return 0


async def _serve(listen: str) -> None:
    stop = stop_signal()
    host, port = parse_listen_address(listen)
    world = sample_world(time.time(), any_id=True)
    simulator = Simulator(world, clock=time.time, seed=SAMPLE_SEED)
    async with WebServer(asgi(simulator), [bind(host, port)]) as server:
        base_url = local_url(host, server.port)
        click.echo(f"A simulated X API listens on {base_url}; every well-formed id exists.")
        click.echo(f"  bearer token        {SAMPLE_TOKEN}")
        click.echo(f"  requests so far     {base_url}/_simulator/requests")
        click.echo("Stop it with Ctrl+C.")
        await stop.wait()

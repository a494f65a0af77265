"""How long a scrape takes while nothing changes: ours beside prometheus_client's own ASGI application.

Both serve the same series under uvicorn, each in a process of its own, and are scraped in turns by one
client over one kept connection, gzip, without unpacking. Run it as ``python bench/scrape.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn
from prometheus_client import CollectorRegistry, Gauge, make_asgi_app
from starlette.types import ASGIApp

from exporter.exposition.page import Family, Page
from exporter.exposition.piece import make_piece
from exporter.model import Endpoint
from exporter.selfmetrics import SelfMetrics
from exporter.vocabulary import MEDIA_METRICS
from exporter.web.addresses import bind
from exporter.web.app import WebServices, build_app
from exporter.web.server import WebServer

FAMILY = Family("x_media_analytics", "gauge", "Made-up figures.")
IDS_PER_SLOT = 100

_Series = tuple[str, str, int]


def made_up(series: int) -> Iterator[_Series]:
    """`series` times an id, a metric and a figure; ids differ as snowflakes do, figures have some digits."""
    for number in range(-(-series // len(MEDIA_METRICS))):
        item = 1_880_028_106_020_515_840 + number * 982_451_653_337
        for place, metric in enumerate(MEDIA_METRICS[: series - number * len(MEDIA_METRICS)]):
            yield f"13_{item}", metric.name, (number * 7919 + place * 104_729) % 100_003


def ours(series: int) -> ASGIApp:
    """The exporter's application with the metrics of its own that a daemon with one account has."""
    page = Page([FAMILY])
    lines = [f'{FAMILY.name}{{id="{i}",metric="{metric}"}} {value}\n' for i, metric, value in made_up(series)]
    step = IDS_PER_SLOT * len(MEDIA_METRICS)
    for start in range(0, len(lines), step):
        page.publish(str(start), {FAMILY.name: make_piece("".join(lines[start : start + step]).encode())})
    registry = CollectorRegistry()
    own = SelfMetrics(registry, version="0", revision="0")
    own.watch_account("brand", [Endpoint.MEDIA_ANALYTICS])
    return build_app(WebServices(page, registry, lambda: None, lambda: True))


def stock(series: int) -> ASGIApp:
    """prometheus_client's application with the same series and nothing else."""
    registry = CollectorRegistry()
    gauge = Gauge(FAMILY.name, FAMILY.help, ["id", "metric"], registry=registry)
    for item, metric, value in made_up(series):
        gauge.labels(item, metric).set(value)
    app: ASGIApp = make_asgi_app(registry)
    return app


async def _serve_ours(series: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with WebServer(ours(series), [bind("127.0.0.1", 0)]) as server:
        print(server.port, flush=True)
        await stopping.wait()


def _serve_stock(series: int) -> None:
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(stock(series), log_level="warning", access_log=False)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


@contextmanager
def _running(name: str, series: int) -> Iterator[http.client.HTTPConnection]:
    """Start a server and give a connection to it."""
    command = [sys.executable, __file__, "--serve", name, "--series", str(series)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the server's output is not read")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()))
            with closing(connection):
                yield connection
        finally:
            process.terminate()


def _scrape(connection: http.client.HTTPConnection) -> int:
    """Scrape once and give the size of the body."""
    connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    return len(connection.getresponse().read())


def _timed(connection: http.client.HTTPConnection, times: int) -> list[float]:
    """Seconds of each of `times` scrapes over a connection that is open."""
    # The server may have closed the last one during a long wait for the other server.
    connection.close()
    connection.connect()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        _scrape(connection)
        taken.append(time.perf_counter() - start)
    return taken


def compare(series: int, rounds: int) -> None:
    """Print the medians of `rounds` rounds, each one scrape of the stock application and twenty of ours."""
    ours_seconds: list[float] = []
    stock_seconds: list[float] = []
    with _running("ours", series) as to_ours, _running("stock", series) as to_stock:
        sizes = _scrape(to_ours), _scrape(to_stock)
        for _ in range(rounds):
            stock_seconds += _timed(to_stock, 1)
            ours_seconds += _timed(to_ours, 20)
    medians = statistics.median(ours_seconds), statistics.median(stock_seconds)
    for name, median, size in zip(("ours", "stock"), medians, sizes, strict=True):
        print(f"{name:6} {median * 1e3:10.2f} ms median {size:12,} bytes gzip")
    print(f"stock / ours: {medians[1] / medians[0]:.0f}  ({series:,} series, {rounds} rounds)")


def main() -> None:
    """Read the arguments and compare; with ``--serve``, be one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--serve", choices=["ours", "stock"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve == "ours":
        asyncio.run(_serve_ours(arguments.series))
    elif arguments.serve == "stock":
        _serve_stock(arguments.series)
    else:
        compare(arguments.series, arguments.rounds)


if __name__ == "__main__":
    main()

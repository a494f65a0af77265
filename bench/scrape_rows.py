"""Scrapes and memory: the exporter beside prometheus_client's application and Pushgateway."""

from __future__ import annotations

import http.client
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.contestant import Contestant, resident_mb
from bench.cores import apart_from_what_is_measured, measured_core
from bench.scraping import Scraper, percentile
from bench.series import FAMILY, made_up_series
from bench.sizes import Sizes
from bench.table import Row


def rows(api_port: int, sizes: Sizes) -> Iterator[Row]:
    """Idle, during polls, and what each holds in memory afterwards."""
    media = sizes.series // 10
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory())
        ours = stack.enter_context(Contestant("daemon", api_port, media, 0, state, core=measured_core()))
        stock = stack.enter_context(Contestant("stock", sizes.series, core=measured_core()))
        alone = media / 100 / ours.ask("poll", sizes.polls)["wall"]
        scraper = stack.enter_context(Scraper(ours.first))
        peers = {"prometheus_client": (stock.pid, stack.enter_context(Scraper(stock.first)), 1 / 300)}
        if shutil.which("prometheus-pushgateway"):
            pid, port = stack.enter_context(_pushgateway(sizes.series))
            peers["Pushgateway"] = (pid, stack.enter_context(Scraper(port)), 1 / 40)
        stack.enter_context(apart_from_what_is_measured())
        mine, theirs = _in_turns(scraper, {name: peer[1] for name, peer in peers.items()}, sizes)
        for name, (_, _, limit) in peers.items():
            yield Row(
                f"idle scrape beside {name}",
                "ms",
                mine,
                f"{name}, {sizes.series:,} series",
                theirs[name],
                limit,
                f"median of gzip scrapes while nothing changes; ours has {sizes.series:,} value series and"
                " as many sums and more beside them.",
            )
        yield from _during_polls(ours, scraper, sizes, alone)
        ours.ask("poll", 1)
        memory = ours.ask("memory")
        why = (
            f"resident after {sizes.polls + 1} full polls and scrapes, with 28 hours of {media:,} media,"
            " and the journal open."
        )
        yield Row("memory", "MB", memory, "nothing", None, 90, f"Ours: {why}")
        for name, (pid, _, _) in peers.items():
            against = f"{name}, {sizes.series:,} series"
            yield Row(f"memory beside {name}", "MB", memory, against, resident_mb(pid), None, f"Ours: {why}")
    with tempfile.TemporaryDirectory() as state, Contestant("daemon", api_port, 30, 0, state) as sidecar:
        sidecar.ask("poll", 2)
        why = (
            "resident with 30 media, the size of a sidecar: Python, the libraries, and next to nothing else."
        )
        yield Row("memory of a sidecar", "MB", sidecar.ask("memory"), "nothing", None, 55, why)


def _in_turns(ours: Scraper, peers: dict[str, Scraper], sizes: Sizes) -> tuple[float, dict[str, float]]:
    """Medians in ms: of each round, twenty scrapes of ours and one of each peer."""
    mine: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(sizes.rounds):
        mine += ours.seconds(20)
        for name, peer in peers.items():
            theirs[name] += peer.seconds(1)
    medians = {name: statistics.median(seconds) * 1e3 for name, seconds in theirs.items()}
    return statistics.median(mine) * 1e3, medians


def _during_polls(ours: Contestant, scraper: Scraper, sizes: Sizes, alone: float) -> Iterator[Row]:
    """While polls follow one another; `alone` is how many answers a second are taken in without scrapes."""
    idle = statistics.median(scraper.seconds(50)) * 1e3
    ours.ask("keep_polling", argument=True)
    answers, began = ours.ask("answers"), time.monotonic()
    busy = [seconds * 1e3 for seconds in scraper.seconds(sizes.busy_scrapes)]
    rate = (ours.ask("answers") - answers) / (time.monotonic() - began)
    ours.ask("keep_polling", argument=False)
    why = (
        "one after the other, while full polls of the same items are decoded, published and put into the"
        f" journal without a pause: {rate:.0f} answers a second meanwhile, {alone:.0f} without scrapes. The"
        " exporter has one core, scraper and canned API have the other."
    )
    p99 = percentile(busy, 99)
    yield Row("scrapes during polls, p99", "ms", p99, "own idle median", idle, 10, f"Gzip scrapes, {why}")
    yield Row("scrapes during polls, p99 itself", "ms", p99, "nothing", None, 15, f"The same scrapes, {why}")


@contextmanager
def _pushgateway(series: int) -> Iterator[tuple[int, int]]:
    """A Pushgateway that holds so many series: its process and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    command = ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command) as process:
        try:
            _push(port, series)
            yield process.pid, port
        finally:
            process.terminate()


def _push(port: int, series: int) -> None:
    lines = [f"# TYPE {FAMILY} gauge\n"]
    lines += [
        f'{FAMILY}{{id="{item}",metric="{metric}"}} {value}\n'
        for item, metric, value in made_up_series(series)
    ]
    deadline = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("PUT", "/metrics/job/bench", "".join(lines).encode())
            connection.getresponse().read()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()

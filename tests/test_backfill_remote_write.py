"""A backfill sends hours on at their own times, and asks nothing of X again for what a sink refused."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.backfill.span import Span, hour_text
from exporter.simulator import Account, Simulator, World
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import mint
from tests.processes import Running, exporter, finished, free_port, started

HOUR = 3600
TOKEN = "token-of-brand"


@dataclass(frozen=True, slots=True)
class Stage:
    """A simulated X that listens, one media, and the command that backfills it."""

    x: Simulator
    folder: Path
    media: str
    span: Span
    command: tuple[str, ...]

    @property
    def spools(self) -> list[Path]:
        return sorted((self.folder / "state" / "journal").glob("backfill-*.sqlite3"))


@contextmanager
def staged(folder: Path, url: str, settle: str = "0s") -> Iterator[Stage]:
    end = int(time.time() // HOUR)
    span, media = Span(end - 60, end), f"13_{mint((end - 50) * HOUR, 0)}"
    with Served(
        Simulator(World((Account("brand", "1", "brand", (TOKEN,)),), any_id=True), clock=time.time)
    ) as served:
        config = folder / "config.yaml"
        config.write_text(
            f"api: {{base_url: '{served.base_url}'}}\nremote_write: {{url: '{url}', settle: {settle}}}\n"
            f"accounts: [{{name: brand, auth: {{bearer_token: {TOKEN}}}, media: ['{media}']}}]\n",
            encoding="utf-8",
        )
        times = ("--start", hour_text(span.first), "--end", hour_text(span.end))
        command = ("backfill", "--config.file", str(config), *times, "--remote-write")
        yield Stage(served.simulator, folder, media, span, command)


@dataclass(slots=True)
class Sink:
    """A receiver that answers everything alike and counts what it is sent."""

    url: str
    status: int = 204
    text: str = ""
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def sink(port: int = 0) -> Iterator[Sink]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(found.text)))
            self.end_headers()
            self.wfile.write(found.text.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        found = Sink(f"http://127.0.0.1:{server.server_port}/api/v1/write")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def prometheus(folder: Path, part: Callable[[str], str]) -> Iterator[tuple[Running, str]]:
    folder.mkdir()
    (folder / "prometheus.yml").write_text(
        "storage: {tsdb: {out_of_order_time_window: 100h}}\n", encoding="utf-8"
    )
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        # The package that brings promtool brings this one as well.
        str(Path(part("promtool")).with_name("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--web.enable-remote-write-receiver",
    ]
    with started(command, folder / "process") as running:
        running.answers(f"{url}/-/ready")
        yield running, url


def value(url: str, query: str, at: float) -> float:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query, "time": str(at)}, trust_env=False)
    (result,) = answer.raise_for_status().json()["data"]["result"]
    number: Any = result["value"][1]
    return float(number)


def test_a_real_prometheus_has_every_hour_at_its_own_time(tmp_path: Path, part: Callable[[str], str]) -> None:
    with prometheus(tmp_path / "sink", part) as (_, url), staged(tmp_path, f"{url}/api/v1/write") as stage:
        done = finished(*stage.command)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{url}/api/v1/write took 500 samples." in done.stdout
        assert not stage.spools
        for hour in range(stage.span.end - 20, stage.span.end + 1, 5):
            truth = [
                stage.x.truth(stage.media, "watch_time_ms", each * HOUR) for each in range(hour - 24, hour)
            ]
            query = (
                f'sum_over_time(x_media_analytics_hourly{{id="{stage.media}",metric="watch_time_ms"}}[24h])'
            )
            assert value(url, query, hour * HOUR) == sum(amount or 0 for amount in truth)


def test_what_a_sink_refused_is_sent_again_without_asking_x(tmp_path: Path) -> None:
    with sink() as receiver, staged(tmp_path, receiver.url) as stage:
        receiver.status, receiver.text = 400, "out of bounds"
        refused = finished(*stage.command)
        assert refused.returncode == 1
        assert "It refused 500 for good." in refused.stderr
        assert (
            "Once it is mended, the same command sends all of them again and asks nothing of X."
            in refused.stderr
        )
        asked = len(stage.x.requests)
        receiver.status, receiver.text = 204, ""
        done = finished(*stage.command)
        assert (done.returncode, done.stderr) == (0, "")
        assert "took 500 samples." in done.stdout
        assert len(stage.x.requests) == asked
        assert not stage.spools


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stop_while_the_sink_is_down_costs_no_request(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    with staged(tmp_path, f"http://127.0.0.1:{port}/api/v1/write") as stage:
        with started(exporter(*stage.command), tmp_path / "run") as running:
            running.says("remote write brings nothing in")
            assert running.stop(number) != 0
            assert "Traceback" not in running.output
        asked = len(stage.x.requests)
        with sink(port) as receiver:
            done = finished(*stage.command)
            assert (done.returncode, done.stderr) == (0, "")
            assert receiver.bodies
        assert len(stage.x.requests) == asked


def test_hours_that_are_not_settled_for_the_sink_are_refused_at_once(tmp_path: Path) -> None:
    with staged(tmp_path, "http://127.0.0.1:9/", settle="3h") as stage:
        done = finished(*stage.command)
        assert done.returncode == 2
        assert "is not over and settled (`remote_write.settle`); ask for" in done.stderr.splitlines()[-1]
        assert not stage.x.requests

"""The process as a whole: how soon it answers, and how often it wakes while there is nothing to do."""

from __future__ import annotations

import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.contestant import ROOT, wake_ups
from bench.items import made_up_items
from bench.sizes import Sizes
from bench.table import Row
from exporter.model import Kind

_IMPORTS = "import httpx, prometheus_client, uvicorn"
_GIVE_UP_SECONDS = 60


def rows(api_port: int, sizes: Sizes) -> Iterator[Row]:
    """Starts beside the bare imports, and the wake-ups of a started daemon."""
    yield from _starts(api_port, sizes)
    with _config_file(api_port) as config, _daemon(config) as (process, _):
        # The poll at the start is not idleness.
        time.sleep(min(3, sizes.idle_seconds))
        before, started = wake_ups(process.pid), time.monotonic()
        time.sleep(sizes.idle_seconds)
        per_minute = (wake_ups(process.pid) - before) / (time.monotonic() - started) * 60
    why = "voluntary context switches of all threads between two polls, nobody scraping."
    yield Row("wake-ups while idle", "per minute", per_minute, "nothing", None, 10, why)


def _starts(api_port: int, sizes: Sizes) -> Iterator[Row]:
    runners: dict[str, Callable[[], float]] = {
        "peer": lambda: _run(["-c", _IMPORTS]),
        "run": lambda: _first_answer(api_port),
        "--help": lambda: _run(["-m", "exporter", "--help"]),
        "check-config": lambda: _check_config(api_port),
    }
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(sizes.starts):
        for name, runner in runners.items():
            taken[name].append(runner())
    medians = {name: statistics.median(seconds) * 1e3 for name, seconds in taken.items()}
    for name, limit, until in (
        ("run", 3, "to its first /metrics answer"),
        ("--help", 1.5, "to its end"),
        ("check-config", 1.5, "to its end"),
    ):
        why = f"wall time from the start of the process {until}, beside a Python that only imports its peers."
        yield Row(f"start of {name}", "ms", medians[name], _IMPORTS, medians["peer"], limit, why)


@contextmanager
def _config_file(api_port: int) -> Iterator[Path]:
    """A configuration in a folder of its own: a start waits where the one before was ended in the middle."""
    items = "".join(f"      - '{item.id}'\n" for item in made_up_items(Kind.MEDIA, 30))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder, "config.yaml")
        file.write_text(
            f"api: {{base_url: 'http://127.0.0.1:{api_port}'}}\n"
            f"accounts:\n  - name: brand\n    auth: {{bearer_token: made-up}}\n    media:\n{items}",
            encoding="utf-8",
        )
        yield file


def _run(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _check_config(api_port: int) -> float:
    with _config_file(api_port) as config:
        return _run(["-m", "exporter", "check-config", "--config.file", str(config)])


def _first_answer(api_port: int) -> float:
    with _config_file(api_port) as config, _daemon(config) as (_, seconds):
        return seconds


@contextmanager
def _daemon(config: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """`run` at work, and how many seconds it took until it answered a scrape."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    address = f"127.0.0.1:{port}"
    flags = ["--config.file", str(config), "--web.listen-address", address, "--log.level", "error"]
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "exporter", "run", *flags], cwd=ROOT) as process:
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - start > _GIVE_UP_SECONDS:
                    raise RuntimeError("the daemon does not answer")
                time.sleep(0.005)
            yield process, time.perf_counter() - start
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read() != b""
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()

"""The demo's brand watched, and a Prometheus that has scraped it for days: real programs of this machine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from exporter.simulator.sample import sample_config_yaml

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_GLANCE_SECONDS = 0.1
JOB = "x-analytics-exporter"


@contextmanager
def demo(folder: Path, receiver: str | None = None) -> Iterator[str]:
    """The address of an exporter that watches the demo's brand, such as ``127.0.0.1:34567``.

    It sends its hours to the Prometheus at `receiver`, an address too. `folder` takes what both write.
    """
    command = [sys.executable, "-m", "exporter"]
    with _running([*command, "simulate-api", "--listen=127.0.0.1:0"], folder / "x.log") as x_log:
        base_url = _said(x_log, r"listens on (http://127\.0\.0\.1:\d+)")
        text = sample_config_yaml(base_url, time.time(), state_dir=str(folder / "state"))
        if receiver is not None:
            text += f"remote_write: {{url: 'http://{receiver}/api/v1/write', settle: 0s}}\n"
        config = folder / "exporter.yaml"
        config.write_text(text, encoding="utf-8")
        run = ["run", f"--config.file={config}", "--web.listen-address=127.0.0.1:0"]
        with _running([*command, *run], folder / "exporter.log") as log:
            address = "127.0.0.1:" + _said(log, r"\bstarted\b.*\bport=(\d+)")
            _answers(f"http://{address}/-/ready")
            yield address


def free_address() -> str:
    """An address of this machine that nobody listens on, for whoever has to know it beforehand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def prometheus(
    folder: Path,
    history: Iterable[str],
    *,
    targets: Sequence[str] = (),
    program: str = "prometheus",
    address: str = "127.0.0.1:0",
) -> Iterator[str]:
    """The URL of a Prometheus that holds `history` (OpenMetrics lines) and scrapes `targets` each second.

    It listens on `address` and takes remote write. `folder` takes its files; promtool is looked for beside
    `program`.
    """
    config, data = folder / "prometheus.yml", folder / "data"
    config.write_text(_config(targets), encoding="utf-8")
    with (folder / "history.txt").open("w", encoding="utf-8") as file:
        file.writelines(history)
    promtool = str(Path(program).with_name("promtool")) if "/" in program else "promtool"
    blocks = ["tsdb", "create-blocks-from", "--quiet", "--max-block-duration=24h", "openmetrics"]
    subprocess.run(  # noqa: S603 - a program this repository names
        [promtool, *blocks, str(folder / "history.txt"), str(data)], check=True, capture_output=True
    )
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={data}"]
    # The history has a sample every quarter of an hour; without this it would be full of gaps.
    command += ["--query.lookback-delta=20m", f"--web.listen-address={address}"]
    command += ["--web.enable-remote-write-receiver"]
    with _running(command, folder / "prometheus.log") as log:
        url = "http://" + _said(log, r'msg="Listening on" address=(127\.0\.0\.1:\d+)')
        _answers(f"{url}/-/ready")
        yield url


def _config(targets: Sequence[str]) -> str:
    return f"""\
storage: {{tsdb: {{out_of_order_time_window: 36h}}}}
scrape_configs:
  - job_name: {JOB}
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [{{targets: {json.dumps(list(targets))}}}]
"""


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[Path]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 - programs this repository names
    with process:
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _said(log: Path, pattern: str) -> str:
    """The first group of `pattern` in `log`, once it stands there. Raises TimeoutError."""
    deadline = time.monotonic() + _START_SECONDS
    while (found := re.search(pattern, log.read_text(encoding="utf-8"))) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing like {pattern} in:\n{log.read_text(encoding='utf-8')}")
        time.sleep(_GLANCE_SECONDS)
    return found[1]


def _answers(url: str) -> None:
    """Wait until `url` is answered with 200. Raises TimeoutError."""
    deadline = time.monotonic() + _START_SECONDS
    with httpx.Client(trust_env=False, timeout=_START_SECONDS) as http:
        while http.get(url).status_code != httpx.codes.OK:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} is not ready after {_START_SECONDS:.0f} s")
            time.sleep(_GLANCE_SECONDS)

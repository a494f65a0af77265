"""Who is paged: a real Prometheus with the rules, a real Alertmanager, and the webhook it calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.processes import Running, free_port, started

# An alert leads to a notification at once; the shipped configuration waits for company.
_AT_ONCE = {"group_wait": "1s", "group_interval": "1s"}


@dataclass(frozen=True, slots=True)
class Page:
    """One alert of one notification; `status` is ``firing`` or ``resolved``."""

    status: str
    receiver: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def what(self) -> tuple[str, str, str]:
        """Its status, the alert's name, and the item's name."""
        return self.status, self.labels["alertname"], self.labels.get("name", "")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Takes notifications at `url` and keeps their alerts, oldest first."""

    url: str
    pages: list[Page] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook on a free port of 127.0.0.1 as long as the context lasts."""
    kept: list[Page] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            kept.extend(
                Page(alert["status"], said["receiver"], alert["labels"], alert["annotations"])
                for alert in said["alerts"]
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so where it is from
            """Say nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="webhook")
        thread.start()
        try:
            yield Webhook(f"http://127.0.0.1:{server.server_port}/", kept)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def alertmanager(program: str, shipped: Path, hook: str, folder: Path) -> Iterator[str]:
    """The address of an Alertmanager that goes by the `shipped` configuration and calls `hook`."""
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    config["route"] |= _AT_ONCE
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": hook}]
    written = folder / "alertmanager.yml"
    written.write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={written}",
        f"--storage.path={folder / 'alerts'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with started(command, folder / "alertmanager") as running:
        running.answers(f"http://{address}/-/ready")
        yield address


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that scrapes the exporter and evaluates the rules."""

    running: Running
    url: str

    def ask(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=30, trust_env=False)
        return answer.raise_for_status().json()["data"]

    def firing(self) -> set[tuple[str, str]]:
        """The name of each alert that fires, and of the item it is about."""
        return {
            (alert["labels"]["alertname"], alert["labels"].get("name", ""))
            for alert in self.ask("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def evaluated(self) -> bool:
        """Whether every group of rules has been evaluated without a fault."""
        groups = self.ask("rules")["groups"]
        return all(rule["health"] == "ok" for group in groups for rule in group["rules"])


@contextmanager
def prometheus(
    program: str, shipped: Path, data: Path, addresses: Mapping[str, str], folder: Path
) -> Iterator[Prometheus]:
    """A Prometheus with the past in `data` that goes by the `shipped` configuration and the rules beside it.

    `addresses` are those of the ``exporter`` and the ``alertmanager``.
    """
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    config["global"]["scrape_interval"] = "1s"
    config["rule_files"] = [str(shipped.parent / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [addresses["exporter"]]}]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [addresses["alertmanager"]]}]}]
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(config), encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={written}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address={url.removeprefix('http://')}",
        # An alert of the first seconds, in which Alertmanager is not known yet, is sent with the next round.
        "--rules.alert.resend-delay=10s",
    ]
    with started(command, folder / "prometheus") as running:
        running.answers(f"{url}/-/ready")
        yield Prometheus(running, url)

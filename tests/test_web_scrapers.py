"""Real scrapers read every series of a large page, in the encoding that they ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from exporter.web.addresses import bind
from exporter.web.app import build_app
from exporter.web.server import WebServer
from tests.processes import free_port, started
from tests.test_web_server import FAMILY, page_of, services

SLOTS, LINES = 20, 1000
# Each slot's lines count from 0.
TOTAL = SLOTS * LINES * (LINES - 1) // 2


def command(program: str, config: Path, folder: Path, address: str) -> list[str]:
    if program.endswith("prometheus"):
        places = [f"--config.file={config}", f"--storage.tsdb.path={folder}"]
        return [program, *places, f"--web.listen-address={address}"]
    places = [f"-promscrape.config={config}", f"-storageDataPath={folder}"]
    return [program, *places, f"-httpListenAddr={address}", "-search.latencyOffset=0s"]


def stored(program: str, folder: Path, port: int) -> tuple[float, float]:
    """How many series of ours `program` has scraped from `port`, and what their values add up to."""
    config = folder / "scrape.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: exporter, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    with (
        started(command(program, config, folder / "data", address), folder / "process") as running,
        httpx.Client(base_url=f"http://{address}/api/v1/", trust_env=False) as client,
    ):

        def number(query: str) -> float | None:
            try:
                found = client.get("query", params={"query": query}).json()["data"]["result"]
            except (httpx.TransportError, ValueError, KeyError):
                return None  # it has not started yet
            return float(found[0]["value"][1]) if found else None

        series = running.until(lambda: number(f"count({FAMILY.name})"))
        total = running.until(lambda: number(f"sum({FAMILY.name})"))
    return series, total


@pytest.mark.parametrize("program", ["prometheus", "victoria-metrics"])
def test_a_scraper_gets_every_series_of_a_gzip_page(
    program: str, part: Callable[[str], str], tmp_path: Path
) -> None:
    binary = part(program)
    app = build_app(services(page_of(SLOTS, LINES)))
    asked: set[str] = set()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.add(Headers(scope=scope).get("accept-encoding", ""))
        await app(scope, receive, send)

    async def scrape() -> tuple[float, float]:
        async with WebServer(noting, [bind("127.0.0.1", 0)]) as server:
            return await asyncio.to_thread(stored, binary, tmp_path, server.port)

    assert asyncio.run(scrape()) == (SLOTS * LINES, TOTAL)
    assert asked == {"gzip"}

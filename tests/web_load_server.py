"""A server of 100,000 series in a process of its own, for tests that load it; prints its port."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from exporter.logs import build_logger
from exporter.web.addresses import bind
from exporter.web.app import build_app
from exporter.web.live import LiveWebConfig
from exporter.web.server import WebServer
from exporter.web.webconfig import load_web_config
from tests.web_support import page_of, services


async def serve(file: Path | None) -> None:
    """Serve by the web configuration in `file` until the process is ended."""
    live = None
    if file is not None:
        live = LiveWebConfig(load_web_config(file), build_logger("info", "logfmt"), time.monotonic)
    app = build_app(services(page_of(slots=100, lines=1000)), live)
    tls = live.tls_context if live is not None and live.serves_tls else None
    async with WebServer(app, [bind("127.0.0.1", 0)], tls) as server:
        print(f"port {server.port}", flush=True)  # noqa: T201 - what the test waits for
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]) if len(sys.argv) > 1 else None))

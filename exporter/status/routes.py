"""`/` and `/api/v1/status` as routes of the web application."""

# ruff: noqa: PLC0415 - what answers is loaded for the first who asks, in a thread: it takes a tenth of the
# time of a start, and with jinja2 as much memory as 1,000 items.

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from exporter.engine import Engine

if TYPE_CHECKING:
    from exporter.status.history import HistoryView
    from exporter.status.page import StatusPage
    from exporter.status.status import Status

# So much is rendered at a stretch before others, scrapes above all, are served: some milliseconds.
_STRETCH_BYTES = 16 * 1024

_PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def status_routes(
    engine: Engine, clock: Callable[[], float], history: Callable[[], HistoryView | None] = lambda: None
) -> list[Route]:
    """The routes that show how `engine` stands.

    `clock` gives Unix seconds. `history` gives how history is kept, None where it is not; like all here it
    must be a read of memory.
    """
    open_page = cache(_open_page)

    def status() -> Status:
        from exporter.status.status import observe

        return observe(engine, clock(), history())

    async def html(request: Request) -> Response:
        page = await asyncio.to_thread(open_page)
        from exporter.status.order import parse_order

        order = parse_order(request.query_params.get("sort", ""))
        show_all = request.query_params.get("all") == "1"
        parts = page.parts(status(), order, show_all=show_all)
        headers = {**_PRIVATE, "content-security-policy": page.content_policy}
        content = _stretches(part.encode() for part in parts)
        return StreamingResponse(content, media_type="text/html", headers=headers)

    async def json(_request: Request) -> Response:
        json_parts = await asyncio.to_thread(_json_parts)
        content = _stretches(json_parts(status()))
        return StreamingResponse(content, media_type="application/json", headers=_PRIVATE)

    return [Route("/", html), Route("/api/v1/status", json)]


def _open_page() -> StatusPage:
    from exporter.status.page import StatusPage

    return StatusPage()


def _json_parts() -> Callable[[Status], Iterator[bytes]]:
    from exporter.status.api import json_parts

    return json_parts


async def _stretches(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """`parts` in larger pieces, with a breath for the event loop after each."""
    piece = bytearray()
    for part in parts:
        piece += part
        if len(piece) >= _STRETCH_BYTES:
            yield bytes(piece)
            piece.clear()
            await asyncio.sleep(0)
    yield bytes(piece)

"""`/metrics` as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from exporter.exposition.negotiation import OPENMETRICS, Encoding, negotiate_encoding, negotiate_format
from exporter.exposition.page import Body, Page
from exporter.exposition.registry_text import RegistryText
from exporter.web.connection import WELCOME

# What one client that reads slowly may hold in memory beside the page that all share; more for those few that
# the system takes a whole page for.
_WRITE_BYTES = 64 * 1024
_WELCOME_WRITE_BYTES = 256 * 1024


class MetricsEndpoint:
    """Answers GET and HEAD with `page` and then `registry`, in the format and encoding asked for.

    `before_scrape` is called first, to take from the page what must not be shown any more.
    """

    def __init__(self, page: Page, registry: CollectorRegistry, before_scrape: Callable[[], None]) -> None:
        self._page = page
        self._registry_text = RegistryText(registry)
        self._before_scrape = before_scrape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer one request."""
        headers = Headers(scope=scope)
        negotiated = negotiate_format(",".join(headers.getlist("accept")))
        encoding = negotiate_encoding(",".join(headers.getlist("accept-encoding")))
        openmetrics = negotiated.format is OPENMETRICS
        body = self._body(_names(scope["query_string"]), encoding, openmetrics=openmetrics)
        answer = [
            (b"content-type", negotiated.content_type.encode()),
            (b"content-length", str(body.length).encode()),
            (b"vary", b"Accept, Accept-Encoding"),
        ]
        if encoding is not Encoding.IDENTITY:
            answer.append((b"content-encoding", encoding.value.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": answer})
        if scope["method"] != "HEAD":
            welcome = scope.get("state", {}).get(WELCOME, False)
            for chunk in _chunks(body, _WELCOME_WRITE_BYTES if welcome else _WRITE_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if encoding is Encoding.IDENTITY:
                    # It may have cost some milliseconds of inflating; others are served in between.
                    await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})

    def _body(self, names: frozenset[str] | None, encoding: Encoding, *, openmetrics: bool) -> Body:
        self._before_scrape()
        tail = self._registry_text.render(names, openmetrics=openmetrics)
        if openmetrics:
            tail += b"# EOF\n"
        if encoding is Encoding.GZIP:
            return self._page.gzip_body(names, tail)
        return self._page.text_body(names, tail)


def _names(query: bytes) -> frozenset[str] | None:
    """The values of `name[]`; None where there are none, which asks for everything."""
    asked = parse_qs(query.decode("latin-1")).get("name[]")
    return None if asked is None else frozenset(asked)


def _chunks(body: Body, most_bytes: int) -> Iterator[bytes]:
    for part in body.parts:
        for start in range(0, len(part), most_bytes):
            yield part[start : start + most_bytes]

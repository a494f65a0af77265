"""The page on 127.0.0.1 to which X sends the browser back, and that tells how the sign-in went."""

from __future__ import annotations

import asyncio
import html
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from http import HTTPStatus
from urllib.parse import urlsplit

from exporter.errors import StartError
from exporter.signin.authorize import CALLBACK_PATH, Code, Denied

_HEAD_BYTES = 16 * 1024
_HEAD_SECONDS = 10.0
# The exchange of the code and the naming of the account, which the page waits for.
_VERDICT_SECONDS = 90.0

Redirect = Code | Denied


@asynccontextmanager
async def callback_page(port: int, read: Callable[[str], Redirect | None]) -> AsyncIterator[CallbackPage]:
    """Serve the page on 127.0.0.1:`port`, any free port for 0, while the context is open.

    `read` tells what a request's target says, None where it is not ours.

    Raises:
        StartError: the port is taken.
    """
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as listener:
        page = CallbackPage(read)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            server = await asyncio.start_server(page.serve, sock=listener, limit=_HEAD_BYTES)
        except OSError as error:
            raise StartError(
                f"127.0.0.1:{port}: cannot listen for the browser: {error.strerror or error}. Choose "
                "another port with --callback.port, and list its address in the app's settings at X."
            ) from error
        page.port = int(listener.getsockname()[1])
        try:
            yield page
        finally:
            server.close()
            await page.aclose()


class CallbackPage:
    """Answers `GET /callback`. What is not ours gets a 400 and the wait goes on.

    Of ours the first counts. Its browser is kept waiting until `finish` says what to show.
    """

    def __init__(self, read: Callable[[str], Redirect | None]) -> None:
        loop = asyncio.get_running_loop()
        self.port = 0
        self._read = read
        self._received: asyncio.Future[Redirect] = loop.create_future()
        self._verdict: asyncio.Future[tuple[str, str]] = loop.create_future()
        self._answering: set[asyncio.Task[None]] = set()

    async def redirect(self) -> Redirect:
        """Wait for the browser to come back with something of ours."""
        return await asyncio.shield(self._received)

    def finish(self, title: str, text: str) -> None:
        """Show `title` and `text` in the browser that waits; the first call counts."""
        if not self._verdict.done():
            self._verdict.set_result((title, text))

    async def aclose(self) -> None:
        """Deliver the page that is due, and leave other visitors."""
        self.finish("Sign-in ended", "Nothing was stored. Look at the terminal.")
        if self._answering:
            await asyncio.wait(self._answering, timeout=1.0)
        for task in list(self._answering):
            task.cancel()
            await asyncio.wait({task})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, then close it."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        await asyncio.wait({task})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_page(*await self._answer(head)))
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Not a browser, or one that went away: nobody to tell.
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> tuple[HTTPStatus, str, str]:
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        target = rest.partition(" ")[0]
        if urlsplit(target).path != CALLBACK_PATH:
            return HTTPStatus.NOT_FOUND, "Nothing here", "Only the sign-in comes to this address."
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, "Not so", "Open the address in a browser."
        redirect = self._read(target)
        if redirect is None:
            return (
                HTTPStatus.BAD_REQUEST,
                "Not this sign-in",
                "This answer belongs to another sign-in. Open the address in the terminal; it still waits.",
            )
        if not self._received.done():
            self._received.set_result(redirect)
        async with asyncio.timeout(_VERDICT_SECONDS):
            return HTTPStatus.OK, *await asyncio.shield(self._verdict)


def _page(status: HTTPStatus, title: str, text: str) -> bytes:
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>"
    ).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\nCache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\r\n"
    )
    return head.encode() + body

"""A proxy that stands before a server and breaks the connections through it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_DELAY_SECONDS = 60.0
_STOP_SECONDS = 5.0


class Break(Enum):
    """What befalls an answer on its way back."""

    CUT_BEFORE_HEADERS = auto()
    CUT_IN_BODY = auto()
    SHORT_LENGTH = auto()
    RESET = auto()
    DELAY = auto()


class BreakingProxy:
    """Breaks the first `times` answers (None: all), one to a connection, and passes on the rest.

    It speaks just enough HTTP for the simulated X: requests without a body, answers with a length.
    """

    def __init__(self, breakage: Break, times: int | None = None) -> None:
        self.broken = 0
        self._breakage = breakage
        self._times = times
        self._target = ("", 0)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="breaking-proxy", daemon=True)

    def before(self, url: str) -> str:
        """The address under which the server at `url` is reached through this."""
        target = urlsplit(url)
        self._target = (str(target.hostname), int(target.port or 80))
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(_STOP_SECONDS)

    def _stop(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with await asyncio.start_server(self._connection, sock=self._socket) as server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            head, body = await self._fetched(request)
            if self._times is None or self.broken < self._times:
                self.broken += 1
                await self._break(writer, head, body)
            else:
                writer.write(head + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            # The client went away, which is its right.
            pass
        finally:
            writer.close()

    async def _fetched(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the server's answer; the connection is not to be used again."""
        reader, writer = await asyncio.open_connection(*self._target)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        finally:
            writer.close()
        return head[:-2] + b"connection: close\r\n\r\n", body

    async def _break(self, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        match self._breakage:
            case Break.CUT_BEFORE_HEADERS:
                pass
            case Break.CUT_IN_BODY:
                writer.write(head + body[: len(body) // 2])
                await writer.drain()
            case Break.SHORT_LENGTH:
                told = f"content-length: {len(body)}".encode()
                short = f"content-length: {len(body) // 2}".encode()
                writer.write(head.replace(told, short) + body[: len(body) // 2])
                await writer.drain()
            case Break.RESET:
                writer.write(head + body[: len(body) // 2])
                await writer.drain()
                # A linger of nothing makes the close a reset.
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case Break.DELAY:
                await asyncio.sleep(_DELAY_SECONDS)


def _length(head: bytes) -> int:
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0

"""The HTTP server: uvicorn's protocol on sockets that are bound already, bounded in every direction."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import uvicorn
from h11 import LocalProtocolError
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from exporter.web.acceptor import Acceptor
from exporter.web.connection import Connection
from exporter.web.crowd import Crowd, most_connections

_HEAD_BYTES = 16 * 1024
_KEEP_ALIVE_SECONDS = 75

# How long answers under way are waited for at the end, and then whatever still hangs.
_GRACE_SECONDS = 2
_LAST_GRACE_SECONDS = 1


class WebServer:
    """Serves `app` on `listeners` while its context is entered, and closes them at the end.

    `tls` gives the context for each new connection; without it connections are plain.

    At most 1024 clients are connected at once, 256 with TLS, fewer where the process may open fewer files.
    One more takes the place of whoever can best be spared: first those that have asked for nothing yet,
    then those that are idle, then those slowest to take their answer. A request's head may be 16 KiB
    large and arrive within 10 seconds, like a TLS handshake. What the client does not take of an answer
    the system holds for it, megabytes for the first eight and little for others; if that does not do, it
    must be taken within a minute.

    Leaving takes at most about 3 seconds, whatever clients do: answers under way get 2 to be finished,
    then their connections are cut.

    Of uvicorn this uses protocol and configuration, but not its server, which would take over the
    process's signals, wake ten times a second, and refuse whoever comes when it is full.
    """

    def __init__(
        self,
        app: ASGIApp,
        listeners: Sequence[socket.socket],
        tls: Callable[[], ssl.SSLContext | None] | None = None,
    ) -> None:
        self._listeners = list(listeners)
        self._tls = tls or _plain
        self._crowd = Crowd(most_connections(tls=tls is not None))
        self._acceptors: list[Acceptor] = []
        self._state = ServerState()
        self._config = uvicorn.Config(
            app,
            loop="none",
            http=Connection,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=_HEAD_BYTES,
        )

    @property
    def port(self) -> int:
        """The port of the first listener, also where the system chose it."""
        port: int = self._listeners[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._config.load()
        try:
            for listener in self._listeners:
                self._acceptors.append(Acceptor(listener, self._crowd, self._connection, self._tls))
        except BaseException:
            self._stop_accepting()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_accepting()
        self._crowd.drop_silent()
        for connection in tuple(self._state.connections):
            # One that has gone wrong cannot say goodbye; it is cut below.
            with suppress(LocalProtocolError):
                connection.shutdown()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._crowd.gone(), _GRACE_SECONDS)
        self._crowd.drop_all()
        if self._state.tasks:
            # A task whose connection has been aborted ends by itself.
            _, hanging = await asyncio.wait(self._state.tasks, timeout=_LAST_GRACE_SECONDS)
            for task in hanging:
                task.cancel()

    def _connection(self) -> Connection:
        return Connection(self._config, self._crowd, self._state)

    def _stop_accepting(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in self._listeners:
            listener.close()


def _plain() -> None:
    """No context: connections are not encrypted."""

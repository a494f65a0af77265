"""The HTTP server: uvicorn's protocol on sockets that are bound already, bounded in every direction."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from exporter.web.connection import Connection

# Prometheus servers, probes and people together need a handful.
_CONNECTIONS = 128
_HEAD_BYTES = 16 * 1024
_KEEP_ALIVE_SECONDS = 75

# How long answers under way are waited for at the end, and then whatever still hangs.
_GRACE_SECONDS = 2
_LAST_GRACE_SECONDS = 3


class WebServer:
    """Serves `app` on `listeners` while its context is entered, and closes them at the end.

    Leaving takes at most about 3 seconds, whatever clients do: answers under way get 2 to be finished,
    then their connections are cut. A client beyond 128 connections is answered 503, one whose request's
    head grows beyond 16 KiB is answered 400, one that takes more than 10 seconds for it is cut off.

    Of uvicorn this uses start, protocol and shutdown, but not its main loop, which would take over the
    process's signals and wake ten times a second.
    """

    def __init__(self, app: ASGIApp, listeners: Sequence[socket.socket]) -> None:
        self._listeners = list(listeners)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="none",
                http=Connection,
                ws="none",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_LAST_GRACE_SECONDS,
                h11_max_incomplete_event_size=_HEAD_BYTES,
            )
        )

    @property
    def port(self) -> int:
        """The port of the first listener, also where the system chose it."""
        port: int = self._listeners[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        try:
            await self._server.startup(self._listeners)
        except BaseException:
            for listener in self._listeners:
                listener.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An aborted connection ends its own task; uvicorn would cancel it and log that as an error.
        cut_off = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._abort_connections)
        try:
            await self._server.shutdown(self._listeners)
        finally:
            cut_off.cancel()
            self._abort_connections()

    def _abort_connections(self) -> None:
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

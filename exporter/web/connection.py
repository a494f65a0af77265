"""One client's connection: HTTP/1.1, and how long each part of it may take."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from exporter.web.crowd import Crowd, Standing

_HANDSHAKE_SECONDS = 10
# From the connection, or from the first byte of a further request, to the end of the request's head.
_HEAD_SECONDS = 10
# From the first moment that the client does not keep up with its answer to the answer's end.
_ANSWER_SECONDS = 60

# The kernel takes a whole page at once for as many clients, so that its scraping is over before anything else
# happens. For each of them it may hold megabytes; for further clients it holds the bytes below, doubled.
_WELCOME_CLIENTS = 8
_SEND_BYTES = 128 * 1024

# In the ASGI scope's `state`: whether the client is one of those.
WELCOME = "welcome"


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, closed when a head or the taking of an answer lasts too long.

    uvicorn limits the wait between two requests but not the wait for the rest of one, nor for a client
    that reads drop by drop. `crowd` is told what the client does.
    """

    _opening: asyncio.Task[None]

    def __init__(self, config: Config, crowd: Crowd, state: ServerState) -> None:
        super().__init__(config, state, app_state={})
        # What a stranger sends that is no HTTP would be a line of the log each time.
        self.logger = _errors_of(self.logger)
        self._crowd = crowd
        self._head_deadline: asyncio.TimerHandle | None = None
        self._answer_deadline: asyncio.TimerHandle | None = None

    def open(self, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Begin on a socket just accepted, with a TLS handshake if `tls` is given."""
        self.app_state[WELCOME] = len(self._crowd) <= _WELCOME_CLIENTS
        if not self.app_state[WELCOME]:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self._opening = self.loop.create_task(self._open(accepted, tls))
        self._opening.add_done_callback(lambda _: self._opened(accepted))

    async def _open(self, accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
        seconds = None if tls is None else _HANDSHAKE_SECONDS
        try:
            await self.loop.connect_accepted_socket(
                lambda: self, accepted, ssl=tls, ssl_handshake_timeout=seconds
            )
        except (OSError, asyncio.CancelledError) as error:
            # Whoever breaks off, speaks no TLS or has the wrong certificate knows it best. The way to where
            # it was noticed would hold asyncio's buffer, a quarter of a megabyte, until a garbage collection.
            error.__traceback__ = None

    def _opened(self, accepted: socket.socket) -> None:
        if not self._is_open:
            # Where it was dropped before it began, nobody else knows the socket.
            accepted.close()
            self._crowd.leave(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first request."""
        super().connection_made(transport)
        # What is written and not taken yet is one chunk at most; the kernel holds enough besides. With a
        # limit of 0 asyncio's TLS would be full when it is empty.
        transport.set_write_buffer_limits(high=1)
        self._head_deadline = self.loop.call_later(_HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Let a complete head stop the wait, and the first byte of another start it anew."""
        super().data_received(data)
        if self._is_answering:
            self._head_has_come()
            self._settle()
        elif self._head_deadline is None:
            self._head_deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def on_response_complete(self) -> None:
        """Take up what was asked for meanwhile, or wait for more."""
        super().on_response_complete()
        self._settle()

    def pause_writing(self) -> None:
        """Wait for the client, which has taken too little so far, but not for ever."""
        super().pause_writing()
        if self._answer_deadline is None:
            self._answer_deadline = self.loop.call_later(_ANSWER_SECONDS, self.transport.abort)
        self._settle()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_has_come()
        self._answer_is_taken()
        super().connection_lost(exc)
        self._crowd.leave(self)

    def drop(self) -> None:
        """End the connection at once, also while it is only being opened."""
        if self._is_open:
            self.transport.abort()
        else:
            self._opening.cancel()

    @property
    def _is_open(self) -> bool:
        # Declared to be there always, and None until the connection is made.
        transport: asyncio.Transport | None = self.transport
        return transport is not None

    @property
    def _is_answering(self) -> bool:
        # Declared to be there always, and None until the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _settle(self) -> None:
        if self.flow.write_paused:
            self._crowd.stand(self, Standing.SLOW)
        elif self._is_answering:
            self._crowd.stand(self, Standing.SERVED)
        else:
            self._answer_is_taken()
            self._crowd.stand(self, Standing.IDLE)

    def _head_has_come(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _answer_is_taken(self) -> None:
        if self._answer_deadline is not None:
            self._answer_deadline.cancel()
            self._answer_deadline = None


def _errors_of(logger: logging.Logger) -> logging.Logger:
    # Not one of the loggers that everybody shares, which would be quiet for others too.
    quiet = logging.Logger(logger.name, logging.ERROR)  # noqa: LOG001 - see above
    quiet.parent = logger
    return quiet

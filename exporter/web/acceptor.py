"""From a listening socket to connections: accepted, made room for, and encrypted where that is asked for."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

from exporter.web.connection import Connection
from exporter.web.crowd import Crowd

# Others that wait for their turn on the event loop come in between.
_AT_ONCE: Final = 64
# While there is nothing to accept with.
_PAUSE_SECONDS: Final = 0.1
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts connections on `listener`, one `Connection` of `connect` each, until it is closed.

    asyncio's own server would count neither those that have not finished a handshake, nor let a
    connection begin with another certificate than the last. `tls` gives the context for each new one.
    """

    def __init__(
        self,
        listener: socket.socket,
        crowd: Crowd,
        connect: Callable[[], Connection],
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        self._listener = listener
        self._crowd = crowd
        self._connect = connect
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        listener.setblocking(False)  # noqa: FBT003 - its only argument
        self._listen()

    def close(self) -> None:
        """Accept no more."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._make_room()
                return
            accepted.setblocking(False)  # noqa: FBT003 - its only argument
            self._take_in(accepted)

    def _make_room(self) -> None:
        self._crowd.drop_one()
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self._listen)

    def _take_in(self, accepted: socket.socket) -> None:
        connection = self._connect()
        if self._crowd.enter(connection):
            connection.open(accepted, self._tls())
        else:
            accepted.close()

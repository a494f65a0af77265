"""Everybody who is connected, and who has to go when there are too many."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Protocol

_MOST: Final = 1024
# asyncio holds a quarter of a megabyte for each TLS connection, however idle.
_MOST_TLS: Final = 256
# Files for everything else: listeners, X, tokens, journal.
_RESERVED_FILES: Final = 64
_FEWEST: Final = 16


class Standing(IntEnum):
    """What a client is doing; those of a lower standing go first."""

    SILENT = 0
    """It has not said yet what it wants."""
    IDLE = 1
    """It has been answered."""
    SLOW = 2
    """It does not take its answer as fast as we write."""
    SERVED = 3
    """Its answer is being made."""


class Client(Protocol):
    """Somebody who is connected."""

    def drop(self) -> None:
        """End the connection at once."""


def most_connections(*, tls: bool) -> int:
    """How many connections this process can have, by its memory and its limit of open files."""
    most = _MOST_TLS if tls else _MOST
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(_FEWEST, min(most, soft - _RESERVED_FILES))


class Crowd:
    """At most `most` clients, and at most half of those slow, since what is written for them fills memory.

    Whoever has been in the lowest standing longest is dropped to make room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._standings: Mapping[Standing, dict[Client, None]] = {each: {} for each in Standing}
        self._where: dict[Client, Standing] = {}
        self._left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._where)

    def enter(self, client: Client) -> bool:
        """Take `client` in, dropping another if need be; False where everybody is being served."""
        if len(self._where) >= self._most and not self.drop_one():
            return False
        self._put(client, Standing.SILENT)
        return True

    def stand(self, client: Client, standing: Standing) -> None:
        """Note what `client` does now; nothing where that is what it did before, or where it has left."""
        before = self._where.get(client)
        if before is None or before is standing:
            return
        del self._standings[before][client]
        self._put(client, standing)
        if len(self._standings[Standing.SLOW]) > self._most // 2:
            self._drop_first(Standing.SLOW)

    def leave(self, client: Client) -> None:
        """Forget `client`, whose connection has ended."""
        standing = self._where.pop(client, None)
        if standing is not None:
            del self._standings[standing][client]
            self._left.set()

    def drop_one(self) -> bool:
        """Drop whoever can best be spared; False where everybody is being served."""
        for standing in (Standing.SILENT, Standing.IDLE, Standing.SLOW):
            if self._standings[standing]:
                self._drop_first(standing)
                return True
        return False

    def drop_all(self) -> None:
        """Drop everybody."""
        for client in tuple(self._where):
            self.leave(client)
            client.drop()

    def drop_silent(self) -> None:
        """Drop those that have not said yet what they want."""
        while self._standings[Standing.SILENT]:
            self._drop_first(Standing.SILENT)

    async def gone(self) -> None:
        """Wait until nobody is left."""
        while self._where:
            self._left.clear()
            await self._left.wait()

    def _put(self, client: Client, standing: Standing) -> None:
        self._where[client] = standing
        self._standings[standing][client] = None

    def _drop_first(self, standing: Standing) -> None:
        client = next(iter(self._standings[standing]))
        self.leave(client)
        client.drop()

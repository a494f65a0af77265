"""Passwords against bcrypt hashes, without letting those who guess take the processor or the turn."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Final

import bcrypt

from exporter.config.settings import Secret

# All that bcrypt looks at; other programs cut the rest off in silence too.
_BCRYPT_BYTES: Final = 72

_REMEMBERED: Final = 1024
_WAITING: Final = 32
_WAITING_PER_CLIENT: Final = 4
# A wrong password makes the next check wait so many times as long as its own took: guessing gets at most a
# quarter of one processor.
_REST_FACTOR: Final = 3.0


class CrowdedError(Exception):
    """Too many passwords are waiting to be checked; this one was not."""


class Passwords:
    """Tells whether users' passwords are right; what was checked once is known from then on.

    bcrypt runs in a thread, for one password at a time. A user that does not exist costs as much as one
    that does. Answers are remembered under a keyed hash of user, password and bcrypt hash, so that a
    changed hash is checked anew and no password stays in memory.
    """

    def __init__(self) -> None:
        self._salt = os.urandom(32)
        self._right = _Memory()
        self._wrong = _Memory()
        self._checks: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._rest_until = 0.0

    async def is_right(self, users: Mapping[str, Secret], user: str, password: bytes, client: str) -> bool:
        """Whether `user` is one of `users`, with this password; `client` is the address that asks.

        Raises `CrowdedError`.
        """
        hashed = users.get(user) or _decoy(users)
        key = self._key(user, password, hashed)
        if self._right.has(key):
            return True
        if self._wrong.has(key):
            return False
        check = self._checks.get(key) or self._begin(key, password, hashed, client, known=user in users)
        # A client that goes away does not take the answer from others that wait for the same.
        return await asyncio.shield(check)

    def _key(self, user: str, password: bytes, hashed: Secret) -> bytes:
        parts = (user.encode("utf-8", "surrogatepass"), password, hashed.reveal().encode())
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2b(text, key=self._salt, digest_size=32).digest()

    def _begin(
        self, key: bytes, password: bytes, hashed: Secret, client: str, *, known: bool
    ) -> asyncio.Task[bool]:
        if self._waiting[client] >= _WAITING_PER_CLIENT or self._waiting.total() >= _WAITING:
            raise CrowdedError
        self._waiting[client] += 1
        check = asyncio.create_task(self._check(key, password, hashed, known=known))
        self._checks[key] = check
        check.add_done_callback(lambda _: self._end(key, client))
        return check

    def _end(self, key: bytes, client: str) -> None:
        del self._checks[key]
        self._waiting[client] -= 1
        if not self._waiting[client]:
            del self._waiting[client]

    async def _check(self, key: bytes, password: bytes, hashed: Secret, *, known: bool) -> bool:
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._rest_until - loop.time())
            began = loop.time()
            fits = await asyncio.to_thread(_fits, password, hashed)
            right = fits and known
            if not right:
                self._rest_until = loop.time() + _REST_FACTOR * (loop.time() - began)
            (self._right if right else self._wrong).add(key)
            return right


class _Memory:
    """The last so many keys that were asked for."""

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def has(self, key: bytes) -> bool:
        if key not in self._keys:
            return False
        self._keys.move_to_end(key)
        return True

    def add(self, key: bytes) -> None:
        self._keys[key] = None
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)


def _decoy(users: Mapping[str, Secret]) -> Secret:
    """A hash that no password fits, and that costs what the users' own cost."""
    start = max((hashed.reveal()[:7] for hashed in users.values()), key=lambda text: text[4:6])
    return Secret(start + "." * 53)


def _fits(password: bytes, hashed: Secret) -> bool:
    return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed.reveal().encode())

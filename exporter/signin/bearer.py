"""A user-context access token that somebody else keeps fresh: inline, or in a file."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from exporter.config.settings import BearerAuth, Secret
from exporter.errors import CredentialsError
from exporter.signin.disk import Stamp
from exporter.signin.scheme import SignInStatus
from exporter.signin.tokens import is_token

MAX_FILE_BYTES = 64 * 1024


class BearerSigner:
    """Signs with the configured token; a token file is read again when it changes.

    A change is seen by the file's identity, size and times, through symbolic links, so that a mounted
    Kubernetes secret, which swaps a link, counts as well.
    """

    def __init__(self, account: str, auth: BearerAuth) -> None:
        self._account = account
        self._file = auth.token_file
        self._token = auth.token
        self._handed: Secret | None = None
        self._stamp: Stamp | None = None
        self._trouble = None if auth.token is None or is_token(auth.token.reveal()) else _no_token(account)

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self._account

    async def headers(self, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 - part of the seam
        """The bearer header; see `Signer.headers`."""
        await self.look()
        if self._token is None or self._trouble is not None:
            raise CredentialsError(self._trouble or f"Account {self._account!r} has no bearer token.")
        self._handed = self._token
        return {"Authorization": f"Bearer {self._token.reveal()}"}

    async def rejected(self) -> bool:
        """X answered 401: True when the file holds another token by now; see `Signer.rejected`."""
        self._stamp = None
        await self.look()
        return self._trouble is None and self._token != self._handed

    async def look(self) -> SignInStatus:
        """Read the token file if it changed."""
        if self._file is not None:
            try:
                stamp, token = await asyncio.to_thread(_read, self._file, self._stamp)
                self._stamp, self._token = stamp, token or self._token
                self._trouble = None
            except CredentialsError as error:
                self._stamp, self._trouble = None, str(error)
        return self.status()

    def status(self) -> SignInStatus:
        """How things stand; when the token expires is not known."""
        return SignInStatus(self._account, sentence=self._trouble)

    async def aclose(self, wait_seconds: float) -> None:
        """Nothing is ever in flight."""


def _no_token(account: str) -> str:
    return (
        f"Account {account!r}: `auth.bearer_token` is no token. Put a user-context access token there, "
        "visible ASCII characters without spaces."
    )


def _read(file: Path, known: Stamp | None) -> tuple[Stamp, Secret | None]:
    """The file's stamp and, unless it is `known`, the token in it."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            found = os.fstat(handle)
            stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            if stamp == known:
                return stamp, None
            # A pipe would never answer, and a second reading of one would find nothing.
            content = stream.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise CredentialsError(
            f"{file}: the bearer token cannot be read: {error.strerror or error}. Make the file readable."
        ) from error
    token = content.decode("ascii", "replace").strip()
    if not is_token(token) or len(content) > MAX_FILE_BYTES:
        raise CredentialsError(
            f"{file}: holds no bearer token. Put a user-context access token there, alone, as plain text."
        )
    return stamp, Secret(token)

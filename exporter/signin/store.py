"""One account's token file: read, replaced as a whole, mended after a crash. Blocking."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Protocol

from exporter.errors import CredentialsError
from exporter.signin.disk import Stamp
from exporter.signin.document import decode, encode
from exporter.signin.tokens import AccountTokens


class Files(Protocol):
    """The file operations needed; see `exporter.signin.disk.Disk`."""

    directory: Path

    def stamp(self, name: str) -> Stamp | None: ...  # noqa: D102
    def read(self, name: str) -> bytes | None: ...  # noqa: D102
    def write(self, name: str, content: bytes) -> None: ...  # noqa: D102
    def rename(self, name: str, new_name: str) -> None: ...  # noqa: D102
    def remove(self, name: str) -> None: ...  # noqa: D102


class TokenStore:
    """The file `<account>.json`; whoever calls `save` or `recover` holds the account's lock."""

    def __init__(self, files: Files, account: str) -> None:
        self._files = files
        self._account = account
        self._name = f"{account}.json"
        self._draft = f".{account}.json.draft"

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._files.directory / self._name

    def stamp(self) -> Stamp | None:
        """What changes whenever the file does; None where there is none or it cannot be looked at."""
        try:
            return self._files.stamp(self._name)
        except OSError:
            return None

    def load(self) -> AccountTokens | None:
        """What is on disk, None where nobody signed in yet.

        Raises:
            CredentialsError: the file is torn, foreign, of a newer version, a link, or unreadable. It is
                left as it is.
        """
        try:
            body = self._files.read(self._name)
        except OSError as error:
            raise CredentialsError(self._cannot_be("read", error)) from error
        return None if body is None else decode(body, str(self.path), self._account)

    def save(self, tokens: AccountTokens) -> None:
        """Replace the file by `tokens`; on the medium when this returns, the old or the new whole before.

        Raises:
            CredentialsError: it could not be written; the old file stands.
        """
        try:
            self._files.write(self._draft, encode(tokens))
            self._files.rename(self._draft, self._name)
        except OSError as error:
            raise CredentialsError(self._cannot_be("written", error)) from error

    def recover(self) -> None:
        """Finish a `save` that a crash cut off after the new content was complete.

        The draft is taken only when it says itself that it replaces the token in the file.
        """
        with suppress(OSError, CredentialsError):
            body = self._files.read(self._draft)
            if body is None:
                return
            draft, current = decode(body, str(self.path), self._account), self.load()
            known = None if current is None else current.refresh_token
            if draft.pair is not None and (known is None or draft.is_spent(known)):
                self._files.rename(self._draft, self._name)

    def _cannot_be(self, done: str, error: OSError) -> str:
        return (
            f"{self.path}: cannot be {done}: {error.strerror or error}. Tokens are kept there, in a regular "
            "file that this program alone reads and writes; mend the directory `state_dir` names."
        )

"""One refresh per account at a time, across tasks and processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Awaitable, Callable
from types import TracebackType

from exporter.errors import CredentialsError
from exporter.signin.disk import Disk

POLL_SECONDS = 0.05


class AccountLock:
    """The lock of one account, held from `async with` to its end; the kernel frees it if the process dies.

    It is an advisory lock on a file of its own beside the token file, since that one is replaced at each
    save. Waiting polls instead of blocking the event loop. The file is never removed: whoever waits on a
    removed file would hold a lock that nobody else sees. Not reentrant; make one per holder.
    """

    def __init__(
        self, disk: Disk, account: str, sleep: Callable[[float], Awaitable[None]], patience_seconds: float
    ) -> None:
        self._disk = disk
        self._path = disk.directory / f"{account}.lock"
        self._sleep = sleep
        self._patience_seconds = patience_seconds
        self._handle: int | None = None

    async def __aenter__(self) -> None:
        """Wait for the lock.

        Raises:
            CredentialsError: it cannot be had here, or not within `patience_seconds`.
        """
        try:
            self._disk.prepare()
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise CredentialsError(self._cannot_be_had(error)) from error
        try:
            await self._lock(handle)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    async def _lock(self, handle: int) -> None:
        for _ in range(max(1, round(self._patience_seconds / POLL_SECONDS))):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await self._sleep(POLL_SECONDS)
            except OSError as error:
                raise CredentialsError(self._cannot_be_had(error)) from error
            else:
                return
        raise CredentialsError(
            f"{self._path}: another process has held this lock for {self._patience_seconds:g} s. It should "
            "only do so during one token refresh; look for one that hangs."
        )

    def _cannot_be_had(self, error: OSError) -> str:
        return (
            f"{self._path}: cannot be locked: {error.strerror or error}. Refreshing tokens needs a "
            "`state_dir` on a file system that can be written and that knows locks."
        )

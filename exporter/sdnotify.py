"""What systemd is told about this process: ready, reloading, stopping, still alive.

systemd names a datagram socket in ``NOTIFY_SOCKET`` and, where the unit sets ``WatchdogSec=``, in
``WATCHDOG_USEC`` the microseconds of silence that it takes for hanging: sd_notify(3) and
sd_watchdog_enabled(3). Started by anything else, nothing is told and nothing fails.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The service manager that started this process, if any.

    `address` is its socket, a path or ``@`` and an abstract name, None for no manager. `watchdog_seconds` is
    how long it waits for a sign of life, None for as long as it takes.
    """

    address: str | None = None
    watchdog_seconds: float | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], pid: int) -> ServiceManager:
        """The manager that `environ` names to the process `pid`."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address, _watchdog_seconds(environ, pid))

    def ready(self) -> None:
        """The service works, for the first time or again after `reloading`."""
        self._tell("READY=1")

    def reloading(self, monotonic_seconds: float) -> None:
        """The configuration is being read again since `monotonic_seconds` of the monotonic clock."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_seconds * 1_000_000)}")

    @contextmanager
    def during_reload(self, monotonic: Callable[[], float]) -> Iterator[None]:
        """Tell of a reload that lasts as long as the context, whatever comes of it.

        `monotonic` gives seconds of the monotonic clock.
        """
        self.reloading(monotonic())
        try:
            yield
        finally:
            self.ready()

    def stopping(self) -> None:
        """The service has begun to stop."""
        self._tell("STOPPING=1")

    async def keep_alive(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Give signs of life, twice as often as expected, until cancelled; return where none are expected."""
        while self.watchdog_seconds is not None:
            self._tell("WATCHDOG=1")
            await sleep(self.watchdog_seconds / 2)

    def _tell(self, message: str) -> None:
        if self.address is None:
            return
        # A leading zero byte is how an abstract name is written for the kernel.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        # A manager that does not listen is no reason to stop working, and a full queue none to wait.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)  # noqa: FBT003 - its only argument
            channel.sendto(message.encode(), address)


def _watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    # Set where the unit's first process is meant; inherited by a child, it is not the child's.
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / 1_000_000

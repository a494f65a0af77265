"""What goes on beside polling once hours are kept: learning how they settle, and sending them on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from exporter.config.settings import Config, RemoteWriteSettings
from exporter.errors import JournalError
from exporter.journal import Settling
from exporter.model import HOUR_SECONDS
from exporter.recording.recorder import Recorder
from exporter.remotewrite.writer import RemoteWriteStatus
from exporter.status.history import HistoryView, RemoteWriteView

# How figures settle is learnt from whole days, which lie so far back that X tells them no more.
_FIRST_HOURS_AGO = 28 + 3 * 24
_LAST_HOURS_AGO = 29


class Writer(Protocol):
    """Who sends settled hours on; `exporter.remotewrite.writer.RemoteWriter` does."""

    async def adopt(self, settings: RemoteWriteSettings | None) -> None: ...  # noqa: D102
    def wake(self) -> None: ...  # noqa: D102
    async def aclose(self) -> None: ...  # noqa: D102

    @property
    def status(self) -> RemoteWriteStatus | None: ...  # noqa: D102


class Historian:
    """Looks after the journal that `recorder` keeps, and lets `writer` send on what has settled.

    `clock` gives Unix seconds. Everything belongs to one event loop.
    """

    def __init__(
        self, recorder: Recorder, writer: Writer, clock: Callable[[], float], log: FilteringBoundLogger
    ) -> None:
        self._recorder = recorder
        self._writer = writer
        self._clock = clock
        self._log = log
        self._keep_seconds = 0.0
        self._settling: Mapping[str, Settling] = {}
        self._learnt_hour = 0
        self._learning: asyncio.Task[None] | None = None
        self._warned: set[str] = set()
        recorder.listen(self._written)

    async def adopt(self, config: Config) -> None:
        """Keep and send hours as `config` asks."""
        self._keep_seconds = config.history.keep_seconds
        self._warned = set()
        await self._writer.adopt(config.remote_write)

    def view(self) -> HistoryView | None:
        """How all of it stands, None before the journal was first opened."""
        journal = self._recorder.status
        if journal is None:
            return None
        return HistoryView(self._keep_seconds, journal.trouble, self._settling, self._remote_write())

    async def aclose(self) -> None:
        """Stop; what is not sent yet waits in the journal."""
        if self._learning is not None:
            self._learning.cancel()
        await self._writer.aclose()

    def _remote_write(self) -> RemoteWriteView | None:
        status = self._writer.status
        if status is None:
            return None
        return RemoteWriteView(
            status.settle_seconds,
            status.pending,
            status.oldest_hour,
            status.last_success_at,
            status.error,
            status.error_at,
        )

    def _written(self) -> None:
        self._writer.wake()
        hour = int(self._clock() // HOUR_SECONDS)
        if hour != self._learnt_hour and (self._learning is None or self._learning.done()):
            self._learnt_hour = hour
            self._learning = asyncio.create_task(self._learn(hour), name="settling")

    async def _learn(self, hour: int) -> None:
        first, last = hour - _FIRST_HOURS_AGO, hour - _LAST_HOURS_AGO
        with suppress(JournalError):
            self._settling = await self._recorder.run(lambda journal: journal.settling(first, last))
            self._warn()

    def _warn(self) -> None:
        """Say once of an endpoint that its figures still change after they have been sent."""
        view = self.view()
        unsettled = {} if view is None else dict(view.unsettled())
        for endpoint, settling in unsettled.items():
            if endpoint not in self._warned:
                self._log.warning(
                    "remote_write.settle is shorter than figures take to settle: one hour in a hundred still"
                    " changes after it was sent; raise it",
                    endpoint=endpoint,
                    p99_seconds=round(settling.p99_seconds),
                )
        self._warned = set(unsettled)

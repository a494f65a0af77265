"""Remote write as the daemon has it: on, off or elsewhere, as the configuration says now."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.registry import CollectorRegistry

from exporter.config.settings import RemoteWriteSettings
from exporter.errors import JournalError
from exporter.remotewrite.surroundings import Journal, Surroundings

if TYPE_CHECKING:
    # Loaded where something is sent, which most daemons do not.
    from exporter.remotewrite.sender import Sender
    from exporter.selfmetrics.remote_write import RemoteWriteMetrics


@dataclass(frozen=True, slots=True)
class RemoteWriteStatus:
    """How the sending fares; nothing in it is secret.

    `address` is where hours go, `settle_seconds` how long after their end. `pending` counts the settled
    hours of items that wait, and `oldest_hour` is the oldest of them, as hours since the Unix epoch. `error`
    is a sentence on what went wrong last, None once a message is taken; `error_at` is when. Times are Unix
    seconds.
    """

    address: str
    settle_seconds: float
    pending: int
    oldest_hour: int | None
    last_success_at: float | None
    error: str | None
    error_at: float | None


class RemoteWriter:
    """Sends settled hours for as long as the configuration asks for it.

    `journal` does work with the journal. The metrics are on `registry` while hours are sent somewhere.
    All methods belong to one event loop.
    """

    def __init__(self, journal: Journal, surroundings: Surroundings, registry: CollectorRegistry) -> None:
        self._journal = journal
        self._with = surroundings
        self._registry = registry
        self._settings: RemoteWriteSettings | None = None
        self._metrics: RemoteWriteMetrics | None = None
        self._sender: Sender | None = None
        self._task: asyncio.Task[None] | None = None

    async def adopt(self, settings: RemoteWriteSettings | None) -> None:
        """Send as `settings` ask from now on; None sends nothing, and forgets what waits.

        What waits goes on waiting when only the settings change.
        """
        if self._task is not None and not self._task.done() and settings == self._settings:
            return
        await self._stop()
        self._settings = settings
        if settings is None:
            self._withdraw()
            # A journal that is down now is asked again at the next reload or start.
            with suppress(JournalError):
                await self._journal(lambda journal: journal.close_outbox())
            return
        from exporter.remotewrite.sender import Sender  # noqa: PLC0415 - see above
        from exporter.selfmetrics.remote_write import RemoteWriteMetrics  # noqa: PLC0415 - see above

        self._metrics = self._metrics or RemoteWriteMetrics(self._registry, self._with.clock)
        self._sender = Sender(settings, self._journal, self._with, self._metrics)
        self._task = asyncio.create_task(self._sender.run(), name="remote write")
        self._task.add_done_callback(self._ended)

    def wake(self) -> None:
        """The journal was written."""
        if self._sender is not None:
            self._sender.wake()

    @property
    def status(self) -> RemoteWriteStatus | None:
        """How the sending fares, None where nothing is sent."""
        if self._settings is None or self._sender is None:
            return None
        progress = self._sender.progress
        return RemoteWriteStatus(
            self._settings.address,
            self._settings.settle_seconds,
            progress.pending,
            progress.oldest_hour,
            progress.last_success_at,
            progress.error,
            progress.error_at,
        )

    async def aclose(self) -> None:
        """Stop at once; what is on its way is sent again after the next start."""
        await self._stop()

    async def _stop(self) -> None:
        task, self._task, self._sender = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _withdraw(self) -> None:
        if self._metrics is not None:
            self._metrics.withdraw()
            self._metrics = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._with.log.error("remote write has stopped", exc_info=task.exception())

"""From the outbox to the receiver: hours as they settle, the oldest first."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing, suppress
from typing import Final

from exporter.config.settings import RemoteWriteSettings
from exporter.errors import JournalError
from exporter.journal import StoredBucket
from exporter.model import HOUR_SECONDS
from exporter.remotewrite.delivery import Delivery
from exporter.remotewrite.surroundings import Journal, Progress, Surroundings
from exporter.selfmetrics.remote_write import RemoteWriteMetrics, SkipReason

# Hours of items that are looked at together: a few messages, so that an item that the receiver refuses does
# not look like a receiver that refuses everything.
BATCH_BUCKETS: Final = 200
# When sending is new, hours are sent from as far back as X tells of them.
FIRST_HOURS: Final = 28
# What the journal writes comes in bursts.
_BURST_SECONDS: Final = 1.0
_JOURNAL_SECONDS: Final = 60.0


class Sender:
    """Sends what waits in the outbox of `journal` as `settings` ask.

    A message is sent again until the receiver answers for its samples. So each of them arrives at least
    once, and with the same content each time, since the outbox keeps what it has handed out as it was.
    """

    def __init__(
        self,
        settings: RemoteWriteSettings,
        journal: Journal,
        surroundings: Surroundings,
        metrics: RemoteWriteMetrics,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._with = surroundings
        self._metrics = metrics
        self._delivery = Delivery(settings, surroundings, metrics, self._look_while_failing)
        self._woken = asyncio.Event()

    @property
    def progress(self) -> Progress:
        """How the sending fares."""
        return self._delivery.progress

    def wake(self) -> None:
        """The journal was written: what waits may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Send each hour once it has settled, until cancelled."""
        while True:
            await self._idle(await self._round())

    async def drain(self) -> None:
        """Send what is settled now, however long it takes.

        Raises:
            JournalError: the outbox cannot be read or written; what was taken already may be sent again.
        """
        skipped = self.progress.skipped.copy()
        try:
            while batch := await self._take():
                await self._deliver(batch)
                await self._look()
        finally:
            await self._delivery.aclose()
            self._tell_what_was_given_up(skipped)

    def _tell_what_was_given_up(self, before: Counter[SkipReason]) -> None:
        for reason, samples in (self.progress.skipped - before).items():
            self._with.log.warning(
                "remote write: samples were refused for good and are given up",
                reason=reason.value,
                samples=samples,
                receiver_says=self.progress.words.get(reason, ""),
            )

    async def _round(self) -> float | None:
        """Send what is due; seconds until the next hour settles, None while none waits."""
        first = int(self._with.clock() // HOUR_SECONDS) - FIRST_HOURS
        try:
            await self._journal(lambda journal: journal.open_outbox(first))
            await self._look()
            if self.progress.pending:
                await self.drain()
            _, oldest = await self._journal(lambda journal: journal.outbox_size())
        except JournalError:
            # Who keeps the journal says what is wrong with it.
            return _JOURNAL_SECONDS
        if oldest is None:
            return None
        # One that has settled and yet was left waits for X to be asked about it once more; others may be due.
        next_due = self._due_since(max(oldest, self._last_settled_hour() + 1))
        return max(_BURST_SECONDS, next_due - self._with.clock())

    async def _idle(self, seconds: float | None) -> None:
        """Wait until `seconds` have passed or the journal was written."""
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._woken.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._with.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._woken.is_set():
            await self._with.sleep(_BURST_SECONDS)
            self._woken.clear()

    async def _take(self) -> list[StoredBucket]:
        last, settle = self._last_settled_hour(), self._settings.settle_seconds
        return await self._journal(lambda journal: journal.outbox_take(last, BATCH_BUCKETS, settle))

    async def _deliver(self, batch: list[StoredBucket]) -> None:
        async with aclosing(self._delivery.deliver(batch)) as steps:
            async for done in steps:
                if done:
                    await self._journal(lambda journal: journal.outbox_done(done))  # noqa: B023 - done at once

    async def _look(self) -> None:
        """See what waits."""
        last, settle = self._last_settled_hour(), self._settings.settle_seconds
        pending, oldest = await self._journal(lambda journal: journal.outbox_size(last, settle))
        self.progress.pending, self.progress.oldest_hour = pending, oldest
        self._metrics.waiting(pending, None if oldest is None else self._due_since(oldest))

    async def _look_while_failing(self) -> None:
        with suppress(JournalError):
            await self._look()

    def _due_since(self, hour: int) -> float:
        return (hour + 1) * HOUR_SECONDS + self._settings.settle_seconds

    def _last_settled_hour(self) -> int:
        return int((self._with.clock() - self._settings.settle_seconds) // HOUR_SECONDS) - 1

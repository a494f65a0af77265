"""One batch to the receiver: sent until it answers for every sample, one way or the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final

from exporter.config.settings import RemoteWriteSettings
from exporter.journal import StoredBucket
from exporter.remotewrite.message import packed_message
from exporter.remotewrite.receiver import Receiver
from exporter.remotewrite.series import Sample
from exporter.remotewrite.sift import MOST_SAMPLES, Sift
from exporter.remotewrite.surroundings import Progress, Surroundings
from exporter.remotewrite.verdict import LONGEST_WAIT_SECONDS, PutOff, Refused, Taken
from exporter.selfmetrics.remote_write import RemoteWriteMetrics, SendFailure, SkipReason

# A receiver that refuses samples one by one is given a pause after so many refusals.
REFUSALS_AT_ONCE: Final = 100
# One that refused everything is asked about single samples again after this.
DOUBTING_SECONDS: Final = 600.0

_CURE: Final = (
    "remote write: the receiver takes no samples of that age, and they are given up; in Prometheus set"
    " storage.tsdb.out_of_order_time_window: 36h (Mimir: limits.out_of_order_time_window,"
    " Thanos: --tsdb.out-of-order.time-window)"
)
_CURED_BY_A_WINDOW: Final = frozenset({SkipReason.TOO_OLD, SkipReason.OUT_OF_BOUNDS})


class Delivery:
    """Brings batches to the receiver that `settings` name, and tells `metrics` and `progress` how it fares.

    `failing` is called after each try in vain.
    """

    def __init__(
        self,
        settings: RemoteWriteSettings,
        surroundings: Surroundings,
        metrics: RemoteWriteMetrics,
        failing: Callable[[], Awaitable[None]],
    ) -> None:
        self.progress = Progress()
        self._settings = settings
        self._with = surroundings
        self._metrics = metrics
        self._failing = failing
        self._receiver = Receiver(settings, surroundings.open_http, surroundings.clock)
        self._most = MOST_SAMPLES
        self._failures = 0
        self._logged: set[SendFailure] = set()
        self._doubted_at: float | None = None
        self._knows_cure = False

    async def deliver(self, batch: Sequence[StoredBucket]) -> AsyncGenerator[list[tuple[str, int]]]:
        """Send `batch`; gives the item ids and hours that are done with, as soon as they are.

        Where the receiver takes nothing whatever it is sent, this pauses and ends before all are done.
        """
        cautious = self._doubted_lately()
        sift, refusals = Sift(batch, most=self._most, cautious=cautious), 0
        yield sift.settled()
        while portion := sift.portion:
            found = await self._insist(portion)
            if isinstance(found, Taken):
                sift.taken()
                self._taken(len(portion))
            else:
                self._refused(sift, found)
                refusals += 1
            self._skipped(sift)
            yield sift.settled()
            if sift.stuck and isinstance(found, Refused):
                await self._step_back(found, cautious=cautious)
            elif refusals >= REFUSALS_AT_ONCE:
                refusals = 0
                await self._with.sleep(LONGEST_WAIT_SECONDS)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._receiver.aclose()

    async def _insist(self, portion: Sequence[Sample]) -> Taken | Refused:
        """Send `portion` until the receiver answers for its samples."""
        body = await asyncio.to_thread(packed_message, portion, self._settings.external_labels)
        while isinstance(found := await self._receiver.post(body), PutOff):
            self._metrics.failed(found.reason)
            self._complain(found.reason, found.sentence)
            await self._failing()
            self._failures += 1
            await self._with.sleep(max(found.wait_seconds, self._backoff_seconds()))
        self._failures = 0
        return found

    def _backoff_seconds(self) -> float:
        ceiling = min(LONGEST_WAIT_SECONDS, 2.0 ** min(self._failures - 1, 10))
        return ceiling * self._with.random()

    def _complain(self, reason: SendFailure, sentence: str) -> None:
        self.progress.error, self.progress.error_at = sentence, self._with.clock()
        if reason not in self._logged:
            self._logged.add(reason)
            self._with.log.warning("remote write brings nothing in", error=sentence)

    def _taken(self, samples: int) -> None:
        now = self._with.clock()
        self._metrics.sent(samples, now)
        self.progress.taken += samples
        self.progress.last_success_at, self.progress.error, self.progress.error_at = now, None, None
        self._doubted_at = None
        if self._logged:
            self._logged.clear()
            self._with.log.info("remote write works again", address=self._settings.address)

    def _refused(self, sift: Sift, refused: Refused) -> None:
        self._metrics.failed(SendFailure.REFUSED)
        if refused.too_large:
            sift.too_large()
            self._most = sift.most
        else:
            sift.refused(refused.reason)
        self.progress.words[refused.reason] = refused.words

    def _skipped(self, sift: Sift) -> None:
        for reason, samples in sift.newly_skipped().items():
            self._metrics.skipped(reason, samples)
            self.progress.skipped[reason] += samples
            if reason in _CURED_BY_A_WINDOW and not self._knows_cure:
                self._knows_cure = True
                self._with.log.warning(_CURE)

    def _doubted_lately(self) -> bool:
        since = self._doubted_at
        return since is not None and self._with.clock() - since < DOUBTING_SECONDS

    async def _step_back(self, refused: Refused, *, cautious: bool) -> None:
        self._complain(
            SendFailure.REFUSED,
            f"{self._settings.address} refuses whatever it is sent ({refused.words}); nothing is given up,"
            " it is tried again",
        )
        if not cautious:
            self._doubted_at = self._with.clock()
        await self._failing()
        await self._with.sleep(LONGEST_WAIT_SECONDS)

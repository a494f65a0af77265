"""What is known of the history: whether the journal is written, how figures settle, what waits to be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exporter.journal import Settling

# Of fewer hours than this a hundredth says nothing.
_ENOUGH_HOURS = 200


@dataclass(frozen=True, slots=True)
class RemoteWriteView:
    """How the sending of settled hours fares.

    `settle_seconds` is how long after its end an hour is sent. `pending` counts the hours of items that wait
    to be sent, and `oldest_hour` is the oldest of them, as hours since the epoch. `error` says what went
    wrong last, fit to be shown, None when the last message was taken; `error_at` is when. Times are Unix
    seconds.
    """

    settle_seconds: float
    pending: int = 0
    oldest_hour: int | None = None
    last_success_at: float | None = None
    error: str | None = None
    error_at: float | None = None


@dataclass(frozen=True, slots=True)
class HistoryView:
    """The journal, and what follows from it.

    `trouble` is a sentence on what keeps the journal from being written, None while it is. Hours are kept for
    `keep_seconds`. `settling` has the source endpoints of what was kept lately. `remote_write` is None where
    no hours are sent anywhere.
    """

    keep_seconds: float
    trouble: str | None = None
    settling: Mapping[str, Settling] = field(default_factory=dict)
    remote_write: RemoteWriteView | None = None

    def unsettled(self) -> Iterator[tuple[str, Settling]]:
        """The endpoints of which more than a hundredth of the hours still change once they have been sent."""
        if self.remote_write is None:
            return
        for endpoint, settling in self.settling.items():
            if settling.hours >= _ENOUGH_HOURS and settling.p99_seconds > self.remote_write.settle_seconds:
                yield endpoint, settling

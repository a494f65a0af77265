"""What sending needs from outside: the journal, this process's clock, chance, network and log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from exporter.journal import JournalFile

if TYPE_CHECKING:
    from exporter.remotewrite.receiver import OpenHttp
    from exporter.selfmetrics.remote_write import SkipReason

T = TypeVar("T")


class Journal(Protocol):
    """Does work with an open journal, off the event loop; the recorder's `run` is one."""

    async def __call__(self, work: Callable[[JournalFile], T], /) -> T:
        """What `work` gives.

        Raises:
            JournalError: the journal cannot be used now.
        """


@dataclass(frozen=True, slots=True)
class Surroundings:
    """This process: `clock` gives Unix seconds, `random` numbers in [0, 1)."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    open_http: OpenHttp
    log: FilteringBoundLogger


@dataclass(slots=True)
class Progress:
    """How the sending fares.

    `pending` counts the settled hours of items that wait, and `oldest_hour` is the oldest of them, as hours
    since the Unix epoch. `error` is a sentence on what went wrong last, None once a message is taken;
    `error_at` is when. Times are Unix seconds. `taken` and `skipped` count samples since the start, and
    `words` are the receiver's last on each reason it refused any for.
    """

    pending: int = 0
    oldest_hour: int | None = None
    last_success_at: float | None = None
    error: str | None = None
    error_at: float | None = None
    taken: int = 0
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    words: dict[SkipReason, str] = field(default_factory=dict)

"""What has gone wrong lately on one way to one endpoint, kept short."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from exporter.xapi.failures import Failure

# So many are remembered, whatever happens.
REMEMBERED = 10
# What repeats itself within this time is one trouble, even where an answer came in between.
SAME_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Failures alike that came in a row: the last of them, how many, and when the first and the last came.

    Times are Unix seconds of our own clock.
    """

    failure: Failure
    count: int
    first_at: float
    last_at: float


class Troubles:
    """The last troubles; `since` is when the first failure came that no answer has followed yet."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._recent: deque[Trouble] = deque(maxlen=REMEMBERED)

    def note(self, failure: Failure, now: float) -> None:
        """A request failed at `now`, Unix seconds."""
        if self.since is None:
            self.since = now
        for place, trouble in enumerate(self._recent):
            if _alike(trouble.failure, failure) and now - trouble.last_at <= SAME_SECONDS:
                del self._recent[place]
                self._recent.append(replace(trouble, failure=failure, count=trouble.count + 1, last_at=now))
                return
        self._recent.append(Trouble(failure, 1, now, now))

    def over(self) -> None:
        """A request was answered."""
        self.since = None

    def recent(self) -> tuple[Trouble, ...]:
        """What went wrong, the newest first."""
        return tuple(reversed(self._recent))


def _alike(one: Failure, other: Failure) -> bool:
    return (one.reason, one.code) == (other.reason, other.code)

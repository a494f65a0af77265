"""How soon a start may poll, so that a process that starts over and over does not hammer X."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from exporter.model import Endpoint

# The first start that X did not answer costs the next one this long, each further one twice as long.
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Starts:
    """What is known of the polls that starts of the process began for one feed.

    `begun_at` is when the last one began, Unix seconds, None when unknown. `unanswered` counts those since X
    last answered. `succeeded` is when a poll last succeeded in every batch, by the endpoint it asked.
    """

    begun_at: float | None = None
    unanswered: int = 0
    succeeded: Mapping[Endpoint, float] = field(default_factory=dict)

    def pause_seconds(self, now: float) -> float:
        """How long a start at `now` leaves X alone before it polls."""
        if self.begun_at is None or self.unanswered == 0:
            return 0.0
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (self.unanswered - 1), LONGEST_PAUSE_SECONDS)
        # A clock that was set back must not make it longer than it is.
        return min(pause, max(0.0, self.begun_at + pause - now))

    def begun(self, now: float) -> Starts:
        """A start polls now."""
        return replace(self, begun_at=now, unanswered=min(self.unanswered + 1, 16))

    def answered(self) -> Starts:
        """X gave an answer."""
        return replace(self, unanswered=0)

    def succeeded_at(self, endpoint: Endpoint, now: float) -> Starts:
        """A poll that asked `endpoint` succeeded in every batch."""
        return replace(self, unanswered=0, succeeded={**self.succeeded, endpoint: now})

    def saved(self) -> str:
        """As text, to be kept over a restart."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def restored(cls, saved: str | None) -> Starts:
        """What `saved` gave before; a text that cannot be read is as good as none."""
        try:
            return msgspec.json.decode(saved or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

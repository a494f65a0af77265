"""What has been tried for one batch within one call of `Channel.ask`."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.xapi.failures import Reason
from exporter.xapi.requests import Dialect

# Tries of one batch; what fails then is left to the poll's next round.
MAX_TRIES = 5
# What was sent and brought nothing to be read, however long or large it was, cost more than a refusal.
MAX_COSTLY_TRIES = 3
COSTLY = frozenset({Reason.UNREADABLE, Reason.READ, Reason.TIMEOUT})


@dataclass(slots=True)
class Conversation:
    """The state of the tries for one batch.

    `dialect` and `renewals` are how the last request was spelled and how often the credentials had been
    renewed before it. `most_tries` bounds the tries that end in passing failures. `retried` is why it is
    asked again, None before the first failure.
    """

    dialect: Dialect
    most_tries: int = MAX_TRIES
    retried: Reason | None = None
    failures: int = 0
    renewals: int = 0
    renewed: bool = False
    tried_fallback: bool = False

    def failed(self, reason: Reason) -> bool:
        """Count a passing failure; whether another try makes sense."""
        self.failures += 1
        return self.failures < min(self.most_tries, MAX_COSTLY_TRIES if reason in COSTLY else MAX_TRIES)

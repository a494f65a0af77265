"""How often to ask for items that X says it has nothing for: ever more rarely, and never not at all.

A batch answers for all its items at once, so an item that brings nothing costs little beside others. It
costs whole requests where a batch holds nothing else. What X says of items is no outage, and one that it
gives figures for is always asked in every poll.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from exporter.model import Answer, Item, ItemErrorType

# What is somebody else's, protected or withheld rarely becomes ours again.
REFUSED = frozenset(
    {
        ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE,
        ItemErrorType.RESOURCE_UNAVAILABLE,
        ItemErrorType.DISALLOWED_RESOURCE,
    }
)
REFUSED_SECONDS = 86_400.0
# X once answered "not found" for eight hours in an outage, so only what it does not know for longer is
# taken to be gone, and even that is asked for again.
DOUBT_SECONDS = 9 * 3600.0
UNKNOWN_SECONDS = 6 * 3600.0
# An answer may come later in its poll than the next one will; that must not cost a whole poll.
SLACK_SECONDS = 300.0


class Patience:
    """Knows until when items are left out of polls, by what one endpoint said about them.

    Pure: `now` is Unix seconds, handed in.
    """

    def __init__(self) -> None:
        self._ask_at: dict[str, float] = {}
        self._unknown_since: dict[str, float] = {}

    def due(self, items: Iterable[Item], now: float) -> list[Item]:
        """Those of `items` that are to be asked for in a poll at `now`, in their order."""
        return [item for item in items if self._ask_at.get(item.id, now) <= now + SLACK_SECONDS]

    def learn(self, asked: Iterable[Item], answer: Answer, now: float) -> None:
        """Take the answer to a request for the items `asked`, received at `now`."""
        if not answer.problems and not self._ask_at and not self._unknown_since:
            return
        told = {report.id for report in answer.reports if report.carries_data}
        complaints: dict[str | None, set[ItemErrorType]] = {}
        for problem in answer.problems:
            complaints.setdefault(problem.id, set()).add(problem.type)
        for item in asked:
            self._take(item.id, set() if item.id in told else complaints.get(item.id, set()), now)

    def left_out_until(self, item_id: str, now: float) -> float | None:
        """Until when polls leave an item out, Unix seconds; None for one that is asked for in each."""
        until = self._ask_at.get(item_id)
        return until if until is not None and until > now + SLACK_SECONDS else None

    def keep_only(self, items: Sequence[Item]) -> None:
        """Forget what was said of items that are not among `items`."""
        kept = {item.id for item in items}
        self._ask_at = {item_id: at for item_id, at in self._ask_at.items() if item_id in kept}
        self._unknown_since = {
            item_id: since for item_id, since in self._unknown_since.items() if item_id in kept
        }

    def state(self) -> dict[str, dict[str, float]]:
        """What to keep over a restart, as plain values."""
        return {"ask_at": self._ask_at, "unknown_since": self._unknown_since}

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Go on from a `state` kept before."""
        self._ask_at = dict(state.get("ask_at", {}))
        self._unknown_since = dict(state.get("unknown_since", {}))

    def _take(self, item_id: str, complaints: Collection[ItemErrorType], now: float) -> None:
        self._ask_at.pop(item_id, None)
        since = self._unknown_since.pop(item_id, now)
        if not REFUSED.isdisjoint(complaints):
            self._ask_at[item_id] = now + REFUSED_SECONDS
        elif ItemErrorType.RESOURCE_NOT_FOUND in complaints:
            self._unknown_since[item_id] = since
            if now - since >= DOUBT_SECONDS:
                self._ask_at[item_id] = now + UNKNOWN_SECONDS

"""What comes of a poll, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from exporter.model import Endpoint, Item
from exporter.selfmetrics.instruments import PollOutcome
from exporter.xapi.failures import Failure

Batch: TypeAlias = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll came to: `failures` by the batch that X did not answer, out of `batches`.

    `finished_at` is when it ended, Unix seconds, None as long as failed batches are asked again.
    """

    account: str
    endpoint: Endpoint
    batches: int
    failures: Mapping[Batch, Failure]
    finished_at: float | None = None

    @property
    def outcome(self) -> PollOutcome:
        """Success when every batch was answered, failure when none was."""
        if not self.failures:
            return PollOutcome.SUCCESS
        return PollOutcome.PARTIAL if len(self.failures) < self.batches else PollOutcome.FAILURE


@dataclass(frozen=True, slots=True)
class Round:
    """What came of asking for some batches once: those that failed, and items X had a passing fault with."""

    failures: dict[Batch, Failure]
    faulty: list[Item]


def batches(items: Sequence[Item], endpoint: Endpoint) -> list[Batch]:
    """`items` in the portions that one request to `endpoint` may name."""
    size = endpoint.batch_size
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]

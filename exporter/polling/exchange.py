"""What a channel to X works with, and what it brings back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from exporter.figures.hours import Hours
from exporter.figures.window import AnswerWindow
from exporter.model import Answer
from exporter.recording.record import Record, Unrecorded
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.turns import Turns
from exporter.vocabulary import Metric
from exporter.xapi.client import Credentials, XClient


def _no_hours(_item_id: str, _metrics: Sequence[Metric]) -> Hours | None:
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a channel shares with the rest: time, sleep and chance are handed in.

    `clock` gives Unix seconds and `sleep` takes seconds. `settle_seconds` and `every_seconds` are those of
    the configuration's `poll`. `random` gives numbers in [0, 1). `in_flight` bounds the requests an account
    has open at a time. `record` is told what came in. Work on answers waits for its `turns`. `hours` gives
    what is known of an item that is watched for exactly the metrics given: it need not be read again. `tidy`
    is called after several answers, which leave much memory free.
    """

    client: XClient
    credentials: Credentials
    in_flight: AbstractAsyncContextManager[object]
    metrics: SelfMetrics
    log: FilteringBoundLogger
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]
    settle_seconds: float
    every_seconds: float = 3600.0
    record: Record = field(default_factory=Unrecorded)
    turns: Turns = field(default_factory=Turns)
    hours: Callable[[str, Sequence[Metric]], Hours | None] = _no_hours
    tidy: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Answered:
    """A decoded answer and the time it speaks about.

    `relabelled` says that this answer was the first to show that labels name the ends of hours.
    `transaction_id` is X's own, None where it sent none that can be shown.
    """

    answer: Answer
    window: AnswerWindow
    relabelled: bool
    transaction_id: str | None

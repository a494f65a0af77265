"""What a backfill will cost, before the first request."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.backfill.coverage import Coverage
from exporter.backfill.slices import slices_of
from exporter.backfill.span import Span
from exporter.backfill.wanted import Wanted
from exporter.model import Endpoint
from exporter.plan import KNOWN_LIMIT, WINDOW_SECONDS

# How long X takes to answer about thousands of hours is not known. An estimate had better be too long.
_REQUEST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """What is asked of one endpoint for one account.

    `requests` are still to be sent, of `all_requests` without what earlier runs have had. `rows` are hours
    of items in those still to be sent, at most: X may have nothing for some.
    """

    account: str
    endpoint: Endpoint
    items: int
    requests: int
    all_requests: int
    rows: int


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What is asked in all; `concurrency` is how many requests of an account are in flight at a time."""

    walks: tuple[WalkPlan, ...]
    concurrency: int

    @property
    def requests(self) -> int:
        """Requests still to be sent."""
        return sum(walk.requests for walk in self.walks)

    @property
    def had(self) -> int:
        """Requests that earlier runs have sent and had answers to."""
        return sum(walk.all_requests for walk in self.walks) - self.requests

    @property
    def rows(self) -> int:
        """Hours of items still to be asked for, at most."""
        return sum(walk.rows for walk in self.walks)

    @property
    def seconds(self) -> float:
        """About how long it takes: accounts and endpoints go side by side, the slowest decides."""
        return max((self._seconds(walk.requests) for walk in self.walks), default=0.0)

    def _seconds(self, requests: int) -> float:
        answering = math.ceil(requests / self.concurrency) * _REQUEST_SECONDS
        # What exceeds one window is spread over as many as it needs.
        limited = requests / KNOWN_LIMIT * WINDOW_SECONDS if requests > KNOWN_LIMIT else 0.0
        return max(answering, limited)


def backfill_plan(wanted: Iterable[Wanted], span: Span, coverage: Coverage, concurrency: int) -> BackfillPlan:
    """The plan for the hours of `span` that are not in `coverage`, from the endpoints asked first."""
    return BackfillPlan(tuple(_walk(each, span, coverage) for each in wanted), concurrency)


def _walk(wanted: Wanted, span: Span, coverage: Coverage) -> WalkPlan:
    endpoint = wanted.endpoints[0]
    pending = slices_of(wanted, endpoint, span, coverage)
    everything = slices_of(wanted, endpoint, span, Coverage())
    return WalkPlan(
        wanted.account,
        endpoint,
        len(wanted.items),
        len(pending),
        len(everything),
        sum(each.rows for each in pending),
    )


def duration_words(seconds: float) -> str:
    """`seconds` for a person: two units at most."""
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return "less than a minute"
    minutes = math.ceil(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    named = [f"{count} {name}" for count, name in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return " ".join(named[:2])

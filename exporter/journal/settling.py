"""How old hours were when X last changed them."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

from exporter.journal.catalogue import sources
from exporter.journal.values import Settling
from exporter.model import HOUR_SECONDS

# A poll's answer reaches 28 hours back: what changed later was told by a backfill, at a time that says
# nothing of X.
LATEST_SECONDS = 29 * HOUR_SECONDS


def settling(connection: sqlite3.Connection, since_hour: int, until_hour: int) -> dict[str, Settling]:
    """How the hours from `since_hour` to before `until_hour` settled, by the endpoint value.

    Of the hours that one answer brought together only the newest counts, unless it was restated later: how
    long the others had been there, nobody saw.
    """
    rows = connection.execute(
        """
        SELECT source, last_changed / 1000 - (hour + 1) * 3600 AS age, count(*), sum(revisions > 0)
        FROM bucket
        WHERE hour >= ? AND hour < ? AND completed_at IS NOT NULL AND (was_newest OR revisions > 0)
        AND age BETWEEN 0 AND ?
        GROUP BY source, age ORDER BY source, age
        """,
        (since_hour, until_hour, LATEST_SECONDS),
    )
    ages: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for source, age, hours, restated in rows:
        ages[source].append((age, hours, restated))
    names = sources(connection)
    return {names[source]: _settling(counted) for source, counted in ages.items() if source in names}


def _settling(counted: Sequence[tuple[int, int, int]]) -> Settling:
    """What `counted` comes to: (age in seconds, hours, of them restated), by rising age."""
    hours = sum(count for _, count, _ in counted)
    reached = list(accumulate(count for _, count, _ in counted))

    def within(percent: int) -> float:
        return float(counted[bisect_left(reached, hours * percent / 100)][0])

    restated = sum(count for _, _, count in counted)
    return Settling(within(50), within(90), within(99), within(100), hours, restated)

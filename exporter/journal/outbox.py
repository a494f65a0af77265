"""Hours that wait to be sent on: each from the moment it is first complete until it is done.

What is handed out once is handed out the same again until it is done, also after a restart, so that a
second try sends what the first may have brought already.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from exporter.figures.window import WINDOW_HOURS
from exporter.journal.catalogue import MetricLists, known_items, sources
from exporter.journal.rows import COLUMNS, Row, stored
from exporter.journal.trouble import TornError
from exporter.journal.values import StoredBucket
from exporter.model import HOUR_SECONDS

_OPEN = "outbox"
# An hour that X has not been asked about since it settled waits for that, unless X will not tell it any more.
_DUE = f"""
    outbox LEFT JOIN state ON state.item = outbox.item
    WHERE hour <= :last AND (
        figures IS NOT NULL
        OR hour < :last - {WINDOW_HOURS}
        OR coalesce(state.answered_at, 1e15) >= (hour + 1) * {HOUR_SECONDS} + :settle
    )
"""
_NEXT = f"SELECT outbox.* FROM {_DUE} ORDER BY hour, outbox.item LIMIT :most"  # noqa: S608 - see above


def open_outbox(connection: sqlite3.Connection, first_hour: int) -> None:
    """Queue what becomes complete from now on, and what is already complete from `first_hour` on.

    An outbox that is open stays as it is.
    """
    if _is_open(connection):
        return
    connection.execute("INSERT INTO journal VALUES (?, 'open')", (_OPEN,))
    connection.execute(
        "INSERT INTO outbox (hour, item) SELECT hour, item FROM bucket "
        "WHERE hour >= ? AND completed_at IS NOT NULL",
        (first_hour,),
    )


def close_outbox(connection: sqlite3.Connection) -> None:
    """Queue nothing any more, and drop what waits."""
    connection.execute("DELETE FROM journal WHERE name = ?", (_OPEN,))
    connection.execute("DELETE FROM outbox")


def queue(connection: sqlite3.Connection, hours: Iterable[tuple[int, int]]) -> None:
    """Let hours, each with the number of its item, wait if the outbox is open."""
    if _is_open(connection):
        connection.executemany("INSERT OR IGNORE INTO outbox (hour, item) VALUES (?, ?)", hours)


def size(
    connection: sqlite3.Connection, last_hour: int | None, settle_seconds: float
) -> tuple[int, int | None]:
    """How many hours of items wait, and the oldest of them; up to `last_hour` those `take` would give."""
    asked = {"last": last_hour, "settle": settle_seconds}
    among = "outbox" if last_hour is None else _DUE
    count, oldest = connection.execute(
        f"SELECT count(*), min(hour) FROM {among}",  # noqa: S608 - statements of this module alone
        asked,
    ).fetchone()
    return count, oldest


def take(
    connection: sqlite3.Connection, last_hour: int, most: int, settle_seconds: float
) -> list[StoredBucket]:
    """The oldest `most` hours that wait, up to `last_hour`; from now on they stay as they are given.

    Only those that X was asked about `settle_seconds` after their end, or that it does not tell any more.
    """
    asked = {"last": last_hour, "most": most, "settle": settle_seconds}
    connection.execute(
        f"""
        UPDATE outbox SET (metrics, figures) = (
            SELECT metrics, figures FROM bucket WHERE bucket.hour = outbox.hour AND bucket.item = outbox.item
        )
        WHERE figures IS NULL AND (hour, item) IN (SELECT hour, item FROM ({_NEXT}))
        """,  # noqa: S608 - statements of this module alone
        asked,
    )
    taken = connection.execute(
        f"""
        SELECT {COLUMNS}, waiting.metrics, waiting.figures
        FROM ({_NEXT}) AS waiting
        JOIN bucket ON bucket.hour = waiting.hour AND bucket.item = waiting.item
        ORDER BY bucket.hour, bucket.item
        """,  # noqa: S608 - statements of this module alone
        asked,
    ).fetchall()
    return _stored(
        connection, [Row._make(row[:-2])._replace(metrics=row[-2], figures=row[-1]) for row in taken]
    )


def done(connection: sqlite3.Connection, sent: Iterable[tuple[str, int]]) -> None:
    """Let hours, each named by its item and itself, wait no longer."""
    connection.executemany(
        "DELETE FROM outbox WHERE item = (SELECT number FROM item WHERE id = ?) AND hour = ?", sent
    )


def _stored(connection: sqlite3.Connection, rows: Sequence[Row]) -> list[StoredBucket]:
    lists, names = MetricLists(connection), sources(connection)
    items = {item.number: item for item in known_items(connection, numbers={row.item for row in rows})}
    if any(row.item not in items for row in rows):
        raise TornError("a row names an unknown item")
    return [stored(row, items[row.item], lists, names) for row in rows]


def _is_open(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM journal WHERE name = ?", (_OPEN,)).fetchone() is not None

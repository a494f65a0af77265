"""The table of hours: how an answer is written down, and how hours are read back."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from exporter.journal.catalogue import KnownItem, MetricLists, as_json, numbered_items, source_number, sources
from exporter.journal.figures import encode
from exporter.journal.outbox import queue
from exporter.journal.rows import COLUMNS, Row, stored
from exporter.journal.rules import succeeding
from exporter.journal.values import Bucket, BucketState, StoredBucket, Told
from exporter.model import HOUR_SECONDS

# What is told for the first time when polls do not tell it any more comes from a backfill, which has ways of
# its own to send it on.
QUEUED_HOURS = 30

_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in Row._fields[2:])
_WRITE = (
    f"INSERT INTO bucket ({', '.join(Row._fields)}) VALUES ({', '.join('?' * len(Row._fields))}) "  # noqa: S608
    f"ON CONFLICT (hour, item) DO UPDATE SET {_CHANGES}"
)
_READ = f"""
    SELECT {COLUMNS} FROM json_each(?) AS span CROSS JOIN bucket ON bucket.hour = span.value
    WHERE bucket.item IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - column names alone


def write(connection: sqlite3.Connection, told: Told) -> int:
    """Note what an answer says; returns how many hours it changed."""
    lists = MetricLists(connection)
    items = numbered_items(connection, told.account, told.kind, (bucket.item_id for bucket in told.buckets))
    telling = _telling(told, items, source_number(connection, told.source), lists.number(told.metrics))
    standing = _standing(connection, telling)
    changed: dict[tuple[int, int], Row] = {}
    completed = []
    for row in telling:
        key = (row.hour, row.item)
        before = standing.get(key)
        after = succeeding(before, row, lists)
        if after is not None:
            standing[key] = changed[key] = after
            if after.completed_at is not None and (before is None or before.completed_at is None):
                completed.append(key)
    connection.executemany(_WRITE, changed.values())
    queue(connection, [key for key in completed if key[0] >= told.seen_at // HOUR_SECONDS - QUEUED_HOURS])
    _note_newest(connection, {item.number: item.newest for item in items.values()}, changed.values())
    return len(changed)


def _telling(told: Told, items: Mapping[str, KnownItem], source: int, metrics: int) -> list[Row]:
    """The buckets of an answer as the rows they are where nothing stands yet."""
    seen_at = round(told.seen_at * 1000)
    figures = [_encoded(bucket, len(told.metrics)) for bucket in told.buckets]
    newest: dict[str, int] = {}
    for bucket, numbers in zip(told.buckets, figures, strict=True):
        if numbers and bucket.state is BucketState.COMPLETE:
            newest[bucket.item_id] = max(bucket.hour, newest.get(bucket.item_id, bucket.hour))
    rows = []
    for bucket, numbers in zip(told.buckets, figures, strict=True):
        completed_at = seen_at if numbers and bucket.state is BucketState.COMPLETE else None
        was_newest = completed_at is not None and bucket.hour == newest[bucket.item_id]
        item, state = items[bucket.item_id].number, bucket.state.value
        rows.append(
            Row(
                bucket.hour,
                item,
                state,
                source,
                metrics,
                numbers,
                seen_at,
                seen_at,
                completed_at,
                was_newest,
                0,
            )
        )
    return rows


def _encoded(bucket: Bucket, width: int) -> bytes:
    if len(bucket.figures) != width:
        raise ValueError(f"{len(bucket.figures)} figures for {width} metrics")
    return encode(bucket.figures)


def _standing(connection: sqlite3.Connection, telling: Iterable[Row]) -> dict[tuple[int, int], Row]:
    """What stands for the hours of `telling`."""
    items: dict[int, list[int]] = defaultdict(list)
    for row in telling:
        items[row.hour].append(row.item)
    found: dict[tuple[int, int], Row] = {}
    for hour, wanted in items.items():
        for standing in connection.execute(_READ, (as_json([hour]), as_json(wanted))):
            found[hour, standing[1]] = Row._make(standing)
    return found


def _note_newest(
    connection: sqlite3.Connection, known: Mapping[int, int | None], changed: Iterable[Row]
) -> None:
    """Keep the newest complete hour of each item, which is asked for without looking through its hours."""
    newest = dict(known)
    emptied = []
    for row in changed:
        before = newest[row.item]
        if row.is_whole and (before is None or before < row.hour):
            newest[row.item] = row.hour
        elif not row.is_whole and before == row.hour:
            emptied.append(row.item)
    moved = [(hour, item) for item, hour in newest.items() if hour != known[item]]
    connection.executemany("UPDATE item SET newest = ? WHERE number = ?", moved)
    find_newest(connection, [item for item in emptied if newest[item] == known[item]])


def find_newest(connection: sqlite3.Connection, items: Sequence[int]) -> None:
    """Note the newest complete hour of `items` anew, from all hours there are of them."""
    if not items:
        return
    found = dict(
        connection.execute(
            "SELECT item, max(hour) FROM bucket WHERE item IN (SELECT value FROM json_each(?)) "
            "AND state = ? AND length(figures) > 0 GROUP BY item",
            (as_json(items), BucketState.COMPLETE.value),
        )
    )
    connection.executemany(
        "UPDATE item SET newest = ? WHERE number = ?", [(found.get(item), item) for item in items]
    )


def present_hours(
    connection: sqlite3.Connection, first_hour: int | None = None, last_hour: int | None = None
) -> list[int]:
    """The hours from `first_hour` to `last_hour` of which anything is known, oldest first."""
    rows = connection.execute(
        """
        WITH RECURSIVE span (hour) AS (
            SELECT min(hour) FROM bucket WHERE hour >= coalesce(?1, hour)
            UNION ALL
            SELECT (SELECT min(hour) FROM bucket WHERE hour > span.hour) FROM span WHERE span.hour IS NOT NULL
        )
        SELECT hour FROM span WHERE hour <= coalesce(?2, hour)
        """,
        (first_hour, last_hour),
    )
    return [hour for (hour,) in rows]


def read(
    connection: sqlite3.Connection, items: Sequence[KnownItem], hours: Sequence[int], *, only_complete: bool
) -> list[StoredBucket]:
    """What is known of `items` in `hours`, in the order of the items, then of the hours."""
    lists, names = MetricLists(connection), sources(connection)
    place = {item.number: place for place, item in enumerate(items)}
    rows = [Row._make(row) for row in connection.execute(_READ, (as_json(hours), as_json(place)))]
    rows.sort(key=lambda row: (place[row.item], row.hour))
    return [
        stored(row, items[place[row.item]], lists, names)
        for row in rows
        if not only_complete or row.state == BucketState.COMPLETE
    ]

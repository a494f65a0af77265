"""What leaves the journal: hours past their time, and hours that turned out to be wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from exporter.journal.buckets import find_newest
from exporter.journal.catalogue import as_json, known_items
from exporter.model import HOUR_SECONDS


def forget(connection: sqlite3.Connection, item_ids: Iterable[str], first_hour: int) -> None:
    """Strike out all hours of some items from `first_hour` on, those that wait to be sent included."""
    items = [item.number for item in known_items(connection, item_ids)]
    for table in ("outbox", "bucket"):
        connection.execute(
            f"DELETE FROM {table} WHERE hour >= ? AND item IN (SELECT value FROM json_each(?))",  # noqa: S608
            (first_hour, as_json(items)),
        )
    find_newest(connection, items)


def drop_hour(connection: sqlite3.Connection, hour: int, before_hour: int) -> int:
    """Remove `hour`, which lies before `before_hour`; returns how many items' hours went.

    An item that X has answered about since `before_hour` keeps its newest complete hour, whose time is
    shown for as long as the item is watched.
    """
    connection.execute(
        """
        UPDATE item SET newest = NULL WHERE newest = ? AND NOT EXISTS (
            SELECT 1 FROM state WHERE state.item = item.number AND state.answered_at >= ?
        )
        """,
        (hour, before_hour * HOUR_SECONDS),
    )
    connection.execute("DELETE FROM outbox WHERE hour = ?", (hour,))
    return connection.execute(
        "DELETE FROM bucket WHERE hour = ?1 AND item NOT IN (SELECT number FROM item WHERE newest = ?1)",
        (hour,),
    ).rowcount


def drop_items(connection: sqlite3.Connection, before_hour: int) -> None:
    """Remove the items of which X has not told since `before_hour`, once all their hours are gone."""
    idle = [
        number
        for (number,) in connection.execute(
            "SELECT number FROM item LEFT JOIN state ON state.item = item.number "
            "WHERE newest IS NULL AND coalesce(answered_at, 0) < ?",
            (before_hour * HOUR_SECONDS,),
        )
    ]
    if not idle:
        return
    told_of = connection.execute(
        "SELECT DISTINCT item FROM bucket WHERE item IN (SELECT value FROM json_each(?))", (as_json(idle),)
    )
    gone = as_json(set(idle).difference(number for (number,) in told_of))
    connection.execute("DELETE FROM state WHERE item IN (SELECT value FROM json_each(?))", (gone,))
    connection.execute("DELETE FROM item WHERE number IN (SELECT value FROM json_each(?))", (gone,))

"""The journal's tables, and how a file of an older version becomes one of this.

A version is never changed once it has been released: what changes is a step of its own at the end of
`STEPS`. The statements keep to what SQLite 3.25 knows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from exporter.errors import JournalError
from exporter.journal.trouble import TornError

# "xAna", which `file` and SQLite's own tools show, tells a journal from other databases.
APPLICATION_ID = 0x78416E61

_FIRST = (
    # Names are long and few, rows are short and many: rows hold their numbers.
    """
    CREATE TABLE item (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        newest INTEGER -- newest complete hour with a number
    )
    """,
    "CREATE TABLE source (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE metric_list (number INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE)",
    # By hour first: a poll then writes a few pages at the end, and retention frees whole ones.
    """
    CREATE TABLE bucket (
        hour INTEGER NOT NULL, -- since the Unix epoch
        item INTEGER NOT NULL,
        state INTEGER NOT NULL, -- 0 cut, 1 running, 2 complete
        source INTEGER NOT NULL,
        metrics INTEGER NOT NULL, -- the metric_list of figures
        figures BLOB NOT NULL, -- see exporter/journal/figures.py
        first_seen INTEGER NOT NULL, -- this and the next two: Unix milliseconds
        last_changed INTEGER NOT NULL,
        completed_at INTEGER, -- first told complete, with a number
        was_newest INTEGER NOT NULL, -- 1: no later hour of the item came complete in the same answer
        revisions INTEGER NOT NULL,
        PRIMARY KEY (hour, item)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE state (
        item INTEGER PRIMARY KEY,
        up INTEGER, -- 1, 0, or NULL while unknown
        metrics INTEGER NOT NULL, -- the metric_list of total
        total BLOB,
        answered_at REAL, -- Unix seconds
        problems TEXT NOT NULL -- JSON: [id or null, type, detail] each
    )
    """,
    "CREATE TABLE mark (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    # Hours that wait to be sent on. Metrics and figures are NULL until an hour is first handed out.
    """
    CREATE TABLE outbox (
        hour INTEGER NOT NULL,
        item INTEGER NOT NULL,
        metrics INTEGER,
        figures BLOB,
        PRIMARY KEY (hour, item)
    ) WITHOUT ROWID
    """,
    # What this file says of itself: created_at (Unix seconds), outbox ('open' while hours are queued).
    "CREATE TABLE journal (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    # For people with the sqlite3 shell.
    """
    CREATE VIEW hours AS
    SELECT
        item.id,
        item.account,
        item.kind,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.hour * 3600, 'unixepoch') AS hour_start,
        CASE bucket.state WHEN 0 THEN 'cut' WHEN 1 THEN 'running' ELSE 'complete' END AS state,
        source.name AS source,
        metric_list.names AS metrics,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.first_seen / 1000, 'unixepoch') AS first_seen,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.last_changed / 1000, 'unixepoch') AS last_changed,
        strftime('%Y-%m-%dT%H:%M:%SZ', bucket.completed_at / 1000, 'unixepoch') AS completed_at,
        bucket.revisions,
        hex(bucket.figures) AS figures
    FROM bucket
    JOIN item ON item.number = bucket.item
    JOIN source ON source.number = bucket.source
    JOIN metric_list ON metric_list.number = bucket.metrics
    """,
)

# Step n makes a file of version n one of version n + 1.
STEPS: tuple[tuple[str, ...], ...] = (_FIRST,)


def recognise(connection: sqlite3.Connection) -> None:
    """Pass an empty file and a journal of any version.

    Raises:
        TornError: it is another program's database.
    """
    # In one look, since another process may be making the tables.
    application, tables = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise TornError("a database of another kind")


def upgrade(
    connection: sqlite3.Connection, path: Path, now: float, steps: Sequence[Sequence[str]] = STEPS
) -> None:
    """Bring the tables of the journal at `path` up to date, as a whole or not at all.

    Raises:
        JournalError: the file is of a later version than `steps` lead to; it is left as it is.
    """
    if _version_below(connection, path, len(steps)) is None:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been quicker.
        version = _version_below(connection, path, len(steps))
        for step in () if version is None else steps[version:]:
            for statement in step:
                connection.execute(statement)
        if version == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("INSERT INTO journal VALUES ('created_at', ?)", (repr(now),))
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version_below(connection: sqlite3.Connection, path: Path, newest: int) -> int | None:
    """The file's version, None where it is `newest`."""
    version = _pragma(connection, "user_version")
    if version > newest:
        raise JournalError(
            f"{path}: the journal was written by a later version of this program (journal version {version}, "
            f"this one knows {newest}). Install that version, or let `state_dir` name another directory."
        )
    return None if version == newest else version


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)

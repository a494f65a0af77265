"""One open SQLite file: how it is opened, and how one piece of work is one transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from exporter.errors import JournalError
from exporter.journal.schema import recognise, upgrade
from exporter.journal.trouble import TornError, explained

# How long another process, such as a backfill, may hold the file before that is taken for a fault.
BUSY_SECONDS = 10.0
# Up to this size every page is looked at on opening, which takes some 5 ms per megabyte. A larger file is
# looked through only if its last user did not close it. What is torn elsewhere shows when it is read.
CHECKED_BYTES = 256 * 1024 * 1024

_MAGIC = b"SQLite format 3\x00"
_PRAGMAS = (
    # Readers see the last whole transaction and are not waited for.
    "PRAGMA journal_mode = WAL",
    # A power cut may take the last moments away, and no more. A killed process takes nothing.
    "PRAGMA synchronous = NORMAL",
    # Room that one large write took beside the file is given back.
    "PRAGMA journal_size_limit = 16777216",
    # In KiB; the system keeps the file in memory as well.
    "PRAGMA cache_size = -512",
)
# The last is there where the disk cannot do with the first two.
_BESIDE = ("-wal", "-shm", "-journal", "")


class Database:
    """One connection, for one thread at a time.

    Raises (every method): `JournalUnreadableError` where the file turns out to be torn, `JournalError` where
    it cannot be read or written for another reason.
    """

    def __init__(
        self,
        path: Path,
        now: float,
        busy_seconds: float = BUSY_SECONDS,
        checked_bytes: int = CHECKED_BYTES,
    ) -> None:
        self.path = path
        with explained(path):
            _make(path)
            _look_at(path)
            is_checked = path.stat().st_size <= checked_bytes or _beside(path, "-wal").exists()
            self._connection = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
        try:
            with explained(path):
                self._prepare(now, is_checked=is_checked)
        except BaseException:
            _close_keeping_log(self._connection, path)
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the file, however others write meanwhile."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """What is written inside is written as a whole, or not at all where anything raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close the file; nothing is lost without."""
        with explained(self.path):
            self._connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with explained(self.path):
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after the gravest errors.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self, now: float, *, is_checked: bool) -> None:
        connection = self._connection
        # Before anything that writes, so that another program's file stays as it is.
        recognise(connection)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        upgrade(connection, self.path, now)
        # A file that may not be written says so here, and not only when there is something to lose.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        if is_checked:
            _check(connection)


def _close_keeping_log(connection: sqlite3.Connection, path: Path) -> None:
    """Close a file that cannot be used without losing its log.

    SQLite throws a log away that it cannot make sense of, and people may.
    """
    log, kept = _beside(path, "-wal"), _beside(path, "-wal-kept")
    with suppress(OSError):
        os.link(log, kept)
    connection.close()
    with suppress(OSError):
        if log.exists():
            kept.unlink()
        else:
            kept.rename(log)


def set_aside(path: Path, now: float) -> Path:
    """Rename the file at `path` and what SQLite keeps beside it, and give the new path.

    Raises:
        JournalError: it cannot be renamed.
    """
    with explained(path):
        new = _free_name(path, now)
        # The main file goes last: what stood beside it would be taken for a new one's.
        for beside in _BESIDE:
            with suppress(FileNotFoundError):
                _beside(path, beside).rename(_beside(new, beside))
    return new


def _free_name(path: Path, now: float) -> Path:
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    new = path.with_name(f"{path.stem}-{moment}{path.suffix}")
    count = 1
    while any(os.path.lexists(_beside(new, beside)) for beside in _BESIDE):
        count += 1
        new = path.with_name(f"{path.stem}-{moment}-{count}{path.suffix}")
    return new


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _make(path: Path) -> None:
    """Make an empty file that its owner alone may read, and the directories above it, where there is none."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _look_at(path: Path) -> None:
    """Refuse what is no database before SQLite makes files beside it."""
    if not path.is_file():
        raise JournalError(
            f"{path}: the journal cannot be kept there, this is no regular file. Move it away, or let "
            "`state_dir` name another directory."
        )
    with path.open("rb") as file:
        beginning = file.read(len(_MAGIC))
    if beginning and beginning != _MAGIC:
        raise TornError("no SQLite database")


def _check(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise TornError(" ".join(str(found).split()))

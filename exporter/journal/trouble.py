"""What SQLite complains of, as what a person has to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.errors import JournalError, JournalUnreadableError

# SQLite keeps finer causes in the upper bytes of its result codes.
_CAUSE = 0xFF

_CURES = {
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it may not be written; give this process the right to, in its directory too",
    sqlite3.SQLITE_PERM: "access is denied; give this process the right to read and write it",
    sqlite3.SQLITE_AUTH: "access is denied; give this process the right to read and write it",
    sqlite3.SQLITE_CANTOPEN: "it, or a file beside it, cannot be opened; let `state_dir` name a directory "
    "that this process may write",
    sqlite3.SQLITE_IOERR: "the disk does not do it; look for a quota, a size limit or a failing disk",
    sqlite3.SQLITE_BUSY: "another process has held it locked too long; look for one that hangs",
    sqlite3.SQLITE_LOCKED: "another process has held it locked too long; look for one that hangs",
    sqlite3.SQLITE_NOMEM: "there is no memory left; give this process more",
    sqlite3.SQLITE_PROTOCOL: "it cannot be locked; keep `state_dir` on a local disk",
    sqlite3.SQLITE_NOLFS: "it is too large for its file system; move `state_dir`",
}
_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class TornError(Exception):
    """Something in the file that the journal never wrote; the text says what, in a few words."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with the journal at `path` into a `JournalError`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise journal_error(path, error) from error
    except TornError as error:
        raise unreadable(path, str(error)) from error
    except OSError as error:
        raise JournalError(
            f"{path}: the journal cannot be used ({error.strerror or error}): let `state_dir` name a "
            "directory that this process may write."
        ) from error


def journal_error(path: Path, error: sqlite3.DatabaseError) -> JournalError:
    """`error`, met with the journal at `path`, as an error that says what to do."""
    if isinstance(error, sqlite3.ProgrammingError):
        return JournalError(f"{path}: the journal cannot be used ({error}): start the exporter anew.")
    # What Python itself cannot make sense of, such as a text that is no UTF-8, has no code.
    cause = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & _CAUSE
    if cause in _UNREADABLE or (cause == sqlite3.SQLITE_ERROR and _lacks_tables(str(error))):
        return unreadable(path, str(error))
    cure = _CURES.get(cause, "look for what is wrong with its disk")
    return JournalError(f"{path}: the journal cannot be used ({error}): {cure}.")


def _lacks_tables(complaint: str) -> bool:
    # SQLite's own `json_each` is named like a table where SQLite was built without it.
    return complaint.startswith("no such") and "json_each" not in complaint


def unreadable(path: Path, found: str) -> JournalUnreadableError:
    """The error for a file that is torn or not the journal's; `found` says in a few words what is wrong."""
    return JournalUnreadableError(
        f"{path}: this is not a journal that can be read ({found}): it is damaged, or another program's. "
        "Move it away, and a new one is begun."
    )

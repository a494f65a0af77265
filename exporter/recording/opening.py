"""Opening the journal; what cannot be read is set aside, and a new one begun."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from exporter.errors import JournalError, JournalUnreadableError
from exporter.journal import JournalFile


def opened_journal(path: Path, now: float, log: FilteringBoundLogger) -> JournalFile:
    """The journal at `path`, a new one where what lies there cannot be read.

    Raises:
        JournalError: there can be none here now.
    """
    try:
        return JournalFile.open(path, now)
    except JournalUnreadableError as error:
        log.warning(str(error))
        set_aside(path, now, log)
    return JournalFile.open(path, now)


def set_aside(path: Path, now: float, log: FilteringBoundLogger) -> None:
    """Keep the journal at `path` under another name, as far as it can be renamed."""
    with suppress(JournalError):
        log.warning(
            "the journal is set aside and a new one begun", kept_as=str(JournalFile.set_aside(path, now))
        )

"""What a backfill has had so far, in a file of its own, so that the run after a kill goes on from there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.backfill.coverage import Coverage
from exporter.backfill.span import Span
from exporter.backfill.wanted import Wanted
from exporter.errors import JournalError
from exporter.journal import JournalFile, Told

_ANSWERED = "answered/"


def journal_path(state_dir: Path) -> Path:
    """The daemon's journal."""
    return state_dir / "journal" / "journal.sqlite3"


def spool_path(state_dir: Path, wanted: Sequence[Wanted], span: Span, *, keeps_figures: bool) -> Path:
    """Where the same question finds its answers again.

    Items are no part of the question, as each one's hours are told apart: one that is added to the
    configuration meanwhile is asked for, and the others are not asked again.
    """
    columns = [(each.account, each.kind, [metric.name for metric in each.metrics]) for each in wanted]
    question = json.dumps([span.first, span.end, keeps_figures, columns])
    digest = hashlib.blake2b(question.encode(), digest_size=6).hexdigest()
    return state_dir / "journal" / f"backfill-{digest}.sqlite3"


class Spool:
    """The open file: hours answered, and the figures themselves where they are handed on at the end.

    Raises:
        JournalError: another process is at work on the same question, or the file cannot be used.
    """

    def __init__(self, path: Path, now: float, *, keeps_figures: bool) -> None:
        self._path = path
        self._keeps_figures = keeps_figures
        self._lock = _locked(path)
        try:
            self.file = JournalFile.open(path, now)
            kept = self.file.marks(_ANSWERED)
        except JournalError:
            os.close(self._lock)
            raise
        self.coverage = Coverage({name.removeprefix(_ANSWERED): text for name, text in kept.items()})

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; everything stays for the next run."""
        self.file.close()
        os.close(self._lock)

    def keep(self, told: Told, item_ids: Iterable[str], span: Span) -> None:
        """Put down, in one step, what X told and that `span` of the items is answered."""
        answered = list(item_ids)
        marks = {_ANSWERED + item_id: self.coverage.text_with(item_id, span) for item_id in answered}
        self.file.write([told] if self._keeps_figures else [], marks=marks)
        for item_id in answered:
            self.coverage.add(item_id, span)

    def remove(self) -> None:
        """Nothing is left to do: take the file away. Only `__exit__` may follow."""
        self.file.close()
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                self._path.with_name(self._path.name + end).unlink()


def _locked(path: Path) -> int:
    """A lock that lasts until it is closed or the process ends.

    It is taken on a file that is never removed, since a lock on a removed one keeps nobody out.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.parent / "backfill.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(
            f"{path.parent} cannot be written ({error.strerror}); let `state_dir` name a directory that this "
            "process may write."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise JournalError(
            f"Another backfill is at work in {path.parent}; wait until it is done, or stop it."
        ) from error
    return lock

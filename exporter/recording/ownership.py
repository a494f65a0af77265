"""One daemon to a journal: two that wrote the same one would send every hour twice."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from exporter.errors import JournalError


class Ownership:
    """Held from its making until `release`, or the end of the process, however that ends.

    Raises:
        JournalError: another process has it, or there can be no lock here.
    """

    def __init__(self, folder: Path) -> None:
        try:
            for each in (*reversed(folder.parents), folder):
                # One at a time: parents that `mkdir` makes by itself are open to all.
                each.mkdir(mode=0o700, exist_ok=True)
            self._file = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"No history is kept: {folder} cannot be written ({error.strerror}); let `state_dir` name a "
                "directory that this process may write."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise JournalError(
                f"No history is kept: another exporter already keeps {folder}; give each its own "
                "`state_dir`, and run one per account, since each would spend X's limits again."
            ) from error

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)

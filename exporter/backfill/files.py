"""Files that a person asked for: there whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from exporter.errors import StartError


def check_writable(path: Path) -> None:
    """Find out, before any work, whether a file can be written at `path`.

    Raises:
        StartError: it cannot.
    """
    if path.is_dir():
        raise StartError(f"{path}: this is a directory; name the file in it with --output")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StartError(f"{path}: the directory {path.parent} is not there or cannot be written")


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file that appears as `path` when the context has ended well; until then it is ``path.tmp``.

    Raises:
        StartError: it cannot be written.
    """
    unfinished = path.with_name(path.name + ".tmp")
    try:
        with unfinished.open("w", encoding="utf-8", newline="", buffering=1 << 20) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        why = error.strerror or error
        raise StartError(f"{path}: cannot be written: {why}; give another --output") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()

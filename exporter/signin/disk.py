"""The few file operations on which durability rests, for small files in one private directory."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024
_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600

Stamp = tuple[int, ...]


class Disk:
    """Files of one directory, by name. A file's owner alone may read it. Blocking; raises OSError."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def prepare(self) -> None:
        """Make the directory and what is missing above it, and close it to others."""
        missing = [path for path in (self.directory, *self.directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
            _sync_directory(path.parent)
        if stat.S_IMODE(self.directory.stat().st_mode) & 0o077:
            # A mounted volume may refuse; the files themselves are private anyway.
            with suppress(OSError):
                self.directory.chmod(_PRIVATE_DIRECTORY)

    def stamp(self, name: str) -> Stamp | None:
        """What changes whenever the file does; None where there is none."""
        try:
            found = os.lstat(self.directory / name)
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def read(self, name: str) -> bytes | None:
        """The file's content, None where there is none.

        Raises:
            OSError: cannot be read, is a symbolic link, is no regular file, or is absurdly large.
        """
        try:
            # Not through a link: a later rename would replace the link and leave an old token at its end.
            # Not blocking: a pipe of this name would never answer.
            handle = os.open(self.directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise OSError("is not a regular file")
            if found.st_size > MAX_FILE_BYTES:
                raise OSError(f"is larger than {MAX_FILE_BYTES} bytes")
            return file.read(MAX_FILE_BYTES)

    def write(self, name: str, content: bytes) -> None:
        """Make `name` anew with `content`, on the medium when this returns."""
        self.remove(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(self.directory / name, flags, _PRIVATE_FILE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, name: str, new_name: str) -> None:
        """Put `name` in the place of `new_name` in one step, on the medium when this returns."""
        (self.directory / name).replace(self.directory / new_name)
        _sync_directory(self.directory)

    def remove(self, name: str) -> None:
        """Remove the file if there is one."""
        (self.directory / name).unlink(missing_ok=True)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

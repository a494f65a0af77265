"""Reads a configuration in a process of its own, which takes along what nothing but reading needs.

That is pydantic and the models above it, a sixth of what a small daemon would hold in memory. Meanwhile this
process can get ready for the rest. Run as ``python -m exporter.config.apart FILE``, this is that process.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from exporter.config.settings import Config
from exporter.errors import ConfigError, Fault


class Reading:
    """The reading of the file `path` with ``${NAME}`` taken from `environ`; it begins at once.

    Where `python` cannot be started for it, the file is read in this process.
    """

    def __init__(self, path: Path, environ: Mapping[str, str], python: str = sys.executable) -> None:
        self._path = path
        self._environ = environ
        self._process = _begun([python, "-m", "exporter.config.apart", str(path)], environ)

    def result(self) -> Config:
        """The configuration, once it is read. Raises `ConfigError` with everything that is wrong."""
        output = b""
        if self._process is not None:
            with self._process as process:
                output, _ = process.communicate()
        if self._process is None or self._process.returncode:
            return _load(self._path, self._environ)
        told: Config | list[Fault] = pickle.loads(output)  # noqa: S301 - from our own process
        if isinstance(told, Config):
            return told
        raise ConfigError(told)


def load_config_apart(path: Path, environ: Mapping[str, str]) -> Config:
    """As `load_config`, in a process of its own."""
    return Reading(path, environ).result()


def _begun(command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603 - this program itself
            command,
            # Without this pydantic would look through all that is installed for plugins.
            env={**environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # What may go wrong there goes wrong here once more, and is reported.
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for us.
            process_group=0,
        )
    except OSError:
        return None


def _load(path: Path, environ: Mapping[str, str]) -> Config:
    from exporter.config.load import load_config  # noqa: PLC0415 - what this module is there to avoid

    return load_config(path, environ)


def _main(path: Path, environ: Mapping[str, str]) -> None:
    told: Config | list[Fault]
    try:
        told = _load(path, environ)
    except ConfigError as error:
        told = list(error.faults)
    sys.stdout.buffer.write(pickle.dumps(told))
    sys.stdout.flush()


if __name__ == "__main__":
    import gc
    import os

    # It is over before garbage could add up, and taking the models down again would take as long as an eighth
    # of all this.
    gc.disable()
    _main(Path(sys.argv[1]), os.environ)
    os._exit(0)

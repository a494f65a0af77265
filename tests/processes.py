"""Real processes for tests: started, waited for, stopped by a signal, their output kept."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

T = TypeVar("T")

# A busy machine may take long; a condition that holds earlier is seen earlier.
START_SECONDS = 60.0
# What the command line promises after a signal.
STOP_SECONDS = 5.0
_GLANCE_SECONDS = 0.03


def exporter(*arguments: str) -> list[str]:
    """The command that runs the exporter; whatever it forgets to close is on its standard error."""
    return [sys.executable, "-W", "always::ResourceWarning", "-m", "exporter", *arguments]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, for programs that cannot tell which one they chose."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def finished(
    *arguments: str, env: Mapping[str, str] | None = None, seconds: float = START_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run the exporter to its end."""
    return subprocess.run(
        exporter(*arguments), env=env, check=False, capture_output=True, text=True, timeout=seconds
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A program at work, with its output so far."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def stdout(self) -> str:
        """What it wrote to standard output so far."""
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        """What it wrote to standard error so far."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    @property
    def output(self) -> str:
        """Both, one after the other."""
        return self.stdout + self.stderr

    def until(self, look: Callable[[], T | None], seconds: float = START_SECONDS) -> T:
        """Wait until `look` finds something; fail when the program ends or time is up before."""
        deadline = time.monotonic() + seconds
        while (found := look()) is None:
            if self._ended(_GLANCE_SECONDS):
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.output}")
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing came of {look} in {seconds} s:\n{self.output}")
        return found

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until its output has a match of `pattern`."""
        return self.until(lambda: re.search(pattern, self.output))

    def answers(self, url: str, status: int = 200) -> httpx.Response:
        """Wait until `url` is answered with `status`."""

        def look() -> httpx.Response | None:
            try:
                response = httpx.get(url, timeout=START_SECONDS, trust_env=False)
            except httpx.TransportError:
                return None
            return response if response.status_code == status else None

        return self.until(look)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS) -> int:
        """Send the signal and return the exit code; raises subprocess.TimeoutExpired when it takes longer."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def _ended(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


@contextmanager
def started(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`command` at work until the context ends; `folder` is made and keeps its output."""
    folder.mkdir()
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=env, cwd=folder)
    with process:
        try:
            yield Running(process, folder)
        finally:
            process.kill()

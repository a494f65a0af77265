"""Processes that measure themselves: a line of JSON asks, a line of JSON answers.

Every contestant is a module of this folder, run as ``python -m bench.NAME ARGUMENTS``. What it spends is its
own, and contestants that wait for their turn spend nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent

Command = Callable[[Any], Awaitable[object]]


class Contestant:
    """A module of this folder at work in a process of its own, ended when the context is left.

    `first` is what it says once it is ready. With a `core` it keeps to that one.
    """

    def __init__(self, name: str, *arguments: object, core: int | None = None) -> None:
        self._name = name
        command = [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=ROOT
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        self.first: Any = None

    def __enter__(self) -> Self:
        try:
            self.first = self._heard()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, command: str, argument: object = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Let it carry out `command`, and give what it answers."""
        if self._process.stdin is None:
            raise RuntimeError("the contestant has no standard input")
        self._process.stdin.write(json.dumps([command, argument]) + "\n")
        return self._heard()

    def _heard(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        if self._process.stdout is None:
            raise RuntimeError("the contestant has no standard output")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with {self._process.wait()}")
        return json.loads(line)

    def _end(self) -> None:
        self._process.terminate()
        self._process.communicate()


async def obey(first: object, commands: Mapping[str, Command]) -> None:
    """Be a contestant: say `first`, then carry out one command after the other until the input ends."""
    lines = await _standard_input()
    print(json.dumps(first), flush=True)
    while line := await lines.readline():
        command, argument = json.loads(line)
        print(json.dumps(await commands[command](argument)), flush=True)


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB of 1024 * 1024 bytes."""
    return int(_status(Path(f"/proc/{pid}"))["VmRSS"].split()[0]) / 1024


def wake_ups(pid: int) -> int:
    """How often the threads of a process have gone to sleep and come back so far."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(_status(thread)["voluntary_ctxt_switches"]) for thread in threads)


def _status(folder: Path) -> dict[str, str]:
    lines = (folder / "status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

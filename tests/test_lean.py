"""How the daemon's process is set up."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# A process of its own: what is set up here is set up for all of a process.
_NICENESS = """
import asyncio, os, threading
from exporter.commands.lean import run_lean

def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

async def main():
    print(niceness(), await asyncio.to_thread(niceness))

{before}
run_lean(main())
"""


def niceness_of_loop_and_worker(before: str = "") -> list[int]:
    script = _NICENESS.replace("{before}", before)
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return [int(each) for each in told.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_threads_that_write_files_give_way_to_scrapes() -> None:
    loop, worker = niceness_of_loop_and_worker()
    assert loop == os.getpriority(os.PRIO_PROCESS, 0)
    assert worker == loop + 5


def test_threads_work_where_their_priority_may_not_be_changed() -> None:
    refuse = "def refused(*_): raise PermissionError\nos.setpriority = refused"
    loop, worker = niceness_of_loop_and_worker(refuse)
    assert worker == loop

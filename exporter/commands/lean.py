"""How the daemon's process is set up: small, and quick to answer scrapes while answers are decoded."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from exporter.heap import give_back, keep_one_heap

# How long a thread may keep the event loop waiting, instead of Python's 5 ms: a scrape of a large page comes
# back to the loop dozens of times.
_SWITCH_SECONDS = 0.0005

# For files, which are rarely waited for; each has memory of its own.
_WORKER_THREADS = 2
# Where there is but one core, a scrape would wait for the end of their time slices, 5 ms each. With a third
# of the loop's weight they are put off, and answers are put down as fast as before.
_WORKER_NICENESS = 5

# Python's own limits but for the last: a collection of everything holds whoever scrapes for 10 ms with 10,000
# items and finds next to nothing, so it comes with every tenth poll of as many instead of each.
_COLLECT_AFTER = (700, 10, 60)

# What libraries load where it is installed, and the daemon does without: rich, 5 MB with what that needs, for
# httpx and structlog to write to terminals; watchfiles for uvicorn to restart itself; greenlet for structlog.
_SPARED = ("greenlet", "pygments", "rich", "watchfiles")


@contextmanager
def without_terminal() -> Iterator[None]:
    """Import within this context as if what is for terminals and developers were not installed."""
    absent = [name for name in _SPARED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None is how an import is refused
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def run_lean(main: Coroutine[object, object, None]) -> None:
    """Run `main` to its end as `asyncio.run` does, in a process set up for it."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded by now is there to stay: no collection need look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    keep_one_heap()
    give_back()
    asyncio.run(_with_few_threads(main))


async def _with_few_threads(main: Coroutine[object, object, None]) -> None:
    workers = ThreadPoolExecutor(_WORKER_THREADS, initializer=_step_back)
    asyncio.get_running_loop().set_default_executor(workers)
    await main


def _step_back() -> None:
    """Let this thread give way to the others; elsewhere than on Linux that is the whole process's affair."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # where the process may not do that
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + _WORKER_NICENESS
            os.setpriority(os.PRIO_PROCESS, thread, niceness)

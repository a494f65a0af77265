"""How the daemon's process is set up: small, and quick to answer scrapes while answers are decoded."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

# Names and values of glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE_BYTES = 256 * 1024

# How long a thread may keep the event loop waiting, instead of Python's 5 ms: a scrape of a large page comes
# back to the loop dozens of times.
_SWITCH_SECONDS = 0.0005

# For files, which are rarely waited for; each has memory of its own.
_WORKER_THREADS = 2

# Python's own limits but for the last: a collection of everything holds whoever scrapes for 10 ms with 10,000
# items and finds next to nothing, so it comes with every tenth poll of as many instead of each.
_COLLECT_AFTER = (700, 10, 60)


@contextmanager
def without_terminal() -> Iterator[None]:
    """Import within this context as if rich were not installed.

    httpx and structlog load it, 5 MB with what it needs, to write to terminals, which a daemon has not.
    """
    absent = [name for name in ("pygments", "rich") if name not in sys.modules]
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
    _return_free_memory()
    asyncio.run(_with_few_threads(main))


async def _with_few_threads(main: Coroutine[object, object, None]) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_WORKER_THREADS))
    await main


def _return_free_memory() -> None:
    """Let glibc keep one heap for all threads, and give back to the system what is free in it."""
    library = ctypes.CDLL(None)
    try:
        set_option, trim = library.mallopt, library.malloc_trim
    except AttributeError:  # another C library, with habits of its own
        return
    set_option(_M_ARENA_MAX, 1)
    set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    set_option(_M_TRIM_THRESHOLD, _LARGE_BYTES)
    trim(0)

"""How the daemon's process is set up: small, and quick to answer scrapes while answers are decoded."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

# Of glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

# What a thread that decodes may keep the event loop waiting, instead of Python's 5 ms: a scrape takes its
# turn some ten times.
_SWITCH_SECONDS = 0.0001

# Decoding holds the interpreter, so that more threads would only take turns, each with memory of its own.
_WORKER_THREADS = 2


def leave_out(*modules: str) -> None:
    """Let imports of `modules`, not imported yet, fail as if they were not installed."""
    for module in modules:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type] # None is how Python is told so


def run_lean(main: Coroutine[object, object, None]) -> None:
    """Run `main` to its end as `asyncio.run` does."""
    _give_memory_back()
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What has been imported is there to stay: no collection needs to look at it again.
    gc.collect()
    gc.freeze()
    asyncio.run(_with_few_threads(main))


async def _with_few_threads(main: Coroutine[object, object, None]) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_WORKER_THREADS))
    await main


def _give_memory_back() -> None:
    """Where the C library is glibc, let it keep one heap for all threads and return what is free in it."""
    library = ctypes.CDLL(None)
    try:
        mallopt, trim = library.mallopt, library.malloc_trim
    except AttributeError:  # another C library, with habits of its own
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, 1 << 18)
    mallopt(_M_TRIM_THRESHOLD, 1 << 18)
    trim(0)

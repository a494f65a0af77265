"""The C library's heap, kept small where that is glibc's; others have habits of their own."""

from __future__ import annotations

import ctypes

# Names and values of glibc's <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE_BYTES = 4 * 1024 * 1024


def keep_one_heap() -> None:
    """One heap for all threads, and nothing in it larger than an answer, so that it does not fray."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)
        set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        set_option(_M_TRIM_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Give what is free back to the system, also where it lies between what is in use; some milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

"""What is free in the C library's heap goes back to the system."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

import pytest

from exporter.heap import give_back, keep_one_heap

MEGABYTE = 1 << 20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has habits of its own")
def test_what_lies_free_between_what_is_in_use_is_given_back() -> None:
    blocks = [bytearray(2000) for _ in range(40_000)]
    kept = blocks[::100]
    full = resident_bytes()
    del blocks
    give_back()
    assert len(kept) == 400
    assert full - resident_bytes() > 40 * MEGABYTE


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    keep_one_heap()
    give_back()

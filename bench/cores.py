"""What is measured has a core to itself, apart from who asks it and from the API that it asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def measured_core() -> int:
    """The core for what is measured."""
    return min(os.sched_getaffinity(0))


def load_core() -> int:
    """The core for everything else; the same one where there is no other."""
    return max(os.sched_getaffinity(0))


@contextmanager
def apart_from_what_is_measured() -> Iterator[None]:
    """Let this process keep to the core for everything else."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {load_core()})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

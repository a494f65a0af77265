"""Work that a cancellation must not cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


async def finishing(
    work: Coroutine[None, None, T], *, matters: Callable[[], bool], wait_seconds: float | None = None
) -> T:
    """Await `work`; when cancelled while it `matters`, let it end first, for `wait_seconds` at most."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if matters():
            await asyncio.wait({task}, timeout=wait_seconds)
        task.cancel()
        await asyncio.wait({task})
        raise

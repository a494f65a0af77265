"""Work of some milliseconds, done on the event loop in turns so short that nobody waits long for an answer.

A thread would be of no use for it: while Python code runs in one, the loop waits for the interpreter after
each of its own system calls, and a scrape makes dozens of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# A turn ends with the first step after this time.
_TURN_SECONDS = 0.001

# In one round of the loop a request is noticed, in the next it is read, in a third it is answered.
_ROUNDS_BETWEEN = 3


class Turns:
    """Hands out turns of the event loop, one at a time; between two of them requests are answered."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` in a turn of its own, however long it is; the caller goes on in another."""
        async with self._one_at_a_time:
            await _others_go_first()
            done = work(*args, **kwargs)
        await asyncio.sleep(0)
        return done

    async def take(self, steps: Iterable[T]) -> list[T]:
        """Everything that `steps` gives, worked out in as many turns as that needs."""
        remaining, taken = iter(steps), list[T]()
        while not await self._has_ended(remaining, taken):
            pass
        return taken

    async def _has_ended(self, remaining: Iterator[T], taken: list[T]) -> bool:
        """Take one turn; whether that was the last."""
        time = asyncio.get_running_loop().time
        async with self._one_at_a_time:
            await _others_go_first()
            until = time() + _TURN_SECONDS
            for step in remaining:
                taken.append(step)
                if time() > until:
                    return False
        return True


async def _others_go_first() -> None:
    for _ in range(_ROUNDS_BETWEEN):
        await asyncio.sleep(0)

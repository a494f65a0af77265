"""Work of some milliseconds, done on the event loop in turns so short that nobody waits long for an answer.

A thread would be of no use for it: while Python code runs in one, the loop waits for the interpreter after
each of its own system calls, and a scrape makes dozens of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

# A turn ends with the first step after this time.
_TURN_SECONDS = 0.001

# In one round of the loop a request is noticed, in the next it is read, in a third it is answered.
_ROUNDS_BETWEEN = 3
# A round in which anything is noticed takes longer.
_NOTHING_SECONDS = 0.00005


class Turns:
    """Hands out turns of the event loop to one piece of work after the other.

    Between two turns requests are answered.
    """

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def take(self, steps: Iterable[T]) -> list[T]:
        """Everything that `steps` gives, worked out in as many turns as that needs."""
        return await self.run(_collected(steps))

    async def run(self, steps: Generator[None, None, T]) -> T:
        """What `steps` returns in the end; the caller goes on in a round after its last turn."""
        ended = list[T]()
        time = asyncio.get_running_loop().time
        # What is half done fills memory, so one thing is finished before another is begun.
        async with self._one_at_a_time:
            while not ended:
                for _ in range(_ROUNDS_BETWEEN):
                    began = time()
                    await asyncio.sleep(0)
                    if time() - began < _NOTHING_SECONDS:
                        break
                ended = _turn(steps)
        await asyncio.sleep(0)
        return ended[0]


def _turn(steps: Generator[None, None, T]) -> list[T]:
    """Take steps for one turn, one at least; what they return, once they have ended."""
    time = asyncio.get_running_loop().time
    until = time() + _TURN_SECONDS
    try:
        next(steps)
        while time() <= until:
            next(steps)
    except StopIteration as end:
        return [end.value]
    return []


def _collected(steps: Iterable[T]) -> Generator[None, None, list[T]]:
    collected = []
    for step in steps:
        collected.append(step)
        yield
    return collected

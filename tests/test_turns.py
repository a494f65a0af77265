"""Turns of the event loop: work in small portions, and everybody else in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterator
from itertools import pairwise

import pytest

from exporter.turns import Turns


class Rounds:
    """Counts how often the event loop has come round, and does something for `busy_seconds` each time."""

    def __init__(self, busy_seconds: float = 0) -> None:
        self.count = 0
        self._busy_seconds = busy_seconds

    async def run(self) -> None:
        while True:
            self.count += 1
            until = time.perf_counter() + self._busy_seconds
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)


def slow_steps(count: int, seconds: float) -> Iterator[int]:
    for step in range(count):
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass
        yield step


def test_all_steps_are_taken_in_order() -> None:
    assert asyncio.run(Turns().take(slow_steps(20, 0.0003))) == list(range(20))
    assert asyncio.run(Turns().take([])) == []


def test_between_two_turns_a_request_can_be_noticed_read_and_answered() -> None:
    async def work() -> int:
        rounds = Rounds(busy_seconds=0.0001)
        others = asyncio.create_task(rounds.run())
        await Turns().take(slow_steps(10, 0.002))
        others.cancel()
        return rounds.count

    assert asyncio.run(work()) >= 30


def test_short_steps_share_a_turn() -> None:
    async def work() -> int:
        rounds = Rounds()
        others = asyncio.create_task(rounds.run())
        await Turns().take(range(1000))
        others.cancel()
        return rounds.count

    assert asyncio.run(work()) < 100


def test_two_that_work_take_turns_and_never_follow_each_other_at_once() -> None:
    async def work() -> list[int]:
        rounds = Rounds(busy_seconds=0.0001)
        others = asyncio.create_task(rounds.run())
        turns = Turns()
        seen = await asyncio.gather(*(turns.take(rounds.count for _ in range(1)) for _ in range(5)))
        others.cancel()
        return [count for counts in seen for count in counts]

    seen = asyncio.run(work())
    assert all(later - earlier >= 3 for earlier, later in pairwise(seen))


def test_work_gives_its_result_or_its_error_and_the_next_one_its_turn() -> None:
    def quotient(divisor: int) -> Generator[None, None, int]:
        yield
        return 6 // divisor

    async def work() -> int:
        turns = Turns()
        with pytest.raises(ZeroDivisionError):
            await turns.run(quotient(0))
        return await turns.run(quotient(3))

    assert asyncio.run(work()) == 2


class Leaping(asyncio.SelectorEventLoop):
    """A loop whose clock is seconds later each time that it is looked at."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__()

    def time(self) -> float:
        self._now += 5.0
        return self._now


def test_each_turn_takes_a_step_however_the_clock_leaps() -> None:
    with asyncio.Runner(loop_factory=Leaping) as runner:
        assert runner.run(Turns().take([1, 2, 3])) == [1, 2, 3]

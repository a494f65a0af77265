"""Time that passes only when nothing else can happen, so that a test of hours takes moments.

The event loop's clock jumps to the next timer as soon as nothing is ready. Work that the code under test
sends to a thread is done at once in the loop's own, so that runs are the same each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Instead of waiting until `timeout`, it lets `jump` have it."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("the code under test waits for something that will never come")
        if timeout > 0:
            self._jump(timeout)
        return super().select(0)


class _Here(ThreadPoolExecutor):
    """Does the work of a thread pool in the caller's thread, before it returns."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed on to whoever awaits the work
            future.set_exception(error)
        return future


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time starts at 0 and is nobody's real time."""

    def __init__(self) -> None:
        # Small numbers, so that a timer is never missed by a rounding.
        self._now = 0.0
        super().__init__(_Jumping(self.advance))
        self.set_default_executor(_Here(1))

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


def run(epoch: float, main: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run `main(clock)` to its end in virtual time that starts at `epoch`, Unix seconds."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(lambda: epoch + loop.time()))

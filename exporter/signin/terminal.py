"""Lines a person types, read without a thread: one blocked on a terminal would keep the process alive."""

from __future__ import annotations

import asyncio
import os


class TerminalLines:
    """Reads lines from the descriptor of a terminal while the event loop runs."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = b""

    async def __call__(self) -> str | None:
        """The next line without its end, None when there will be none."""
        while b"\n" not in self._pending:
            piece = await self._piece()
            if not piece:
                return None
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    async def _piece(self) -> bytes:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._descriptor, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(self._descriptor)
        try:
            return os.read(self._descriptor, 4096)
        except OSError:
            return b""

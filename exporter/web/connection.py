"""One client's connection, and how long it may take to say what it wants."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

# From the connection, or from the first byte of a further request, to the end of the request's head.
_HEAD_SECONDS = 10


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, closed when a request's head does not arrive in time.

    uvicorn limits the wait between two requests but not the wait for the rest of one.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Await the first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(_HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Let a complete head stop the wait, and the first byte of another start it anew."""
        super().data_received(data)
        # Declared to be there always, and None until the first request.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

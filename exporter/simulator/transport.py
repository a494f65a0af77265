"""The simulated X API as an httpx transport: no socket, and no waiting for what would take for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from exporter.simulator.core import Simulator
from exporter.simulator.http import SimRequest, SimResponse

# Parts of an endless body that arrive before the reader is told that it waited long enough.
_ENDLESS_PARTS = 1000


class SimulatorTransport(httpx.AsyncBaseTransport):
    """Sends every request of a client to `simulator`.

    A delay beyond the client's read timeout raises ReadTimeout at once; a shorter one takes no time. A
    cut connection is a RemoteProtocolError, after the request was processed.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer `request` as the simulator does."""
        body = await request.aread()
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, query = request.url.path, request.url.query.decode("ascii")
        asked = SimRequest(request.method, path, query, headers, body, request.url.scheme)
        response = self._simulator.respond(asked)
        timeout = request.extensions.get("timeout", {}).get("read")
        return _arrived(response, request, timeout)


def _arrived(response: SimResponse, request: httpx.Request, timeout_seconds: float | None) -> httpx.Response:
    delivery = response.delivery
    if timeout_seconds is not None and delivery.delay_seconds > timeout_seconds:
        message = "the simulated X did not answer in time"
        raise httpx.ReadTimeout(message, request=request)
    if delivery.cut:
        message = "the simulated X cut the connection"
        raise httpx.RemoteProtocolError(message, request=request)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    return httpx.Response(response.status, headers=headers, stream=_Body(response, request), request=request)


class _Body(httpx.AsyncByteStream):
    """The body as its `Delivery` has it arrive, less the waiting."""

    def __init__(self, response: SimResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        endless = self._response.delivery.repeat == 0
        for _ in range(_ENDLESS_PARTS if endless else self._response.delivery.repeat):
            yield self._response.body
            await asyncio.sleep(0)
        if endless:
            message = "the simulated X goes on for ever"
            raise httpx.ReadTimeout(message, request=self._request)

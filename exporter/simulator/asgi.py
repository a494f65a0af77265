"""The simulated X API as an ASGI application, for real sockets."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from exporter.simulator.admin import ADMIN_PREFIX, administer
from exporter.simulator.core import Simulator
from exporter.simulator.http import SimRequest, SimResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Smaller bodies are not worth packing.
_LEAST_PACKED = 512
# Fast rather than small: the other end is on this machine.
_PACKING_LEVEL = 1


def asgi(simulator: Simulator) -> Application:
    """`simulator` behind HTTP, with ``/_simulator/…`` for whoever directs the play."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        request = await _request(scope, receive)
        if request.path.startswith(ADMIN_PREFIX):
            client = scope.get("client") or ("", 0)
            await _deliver(administer(simulator, request, str(client[0])), send)
            return
        response = simulator.respond(request)
        if "gzip" in request.headers.get("accept-encoding", ""):
            response = _packed(response)
        await _deliver(response, send)

    return application


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _request(scope: Scope, receive: Receive) -> SimRequest:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return SimRequest(
        scope["method"],
        scope["path"],
        scope["query_string"].decode("latin-1"),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        b"".join(parts),
        scope["scheme"],
    )


def _packed(response: SimResponse) -> SimResponse:
    if len(response.body) < _LEAST_PACKED or response.header("content-encoding") is not None:
        return response
    if response.delivery.repeat != 1:
        return response
    packer = zlib.compressobj(_PACKING_LEVEL, wbits=31)
    body = packer.compress(response.body) + packer.flush()
    headers = (*response.headers, ("content-encoding", "gzip"), ("vary", "accept-encoding"))
    return SimResponse(response.status, headers, body, response.delivery)


async def _deliver(response: SimResponse, send: Send) -> None:
    delivery = response.delivery
    if delivery.delay_seconds:
        await asyncio.sleep(delivery.delay_seconds)
    # A body that is promised and never comes makes the server drop the connection.
    length = max(1, len(response.body)) if delivery.cut else len(response.body) * delivery.repeat
    own = () if delivery.repeat == 0 else (("content-length", str(length)),)
    await send({"type": "http.response.start", "status": response.status, "headers": _raw(response, own)})
    if delivery.cut:
        return
    if delivery.repeat == 1:
        await send({"type": "http.response.body", "body": response.body})
        return
    await _drip(response, send)


async def _drip(response: SimResponse, send: Send) -> None:
    sent = 0
    while response.delivery.repeat == 0 or sent < response.delivery.repeat:
        await send({"type": "http.response.body", "body": response.body, "more_body": True})
        sent += 1
        await asyncio.sleep(response.delivery.drip_seconds)
    await send({"type": "http.response.body", "body": b""})


def _raw(response: SimResponse, own: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*response.headers, *own)]

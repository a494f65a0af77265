"""What others spend on reading one full answer, as contestants.

``python -m bench.peers NAME API_PORT`` with one of the names in `_READERS`. All send the request that the
exporter sends, over one kept connection, and tell the CPU seconds of the whole process.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import httpx
from xdk import Client

from bench.canned import INSIGHTS_PATH, MEDIA_PATH
from bench.contestant import obey
from bench.items import made_up_items
from exporter.model import Endpoint, Kind
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS
from exporter.xapi.requests import Dialect, poll_request

Fetch = Callable[[], Awaitable[object]]


def _query(path: str) -> str:
    if path == MEDIA_PATH:
        ids = [item.id for item in made_up_items(Kind.MEDIA, 100)]
        return poll_request(Endpoint.MEDIA_ANALYTICS, ids, MEDIA_METRICS, time.time(), Dialect()).query
    ids = [item.id for item in made_up_items(Kind.POST, 25)]
    return poll_request(Endpoint.INSIGHTS_28HR, ids, POST_METRICS, time.time(), Dialect()).query


def xdk_media(port: int) -> Fetch:
    """X's own SDK: requests, json, pydantic."""
    client = Client(base_url=f"http://127.0.0.1:{port}", access_token="made-up")
    asked = {name: values[0] for name, values in parse_qs(_query(MEDIA_PATH)).items()}

    async def fetch() -> object:
        return client.media.get_analytics(
            media_keys=asked["media_keys"].split(","),
            start_time=asked["start_time"],
            end_time=asked["end_time"],
            granularity="hourly",
            media_analytics_fields=asked["media_analytics.fields"].split(","),
        )

    return fetch


def httpx_json(path: str) -> Callable[[int], Fetch]:
    """`httpx` as it comes, and the standard library's `json`."""

    def of_port(port: int) -> Fetch:
        client = httpx.AsyncClient(trust_env=False)
        url = f"http://127.0.0.1:{port}{path}?{_query(path)}"

        async def fetch() -> object:
            return json.loads((await client.get(url)).content)

        return fetch

    return of_port


def raw(path: str) -> Callable[[int], Fetch]:
    """Nothing but the bytes of the answer, uncompressed, from the socket into memory: the limit."""

    def of_port(port: int) -> Fetch:
        connection = socket.create_connection(("127.0.0.1", port))
        request = f"GET {path}?{_query(path)} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
        buffer = bytearray(4 << 20)

        async def fetch() -> object:
            connection.sendall(request)
            read = end = 0
            while read < end or not end:
                read += connection.recv_into(memoryview(buffer)[read:])
                if not end:
                    end = _end_of_answer(bytes(buffer[:read]))
            return read

        return fetch

    return of_port


def _end_of_answer(start: bytes) -> int:
    head, found, _ = start.partition(b"\r\n\r\n")
    if not found:
        return 0
    return len(head) + 4 + int(head.rpartition(b"content-length: ")[2])


_READERS: dict[str, Callable[[int], Fetch]] = {
    "media-xdk": xdk_media,
    "media-httpx-json": httpx_json(MEDIA_PATH),
    "media-raw": raw(MEDIA_PATH),
    "insights-httpx-json": httpx_json(INSIGHTS_PATH),
    "insights-raw": raw(INSIGHTS_PATH),
}


async def _take_turns(fetch: Fetch) -> None:
    async def poll(times: int) -> dict[str, float]:
        cpu = time.process_time()
        for _ in range(times):
            await fetch()
        return {"cpu": (time.process_time() - cpu) / times}

    await obey("ready", {"poll": poll})


if __name__ == "__main__":
    asyncio.run(_take_turns(_READERS[sys.argv[1]](int(sys.argv[2]))))

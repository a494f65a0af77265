from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Callable, Mapping

import httpx

from exporter.xapi.client import MAX_BODY_BYTES, Reply, XClient
from exporter.xapi.failures import Failure

BODY = b'{"data": []}' * 1000


class Signed:
    async def headers(self, method: str, url: str) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        return {"Authorization": "Bearer made-up"}

    async def rejected(self) -> bool:
        return False


def asked(respond: Callable[[httpx.Request], httpx.Response]) -> Reply | Failure:
    """What the client makes of `respond`."""

    async def ask() -> Reply | Failure:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
            client = XClient(http, "https://x.example", 5, clock=lambda: 0.0, monotonic=lambda: 0.0)
            return await client.get("/2/media/analytics", "a=b", Signed())

    return asyncio.run(ask())


def answer(body: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Reply | Failure:
    """What the client makes of an answer with this body."""

    def respond(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "gzip"
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    return asked(respond)


def body_of(reply: Reply | Failure) -> bytes:
    assert isinstance(reply, Reply)
    return reply.body


def refusal_of(reply: Reply | Failure) -> str:
    assert isinstance(reply, Failure)
    assert reply.code == "read"
    return reply.detail


def test_a_compressed_body_is_read_like_a_plain_one() -> None:
    assert body_of(answer(gzip.compress(BODY), {"content-encoding": "gzip"})) == BODY
    assert body_of(answer(BODY)) == BODY
    assert body_of(answer(BODY, {"content-encoding": "identity"})) == BODY


def test_the_name_of_an_encoding_may_be_written_in_capitals() -> None:
    assert body_of(answer(gzip.compress(BODY), {"content-encoding": "GZIP"})) == BODY


def test_an_empty_body_is_read_whatever_its_encoding() -> None:
    assert body_of(answer(b"", {"content-encoding": "gzip"}, status=404)) == b""


def test_an_encoding_that_was_not_asked_for_is_named() -> None:
    assert "'br'" in refusal_of(answer(BODY, {"content-encoding": "br"}))


def test_a_body_that_is_not_whole_is_not_read() -> None:
    packed = gzip.compress(BODY)
    assert "not one whole" in refusal_of(answer(packed[:-9], {"content-encoding": "gzip"}))
    assert "not one whole" in refusal_of(answer(packed + packed, {"content-encoding": "gzip"}))
    assert "not the gzip" in refusal_of(answer(BODY, {"content-encoding": "gzip"}))


def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_read() -> None:
    bomb = gzip.compress(bytes(MAX_BODY_BYTES + 1))
    assert "larger than" in refusal_of(answer(bomb, {"content-encoding": "gzip"}))
    assert body_of(answer(gzip.compress(bytes(MAX_BODY_BYTES)), {"content-encoding": "gzip"})) != b""


def test_a_plain_body_that_is_too_large_is_not_read() -> None:
    assert "larger than" in refusal_of(answer(bytes(MAX_BODY_BYTES + 1)))


def test_what_tls_finds_wrong_in_the_middle_is_a_connection_that_broke() -> None:
    def respond(_request: httpx.Request) -> httpx.Response:
        raise ssl.SSLError("certificate required")

    assert "certificate required" in refusal_of(asked(respond))

"""Who has to go when there are too many, and what happens when there is nothing to let anybody in with."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from exporter.exposition.page import Page
from exporter.web.addresses import bind
from exporter.web.app import build_app
from exporter.web.crowd import Crowd, Standing, most_connections
from exporter.web.server import WebServer
from tests.test_web_server import hurried, rest, silent_client
from tests.web_support import page_of, services


@dataclass(eq=False)
class Guest:
    dropped: list[Guest] = field(repr=False)

    def drop(self) -> None:
        self.dropped.append(self)


def guests(count: int) -> tuple[list[Guest], list[Guest]]:
    """So many guests, and the list of those dropped so far, in order."""
    dropped: list[Guest] = []
    return [Guest(dropped) for _ in range(count)], dropped


def test_who_has_said_nothing_goes_first_then_who_is_idle_then_who_is_slow() -> None:
    (slow, idle, old, young, *late), dropped = guests(8)
    crowd = Crowd(4)
    for guest in (slow, idle, old, young):
        assert crowd.enter(guest)
    crowd.stand(slow, Standing.SLOW)
    crowd.stand(idle, Standing.IDLE)
    for newcomer in late:
        assert crowd.enter(newcomer)
        crowd.stand(newcomer, Standing.SERVED)
    assert dropped == [old, young, idle, slow]


def test_nobody_who_is_being_served_is_dropped() -> None:
    (first, second, third), dropped = guests(3)
    crowd = Crowd(2)
    for guest in (first, second):
        crowd.enter(guest)
        crowd.stand(guest, Standing.SERVED)
    assert not crowd.enter(third)
    crowd.leave(first)
    assert crowd.enter(third)
    assert dropped == []


def test_who_has_been_idle_longest_goes_first() -> None:
    (first, second, third), dropped = guests(3)
    crowd = Crowd(2)
    for guest in (first, second):
        crowd.enter(guest)
        crowd.stand(guest, Standing.IDLE)
    crowd.stand(first, Standing.SERVED)
    crowd.stand(first, Standing.IDLE)
    crowd.enter(third)
    assert dropped == [second]


def test_at_most_half_may_be_slow() -> None:
    everybody, dropped = guests(4)
    crowd = Crowd(4)
    for guest in everybody:
        crowd.enter(guest)
        crowd.stand(guest, Standing.SLOW)
    assert dropped == everybody[:2]


def test_who_has_left_is_not_counted_again() -> None:
    (gone, other), dropped = guests(2)
    crowd = Crowd(1)
    crowd.enter(gone)
    crowd.leave(gone)
    crowd.leave(gone)
    crowd.stand(gone, Standing.IDLE)
    assert crowd.enter(other)
    assert dropped == []


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["enter", "leave", *Standing]))))
def test_there_are_never_more_than_may_be(steps: list[tuple[int, str | Standing]]) -> None:
    everybody, dropped = guests(10)
    crowd, inside = Crowd(3), set[Guest]()
    for number, what in steps:
        guest = everybody[number]
        if what == "enter" and guest not in inside and crowd.enter(guest):
            inside.add(guest)
        elif what == "leave":
            crowd.leave(guest)
            inside.discard(guest)
        elif isinstance(what, Standing):
            crowd.stand(guest, what)
        inside.difference_update(dropped)
        dropped.clear()
        assert len(inside) <= 3
    asyncio.run(_everybody_gone(crowd, inside))


async def _everybody_gone(crowd: Crowd, inside: set[Guest]) -> None:
    for guest in inside:
        asyncio.get_running_loop().call_soon(crowd.leave, guest)
    await asyncio.wait_for(crowd.gone(), 10)


@pytest.mark.parametrize(
    ("open_files", "plain", "tls"),
    [(20_000, 1024, 256), (1024, 960, 256), (128, 64, 64), (10, 16, 16), (resource.RLIM_INFINITY, 1024, 256)],
)
def test_there_are_as_many_connections_as_files_and_memory_allow(
    open_files: int, plain: int, tls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (open_files, open_files))
    assert (most_connections(tls=False), most_connections(tls=True)) == (plain, tls)


@asynccontextmanager
async def waiting_room(released: asyncio.Event) -> AsyncIterator[int]:
    """A server one of whose paths answers when `released` is set."""

    async def slow(_request: Request) -> PlainTextResponse:
        await released.wait()
        return PlainTextResponse("done")

    app = build_app(replace(services(Page([])), routes=[Route("/slow", slow)]))
    async with WebServer(app, [bind("127.0.0.1", 0)]) as server:
        yield server.port


def test_one_too_many_is_turned_away_while_all_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (80, 80))

    async def ask() -> tuple[bytes, list[bytes]]:
        released, request = asyncio.Event(), b"GET /slow HTTP/1.0\r\n\r\n"
        async with waiting_room(released) as port:
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
            for _, writer in clients:
                writer.write(request)
            await asyncio.sleep(0.1)
            reader, turned_away = await asyncio.open_connection("127.0.0.1", port)
            said = await reader.read()
            released.set()
            answers = [await reader.read() for reader, _ in clients]
            for writer in (turned_away, *(writer for _, writer in clients)):
                writer.close()
            return said, answers

    said, answers = asyncio.run(ask())
    assert said == b""
    assert all(answer.endswith(b"done") for answer in answers)


def test_who_is_dropped_before_it_was_looked_at_is_closed_properly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (80, 80))

    async def ask() -> list[bytes]:
        loop = asyncio.get_running_loop()
        async with waiting_room(asyncio.Event()) as port:
            with ExitStack() as stack:
                # No await in between: of all that wait the server has room for the last 16.
                clients = [
                    stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)
                ]
                for client in clients:
                    client.setblocking(False)  # noqa: FBT003 - its only argument
                dropped = [await loop.sock_recv(client, 4096) for client in clients[:44]]
                await loop.sock_sendall(clients[-1], b"GET /-/healthy HTTP/1.0\r\n\r\n")
                return [*dropped, await loop.sock_recv(clients[-1], 4096)]

    *dropped, last = asyncio.run(ask())
    assert dropped == [b""] * 44
    assert last.startswith(b"HTTP/1.1 200")


def test_who_comes_while_no_file_can_be_opened_is_let_in_later() -> None:
    async def ask() -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        async with waiting_room(asyncio.Event()) as port:
            idle_reader, idle = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0)
            with socket.socket() as late:
                late.setblocking(False)  # noqa: FBT003 - its only argument
                with no_more_files():
                    await loop.sock_connect(late, ("127.0.0.1", port))
                    dropped = await idle_reader.read()
                await loop.sock_sendall(late, b"GET /-/healthy HTTP/1.0\r\n\r\n")
                answer = await loop.sock_recv(late, 4096)
            idle.close()
            return dropped, answer

    dropped, answer = asyncio.run(ask())
    assert dropped == b""
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_hundred_who_knock_at_once_are_all_let_in() -> None:
    async def ask() -> list[bytes]:
        loop, request = asyncio.get_running_loop(), b"GET /-/healthy HTTP/1.0\r\n\r\n"
        async with waiting_room(asyncio.Event()) as port:
            with ExitStack() as stack:
                # No await in between: the server finds them all waiting.
                clients = [
                    stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(100)
                ]
                for client in clients:
                    client.sendall(request)
                    client.setblocking(False)  # noqa: FBT003 - its only argument
                return [await loop.sock_recv(client, 4096) for client in clients]

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in asyncio.run(ask()))


def test_a_server_that_waits_for_files_ends_at_once() -> None:
    async def stop() -> float:
        loop = asyncio.get_running_loop()
        with socket.socket() as late:
            late.setblocking(False)  # noqa: FBT003 - its only argument
            async with waiting_room(asyncio.Event()) as port:
                with no_more_files():
                    await loop.sock_connect(late, ("127.0.0.1", port))
                    await asyncio.sleep(0.01)
                leaving = loop.time()
            return loop.time() - leaving

    assert asyncio.run(stop()) < 1


def test_an_answer_that_never_comes_does_not_delay_the_end_for_long() -> None:
    async def stop() -> float:
        loop = asyncio.get_running_loop()
        async with waiting_room(asyncio.Event()) as port, httpx.AsyncClient() as client:
            asked = asyncio.ensure_future(client.get(f"http://127.0.0.1:{port}/slow"))
            await asyncio.sleep(0.1)
            leaving = loop.time()
        with pytest.raises(httpx.TransportError):
            await asked
        return loop.time() - leaving

    assert 1 < asyncio.run(stop()) < 4


def no_more_files() -> ExitStack:
    """Within it this process opens no file; what has been opened stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths
    stack = ExitStack()
    # Gaps below the highest are taken, so that the limit is reached.
    taken = [stack.enter_context(socket.socket()) for _ in range(highest)]
    lowered = max(each.fileno() for each in taken) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, hard))
    stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    return stack


ASKED = b"GET /metrics HTTP/1.0\r\n\r\n"


async def first_clients(port: int, stack: ExitStack) -> None:
    """So many clients, answered and still there, that the kernel holds no whole page for others."""
    for _ in range(8):
        client = stack.enter_context(await silent_client(port, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"))
        await asyncio.get_running_loop().sock_recv(client, 4096)


def test_for_whoever_comes_later_and_reads_nothing_the_kernel_holds_little() -> None:
    async def ask() -> int:
        app = build_app(services(page_of(slots=100, lines=1000)))
        with ExitStack() as stack:
            async with WebServer(app, [bind("127.0.0.1", 0)]) as server:
                await first_clients(server.port, stack)
                client = stack.enter_context(await silent_client(server.port, ASKED))
                await asyncio.sleep(0.2)
            return len(await rest(client))

    assert 10_000 < asyncio.run(ask()) < 1_000_000


def test_who_comes_later_is_written_to_in_smaller_parts() -> None:
    app = build_app(services(page_of(slots=100, lines=1000)))
    written: list[int] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            written.append(len(message.get("body", b"")))
            await send(message)

        await app(scope, receive, noted)

    async def largest_part(port: int) -> int:
        written.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
        received = await reader.read()
        writer.close()
        assert len(received) > sum(written) > 300_000
        return max(written)

    async def ask() -> tuple[int, int]:
        with ExitStack() as stack:
            async with WebServer(noting, [bind("127.0.0.1", 0)]) as server:
                early = await largest_part(server.port)
                await first_clients(server.port, stack)
                return early, await largest_part(server.port)

    assert asyncio.run(ask()) == (256 * 1024, 64 * 1024)


def test_who_reads_drop_by_drop_has_a_minute_for_it() -> None:
    async def ask() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        app = build_app(services(page_of(slots=100, lines=1000)))
        async with WebServer(app, [bind("127.0.0.1", 0)]) as server:
            with ExitStack() as stack:
                await first_clients(server.port, stack)
                client = stack.enter_context(await silent_client(server.port, ASKED))
                began, received = loop.time(), 0
                with suppress(ConnectionResetError):
                    while some := await loop.sock_recv(client, 16_384):
                        received += len(some)
                        await asyncio.sleep(0.5)
                return received, loop.time() - began

    received, seconds = hurried(ask())
    assert 100_000 < received < 4_000_000
    assert 55 < seconds < 120

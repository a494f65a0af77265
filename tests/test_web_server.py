from __future__ import annotations

import asyncio
import errno
import gzip
import random
import selectors
import signal
import socket
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeVar

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from exporter.exposition.page import Family, Page
from exporter.exposition.piece import make_piece
from exporter.web.addresses import bind
from exporter.web.app import WebServices, build_app
from exporter.web.server import WebServer

T = TypeVar("T")

HURRY = 50
FAMILY = Family("x_media_analytics", "gauge", "Figures.")


def page_of(slots: int, lines: int) -> Page:
    page = Page([FAMILY])
    digits = random.Random(7)
    for slot in range(slots):
        text = "".join(f'{FAMILY.name}{{id="{digits.getrandbits(60)}"}} {n}\n' for n in range(lines))
        page.publish(str(slot), {FAMILY.name: make_piece(text.encode())})
    return page


def services(page: Page) -> WebServices:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return WebServices(page, registry, lambda: None, lambda: True)


@asynccontextmanager
async def serving(page: Page) -> AsyncIterator[int]:
    async with WebServer(build_app(services(page)), [bind("127.0.0.1", 0)]) as server:
        yield server.port


async def output(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed


async def silent_client(port: int, request: bytes) -> socket.socket:
    """A client that has sent `request` and reads nothing, with little room for what comes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)  # noqa: FBT003 - its only argument
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, request)
    return client


async def rest(client: socket.socket) -> bytes:
    """All that comes until the server has closed or reset the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while some := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
            received += some
    return received


class HurriedSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / HURRY)


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass faster."""

    def __init__(self) -> None:
        super().__init__(HurriedSelector())

    def time(self) -> float:
        return super().time() * HURRY


def hurried(work: Coroutine[None, None, T]) -> T:
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(work)


def domain_lines(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if line.startswith(FAMILY.name.encode())]


def test_httpx_reads_a_large_page_whole() -> None:
    async def scrape() -> None:
        page = page_of(slots=40, lines=1000)
        async with serving(page) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(2):
                packed = await client.get("/metrics")
                plain = await client.get("/metrics", headers={"accept-encoding": "identity"})
                assert packed.headers["content-encoding"] == "gzip"
                assert domain_lines(packed.content) == domain_lines(plain.content)
                assert len(domain_lines(plain.content)) == 40_000

    asyncio.run(scrape())


def test_the_body_is_one_gzip_member_for_every_reader(part: Callable[[str], str]) -> None:
    curl = part("curl")

    async def scrape() -> None:
        async with serving(page_of(slots=3, lines=500)) as port:
            url = f"http://127.0.0.1:{port}/metrics?name[]={FAMILY.name}"
            raw = await output(curl, "--silent", "--globoff", "--header", "Accept-Encoding: gzip", url)
            unpacked = await output(curl, "--silent", "--globoff", "--compressed", url)
        reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        assert reader.decompress(raw) == gzip.decompress(raw) == unpacked
        assert reader.eof
        assert reader.unused_data == b""
        assert len(domain_lines(unpacked)) == 1500

    asyncio.run(scrape())


def test_promtool_finds_nothing_to_say(part: Callable[[str], str]) -> None:
    promtool = part("promtool")

    async def scrape() -> str:
        async with serving(page_of(slots=2, lines=10)) as port, httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}/metrics")).text

    text = asyncio.run(scrape())
    checked = subprocess.run(
        [promtool, "check", "metrics"], check=False, input=text, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert FAMILY.name in [family.name for family in parse_text(text)]


def test_head_is_answered_without_a_body_and_the_connection_goes_on() -> None:
    async def scrape() -> None:
        async with serving(page_of(slots=1, lines=10)) as port, httpx.AsyncClient() as client:
            head = await client.head(f"http://127.0.0.1:{port}/metrics?name[]={FAMILY.name}")
            get = await client.get(f"http://127.0.0.1:{port}/metrics?name[]={FAMILY.name}")
        assert head.content == b""
        assert head.headers["content-length"] == get.headers["content-length"]
        assert len(domain_lines(get.content)) == 10

    asyncio.run(scrape())


def test_a_client_that_reads_nothing_blocks_no_other_and_is_cut_off_at_the_end() -> None:
    async def scrape() -> None:
        async with serving(page_of(slots=40, lines=4000)) as port, httpx.AsyncClient() as client:
            silent = await silent_client(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            answers = [await client.get(f"http://127.0.0.1:{port}/metrics") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        with silent:
            head, _, body = (await rest(silent)).partition(b"\r\n\r\n")
        (length,) = (line for line in head.splitlines() if line.startswith(b"content-length: "))
        assert len(body) < int(length.split()[1])

    asyncio.run(scrape())


def test_idle_and_half_spoken_clients_do_not_delay_the_end() -> None:
    async def stop() -> float:
        loop = asyncio.get_running_loop()
        async with serving(page_of(slots=1, lines=1)) as port, httpx.AsyncClient() as client:
            waiting = [await silent_client(port, begun) for begun in (b"", b"GET /metr")]
            await client.get(f"http://127.0.0.1:{port}/-/healthy")
            leaving = loop.time()
        for silent in waiting:
            silent.close()
        return loop.time() - leaving

    assert asyncio.run(stop()) < 2


def test_a_head_that_does_not_end_is_not_waited_for() -> None:
    async def ask() -> None:
        async with serving(page_of(slots=1, lines=1)) as port:
            for begun in (b"", b"GET /metr"):
                with await silent_client(port, begun) as client:
                    assert await rest(client) == b""

    hurried(ask())


def test_the_head_of_a_second_request_is_waited_for_no_longer() -> None:
    async def ask() -> float:
        loop = asyncio.get_running_loop()
        async with serving(page_of(slots=1, lines=1)) as port:
            with await silent_client(port, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n") as client:
                assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 200 ")
                asked = loop.time()
                await loop.sock_sendall(client, b"GET /metr")
                await rest(client)
                return loop.time() - asked

    assert 5 < hurried(ask()) < 60


def test_an_answer_may_take_longer_than_the_head() -> None:
    async def slow(_request: Request) -> PlainTextResponse:
        await asyncio.sleep(60)
        return PlainTextResponse("done")

    async def ask() -> str:
        app = build_app(replace(services(Page([])), routes=[Route("/slow", slow)]))
        async with (
            WebServer(app, [bind("127.0.0.1", 0)]) as server,
            httpx.AsyncClient(timeout=None) as client,
        ):
            return (await client.get(f"http://127.0.0.1:{server.port}/slow")).text

    assert hurried(ask()) == "done"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"a" * 40_000,
        b"not HTTP at all\r\n\r\n",
    ],
    ids=["endless head", "no HTTP"],
)
def test_a_request_that_is_none_is_answered_400_and_the_connection_closed(request_bytes: bytes) -> None:
    async def ask() -> bytes:
        async with serving(page_of(slots=1, lines=1)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes)
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 400 ")


def test_the_port_is_free_again_afterwards() -> None:
    async def run() -> int:
        async with serving(page_of(slots=1, lines=1)) as port, httpx.AsyncClient() as client:
            await client.get(f"http://127.0.0.1:{port}/-/healthy")
            return port

    port = asyncio.run(run())
    bind("127.0.0.1", port).close()


def test_signals_stay_the_caller_s() -> None:
    async def handlers() -> tuple[object, object]:
        async with serving(page_of(slots=1, lines=1)):
            return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    before = signal.getsignal(signal.SIGTERM)
    terminate, _ = asyncio.run(handlers())
    assert terminate is before


def test_a_listener_that_cannot_be_served_fails_at_once() -> None:
    async def run() -> None:
        listener = bind("127.0.0.1", 0)
        listener.close()
        async with WebServer(build_app(services(Page([]))), [listener]):
            raise AssertionError

    with pytest.raises(OSError, match=str(errno.EBADF)):
        asyncio.run(run())


def test_an_idle_server_runs_no_task_of_its_own() -> None:
    async def tasks() -> set[asyncio.Task[object]]:
        async with serving(page_of(slots=1, lines=1)):
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(tasks()) == set()

"""A token endpoint with X's rules, and an OAuth 2.0 account to try it with."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import httpx

from exporter.config.settings import AccountConfig, ApiSettings, Auth, OAuth2Auth, Secret
from exporter.errors import CredentialsError
from exporter.signin.document import decode
from exporter.signin.keeper import TokenKeeper
from exporter.signin.oauth2 import OAuth2Signer
from exporter.signin.scheme import RefreshOutcome, Surroundings
from exporter.signin.schemes import open_keeper, open_signer
from exporter.signin.token_endpoint import Grant, read_grant
from exporter.signin.tokens import AccountTokens

NOW = 1_790_000_000.0
CONFIDENTIAL = OAuth2Auth("client-1", Secret("client-secret"), "confidential")
PUBLIC = OAuth2Auth("client-1", None, "public")
BASIC = "Basic Y2xpZW50LTE6Y2xpZW50LXNlY3JldA=="

SPENT = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}


class TokenServer:
    """One app's refresh tokens, each good once; a spent one that comes back ends the whole sign-in."""

    def __init__(self, expires_in: float | None = 7200) -> None:
        self.expires_in = expires_in
        self.current: str | None = None
        self.received: list[str] = []
        self.rotations = 0
        self.replayed: set[str] = set()
        self.inspect: Callable[[str], None] = lambda _: None
        self._family = 0
        self._lock = threading.Lock()

    def sign_in(self) -> dict[str, object]:
        """A new sign-in; the answer to its code."""
        with self._lock:
            self._family += 1
            return self._grant()

    def grant(self) -> Grant:
        """A new sign-in, as the endpoint's client reads it."""
        grant = read_grant(json.dumps(self.sign_in()).encode())
        assert grant is not None
        return grant

    def refresh(self, token: str) -> tuple[int, dict[str, object]]:
        """Status and body of a refresh."""
        with self._lock:
            self.inspect(token)
            self.received.append(token)
            if token == self.current:
                return 200, self._grant()
            self.replayed.add(token)
            self.current = None
            return 400, dict(SPENT)

    def _grant(self) -> dict[str, object]:
        self.rotations += 1
        self.current = f"refresh-{self._family}-{self.rotations}"
        answer: dict[str, object] = {
            "token_type": "bearer",
            "access_token": f"access-{self._family}-{self.rotations}",
            "refresh_token": self.current,
            "scope": "tweet.read users.read offline.access",
        }
        return answer if self.expires_in is None else {**answer, "expires_in": self.expires_in}


class Body(httpx.AsyncByteStream):
    """A body that comes over a wire, in pieces, unlike httpx's own for tests."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def reply(status: int, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=headers, stream=Body(content[:7], content[7:]))


def form(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode()))


@dataclass
class Clock:
    """Time that passes only where it is said to."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Outcomes:
    """An observer that writes down what it is told."""

    refreshes: list[RefreshOutcome] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def refreshed(self, account: str, outcome: RefreshOutcome, sentence: str) -> None:
        assert account == "brand"
        self.refreshes.append(outcome)
        self.sentences.append(sentence)

    def unsaved(self, account: str, sentence: str) -> None:
        assert account == "brand"
        self.sentences.append(sentence)


Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass
class World:
    """An account with its own state directory, clock and token server; `answer` may be replaced."""

    state_dir: Path
    auth: OAuth2Auth = CONFIDENTIAL
    server: TokenServer = field(default_factory=TokenServer)
    clock: Clock = field(default_factory=Clock)
    outcomes: Outcomes = field(default_factory=Outcomes)
    requests: list[httpx.Request] = field(default_factory=list)
    faults: list[Answer] = field(default_factory=list)
    sleep: Callable[[float], Awaitable[None]] | None = None

    @property
    def file(self) -> Path:
        return self.state_dir / "tokens" / "brand.json"

    @property
    def tokens(self) -> AccountTokens:
        return decode(self.file.read_bytes(), "file", "brand")

    @property
    def surroundings(self) -> Surroundings:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        return Surroundings(http, self.clock, self.sleep or self.clock.sleep, lambda: 0.5)

    def signer(self) -> OAuth2Signer:
        signer = open_signer(account(self.auth), api(), self.state_dir, self.surroundings, self.outcomes)
        assert isinstance(signer, OAuth2Signer)
        return signer

    def keeper(self) -> TokenKeeper:
        return open_keeper("brand", self.auth, self.state_dir, self.surroundings, self.outcomes)

    def sign_in(self) -> None:
        """What `login` does in another process."""
        asyncio.run(self.keeper().adopt(self.server.grant(), self.clock.now))

    def token(self, signer: OAuth2Signer | None = None) -> str:
        """The access token a request gets, from a new process unless `signer` is given."""

        async def ask() -> str:
            one = signer or self.signer()
            try:
                return (await one.headers("GET", "https://api.x.com/2/users/me"))["Authorization"]
            finally:
                if signer is None:
                    await one.aclose(30.0)

        return asyncio.run(ask()).removeprefix("Bearer ")

    def refusal(self, signer: OAuth2Signer | None = None) -> str:
        """Why a request gets no token."""
        try:
            token = self.token(signer)
        except CredentialsError as error:
            return str(error)
        raise AssertionError(token)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.faults:
            return await self.faults.pop(0)(request)
        return self.honest(request)

    def honest(self, request: httpx.Request) -> httpx.Response:
        status, body = self.server.refresh(form(request)["refresh_token"])
        return reply(status, body)


def api(base_url: str = "https://api.x.com") -> ApiSettings:
    return ApiSettings(base_url, 30.0, 4, None, None)


def account(auth: Auth) -> AccountConfig:
    return AccountConfig("brand", auth, (), (), (), "auto")


def fails(status: int, body: bytes = b"") -> Answer:
    async def answer(_: httpx.Request) -> httpx.Response:
        return reply(status, body)

    return answer


def breaks(error: type[httpx.TransportError]) -> Answer:
    async def answer(request: httpx.Request) -> httpx.Response:
        raise error("planted", request=request)

    return answer


def processed_but(world: World, error: type[httpx.TransportError]) -> Answer:
    """X does its part, and the answer is lost on the way."""

    async def answer(request: httpx.Request) -> httpx.Response:
        world.honest(request)
        raise error("planted", request=request)

    return answer


@contextmanager
def served(server: TokenServer, before: Callable[[], None], after: Callable[[], None]) -> Iterator[str]:
    """`server` on a real socket, at the address given; `before` and `after` surround its part."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            before()
            status, answer = server.refresh(dict(parse_qsl(body))["refresh_token"])
            after()
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        # So that after the end nothing is half done: closing waits for every request that was taken.
        daemon_threads = False

        def handle_error(self, *_: object) -> None:
            """A client that was killed is what these tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()

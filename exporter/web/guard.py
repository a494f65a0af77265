"""What stands before every path once there is a web configuration: headers, rate limit, password."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.live import LiveWebConfig
from exporter.web.passwords import CrowdedError, Passwords
from exporter.web.webconfig import WebConfig
from exporter.web.webkeys import RateLimit

# Probes carry no password.
OPEN_PATHS: Final = frozenset({"/-/healthy", "/-/ready"})

_CHALLENGE: Final = {"www-authenticate": 'Basic realm="x-analytics-exporter", charset="UTF-8"'}


class Guard:
    """Lets a request through to `app` as the web configuration of the moment asks; a layer of ASGI."""

    def __init__(self, app: ASGIApp, live: LiveWebConfig) -> None:
        self._app = app
        self._live = live
        self._passwords = Passwords()
        self._limiter = _Limiter(live.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        config = self._live.current()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, text in config.headers:
                    headers[name] = text
            await send(message)

        refusal = None if scope["path"] in OPEN_PATHS else await self._refusal(config, scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    async def _refusal(self, config: WebConfig, scope: Scope) -> Response | None:
        if config.rate_limit and not self._limiter.allows(config.rate_limit):
            return PlainTextResponse("too many requests: rate_limit of the web configuration\n", 429)
        if not config.users:
            return None
        given = _credentials(Headers(scope=scope).get("authorization", ""))
        if given is None:
            return PlainTextResponse("a user name and password are required\n", 401, _CHALLENGE)
        client = scope["client"][0] if scope["client"] else ""
        try:
            if await self._passwords.is_right(config.users, *given, client):
                return None
        except CrowdedError:
            return PlainTextResponse("too many passwords are being checked; try again\n", 429)
        return PlainTextResponse("no such user, or another password\n", 401, _CHALLENGE)


def _credentials(header: str) -> tuple[str, bytes] | None:
    """User name and password in an Authorization header; None where it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None


class _Limiter:
    """A token bucket, full again whenever the limit is another one."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._limit: RateLimit | None = None
        self._tokens = 0.0
        self._counted_at = 0.0

    def allows(self, limit: RateLimit) -> bool:
        """Whether `limit` leaves room for one more request now, which then counts."""
        now = self._monotonic()
        if limit != self._limit:
            self._limit, self._tokens = limit, float(limit.burst)
        else:
            gained = (now - self._counted_at) / limit.interval_seconds
            self._tokens = min(float(limit.burst), self._tokens + gained)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

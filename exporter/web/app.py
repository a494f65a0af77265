"""What is served at which path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.exposition.page import Page
from exporter.web.metrics import MetricsEndpoint

if TYPE_CHECKING:
    # With YAML and bcrypt, 2 MB that a daemon without a web configuration does without.
    from exporter.web.live import LiveWebConfig


@dataclass(frozen=True, slots=True)
class WebServices:
    """What the paths serve; all is called on the event loop, and none of it may wait for X.

    `before_scrape` takes from `page` what must not be shown any more; every scrape calls it before it
    reads. `ready` is whether `/-/ready` answers 200. `reload` loads the configuration again and gives
    the errors, none when it succeeded; None where the flag that allows it is not set. `routes` are served
    besides.
    """

    page: Page
    registry: CollectorRegistry
    before_scrape: Callable[[], None]
    ready: Callable[[], bool]
    reload: Callable[[], Awaitable[Sequence[str]]] | None = None
    routes: Sequence[BaseRoute] = ()


def build_app(services: WebServices, web_config: LiveWebConfig | None = None) -> ASGIApp:
    """The application that serves `services`, to whom `web_config` allows it; to everybody without one."""
    guard = [] if web_config is None else [_guard(web_config)]
    metrics = MetricsEndpoint(services.page, services.registry, services.before_scrape)
    return Starlette(
        routes=[
            Route("/metrics", metrics, methods=["GET"]),
            Route("/-/healthy", _healthy),
            Route("/-/ready", _ready(services.ready)),
            Route("/-/reload", _reload(services.reload), methods=["POST"]),
            *services.routes,
        ],
        middleware=[Middleware(_CommonHeaders), *guard],
    )


def _guard(web_config: LiveWebConfig) -> Middleware:
    from exporter.web.guard import Guard  # noqa: PLC0415 - see above

    return Middleware(Guard, web_config)


_Endpoint = Callable[[Request], Awaitable[Response]]


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("healthy\n")


def _ready(ready: Callable[[], bool]) -> _Endpoint:
    async def endpoint(_request: Request) -> Response:
        if ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready: the first poll has not had an outcome yet\n", status_code=503)

    return endpoint


def _reload(reload: Callable[[], Awaitable[Sequence[str]]] | None) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        if reload is None:
            text = "reloading over HTTP is off; start with --web.enable-lifecycle, or send SIGHUP\n"
            return PlainTextResponse(text, status_code=403)
        if _is_cross_site(request):
            return PlainTextResponse("a page of another site may not reload\n", status_code=403)
        errors = await reload()
        if errors:
            return PlainTextResponse("".join(f"{error}\n" for error in errors), status_code=500)
        return PlainTextResponse("reloaded\n")

    return endpoint


def _is_cross_site(request: Request) -> bool:
    """Whether a browser sent this on behalf of a page that is not ours; other programs say nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin, host = request.headers.get("origin"), request.headers.get("host")
    return origin not in (None, f"http://{host}", f"https://{host}")


class _CommonHeaders:
    """Adds what every answer carries: the date, and that its type is not to be guessed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["date"] = formatdate(usegmt=True)
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_with_headers)

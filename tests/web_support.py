"""What tests of the web configuration share: certificates, a server that goes by a file, its log."""

from __future__ import annotations

import io
import json
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import trustme
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from exporter.exposition.page import Family, Page
from exporter.exposition.piece import make_piece
from exporter.logs import build_logger
from exporter.web.addresses import bind
from exporter.web.app import WebServices, build_app
from exporter.web.live import LiveWebConfig
from exporter.web.server import WebServer
from exporter.web.webconfig import load_web_config

FAMILY = Family("x_media_analytics", "gauge", "Figures.")
PASSWORD = "correct horse battery staple"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def users(**passwords: str) -> str:
    """The part of a web configuration that lets these users in."""
    lines = (f"  {user}: {hashed(password)}\n" for user, password in passwords.items())
    return "basic_auth_users:\n" + "".join(lines)


@dataclass(frozen=True)
class Certificates:
    """A certificate authority whose certificates are written to `folder`: NAME.pem and NAME.key."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))

    def issue(self, name: str, *identities: str, until: datetime | None = None) -> None:
        """A certificate for `identities`, valid from 2001 on."""
        issued = self.authority.issue_cert(
            *(identities or ("localhost", "127.0.0.1")),
            not_before=datetime(2001, 1, 1, tzinfo=UTC),
            not_after=until,
        )
        self.write(name, issued)

    def write(self, name: str, issued: trustme.LeafCert) -> None:
        """Put `issued` where the last certificate of this name was, as renewing programs do."""
        parts = {".key": issued.private_key_pem.bytes(), ".pem": issued.cert_chain_pems[0].bytes()}
        for suffix, content in parts.items():
            fresh = self.folder / f"{name}{suffix}.fresh"
            fresh.write_bytes(content)
            shutil.move(fresh, self.folder / f"{name}{suffix}")

    def trusting(self, client: str | None = None) -> ssl.SSLContext:
        """What a client needs to trust this authority, and to show the certificate called `client`."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if client is not None:
            context.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        return context


def page_of(slots: int, lines: int) -> Page:
    page = Page([FAMILY])
    for slot in range(slots):
        text = "".join(f'{FAMILY.name}{{id="{slot}_{n}"}} {n}\n' for n in range(lines))
        page.publish(str(slot), {FAMILY.name: make_piece(text.encode())})
    return page


async def _front_page(_request: Request) -> HTMLResponse:
    return HTMLResponse("<p>page</p>", headers={"content-security-policy": "default-src 'self'"})


def services(page: Page) -> WebServices:
    return WebServices(
        page, CollectorRegistry(), lambda: None, lambda: True, routes=[Route("/", _front_page)]
    )


@dataclass(frozen=True)
class Serving:
    """A server at work; time for looking at files is `now`, which tests move."""

    port: int
    tls: bool
    now: list[float]
    written: io.StringIO

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]

    def pass_a_second(self) -> None:
        self.now[0] += 1.0

    def client(
        self, verify: ssl.SSLContext | None = None, auth: tuple[str, str] | None = None
    ) -> httpx.AsyncClient:
        """A client of this server that never gives up."""
        return httpx.AsyncClient(
            base_url=self.url, verify=verify or False, auth=auth, trust_env=False, timeout=60
        )


@asynccontextmanager
async def serving(file: Path, page: Page | None = None) -> AsyncIterator[Serving]:
    """A server that goes by the web configuration in `file`."""
    now, written = [0.0], io.StringIO()
    live = LiveWebConfig(load_web_config(file), build_logger("debug", "json", written), lambda: now[0])
    app = build_app(services(page or page_of(1, 10)), live)
    tls = live.tls_context if live.serves_tls else None
    async with WebServer(app, [bind("127.0.0.1", 0)], tls) as server:
        yield Serving(server.port, live.serves_tls, now, written)

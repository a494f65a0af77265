"""TLS as clients meet it: versions, certificates of both sides, renewal, and a real Prometheus."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.processes import free_port, started
from tests.web_support import PASSWORD, TLS, Certificates, Serving, serving, users

MUTUAL = TLS.replace("}", ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """An authority, and a server's certificate from it."""
    made = Certificates(tmp_path)
    made.issue("server")
    return made


def written(folder: Path, text: str) -> Path:
    file = folder / "web.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def told(file: Path, *clients: ssl.SSLContext) -> list[int | str]:
    """What each client gets from a server that goes by `file`: a status, or the name of an error."""

    async def ask() -> list[int | str]:
        async with serving(file) as server:
            return [await _told(server, client) for client in clients]

    return asyncio.run(ask())


async def _told(server: Serving, context: ssl.SSLContext) -> int | str:
    async with server.client(context) as client:
        try:
            return (await client.get("/metrics")).status_code
        except ssl.SSLError as error:
            return error.reason
        except httpx.TransportError as error:
            return type(error).__name__


def only(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = version
    return context


@asynccontextmanager
async def shaken(server: Serving, context: ssl.SSLContext) -> AsyncIterator[ssl.SSLObject]:
    """A connection whose handshake is done."""
    _, writer = await asyncio.open_connection("localhost", server.port, ssl=context)
    try:
        yield writer.get_extra_info("ssl_object")
    finally:
        writer.close()
        await writer.wait_closed()


def test_a_scrape_over_tls_is_a_scrape(certificates: Certificates) -> None:
    async def ask() -> tuple[str, str]:
        file = written(certificates.folder, TLS)
        async with serving(file) as server, server.client(certificates.trusting()) as client:
            return (await client.get("/metrics")).text, server.url

    text, url = asyncio.run(ask())
    assert text.count("x_media_analytics{") == 10
    assert url.startswith("https://")


def test_a_client_that_offers_http2_is_answered_in_http1(certificates: Certificates) -> None:
    async def ask() -> tuple[str | None, str | None]:
        async with serving(written(certificates.folder, TLS)) as server:
            context = certificates.trusting()
            context.set_alpn_protocols(["h2", "http/1.1"])
            async with shaken(server, context) as connection:
                return connection.selected_alpn_protocol(), connection.version()

    assert asyncio.run(ask()) == ("http/1.1", "TLSv1.3")


def test_versions_outside_the_bounds_are_refused(certificates: Certificates) -> None:
    def told_with(bounds: str) -> list[int | str]:
        file = written(certificates.folder, TLS.replace("}", f", {bounds}}}"))
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        return told(file, *(only(version, certificates.trusting()) for version in versions))

    assert told_with("min_version: TLS12") == [200, 200]
    assert told_with("min_version: TLS13") == ["ConnectError", 200]
    assert told_with("max_version: TLS12") == [200, "ConnectError"]


def test_the_listed_suite_and_curve_are_what_is_spoken(certificates: Certificates) -> None:
    suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    listed = f", max_version: TLS12, cipher_suites: [{suite}], curve_preferences: [CurveP384]}}"

    async def ask() -> tuple[str, int, str]:
        async with serving(written(certificates.folder, TLS.replace("}", listed))) as server:
            async with shaken(server, certificates.trusting()) as connection:
                cipher = connection.cipher()
            other = certificates.trusting()
            other.set_ecdh_curve("prime256v1")
            assert cipher is not None
            return cipher[0], cipher[2], str(await _told(server, other))

    assert asyncio.run(ask()) == ("ECDHE-ECDSA-CHACHA20-POLY1305", 256, "ConnectError")


def test_a_client_certificate_is_required_of_the_right_authority(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Certificates(tmp_path_factory.mktemp("stranger"))
    for authority in (certificates, stranger):
        authority.issue("client", "prometheus.example")
    foreign = certificates.trusting()
    foreign.load_cert_chain(stranger.folder / "client.pem", stranger.folder / "client.key")
    known, nobody = certificates.trusting("client"), certificates.trusting()
    file = written(certificates.folder, MUTUAL)
    answers = told(file, known, foreign, nobody)
    assert answers == [200, "TLSV1_ALERT_UNKNOWN_CA", "TLSV13_ALERT_CERTIFICATE_REQUIRED"]


def test_a_client_certificate_may_be_left_out_where_it_is_verified_only_if_given(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Certificates(tmp_path_factory.mktemp("stranger"))
    stranger.issue("client", "prometheus.example")
    foreign = certificates.trusting()
    foreign.load_cert_chain(stranger.folder / "client.pem", stranger.folder / "client.key")
    text = MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    answers = told(written(certificates.folder, text), certificates.trusting(), foreign)
    assert answers == [200, "TLSV1_ALERT_UNKNOWN_CA"]


@pytest.mark.parametrize(
    ("identity", "allowed"),
    [
        ("prometheus.example", "prometheus.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("ops@prometheus.example", "ops@prometheus.example"),
    ],
)
def test_only_certificates_with_an_allowed_name_get_in(
    identity: str, allowed: str, certificates: Certificates
) -> None:
    certificates.issue("client", identity)
    certificates.issue("other", "sub.prometheus.example", "192.0.2.8")
    file = written(certificates.folder, MUTUAL.replace("}", f', client_allowed_sans: [x, "{allowed}"]}}'))
    named, other = told(file, certificates.trusting("client"), certificates.trusting("other"))
    assert named == 200
    assert other != 200


def test_a_renewed_certificate_is_shown_to_the_next_connection(certificates: Certificates) -> None:
    async def ask() -> list[int]:
        async with serving(written(certificates.folder, TLS)) as server:

            async def serial() -> int:
                async with shaken(server, certificates.trusting()) as connection:
                    return int(str((connection.getpeercert() or {})["serialNumber"]), 16)

            serials = [await serial()]
            async with server.client(certificates.trusting()) as kept:
                await kept.get("/metrics")
                certificates.issue("server")
                server.pass_a_second()
                assert (await kept.get("/metrics")).status_code == 200
            return [*serials, await serial(), await serial()]

    old, new, same = asyncio.run(ask())
    assert old != new == same


def test_a_certificate_without_its_key_yet_keeps_the_old_pair(certificates: Certificates) -> None:
    async def ask() -> tuple[list[int | str], list[str]]:
        async with serving(written(certificates.folder, TLS)) as server:
            key = certificates.folder / "server.key"
            old = key.read_bytes()
            certificates.issue("server")
            new, codes = key.read_bytes(), []
            key.write_bytes(old)
            for step in range(4):
                if step == 2:
                    key.write_bytes(new)
                server.pass_a_second()
                codes.append(await _told(server, certificates.trusting()))
            return codes, [line["msg"] for line in server.log]

    codes, log = asyncio.run(ask())
    assert codes == [200, 200, 200, 200]
    assert log == ["web configuration not reloaded, the old one stays", "web configuration reloaded"]


def test_who_may_come_in_changes_with_the_authority(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Certificates(tmp_path_factory.mktemp("other"))
    other.issue("client", "prometheus.example")
    certificates.issue("client", "prometheus.example")

    async def ask() -> list[int | str]:
        async with serving(written(certificates.folder, MUTUAL)) as server:
            old, new = certificates.trusting("client"), certificates.trusting()
            new.load_cert_chain(other.folder / "client.pem", other.folder / "client.key")
            before = [await _told(server, context) for context in (old, new)]
            (certificates.folder / "ca.pem").write_bytes((other.folder / "ca.pem").read_bytes())
            server.pass_a_second()
            return before + [await _told(server, context) for context in (old, new)]

    codes = asyncio.run(ask())
    assert [code == 200 for code in codes] == [True, False, False, True]


def test_client_certificates_are_not_given_up_on_the_way(certificates: Certificates) -> None:
    async def ask() -> tuple[int | str | None, list[str]]:
        file = written(certificates.folder, MUTUAL)
        async with serving(file) as server:
            written(certificates.folder, TLS)
            server.pass_a_second()
            return await _told(server, certificates.trusting()), [line["first"] for line in server.log]

    told_then, said = asyncio.run(ask())
    assert told_then == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert said == [
        "passwords and client certificates cannot be given up while the exporter runs; restart it"
    ]


def test_turning_tls_off_is_said_to_need_a_restart(certificates: Certificates) -> None:
    async def ask() -> tuple[int | str, list[str]]:
        file = written(certificates.folder, TLS)
        async with serving(file) as server:
            written(certificates.folder, "")
            server.pass_a_second()
            return await _told(server, certificates.trusting()), [line["first"] for line in server.log]

    code, said = asyncio.run(ask())
    assert code == 200
    assert said == ["TLS cannot be turned on or off while the exporter runs; restart it"]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_who_does_not_shake_hands_disturbs_nobody(sent: bytes, certificates: Certificates) -> None:
    async def ask() -> int | str:
        async with serving(written(certificates.folder, TLS)) as server:
            with socket.create_connection(("127.0.0.1", server.port)) as silent:
                silent.sendall(sent)
                return await _told(server, certificates.trusting())

    assert asyncio.run(ask()) == 200


def test_handshakes_that_fail_leave_nothing_behind(certificates: Certificates) -> None:
    # What asyncio holds for each is a quarter of a megabyte, so it must not wait for a garbage collection.
    def sides() -> int:
        return sum(isinstance(each, ssl.SSLObject) and each.server_side for each in gc.get_objects())

    async def ask() -> int:
        async with serving(written(certificates.folder, MUTUAL)) as server:
            for sent in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n") * 3:
                with socket.create_connection(("127.0.0.1", server.port)) as client:
                    client.sendall(sent)
                    await asyncio.sleep(0.01)
            for _ in range(3):
                assert await _told(server, certificates.trusting()) != 200
            await asyncio.sleep(0.1)
            return sides()

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(ask()) == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"])
def test_an_unfinished_handshake_does_not_delay_the_end(sent: bytes, certificates: Certificates) -> None:
    async def stop() -> float:
        loop = asyncio.get_running_loop()
        with socket.socket() as silent:
            async with serving(written(certificates.folder, TLS)) as server:
                silent.connect(("127.0.0.1", server.port))
                silent.sendall(sent)
                await _told(server, certificates.trusting())
                leaving = loop.time()
            return loop.time() - leaving

    assert asyncio.run(stop()) < 1


@asynccontextmanager
async def prometheus(binary: str, folder: Path, jobs: list[dict[str, Any]]) -> AsyncIterator[str]:
    """A real Prometheus that scrapes `jobs` every second; gives its address."""
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    command = [
        binary,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with started(command, folder / "prometheus"):
        yield f"http://127.0.0.1:{port}"


async def targets(address: str, count: int) -> dict[str, dict[str, Any]]:
    """Every target by its job, once all have been scraped."""
    deadline = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                found = (await client.get("/api/v1/targets")).json()["data"]["activeTargets"]
            except (httpx.TransportError, json.JSONDecodeError):
                # It is still starting.
                found = []
            if len(found) == count and all(each["health"] != "unknown" for each in found):
                return {each["labels"]["job"]: each for each in found}
            await asyncio.sleep(0.2)
    raise AssertionError(found)


def job(name: str, port: int, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - Prometheus's own settings
    target = {"targets": [f"localhost:{port}"]}
    return {"job_name": name, "scheme": "https", "static_configs": [target], **settings}


def test_a_real_prometheus_gets_in_with_what_is_right_and_says_what_is_wrong(
    part: Callable[[str], str],
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    binary = part("prometheus")
    stranger, expired = (Certificates(tmp_path_factory.mktemp(name)) for name in ("stranger", "expired"))
    expired.issue("server", until=datetime(2002, 1, 1, tzinfo=UTC))
    certificates.issue("client", "prometheus.example")
    allowed = MUTUAL.replace("}", ", client_allowed_sans: [prometheus.example]}")

    def tls(authority: Certificates, *client: str) -> dict[str, str]:
        folder = authority.folder
        keys = {"cert_file": str(folder / "client.pem"), "key_file": str(folder / "client.key")}
        return {"ca_file": str(folder / "ca.pem"), **(keys if client else {})}

    def basic(password: str) -> dict[str, str]:
        return {"username": "alice", "password": password}

    async def scraped() -> dict[str, dict[str, Any]]:
        async with (
            serving(written(certificates.folder, TLS + users(alice=PASSWORD))) as guarded,
            serving(written(expired.folder, TLS)) as late,
            serving(written(tmp_path_factory.mktemp("mutual"), absolute(allowed, certificates))) as mutual,
        ):
            jobs = [
                job("right", guarded.port, tls_config=tls(certificates), basic_auth=basic(PASSWORD)),
                job("wrong password", guarded.port, tls_config=tls(certificates), basic_auth=basic("x")),
                job("no password", guarded.port, tls_config=tls(certificates)),
                job("wrong CA", guarded.port, tls_config=tls(stranger), basic_auth=basic(PASSWORD)),
                job("expired", late.port, tls_config=tls(expired)),
                job("client", mutual.port, tls_config=tls(certificates, "client")),
                job("no client", mutual.port, tls_config=tls(certificates)),
                job("plain", guarded.port, scheme="http"),
            ]
            async with prometheus(binary, certificates.folder, jobs) as address:
                return await targets(address, len(jobs))

    found = asyncio.run(scraped())
    said = {name: target["lastError"] for name, target in found.items()}
    assert [name for name, target in found.items() if target["health"] == "up"] == ["client", "right"], said
    assert said["right"] == said["client"] == ""
    assert said["wrong password"] == said["no password"] == "server returned HTTP status 401 Unauthorized"
    assert "x509: certificate signed by unknown authority" in said["wrong CA"]
    assert "x509: certificate has expired" in said["expired"]
    assert "remote error: tls: " in said["no client"]


def absolute(text: str, certificates: Certificates) -> str:
    """`text` with the files of `certificates`, for a configuration in another folder."""
    for name in ("server.pem", "server.key", "ca.pem"):
        text = text.replace(name, str(certificates.folder / name))
    return text

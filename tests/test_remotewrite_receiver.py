"""What keeps a message from leaving, and what is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.config.settings import BasicAuth, RemoteWriteSettings, Secret, TlsSettings
from exporter.remotewrite.credentials import sign_in_headers
from exporter.remotewrite.receiver import OpenHttp, Receiver, open_receiver_http
from exporter.remotewrite.verdict import PutOff
from exporter.selfmetrics.remote_write import SendFailure
from tests.processes import free_port
from tests.remotewrite_support import SETTINGS


def put_off(settings: RemoteWriteSettings, open_http: OpenHttp = open_receiver_http) -> PutOff:
    """What becomes of a message."""

    async def send() -> object:
        receiver = Receiver(settings, open_http, lambda: 0.0)
        found = await receiver.post(b"")
        await receiver.aclose()
        return found

    found = asyncio.run(send())
    assert isinstance(found, PutOff)
    return found


@pytest.fixture
def client_files(tmp_path: Path) -> TlsSettings:
    """A client's certificate and key."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair = ca.issue_cert("client.example")
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    pair.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    return TlsSettings(tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key")


def nobody(tls: TlsSettings) -> RemoteWriteSettings:
    """Settings for a port where nobody listens."""
    return RemoteWriteSettings(Secret(f"https://127.0.0.1:{free_port()}/write?token=s3cret"), tls=tls)


def test_an_address_where_nobody_listens_is_named_without_its_query(client_files: TlsSettings) -> None:
    found = put_off(nobody(client_files))
    assert found.reason is SendFailure.CONNECT
    assert found.sentence.startswith("https://127.0.0.1:")
    assert found.sentence.endswith("; it is tried again")
    assert "s3cret" not in found.sentence


@pytest.mark.parametrize("gone", ["ca.pem", "client.pem", "client.key"])
def test_a_certificate_file_that_is_gone_is_told_of(
    client_files: TlsSettings, tmp_path: Path, gone: str
) -> None:
    settings = nobody(client_files)
    (tmp_path / gone).unlink()
    found = put_off(settings)
    assert found.reason is SendFailure.TLS
    assert "remote_write.tls_config cannot be used" in found.sentence


def test_a_key_that_has_got_a_passphrase_is_told_of_and_nobody_is_asked_for_it(
    client_files: TlsSettings,
) -> None:
    assert client_files.key_file is not None
    key = load_pem_private_key(client_files.key_file.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"made-up"))
    client_files.key_file.write_bytes(locked)
    assert put_off(nobody(client_files)).reason is SendFailure.TLS


@pytest.mark.parametrize(("scheme", "hinted"), [("https", True), ("http", False)])
def test_a_tls_connection_that_breaks_may_have_missed_a_client_certificate(scheme: str, hinted: bool) -> None:  # noqa: FBT001
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("")

    found = put_off(
        RemoteWriteSettings(Secret(f"{scheme}://receiver.example/write")),
        lambda _: httpx.AsyncClient(transport=httpx.MockTransport(broken)),
    )
    assert found.reason is SendFailure.CONNECT
    assert "cannot be reached (ReadError)" in found.sentence
    assert ("client certificate" in found.sentence) is hinted


@pytest.mark.parametrize("content", ["", "two\nlines\n"])
def test_a_password_file_that_cannot_be_used_is_named_and_not_repeated(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    found = put_off(replace(SETTINGS, basic_auth=BasicAuth("exporter", None, file)))
    assert found.reason is SendFailure.UNAUTHORIZED
    assert str(file) in found.sentence
    assert "basic_auth.password_file cannot be used" in found.sentence
    assert "two" not in found.sentence


def test_user_and_password_go_together_in_utf_8() -> None:
    basic = replace(SETTINGS, basic_auth=BasicAuth("exporter", Secret("pässword: ü"), None))
    assert sign_in_headers(basic) == {"Authorization": "Basic ZXhwb3J0ZXI6cMOkc3N3b3JkOiDDvA=="}
    assert sign_in_headers(SETTINGS) == {}

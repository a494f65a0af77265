"""What the keys `history`, `poll.catch_up` and `remote_write` come to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from exporter.cli import main
from exporter.config.cautions import cautions
from exporter.config.load import parse_config
from exporter.config.settings import (
    BasicAuth,
    Config,
    HistorySettings,
    RemoteWriteSettings,
    Secret,
    TlsSettings,
)
from exporter.errors import ConfigError

LEAST = "accounts: [{name: brand, auth: {bearer_token: made-up}, posts: [1]}]\n"
URL = "https://receiver.example/api/v1/write"


def parsed(text: str, folder: Path = Path(), **environ: str) -> Config:
    return parse_config((text + LEAST).encode(), "config.yaml", folder, environ)


def remote(text: str, folder: Path = Path(), **environ: str) -> RemoteWriteSettings:
    settings = parsed(f"remote_write: {text}\n", folder, **environ).remote_write
    assert settings is not None
    return settings


def told(text: str, folder: Path = Path()) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(text, folder)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "history:\nremote_write:\n", "history: {}\nremote_write: ~\n"])
def test_history_is_kept_35_days_and_sent_nowhere_by_default(text: str) -> None:
    config = parsed(text)
    assert config.history == HistorySettings() == HistorySettings(keep_seconds=35 * 86400)
    assert config.remote_write is None


@pytest.mark.parametrize(("text", "days"), [("2d", 2), ("400d", 400), ("48h", 2)])
def test_history_may_be_kept_from_2_to_400_days(text: str, days: int) -> None:
    assert parsed(f"history: {{keep: {text}}}\n").history.keep_seconds == days * 86400


@pytest.mark.parametrize("text", ["47h", "401d", "0s", "forever"])
def test_history_is_kept_no_other_time(text: str) -> None:
    assert "allowed: a duration from 2d to 400d" in told(f"history: {{keep: {text}}}\n")


@pytest.mark.parametrize(
    ("text", "catch_up"), [("", True), ("catch_up: true", True), ("catch_up: false", False)]
)
def test_catching_up_is_on_unless_switched_off(text: str, catch_up: bool) -> None:  # noqa: FBT001
    assert parsed(f"poll: {{{text}}}\n").poll.catch_up is catch_up


def test_an_url_alone_has_the_documented_defaults() -> None:
    assert remote(f"{{url: '{URL}'}}") == RemoteWriteSettings(Secret(URL))
    settings = remote(f"{{url: '{URL}', tls_config: , headers: , external_labels: }}")
    assert (settings.settle_seconds, settings.timeout_seconds) == (7200, 30)
    assert settings.tls == TlsSettings()
    assert not settings.has_credentials


def test_all_keys_arrive_in_seconds_and_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("two words, ü\n", encoding="utf-8")
    settings = remote(
        f"{{url: '{URL}', basic_auth: {{username: 12345, password_file: password}}, settle: 48h, timeout: 1m,"
        " headers: {X-Scope-OrgID: tenant, X-A: two words}, external_labels: {site: a b, cluster: x}}",
        tmp_path,
    )
    assert settings.basic_auth == BasicAuth("12345", None, tmp_path / "password")
    assert (settings.settle_seconds, settings.timeout_seconds) == (172800, 60)
    assert settings.headers == (("X-A", Secret("two words")), ("X-Scope-OrgID", Secret("tenant")))
    assert settings.external_labels == (("cluster", "x"), ("site", "a b"))


def test_a_bearer_token_may_be_in_a_file_that_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("made-up\n")
    assert remote(f"{{url: '{URL}', bearer_token: made-up}}").bearer_token == Secret("made-up")
    settings = remote(f"{{url: '{URL}', bearer_token_file: token}}", tmp_path)
    assert (settings.bearer_token, settings.bearer_token_file) == (None, tmp_path / "token")


def test_the_shown_address_leaves_out_the_query() -> None:
    settings = remote("{url: 'http://receiver.example/write?token=made-up'}")
    assert settings.address == "http://receiver.example/write"
    assert settings.url.reveal().endswith("?token=made-up")


def test_no_credential_shows_in_the_settings() -> None:
    settings = remote(
        "{url: 'https://receiver.example/write?token=made-up', headers: {X-Key: made-up},"
        " basic_auth: {username: exporter, password: made-up}}"
    )
    assert "made-up" not in repr(settings)
    assert "made-up" not in repr(dataclasses.asdict(settings))


def test_a_client_certificate_comes_with_its_own_key(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("one", "other"):
        pair = ca.issue_cert(f"{name}.example")
        pair.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        pair.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.pem"))
    text = "{{url: '{}', tls_config: {{ca_file: ca.pem, cert_file: one.pem, key_file: {}}}}}"
    settings = remote(text.format(URL, "one.key"), tmp_path)
    assert settings.tls == TlsSettings(tmp_path / "ca.pem", tmp_path / "one.pem", tmp_path / "one.key")
    wrong = told(f"remote_write: {text.format(URL, 'other.key')}\n", tmp_path)
    assert "remote_write.tls_config: found a mapping (the key does not belong to the certificate)" in wrong


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    pair = trustme.CA().issue_cert("client.example")
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    key = load_pem_private_key(pair.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"made-up"))
    (tmp_path / "client.key").write_bytes(locked)
    wrong = told(
        f"remote_write: {{url: '{URL}', tls_config: {{cert_file: client.pem, key_file: client.key}}}}\n",
        tmp_path,
    )
    assert "remote_write.tls_config: found a mapping (the key has a passphrase)" in wrong


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", "tab\t\n"])
def test_a_password_file_holds_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "password").write_text(content)
    wrong = told(
        f"remote_write: {{url: '{URL}', basic_auth: {{username: a, password_file: password}}}}\n", tmp_path
    )
    assert "remote_write.basic_auth.password_file: found a value that is not shown here (the file " in wrong


def test_a_user_in_the_url_is_sent_to_its_own_key() -> None:
    wrong = told("remote_write: {url: 'https://me:made-up@receiver.example/write'}\n")
    assert "user and password belong under basic_auth" in wrong
    assert "made-up" not in wrong


@pytest.mark.parametrize("name", ["Content-Type", "host", "User-Agent", "X-Prometheus-Remote-Write-Version"])
def test_a_header_of_the_message_itself_cannot_be_set(name: str) -> None:
    assert "set by the exporter" in told(f"remote_write: {{url: '{URL}', headers: {{{name}: a}}}}\n")


@pytest.mark.parametrize(
    "credentials",
    [
        "bearer_token: made-up",
        "basic_auth: {username: a, password: made-up}",
        "headers: {Authorization: made-up}",
        "url: 'HTTP://receiver.example/write?token=made-up'",
    ],
)
def test_credentials_over_plain_http_are_accepted_with_a_warning(credentials: str) -> None:
    url = "" if credentials.startswith("url") else "url: 'http://receiver.example/write', "
    (caution,) = cautions(parsed(f"remote_write: {{{url}{credentials}}}\n"))
    assert "plain http" in caution
    assert "made-up" not in caution


@pytest.mark.parametrize(
    "text",
    [
        "",
        "remote_write: {url: 'http://receiver.example/write'}\n",
        f"remote_write: {{url: '{URL}', bearer_token: made-up}}\n",
    ],
)
def test_nothing_else_is_warned_of(text: str) -> None:
    assert list(cautions(parsed(text))) == []


def test_check_config_shows_the_warning_and_finds_the_file_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"remote_write: {{url: 'http://receiver.example/write', bearer_token: made-up}}\n{LEAST}")
    with capture_logs() as logs:
        assert main(["check-config", "--config.file", str(file)]) == 0
    out = capsys.readouterr().out
    assert "Warning: remote_write.url is plain http" in out
    assert "made-up" not in out
    assert logs == []

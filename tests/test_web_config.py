"""What a web configuration file comes to, and what a wrong one says."""

from __future__ import annotations

import os
import shutil
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.errors import ConfigError
from exporter.web.tls import UnusableTlsError, build_context
from exporter.web.tlskeys import CURVES, SUITES, TlsKeys
from exporter.web.webconfig import WebConfig, load_web_config
from exporter.web.webkeys import RateLimit
from tests.web_support import PASSWORD, TLS, Certificates, hashed, users

DATA = Path(__file__).parent / "data" / "web"
WRONG_FILES = sorted(DATA.glob("*.bad.yaml"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wrong files and the right certificates that some of them name."""
    made = tmp_path_factory.mktemp("web")
    for file in WRONG_FILES:
        shutil.copy(file, made)
    (made / "ok").mkdir()
    Certificates(made / "ok").issue("server")
    Certificates(made).issue("server")
    return made


def loaded(folder: Path, text: str) -> WebConfig:
    file = folder / "web.yaml"
    file.write_text(text, encoding="utf-8")
    return load_web_config(file)


def told(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_web_config(file)
    return "".join(f"{fault}\n" for fault in caught.value.faults).replace(f"{file.parent}{os.sep}", "")


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return str(caught.value)


def indented(path: Path) -> str:
    return "".join(f"    {line}\n" for line in path.read_text(encoding="ascii").splitlines())


@pytest.mark.parametrize("file", WRONG_FILES, ids=lambda file: file.name)
def test_a_wrong_file_is_told_in_exactly_these_words(file: Path, folder: Path) -> None:
    assert told(folder / file.name) == file.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", WRONG_FILES, ids=lambda file: file.name)
def test_no_wrong_file_repeats_a_hash_or_a_key(file: Path, folder: Path) -> None:
    text = told(folder / file.name)
    assert "$2" not in text
    assert '"hunter2"' not in text


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "~\n", "tls_server_config:\nbasic_auth_users: {}\n"]
)
def test_a_file_that_asks_for_nothing_is_plain_http_without_password(text: str, folder: Path) -> None:
    config = loaded(folder, text)
    assert (config.tls, dict(config.users), config.headers, config.rate_limit) == (None, {}, (), None)


def test_a_certificate_and_key_are_found_beside_the_file(folder: Path) -> None:
    context = loaded(folder, TLS).tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE
    versions = (context.minimum_version, context.maximum_version)
    assert versions == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def test_certificates_and_key_may_stand_in_the_file_itself(folder: Path) -> None:
    text = (
        f"tls_server_config:\n  cert: |\n{indented(folder / 'server.pem')}  key: |\n"
        f"{indented(folder / 'server.key')}  client_auth_type: VerifyClientCertIfGiven\n"
        f"  client_ca: |\n{indented(folder / 'ca.pem')}"
    )
    context = loaded(folder, text).tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_OPTIONAL
    assert len(context.get_ca_certs()) == 1


def test_a_system_without_files_in_memory_reads_certificates_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    assert loaded(folder, TLS).tls is not None


def test_reading_certificates_leaves_no_file_open(folder: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    loaded(folder, TLS)
    complaint(folder, TLS.replace("server.key", "ca.pem"))
    assert open_files() == before


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_that_go_lists_is_known(suite: str, folder: Path) -> None:
    text = TLS.replace("}", f", cipher_suites: [{suite}, {SUITES[-1]}]}}")
    assert loaded(folder, text).tls is not None


def test_suites_are_offered_as_listed(folder: Path) -> None:
    listed = "[TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"
    context = loaded(
        folder, TLS.replace("}", f", cipher_suites: {listed}, prefer_server_cipher_suites: false}}")
    ).tls
    assert context is not None
    offered = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert offered == ["ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_can_be_the_only_one(curve: str, folder: Path) -> None:
    assert loaded(folder, TLS.replace("}", f", curve_preferences: [{curve}]}}")).tls is not None


def test_a_key_of_another_certificate_is_refused(folder: Path) -> None:
    text = complaint(folder, TLS.replace("server.key", "ok/server.key"))
    assert "tls_server_config.key_file" in text
    assert "does not belong to the certificate in cert_file" in text


def test_a_key_with_a_password_is_refused_and_not_asked_for(folder: Path) -> None:
    key = load_pem_private_key((folder / "server.key").read_bytes(), None)
    secret = BestAvailableEncryption(b"hunter2")
    (folder / "locked.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    text = complaint(folder, TLS.replace("server.key", "locked.key"))
    assert "protected by a password" in text


def test_a_missing_file_says_which_flag_names_it(tmp_path: Path) -> None:
    assert told(tmp_path / "web.yaml") == (
        "web.yaml: no such file; name the web configuration with --web.config.file\n"
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read: is a directory" in told(tmp_path)


@pytest.mark.parametrize("value", ["true", "false", "True", "on", "no"])
def test_http2_may_be_asked_for_and_not(value: str, folder: Path) -> None:
    assert loaded(folder, f"http_server_config: {{http2: {value}}}\n").tls is None


def test_headers_without_a_value_are_not_set(folder: Path) -> None:
    text = 'http_server_config:\n  headers: {X-Frame-Options: sameorigin, X-XSS-Protection: ""}\n'
    assert loaded(folder, text).headers == (("X-Frame-Options", "sameorigin"),)


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("{interval: 1s, burst: 20}", RateLimit(1.0, 20)),
        ("{interval: 1m0.5s, burst: 1}", RateLimit(60.5, 1)),
        ("{interval: 200ms, burst: 5}", RateLimit(0.2, 5)),
        ("{interval: 0, burst: 20}", None),
        ("{interval: 0}", None),
    ],
)
def test_a_rate_limit_is_read_as_go_reads_it(written: str, limit: RateLimit | None, folder: Path) -> None:
    assert loaded(folder, f"rate_limit: {written}\n").rate_limit == limit


def test_the_configuration_shows_no_hash(folder: Path) -> None:
    config = loaded(folder, users(alice=PASSWORD))
    assert config.users["alice"].reveal().startswith("$2b$04$")
    assert "$2b$" not in repr(config)


def test_users_may_share_what_yaml_lets_them_share(folder: Path) -> None:
    config = loaded(folder, f"basic_auth_users: {{alice: &same {hashed(PASSWORD)}, bob: *same}}\n")
    assert config.users["alice"] == config.users["bob"]


def as_keys(folder: Path, **settings: Any) -> TlsKeys:  # noqa: ANN401 - the fields of TlsKeys
    keys = TlsKeys(
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_auth=ssl.CERT_NONE,
        client_ca=None,
        client_allowed_sans=None,
        min_version=ssl.TLSVersion.TLSv1_2,
        max_version=ssl.TLSVersion.TLSv1_3,
        ciphers=None,
        prefer_server_ciphers=True,
        curve=None,
    )
    return replace(keys, **settings)


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"ciphers": ("NO-SUCH-CIPHER",)}, "cipher_suites"), ({"curve": "no-such-curve"}, "curve_preferences")],
)
def test_what_this_machine_s_openssl_lacks_is_named(
    settings: dict[str, object], key: str, folder: Path
) -> None:
    with pytest.raises(UnusableTlsError, match=f"{key}: this machine's OpenSSL") as caught:
        build_context(as_keys(folder, **settings))
    assert list(caught.value.whys) == [key]


def test_a_certificate_that_is_too_weak_is_named(folder: Path) -> None:
    weak = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("localhost", key_type=trustme.KeyType.RSA)
    Certificates(folder).write("weak", weak)
    # A system may ask for more than others, as this level asks for keys of more than 2048 bits.
    keys = as_keys(
        folder,
        certificate=folder / "weak.pem",
        key=folder / "weak.key",
        ciphers=("ECDHE-RSA-AES256-GCM-SHA384", "@SECLEVEL=4"),
    )
    with pytest.raises(UnusableTlsError, match="cert_file: its key or signature is too weak"):
        build_context(keys)

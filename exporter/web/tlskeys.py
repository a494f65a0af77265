"""The words of `tls_server_config` and what they mean to Python's TLS: versions, ciphers, curves, clients."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.config.refusal import RefusedError
from exporter.config.settings import Secret
from exporter.web.section import Section

KEYS: Final = (
    "cert_file",
    "key_file",
    "cert",
    "key",
    "client_auth_type",
    "client_ca_file",
    "client_ca",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
)

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS: Final = ("TLS10", "TLS11")

CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")

# OpenSSL's names for them.
CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

# Of TLS 1.3, where Go as well as Python always offers all three.
_SUITES_13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
# TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256 to OpenSSL.
_CIPHERS: Final = {
    "AES_128_CBC_SHA": "AES128-SHA",
    "AES_256_CBC_SHA": "AES256-SHA",
    "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
}
_SUITES_12: Final = {
    f"TLS_ECDHE_{kind}_WITH_{cipher}": f"ECDHE-{kind}-{name}"
    for kind in ("ECDSA", "RSA")
    for cipher, name in _CIPHERS.items()
}
SUITES: Final = (*_SUITES_13, *_SUITES_12)

_BOOLEANS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# What is allowed where certificates and keys are named, or stand themselves.
PEM_KEYS: Final = {
    "cert_file": "a readable file with a certificate in PEM form",
    "cert": "a certificate in PEM form",
    "key_file": "a readable file with the certificate's private key in PEM form",
    "key": "the certificate's private key in PEM form",
    "client_ca_file": "a readable file with certificates in PEM form",
    "client_ca": "certificates in PEM form",
}


@dataclass(frozen=True, slots=True)
class TlsKeys:
    """`tls_server_config` as it was written: what its words mean, but no file read yet.

    A certificate or key is the path of its file, or the PEM text itself. `ciphers` and `curve` are
    OpenSSL's names, None where the file leaves the choice open.
    """

    certificate: Path | str
    key: Path | Secret
    client_auth: ssl.VerifyMode
    client_ca: Path | str | None
    client_allowed_sans: frozenset[str] | None
    min_version: ssl.TLSVersion
    max_version: ssl.TLSVersion
    ciphers: tuple[str, ...] | None
    prefer_server_ciphers: bool
    curve: str | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names."""
        named = (self.certificate, self.key, self.client_ca)
        return tuple(each for each in named if isinstance(each, Path))


def read_tls(section: Section, folder: Path) -> TlsKeys | None:
    """What `section` says; None where it says nothing, or something wrong. Paths start at `folder`."""
    certificate = _source(section, "cert", folder)
    key = _source(section, "key", folder)
    client_ca = _source(section, "client_ca", folder)
    min_version = section.value("min_version", _version, ", ".join(VERSIONS), tuple(VERSIONS))
    max_version = section.value("max_version", _version, ", ".join(VERSIONS), tuple(VERSIONS))
    prefer = section.value("prefer_server_cipher_suites", boolean, "true or false")
    client_auth = section.value("client_auth_type", _client_auth, ", ".join(CLIENT_AUTH), tuple(CLIENT_AUTH))
    sans = section.values("client_allowed_sans", str, "a name, an address or a URI")
    ciphers, curve = _ciphers(section), _curve(section)
    _refuse_contradictions(section)
    if certificate is None or key is None:
        return None
    return TlsKeys(
        certificate=certificate,
        key=Secret(key) if isinstance(key, str) else key,
        client_auth=client_auth or ssl.CERT_NONE,
        client_ca=client_ca,
        client_allowed_sans=None if sans is None else frozenset(sans),
        min_version=min_version or VERSIONS["TLS12"],
        max_version=max_version or VERSIONS["TLS13"],
        ciphers=ciphers,
        prefer_server_ciphers=prefer is not False,
        curve=curve,
    )


def _source(section: Section, key: str, folder: Path) -> Path | str | None:
    from_file = section.value(f"{key}_file", lambda text: folder / text, PEM_KEYS[f"{key}_file"])
    return from_file or section.value(key, str, PEM_KEYS[key])


def boolean(text: str) -> bool | None:
    """What YAML reads as true or false."""
    return _BOOLEANS.get(text.lower())


def _version(text: str) -> ssl.TLSVersion | None:
    if text in _OLD_VERSIONS:
        raise RefusedError("", "not supported: TLS 1.0 and 1.1 are withdrawn")
    return VERSIONS.get(text)


def _client_auth(text: str) -> ssl.VerifyMode | None:
    if text in _UNVERIFIED:
        raise RefusedError("", "not supported: Python's TLS verifies every certificate that it asks for")
    return CLIENT_AUTH.get(text)


def _suite(text: str) -> str | None:
    return text if text in SUITES else None


def _ciphers(section: Section) -> tuple[str, ...] | None:
    """OpenSSL's names for the suites of TLS 1.2 that are listed, in their order."""
    listed = section.values("cipher_suites", _suite, "a name that Go's crypto/tls lists as secure", SUITES)
    if not listed:
        return None
    named = tuple(_SUITES_12[suite] for suite in listed if suite in _SUITES_12)
    if not named:
        section.refuse("cipher_suites", "names suites of TLS 1.3 only; set min_version: TLS13 instead")
    return named or None


def _curve(section: Section) -> str | None:
    listed = section.values("curve_preferences", CURVES.get, ", ".join(CURVES), tuple(CURVES))
    if listed and len(listed) > 1:
        message = f"found {len(listed)} curves (not supported: Python's TLS takes one); allowed: one, or none"
        section.refuse("curve_preferences", message)
    return listed[0] if listed else None


def _refuse_contradictions(section: Section) -> None:
    for text, file in (("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file")):
        if section.has(text) and section.has(file):
            section.refuse(text, f"found {text} and {file}; allowed: one of the two")
    for text, file in (("cert", "cert_file"), ("key", "key_file")):
        if section.has(*KEYS) and not section.has(text, file):
            section.refuse(file, f"this key is required and missing; give {file} or {text}")
    if (section.text("min_version"), section.text("max_version")) == ("TLS13", "TLS12"):
        section.refuse("max_version", "found TLS12, below min_version TLS13")
    _refuse_client_contradictions(section)


def _refuse_client_contradictions(section: Section) -> None:
    kind = section.text("client_auth_type") or "NoClientCert"
    if kind not in CLIENT_AUTH:
        return
    authorities = next((key for key in ("client_ca_file", "client_ca") if section.has(key)), None)
    if kind == "NoClientCert" and authorities:
        message = "no certificate is asked for; set client_auth_type: RequireAndVerifyClientCert"
        section.refuse(authorities, message)
    if kind != "NoClientCert" and not authorities:
        section.refuse("client_auth_type", f"found {kind} without client_ca_file; give both")
    if kind != "RequireAndVerifyClientCert" and section.has("client_allowed_sans"):
        message = "needs a certificate of every client: client_auth_type: RequireAndVerifyClientCert"
        section.refuse("client_allowed_sans", message)

"""The TLS context that `tls_server_config` asks for."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import Final, cast

from exporter.config.settings import Secret
from exporter.web.tlskeys import TlsKeys

_MAX_PEM_BYTES: Final = 1_000_000

# What OpenSSL says of a client that speaks something else; it would not understand an alert.
_NO_TLS: Final = ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER")
# How often such a client may send more after its handshake has failed; a request may be on its way.
_MOST_WAITS: Final = 4


class UnusableTlsError(Exception):
    """Keys of the file cannot be honoured: `whys` says why, by key, and quotes no certificate or key."""

    def __init__(self, whys: Mapping[str, str]) -> None:
        self.whys = MappingProxyType(dict(whys))
        super().__init__("; ".join(f"{key}: {why}" for key, why in whys.items()))


def build_context(keys: TlsKeys) -> ssl.SSLContext:
    """A context for the server's side of new connections.

    Raises `UnusableTlsError`.
    """
    sources = _Sources(keys)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = keys.min_version, keys.max_version
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _choose_ciphers(context, keys)
    sources.load_certificate(context)
    if sources.client_ca is not None:
        context.load_verify_locations(cadata=sources.client_ca)
        context.verify_mode = keys.client_auth
    context.sslobject_class = _admitting(keys.client_allowed_sans)
    return context


def _choose_ciphers(context: ssl.SSLContext, keys: TlsKeys) -> None:
    if not keys.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        if keys.ciphers:
            context.set_ciphers(":".join(keys.ciphers))
    except ssl.SSLError:
        raise UnusableTlsError({"cipher_suites": "this machine's OpenSSL allows none of them"}) from None
    try:
        if keys.curve:
            context.set_ecdh_curve(keys.curve)
    except (ssl.SSLError, ValueError):
        raise UnusableTlsError({"curve_preferences": "this machine's OpenSSL does not know it"}) from None


class _Sources:
    """Certificates and key as PEM text, from their files or from the configuration itself.

    Read once, so that what was checked is what is used. Raises `UnusableTlsError`.
    """

    def __init__(self, keys: TlsKeys) -> None:
        self._whys: dict[str, str] = {}
        key = keys.key.reveal() if isinstance(keys.key, Secret) else keys.key
        self._certificate_key, self._certificate = self._certificates("cert", keys.certificate)
        self._key_key, self._key = self._pem("key", key)
        self.client_ca = None
        if keys.client_ca is not None:
            _, self.client_ca = self._certificates("client_ca", keys.client_ca)
        if self._whys:
            raise UnusableTlsError(self._whys)

    def load_certificate(self, context: ssl.SSLContext) -> None:
        """Let `context` show the certificate."""

        def refuse_password() -> str:
            raise UnusableTlsError({self._key_key: "it is protected by a password"})

        with _as_file(self._certificate) as certificate, _as_file(self._key) as key:
            try:
                context.load_cert_chain(certificate, key, password=refuse_password)
            except ssl.SSLError as error:
                raise self._refused(error) from None

    def _refused(self, error: ssl.SSLError) -> UnusableTlsError:
        if error.reason == "KEY_VALUES_MISMATCH":
            why = f"it does not belong to the certificate in {self._certificate_key}"
            return UnusableTlsError({self._key_key: why})
        if error.reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
            return UnusableTlsError({self._certificate_key: "its key or signature is too weak to be trusted"})
        return UnusableTlsError({self._key_key: "it holds no private key in PEM form"})

    def _certificates(self, key: str, source: Path | str) -> tuple[str, str]:
        named, text = self._pem(key, source)
        try:
            if text:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError):
            self._whys[named] = "it holds no certificate in PEM form"
        return named, text

    def _pem(self, key: str, source: Path | str) -> tuple[str, str]:
        """The key that names `source`, and its text; empty where there is none, which is noted."""
        if isinstance(source, str):
            return key, source
        named = f"{key}_file"
        try:
            return named, _read(source)
        except OSError as error:
            self._whys[named] = os.strerror(error.errno).lower() if error.errno else str(error)
        except ValueError:
            self._whys[named] = "no path can hold such characters"
        return named, ""


def _read(path: Path) -> str:
    # A pipe would be waited for, a device might never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file")
    with path.open("rb") as file:
        # Comments between certificates may be in any encoding, certificates are ASCII.
        return file.read(_MAX_PEM_BYTES).decode("ascii", "ignore")


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """The path of a file with `text`, since OpenSSL reads certificates from files only.

    It is in memory where the system can do that, and without a name elsewhere.
    """
    with os.fdopen(os.memfd_create("pem"), "wb") if hasattr(os, "memfd_create") else TemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"


class _Side(ssl.SSLObject):
    """The server's side of a connection, which lets a client know why its handshake fails.

    asyncio closes at once and leaves OpenSSL's alert unsent, so that a Prometheus without certificate would
    only see a closed connection. While it is told to wait for more it sends what there is; the client then
    closes, or the time for a handshake is up.
    """

    # Whom the client's certificate has to name; None for no one in particular.
    allowed: frozenset[str] | None = None
    _failure: ssl.SSLError | None = None
    _waits = 0

    def do_handshake(self) -> None:
        """Shake hands, and look whose certificate came."""
        if self._failure is None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                self._failure = error.with_traceback(None)
            else:
                self._admit()
                return
        self._waits += 1
        if self._failure.reason in _NO_TLS or self._waits > _MOST_WAITS:
            raise self._failure
        raise ssl.SSLWantReadError

    def _admit(self) -> None:
        if self.allowed is not None and self.allowed.isdisjoint(_names(self)):
            raise ssl.SSLCertVerificationError("the client's certificate names none of the allowed")


def _admitting(names: frozenset[str] | None) -> type[_Side]:
    class Side(_Side):
        """A side for clients that are in `names`."""

        allowed = names

    return Side


def _names(connection: ssl.SSLObject) -> Iterator[str]:
    """The names in the other side's certificate, addresses the way Go writes them."""
    certificate = connection.getpeercert() or {}
    pairs = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    for kind, name in pairs:
        yield str(ip_address(name)) if kind == "IP Address" else name

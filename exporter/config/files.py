"""Files that the configuration names: secrets and the CA certificates."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import Final

from exporter.config import values

_MAX_SECRET_BYTES: Final = 65_536


class UnusableFileError(Exception):
    """A file that cannot serve; the text says why, without its name and content."""


def read_token(path: Path) -> str:
    """The secret in `path`, without the one line break at its end.

    Raises `UnusableFileError`.
    """
    text = _read_secret(path)
    if values.token(text) is None:
        raise UnusableFileError("the file holds spaces, several lines or characters that no secret has")
    return text


def read_password(path: Path) -> str:
    """The password in `path`, which may hold spaces, without the one line break at its end.

    Raises `UnusableFileError`.
    """
    text = _read_secret(path)
    if values.password(text) is None:
        raise UnusableFileError("the file holds several lines or control characters")
    return text


def _read_secret(path: Path) -> str:
    try:
        content = _read(path, _MAX_SECRET_BYTES + 1).decode("utf-8")
    except UnicodeDecodeError:
        raise UnusableFileError("the file is not text") from None
    text = content.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UnusableFileError("the file is empty")
    if len(text) > _MAX_SECRET_BYTES:
        raise UnusableFileError("the file is too large for a secret")
    return text


def check_certificates(path: Path) -> None:
    """Make sure that `path` holds certificates in PEM form; raises `UnusableFileError`."""
    _read(path, 1)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError:
        raise UnusableFileError("the file holds no certificates in PEM form") from None


def check_key(path: Path) -> None:
    """Make sure that `path` looks like a key in PEM form; raises `UnusableFileError`."""
    if b"PRIVATE KEY-----" not in _read(path, _MAX_SECRET_BYTES):
        raise UnusableFileError("the file holds no key in PEM form")


def check_key_pair(certificate: Path, key: Path) -> None:
    """Make sure that a client can show `certificate` with `key`; raises `UnusableFileError`."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, _no_passphrase)
    except _PassphraseError:
        raise UnusableFileError("the key has a passphrase") from None
    except OSError:
        raise UnusableFileError("the key does not belong to the certificate") from None


class _PassphraseError(Exception):
    """The key cannot be read without a passphrase."""


def _no_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal.
    raise _PassphraseError


def check_directory(path: Path) -> None:
    """Make sure that `path` is a directory or could become one; raises `UnusableFileError`."""
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            raise UnusableFileError("it exists and is not a directory")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnusableFileError(_reason(error)) from None
    except ValueError:
        raise UnusableFileError("no path can hold such characters") from None


def _read(path: Path, size: int) -> bytes:
    try:
        # A pipe would be waited for, a device might never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnusableFileError("it is not a regular file")
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise UnusableFileError(_reason(error)) from None
    except ValueError:
        raise UnusableFileError("no path can hold such characters") from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "it cannot be read"

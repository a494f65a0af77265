"""How a receiver is signed in to: read anew for each message, since other programs may renew the files."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

from exporter.config import files
from exporter.config.settings import BasicAuth, RemoteWriteSettings


class UnreadableSecretError(Exception):
    """A file with a password or token cannot be used; the text says which and why, and not what it holds."""


def sign_in_headers(settings: RemoteWriteSettings) -> Mapping[str, str]:
    """The header that signs in, empty where nothing does.

    Raises:
        UnreadableSecretError: the file with the secret cannot be used.
    """
    if settings.basic_auth is not None:
        return {"Authorization": f"Basic {_basic(settings.basic_auth)}"}
    if settings.bearer_token is not None:
        return {"Authorization": f"Bearer {settings.bearer_token.reveal()}"}
    if settings.bearer_token_file is not None:
        return {"Authorization": f"Bearer {_secret(settings.bearer_token_file, 'bearer_token_file')}"}
    return {}


def secrets_in(settings: RemoteWriteSettings, sent: Mapping[str, str]) -> Iterator[str]:
    """Every text that must not be shown, were a receiver to repeat what it was `sent`."""
    basic = settings.basic_auth
    known = [
        settings.bearer_token,
        basic.password if basic else None,
        *(value for _, value in settings.headers),
    ]
    yield from (secret.reveal() for secret in known if secret is not None)
    yield from (word for value in sent.values() for word in value.split()[1:])
    yield settings.url.reveal().partition("?")[2]


def _basic(auth: BasicAuth) -> str:
    if auth.password_file is not None:
        password = _secret(auth.password_file, "basic_auth.password_file")
    else:
        password = auth.password.reveal() if auth.password else ""
    return base64.b64encode(f"{auth.username}:{password}".encode()).decode()


def _secret(file: Path, key: str) -> str:
    read = files.read_token if key == "bearer_token_file" else files.read_password
    try:
        return read(file)
    except files.UnusableFileError as error:
        raise UnreadableSecretError(
            f"remote_write.{key} cannot be used ({error}): {file}; put the secret there"
        ) from None

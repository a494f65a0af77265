"""The token file's content: JSON with a version, `bytes` to `AccountTokens` and back."""

from __future__ import annotations

import msgspec

from exporter.config.settings import Secret
from exporter.errors import CredentialsError
from exporter.signin.tokens import AccountTokens, is_token

VERSION = 1


class _Head(msgspec.Struct):
    version: int
    program: str


class _File(msgspec.Struct):
    tokens: AccountTokens
    version: int = VERSION
    program: str = "x-analytics-exporter"


def _conceal(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str) and is_token(value):
        return Secret(value)
    # msgspec turns this into its own error and adds the place.
    raise TypeError("not a token")


# Made here, once: files are read in threads, and msgspec crashes the process where two of them are the first
# to read into a type.
_HEAD = msgspec.json.Decoder(_Head)
_FILE = msgspec.json.Decoder(_File, dec_hook=_conceal)


def encode(tokens: AccountTokens) -> bytes:
    """The file's bytes; the only place where tokens are written out."""
    plain = msgspec.json.encode(_File(tokens), enc_hook=_reveal)
    return msgspec.json.format(plain, indent=2) + b"\n"


def decode(body: bytes, file: str, account: str) -> AccountTokens:
    """The tokens in the bytes of `file`, which must be `account`'s.

    Raises:
        CredentialsError: cut short, of another program, of a newer version, or of another account.
    """
    try:
        version = _HEAD.decode(body).version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise CredentialsError(_unreadable(file, account)) from None
    if version > VERSION:
        raise CredentialsError(
            f"{file}: written by a newer version of this program (format {version}, known here: {VERSION}). "
            "It is left as it is; run the newer version."
        )
    try:
        tokens = _FILE.decode(body).tokens
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise CredentialsError(_unreadable(file, account)) from None
    if tokens.account != account:
        raise CredentialsError(
            f"{file}: holds the tokens of another account than {account!r}. It is left as it is; give it "
            "back its name, since each token file belongs to the account it was made for."
        )
    return tokens


def _unreadable(file: str, account: str) -> str:
    return (
        f"{file}: is cut short or no token file of this program. It is left as it is; move it away and sign "
        f"in again with `login --account {account}`."
    )


def _reveal(value: Secret) -> str:
    return value.reveal()

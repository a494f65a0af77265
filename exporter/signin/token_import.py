"""Taking over a refresh token somebody already has, instead of a sign-in in the browser."""

from __future__ import annotations

import asyncio
from pathlib import Path

from exporter.config.settings import Secret
from exporter.errors import CredentialsError
from exporter.signin.finish import finishing
from exporter.signin.introduction import Login, XAccess, introduced
from exporter.signin.keeper import TokenKeeper
from exporter.signin.scheme import RefreshOutcome, Surroundings
from exporter.signin.tokens import AccountTokens, is_token
from exporter.xapi.backoff import full_jitter_seconds

TRIES = 4
# How long a person who interrupts waits for an exchange that must not be cut off.
STOP_SECONDS = 30.0
_MAX_FILE_BYTES = 64 * 1024


async def import_refresh_token(
    keeper: TokenKeeper, x: XAccess, surroundings: Surroundings, file: Path
) -> Login:
    """Take over the refresh token in `file`: one refresh, then the new pair is stored.

    The token in the file is spent afterwards, and whoever else uses it ends the sign-in.

    Raises:
        CredentialsError: the file, the token or the store is no good; the text says which.
    """
    token = await asyncio.to_thread(_read_token, file)

    def choose(tokens: AccountTokens) -> Secret:
        if tokens.is_spent(token):
            raise CredentialsError(
                f"{file}: this refresh token has been used already, and serves only once; it was not sent. "
                f"If account {keeper.account!r} is not signed in, run `login --account {keeper.account}` "
                "without a file."
            )
        return token

    failures = 0
    while True:
        exchange = await finishing(
            keeper.exchange(x.endpoint, choose), matters=lambda: keeper.in_flight, wait_seconds=STOP_SECONDS
        )
        if exchange.outcome is RefreshOutcome.SUCCESS:
            return await introduced(x, exchange.tokens)
        failures += 1
        if exchange.outcome is not RefreshOutcome.AMBIGUOUS or failures >= TRIES:
            raise CredentialsError(f"{file}: the refresh token was not taken over. {exchange.sentence}")
        await surroundings.sleep(full_jitter_seconds(failures, surroundings.random))


def _read_token(file: Path) -> Secret:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise CredentialsError(f"{file}: cannot be read: {error.strerror or error}.") from error
    text = content.decode("ascii", "replace").strip()
    if not is_token(text):
        raise CredentialsError(f"{file}: holds no refresh token. Put the token there, alone, as plain text.")
    return Secret(text)

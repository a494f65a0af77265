"""What to do next with an OAuth 2.0 account: pure decisions over what is on disk and the time."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum, auto

from exporter.config.settings import Secret
from exporter.signin.tokens import AccountTokens, TokenPair

# X advises on-need refreshes shortly before expiry; five minutes leave room for a few failures.
REFRESH_AHEAD_SECONDS = 300.0
# An access token of unknown lifetime serves the requests of one poll, then counts as expired.
UNKNOWN_LIFETIME_SECONDS = 60.0
# The end of the year 9999: a file edited by hand may hold any number, and a date ends there.
_LAST_SECOND = 253402300799.0


class Step(Enum):
    """The next step of an account."""

    USE = auto()
    """The access token lives and no refresh is due."""
    SEND = auto()
    """A refresh is due."""
    WAIT = auto()
    """A refresh is due, but the last one failed a moment ago."""
    LOGIN = auto()
    """No refresh can help: a person must sign in. The access token may still live."""


def next_step(tokens: AccountTokens | None, client_id: str, now: float, hold_until: float) -> Step:
    """The next step at `now`, when no refresh may be sent before `hold_until` (both Unix seconds)."""
    if tokens is None or login_reason(tokens, tokens.account, client_id) is not None:
        return Step.LOGIN
    if not refresh_due(tokens, now):
        return Step.USE
    return Step.WAIT if now < hold_until else Step.SEND


def usable_access_token(tokens: AccountTokens | None, now: float) -> Secret | None:
    """The access token if it is known to live at `now`."""
    if tokens is None or tokens.pair is None:
        return None
    return tokens.pair.access_token if now < _end_of_use(tokens.pair) else None


def refresh_due(tokens: AccountTokens, now: float) -> bool:
    """Whether to refresh at `now`, provided that there is a refresh token.

    So it is shortly before the access token expires. So it is as well where an earlier refresh has an
    unknown outcome: while the access token still lives there is time to find out whether the refresh token
    does, and to call a person if not.
    """
    token = tokens.refresh_token
    unknown = token is not None and tokens.attempt(token) is not None
    if unknown or tokens.pair is None or tokens.pair.access_token is None:
        return True
    ahead = 0.0 if tokens.pair.expires_timestamp_seconds is None else REFRESH_AHEAD_SECONDS
    return now >= _end_of_use(tokens.pair) - ahead


def login_reason(tokens: AccountTokens | None, account: str, client_id: str) -> str | None:
    """Why only a person can help, and how; None when the tokens may be used and refreshed."""
    cure = f"Run `login --account {account}`."
    if tokens is None or tokens.pair is None:
        return f"Account {account!r} is not signed in. {cure}"
    if tokens.client_id != client_id:
        return (
            f"The tokens of account {account!r} were given to another `client_id` than the configured one. "
            f"Put the old one back, or sign in with the new one. {cure}"
        )
    token = tokens.refresh_token
    if token is None:
        return f"X gave account {account!r} no new refresh token{_until(tokens.pair)}. {cure}"
    attempt = tokens.attempt(token)
    if attempt is None or not attempt.refused:
        return None
    if attempt.tries > 1:
        return (
            f"An earlier token refresh of account {account!r} ended without an answer, and X now refuses the "
            f"refresh token, so its successor is lost{_until(tokens.pair)}. {cure}"
        )
    return (
        f"X refuses the refresh token of account {account!r}: it was used elsewhere, withdrawn or is too "
        f"old{_until(tokens.pair)}. {cure}"
    )


def _end_of_use(pair: TokenPair) -> float:
    if pair.expires_timestamp_seconds is None:
        return pair.obtained_timestamp_seconds + UNKNOWN_LIFETIME_SECONDS
    return pair.expires_timestamp_seconds


def _until(pair: TokenPair) -> str:
    if pair.access_token is None:
        return ""
    end = datetime.fromtimestamp(min(max(_end_of_use(pair), 0.0), _LAST_SECOND), UTC)
    return f" (its access token is good until {end:%Y-%m-%d %H:%M} UTC)"

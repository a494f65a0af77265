"""What every way of signing in offers to those who send requests, and what it tells about itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import httpx


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sign-in is given to work with: an HTTP client, Unix seconds, a sleep, a draw from [0, 1)."""

    http: httpx.AsyncClient
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Callable[[], float]


class RefreshOutcome(StrEnum):
    """How a refresh that was sent ended; the `outcome` label of `x_exporter_token_refreshes_total`."""

    SUCCESS = "success"
    """A new pair came and is on disk."""
    AMBIGUOUS = "ambiguous"
    """No readable answer: the token may be spent or not. It is tried again."""
    REFUSED = "refused"
    """X says that the refresh token is no good: a person must sign in."""
    CONFIG = "config"
    """X does not accept the client id, secret or type. The token is still good."""


@dataclass(frozen=True, slots=True)
class SignInStatus:
    """How an account's sign-in stands; nothing in it is secret.

    `login_required` means that only a person can help, by `login`; the access token may still live.
    `token_expiry_timestamp_seconds` is when the access token expires, Unix seconds, None where unknown or
    where tokens do not expire. `sentence` says what is wrong and what to do, None when nothing is.
    `retry_timestamp_seconds` is when a failed refresh may be tried again, None when none waits.
    """

    account: str
    login_required: bool = False
    token_expiry_timestamp_seconds: float | None = None
    sentence: str | None = None
    retry_timestamp_seconds: float | None = None


class Signer(Protocol):
    """One account's way of signing requests."""

    @property
    def account(self) -> str:
        """The account's name in the configuration."""

    async def headers(self, method: str, url: str) -> dict[str, str]:
        """Headers that authorize exactly this request; `url` carries its final query.

        May refresh tokens first.

        Raises:
            CredentialsError: the account cannot be signed in; the text says what to do.
        """

    async def rejected(self) -> bool:
        """X answered 401 to the last `headers`: renew what can be renewed, once; never delete anything.

        True when asking once more makes sense. For the request that is asked once more, do not call again.
        """

    async def look(self) -> SignInStatus:
        """Read again what is on disk, if it changed, and say how things stand. Sends nothing."""

    def status(self) -> SignInStatus:
        """How things stood at the last `headers`, `rejected` or `look`; a read of memory."""

    async def aclose(self, wait_seconds: float) -> None:
        """Start no refresh any more, and wait up to `wait_seconds` for one in flight."""


class RefreshObserver(Protocol):
    """Who wants to know about refreshes: the exporter's own metrics and its log."""

    def refreshed(self, account: str, outcome: RefreshOutcome, sentence: str) -> None:
        """A refresh was sent and ended; `sentence` is empty for a success."""

    def unsaved(self, account: str, sentence: str) -> None:
        """New tokens came and cannot be stored: a person must mend the disk while the process runs."""


class Unobserved:
    """An observer for those who need none."""

    def refreshed(self, account: str, outcome: RefreshOutcome, sentence: str) -> None:
        """Let it pass."""

    def unsaved(self, account: str, sentence: str) -> None:
        """Let it pass."""

"""OAuth 2.0 tokens: codes that live for seconds, access tokens for hours, refresh tokens for one use."""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b, sha256

from exporter.simulator.knobs import Knobs


class Refusal(StrEnum):
    """Why a token could not be had."""

    UNKNOWN = "unknown"
    SPENT = "spent"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WRONG_CLIENT = "wrong_client"
    WRONG_REDIRECT = "wrong_redirect"
    WRONG_VERIFIER = "wrong_verifier"


class RefusedError(Exception):
    """A code or refresh token that buys nothing."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.value)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user allowed an app: all tokens that follow from one login are one `family`."""

    family: int
    account: str
    client_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What the token endpoint hands out; `refresh_token` only with the scope ``offline.access``."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: float
    grant: Grant


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One use of the token endpoint; `outcome` is ``ok`` or a `Refusal`, `family` 0 where none is known."""

    time: float
    grant_type: str
    outcome: str
    family: int
    account: str


@dataclass(slots=True)
class _Refresh:
    grant: Grant
    expires_at: float
    spent: bool = False


@dataclass(frozen=True, slots=True)
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str
    expires_at: float


class TokenOffice:
    """Issues and checks tokens. Their text follows from the seed and a counter, so that runs repeat."""

    def __init__(self, seed: int, clock: Callable[[], float], knobs: Callable[[], Knobs]) -> None:
        self._seed = seed
        self._clock = clock
        self._knobs = knobs
        self._issued = 0
        self._families = 0
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, tuple[Grant, float]] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._ended: set[int] = set()
        self.events: list[TokenEvent] = []

    def issue(self, account: str, client_id: str, scopes: frozenset[str]) -> TokenPair:
        """A first pair, as after a login."""
        return self._pair(self._grant(account, client_id, scopes))

    def authorize(
        self, account: str, client_id: str, scopes: frozenset[str], *, redirect_uri: str, challenge: str
    ) -> str:
        """The code that a user's consent yields; `challenge` is of method S256."""
        code = self._text("code")
        expires_at = self._clock() + self._knobs().code_seconds
        self._codes[code] = _Code(
            self._grant(account, client_id, scopes), redirect_uri, challenge, expires_at
        )
        return code

    def exchange(self, code: str, client_id: str, *, redirect_uri: str, verifier: str) -> TokenPair:
        """The pair that `code` buys once. Raises RefusedError."""
        found = self._codes.pop(code, None)
        if found is None:
            raise self._refused("authorization_code", Refusal.UNKNOWN, None)
        refusal = self._code_refusal(found, client_id, redirect_uri, verifier)
        if refusal is not None:
            raise self._refused("authorization_code", refusal, found.grant)
        self._note("authorization_code", "ok", found.grant)
        return self._pair(found.grant)

    def refresh(self, refresh_token: str, client_id: str) -> TokenPair:
        """The pair that follows `refresh_token`, which is spent thereby. Raises RefusedError."""
        found = self._refresh.get(refresh_token)
        if found is None:
            raise self._refused("refresh_token", Refusal.UNKNOWN, None)
        refusal = self._refresh_refusal(found, client_id)
        if refusal is Refusal.SPENT and self._knobs().replay_kills_family:
            self._ended.add(found.grant.family)
        if refusal is not None:
            raise self._refused("refresh_token", refusal, found.grant)
        found.spent = True
        self._note("refresh_token", "ok", found.grant)
        return self._pair(found.grant)

    def revoke(self, token: str) -> None:
        """End the family of `token`; an unknown token is nothing to complain about."""
        grant = self._access[token][0] if token in self._access else None
        if grant is None and token in self._refresh:
            grant = self._refresh[token].grant
        if grant is not None:
            self._ended.add(grant.family)
            self._note("revoke", "ok", grant)

    def grant_of(self, access_token: str) -> Grant | None:
        """Whom `access_token` acts for, None where it does not, or no longer."""
        grant, expires_at = self._access.get(access_token, (None, -math.inf))
        if grant is None or self._clock() >= expires_at or grant.family in self._ended:
            return None
        return grant

    def expire_access(self) -> None:
        """Let every access token end now; refresh tokens stay good."""
        self._access.clear()

    def is_spent(self, refresh_token: str) -> bool:
        """Whether `refresh_token` was used or its family has ended."""
        found = self._refresh[refresh_token]
        return found.spent or found.grant.family in self._ended

    def _grant(self, account: str, client_id: str, scopes: frozenset[str]) -> Grant:
        self._families += 1
        return Grant(self._families, account, client_id, scopes)

    def _pair(self, grant: Grant) -> TokenPair:
        now, knobs = self._clock(), self._knobs()
        access, expires_at = self._text("access"), now + knobs.access_token_seconds
        self._access[access] = (grant, expires_at)
        refresh = None
        if "offline.access" in grant.scopes:
            refresh = self._text("refresh")
            self._refresh[refresh] = _Refresh(grant, now + knobs.refresh_token_seconds)
        return TokenPair(access, refresh, expires_at, grant)

    def _code_refusal(self, code: _Code, client_id: str, redirect_uri: str, verifier: str) -> Refusal | None:
        checks = (
            (self._clock() >= code.expires_at, Refusal.EXPIRED),
            (client_id != code.grant.client_id, Refusal.WRONG_CLIENT),
            (redirect_uri != code.redirect_uri, Refusal.WRONG_REDIRECT),
            (challenge_of(verifier) != code.challenge, Refusal.WRONG_VERIFIER),
        )
        return next((refusal for wrong, refusal in checks if wrong), None)

    def _refresh_refusal(self, found: _Refresh, client_id: str) -> Refusal | None:
        checks = (
            (client_id != found.grant.client_id, Refusal.WRONG_CLIENT),
            (found.spent, Refusal.SPENT),
            (found.grant.family in self._ended, Refusal.REVOKED),
            (self._clock() >= found.expires_at, Refusal.EXPIRED),
        )
        return next((refusal for wrong, refusal in checks if wrong), None)

    def _refused(self, grant_type: str, refusal: Refusal, grant: Grant | None) -> RefusedError:
        self._note(grant_type, refusal.value, grant)
        return RefusedError(refusal)

    def _note(self, grant_type: str, outcome: str, grant: Grant | None) -> None:
        family, account = (grant.family, grant.account) if grant else (0, "")
        self.events.append(TokenEvent(self._clock(), grant_type, outcome, family, account))

    def _text(self, kind: str) -> str:
        self._issued += 1
        digest = blake2b(f"{self._seed}|{kind}|{self._issued}".encode(), digest_size=24).hexdigest()
        return f"sim-{kind}-{digest}"


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()

"""What is kept of an OAuth 2.0 account: its token pair, what was tried with it, which tokens are spent.

Refresh tokens of X serve once. Each is replaced by the answer to its use, and a copy that is used later
is refused and may end the whole sign-in. Hence the marks here: a token is marked *before* it is sent, so
that a process that dies in between leaves a note, and a token that was replaced is remembered as spent.
Marks name tokens by their SHA-256, never by value.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from exporter.config.settings import Secret

# Rotated tokens have no reason to come back after a week of refreshes every two hours.
SPENT_KEPT = 84
IMPORT_ATTEMPTS_KEPT = 8


def is_token(text: str) -> bool:
    """Whether `text` can be a token: visible ASCII, as a header can carry it."""
    return text != "" and all("!" <= character <= "~" for character in text)


def fingerprint(token: Secret) -> str:
    """SHA-256 of a token, in hex: names it without telling it."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What X gave at a sign-in or refresh; times in Unix seconds.

    `access_token` or `refresh_token` is None where the answer lacked it, never both.
    `expires_timestamp_seconds` is None where the answer did not say how long the access token lives.
    """

    access_token: Secret | None
    refresh_token: Secret | None
    expires_timestamp_seconds: float | None
    obtained_timestamp_seconds: float
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A refresh token was sent, `tries` times, the last time at `sent_timestamp_seconds`.

    Its outcome is unknown unless `refused`, which is X's definite word.
    """

    token: str
    sent_timestamp_seconds: float
    tries: int
    refused: bool = False


@dataclass(frozen=True, slots=True)
class AccountTokens:
    """All that is kept of one account; the content of its token file.

    `pair` is None before the first sign-in succeeded. `client_id` is whom X gave the pair to.
    `spent` are rotated tokens, the newest last and only the newest kept; `imported` are tokens that came
    from a file, all of them kept, since the file may be offered again any time later.
    """

    account: str
    client_id: str
    pair: TokenPair | None = None
    attempts: tuple[Attempt, ...] = ()
    spent: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()

    @property
    def access_token(self) -> Secret | None:
        """The pair's access token, dead or alive."""
        return self.pair.access_token if self.pair else None

    @property
    def refresh_token(self) -> Secret | None:
        """The pair's refresh token, never a spent one."""
        return self.pair.refresh_token if self.pair else None

    def attempt(self, token: Secret) -> Attempt | None:
        """What was tried with `token` since the pair was stored."""
        name = fingerprint(token)
        return next((attempt for attempt in self.attempts if attempt.token == name), None)

    def is_spent(self, token: Secret) -> bool:
        """Whether `token` is known to have been used up."""
        return token != self.refresh_token and fingerprint(token) in (*self.spent, *self.imported)

    def sending(self, token: Secret, now: float) -> AccountTokens:
        """With the mark that `token` is about to be sent."""
        earlier = self.attempt(token)
        return self._marked(Attempt(fingerprint(token), now, earlier.tries + 1 if earlier else 1))

    def refused(self, token: Secret, now: float) -> AccountTokens:
        """With the mark that X refused `token` for good."""
        earlier = self.attempt(token)
        tries = earlier.tries if earlier else 1
        return self._marked(Attempt(fingerprint(token), now, tries, refused=True))

    def renewed(self, pair: TokenPair, used: Secret | None, client_id: str) -> AccountTokens:
        """With `pair`, given to `client_id`, in place of what was.

        `used` is the refresh token it was got with, None for a sign-in in the browser.
        """
        new = None if pair.refresh_token is None else fingerprint(pair.refresh_token)
        gone = [fingerprint(token) for token in (self.refresh_token, used) if token is not None]
        spent = [name for name in dict.fromkeys((*self.spent, *gone)) if name != new]
        foreign = used is not None and used != self.refresh_token
        imported = (*self.imported, fingerprint(used)) if used is not None and foreign else self.imported
        return replace(
            self,
            client_id=client_id,
            pair=pair,
            attempts=(),
            spent=tuple(spent[-SPENT_KEPT:]),
            imported=tuple(dict.fromkeys(imported)),
        )

    def _marked(self, attempt: Attempt) -> AccountTokens:
        own = None if self.refresh_token is None else fingerprint(self.refresh_token)
        others = [other for other in self.attempts if other.token != attempt.token]
        ours = [other for other in others if other.token == own]
        imports = [other for other in others if other.token != own]
        return replace(self, attempts=(*imports[-IMPORT_ATTEMPTS_KEPT:], *ours, attempt))

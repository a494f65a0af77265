"""One exchange of a refresh token, done so that a crash at any moment loses as little as can be.

The order is the point: lock, read again, mark the token on disk, send it, store the new pair, and only
then use it. What can be lost is a pair X gave whose first byte did not reach the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import ParamSpec, Protocol

from exporter.config.settings import Secret
from exporter.errors import CredentialsError
from exporter.signin.disk import Stamp
from exporter.signin.finish import finishing
from exporter.signin.scheme import RefreshObserver, RefreshOutcome
from exporter.signin.token_endpoint import Grant
from exporter.signin.tokens import AccountTokens, TokenPair
from exporter.xapi.failure_token import TokenFailure, TokenVerdict

SAVE_AGAIN_SECONDS = 2.0

P = ParamSpec("P")


class Store(Protocol):
    """Where tokens are kept; see `exporter.signin.store.TokenStore`."""

    def stamp(self) -> Stamp | None: ...  # noqa: D102
    def load(self) -> AccountTokens | None: ...  # noqa: D102
    def save(self, tokens: AccountTokens) -> None: ...  # noqa: D102
    def recover(self) -> None: ...  # noqa: D102


class Endpoint(Protocol):
    """Who gives tokens; see `exporter.signin.token_endpoint.TokenEndpoint`."""

    async def refresh(self, token: Secret) -> Grant | TokenFailure: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Exchange:
    """How an exchange ended: `outcome` is None when nothing was sent, `tokens` what the disk holds now."""

    outcome: RefreshOutcome | None
    tokens: AccountTokens
    sentence: str = ""


# Given what is on disk, which refresh token to send; None for none.
Choice = Callable[[AccountTokens], Secret | None]


class TokenKeeper:
    """The stored tokens of one account and the only way to exchange them.

    `lock` gives a fresh lock per exchange. Run `exchange` in a task that nothing cancels but a stop that
    has waited long enough.
    """

    def __init__(
        self,
        account: str,
        client_id: str,
        store: Store,
        lock: Callable[[], AbstractAsyncContextManager[None]],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        observer: RefreshObserver,
    ) -> None:
        self.account = account
        self.client_id = client_id
        self._store = store
        self._lock = lock
        self._clock = clock
        self._sleep = sleep
        self._observer = observer
        self._in_flight = False
        self._unsaved: str | None = None

    @property
    def in_flight(self) -> bool:
        """Whether a token is out, or a new pair not yet on disk: the moment not to stop in."""
        return self._in_flight

    @property
    def unsaved(self) -> str | None:
        """Why new tokens could not be stored so far, and what to do; None when none wait."""
        return self._unsaved

    async def stamp(self) -> Stamp | None:
        """What changes whenever the stored tokens do."""
        return await asyncio.to_thread(self._store.stamp)

    async def load(self) -> AccountTokens | None:
        """What is stored, None where nobody signed in yet.

        Raises:
            CredentialsError: the file cannot be used; it is left as it is.
        """
        return await asyncio.to_thread(self._store.load)

    async def check(self) -> None:
        """Find out whether a pair could be stored now.

        Raises:
            CredentialsError: the lock or the file cannot be had.
        """
        async with self._lock():
            await self._recovered()

    async def exchange(self, endpoint: Endpoint, choose: Choice) -> Exchange:
        """Send the refresh token `choose` picks from what is on disk, once, and store what comes.

        Raises:
            CredentialsError: the lock or the file cannot be had; nothing was sent.
        """
        async with self._lock():
            tokens = await self._recovered()
            token = choose(tokens)
            if token is None:
                return Exchange(None, tokens)
            self._in_flight = True
            try:
                marked = tokens.sending(token, self._clock())
                await _to_the_end(self._store.save, marked)
                sent_at = self._clock()
                answer = await endpoint.refresh(token)
                if isinstance(answer, Grant):
                    return await self._store_pair(marked, answer, sent_at, token)
                return await self._settle(tokens, marked, token, answer)
            finally:
                self._in_flight = False

    async def adopt(self, grant: Grant, obtained_at: float) -> AccountTokens:
        """Store what a new sign-in gave in place of the old pair; `obtained_at` is Unix seconds.

        Raises:
            CredentialsError: the lock or the file cannot be had.
        """
        async with self._lock():
            stored = await self._store_pair(await self._recovered(), grant, obtained_at, None)
            return stored.tokens

    async def _recovered(self) -> AccountTokens:
        await _to_the_end(self._store.recover)
        return await self.load() or self._none_yet()

    def _none_yet(self) -> AccountTokens:
        return AccountTokens(self.account, self.client_id)

    async def _store_pair(
        self, tokens: AccountTokens, grant: Grant, obtained_at: float, used: Secret | None
    ) -> Exchange:
        lifetime = grant.lifetime_seconds
        pair = TokenPair(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            # Counted from before the request, so that the end is never later than X's.
            expires_timestamp_seconds=None if lifetime is None else obtained_at + lifetime,
            obtained_timestamp_seconds=obtained_at,
            scopes=grant.scopes,
        )
        renewed = tokens.renewed(pair, used, self.client_id)
        await self._save_at_last(renewed)
        return Exchange(RefreshOutcome.SUCCESS, renewed)

    async def _save_at_last(self, tokens: AccountTokens) -> None:
        """Save, again and again if need be: the old token is spent, so there is no way back."""
        while True:
            try:
                await _to_the_end(self._store.save, tokens)
            except CredentialsError as error:
                self._unsaved = (
                    f"New tokens came but are not on disk yet, and the old ones are used up. {error} "
                    "Do not stop the process before."
                )
                self._observer.unsaved(self.account, self._unsaved)
                await self._sleep(SAVE_AGAIN_SECONDS)
            else:
                self._unsaved = None
                return

    async def _settle(
        self, before: AccountTokens, marked: AccountTokens, token: Secret, failure: TokenFailure
    ) -> Exchange:
        if failure.verdict is TokenVerdict.AMBIGUOUS:
            return Exchange(RefreshOutcome.AMBIGUOUS, marked, _told(failure))
        if failure.verdict is TokenVerdict.CONFIG:
            # X did not look at the token: what was known of it before still holds.
            await self._note(before)
            return Exchange(RefreshOutcome.CONFIG, before, _told(failure))
        now_stored = await self.load() or self._none_yet()
        if now_stored != marked:
            return Exchange(RefreshOutcome.REFUSED, now_stored, _told(failure))
        ours = token == before.refresh_token
        refused = marked.refused(token, self._clock()) if ours else before
        await self._note(refused)
        return Exchange(RefreshOutcome.REFUSED, refused, _told(failure))

    async def _note(self, tokens: AccountTokens) -> None:
        # Without this note the token is merely sent once more, so a full disk must not hide the answer.
        with suppress(CredentialsError):
            await _to_the_end(self._store.save, tokens)


async def _to_the_end(work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run `work` in a thread; even if cancelled, do not return, and free the lock, before it is done."""
    await finishing(asyncio.to_thread(work, *args, **kwargs), matters=lambda: True)


def _told(failure: TokenFailure) -> str:
    transaction = f", transaction {failure.transaction_id}" if failure.transaction_id else ""
    return f"{failure.sentence} ({failure.code}{transaction})"

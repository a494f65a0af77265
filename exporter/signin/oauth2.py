"""OAuth 2.0 with refresh: hands out the access token and renews it when it is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from exporter.config.settings import Secret
from exporter.errors import CredentialsError
from exporter.signin.disk import Stamp
from exporter.signin.keeper import Endpoint, TokenKeeper
from exporter.signin.plan import Step, login_reason, next_step, usable_access_token
from exporter.signin.scheme import RefreshObserver, RefreshOutcome, SignInStatus
from exporter.signin.tokens import AccountTokens
from exporter.xapi.backoff import full_jitter_seconds

# Failures in a row that are tried again at once; later ones wait for the next request that needs a token.
TRIES = 4
# X had outages in which good tokens got 401; a pair this young is not blamed, and not renewed for it.
REJECTION_GAP_SECONDS = 300.0
# How long a request waits for a refresh: little while the old access token still serves.
PATIENCE_SECONDS = 150.0
PATIENCE_WITH_TOKEN_SECONDS = 5.0


class OAuth2Signer:
    """Signs with the access token of the stored pair and refreshes on need, one refresh at a time.

    Whoever makes one calls `aclose` before the event loop ends, in a `finally`: a refresh in flight that is
    cancelled costs the sign-in.
    """

    def __init__(
        self,
        keeper: TokenKeeper,
        endpoint: Endpoint,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
        observer: RefreshObserver,
    ) -> None:
        self._keeper = keeper
        self._endpoint = endpoint
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._observer = observer
        self._looked = False
        self._stamp: Stamp | None = None
        self._tokens: AccountTokens | None = None
        self._handed: Secret | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._closing = False
        self._failures = 0
        self._hold_until = 0.0
        self._trouble: str | None = None
        self._file_trouble: str | None = None

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self._keeper.account

    async def headers(self, method: str, url: str) -> dict[str, str]:  # noqa: ARG002 - part of the seam
        """The bearer header, after a refresh if one is due; see `Signer.headers`."""
        await self.look()
        if self._refreshing:
            # The old access token serves meanwhile; without one there is nothing but to wait.
            if usable_access_token(self._tokens, self._clock()) is None:
                await self._refreshed(None)
        elif self._step() is Step.SEND:
            await self._refreshed(None)
        token = usable_access_token(self._tokens, self._clock())
        if token is None:
            raise CredentialsError(self.status().sentence or f"Account {self.account!r} has no access token.")
        self._handed = token
        return {"Authorization": f"Bearer {token.reveal()}"}

    async def rejected(self) -> bool:
        """X answered 401: refresh once, unless that has just been done; see `Signer.rejected`."""
        await self.look()
        rejected, pair = self._handed, self._tokens.pair if self._tokens else None
        if pair is None or rejected is None or rejected != pair.access_token:
            return pair is not None
        if 0 <= self._clock() - pair.obtained_timestamp_seconds < REJECTION_GAP_SECONDS:
            return True
        if self._step() is Step.LOGIN or self._clock() < self._hold_until:
            return False
        await self._refreshed(rejected)
        return self._tokens is not None and self._tokens.access_token != rejected

    async def look(self) -> SignInStatus:
        """Read the token file again if it changed, as `login` in another process changes it."""
        stamp = await self._keeper.stamp()
        if stamp is None or stamp != self._stamp:
            self._looked = True
            try:
                self._take(await self._keeper.load())
                self._stamp, self._file_trouble = stamp, None
            except CredentialsError as error:
                # Without a stamp the next look reads again: the trouble may be over with the file unchanged.
                self._stamp, self._file_trouble = None, str(error)
        return self.status()

    def status(self) -> SignInStatus:
        """How things stand; the sentence is the most pressing one. Before the first look nothing is known."""
        known = self._looked and self._file_trouble is None
        why = login_reason(self._tokens, self.account, self._keeper.client_id) if known else None
        pair = self._tokens.pair if self._tokens else None
        step = self._step()
        # What went wrong with a refresh that is not due any more worries nobody.
        trouble = None if step is Step.USE else self._trouble
        return SignInStatus(
            self.account,
            login_required=why is not None,
            token_expiry_timestamp_seconds=pair.expires_timestamp_seconds if pair else None,
            sentence=self._keeper.unsaved or self._file_trouble or why or trouble,
            retry_timestamp_seconds=self._hold_until if step is Step.WAIT else None,
        )

    async def aclose(self, wait_seconds: float) -> None:
        """Start no refresh any more; wait for one whose token is out, and for nothing else."""
        self._closing = True
        if self._refresh is None:
            return
        if self._keeper.in_flight:
            await asyncio.wait({self._refresh}, timeout=wait_seconds)
        self._refresh.cancel()
        # Not for ever: a disk that hangs may keep even a cancelled one.
        await asyncio.wait({self._refresh}, timeout=1.0)

    @property
    def _refreshing(self) -> bool:
        return self._refresh is not None and not self._refresh.done()

    def _step(self) -> Step:
        if self._file_trouble is not None:
            return Step.USE
        return next_step(self._tokens, self._keeper.client_id, self._clock(), self._hold_until)

    async def _refreshed(self, rejected: Secret | None) -> None:
        """Join the refresh that runs, or start one; return when it ends or patience does."""
        if self._refresh is None or self._refresh.done():
            if self._closing:
                return
            self._refresh = asyncio.create_task(self._refresh_with_retries(rejected))
        task = self._refresh
        usable = usable_access_token(self._tokens, self._clock()) is not None
        patience = PATIENCE_WITH_TOKEN_SECONDS if usable and rejected is None else PATIENCE_SECONDS
        # Not awaited itself: whoever cancels this request must not cancel the refresh others need too.
        await asyncio.wait({task}, timeout=patience)
        if task.done() and not task.cancelled():
            task.result()

    async def _refresh_with_retries(self, rejected: Secret | None) -> None:
        while await self._refresh_once(rejected):
            delay = self._hold_until - self._clock()
            if self._closing or self._failures >= TRIES:
                return
            await self._sleep(max(0.0, delay))

    async def _refresh_once(self, rejected: Secret | None) -> bool:
        """One exchange; True when it failed in a way that another may mend."""

        def choose(tokens: AccountTokens) -> Secret | None:
            step = next_step(tokens, self._keeper.client_id, self._clock(), 0.0)
            unwanted = rejected is not None and rejected == tokens.access_token
            wanted = step is Step.SEND or (unwanted and step is not Step.LOGIN)
            return tokens.refresh_token if wanted else None

        try:
            exchange = await self._keeper.exchange(self._endpoint, choose)
        except CredentialsError as error:
            self._failed(str(error))
            return False
        self._take(exchange.tokens)
        if exchange.outcome is not None:
            self._observer.refreshed(self.account, exchange.outcome, exchange.sentence)
        if exchange.outcome in {None, RefreshOutcome.SUCCESS}:
            return False
        self._failed(exchange.sentence)
        return exchange.outcome is RefreshOutcome.AMBIGUOUS

    def _take(self, tokens: AccountTokens | None) -> None:
        old, new = (kept.pair if kept else None for kept in (self._tokens, tokens))
        if old != new:
            # A new pair, whoever got it, ends what was wrong with the old one.
            self._failures, self._hold_until, self._trouble = 0, 0.0, None
        self._tokens = tokens

    def _failed(self, sentence: str) -> None:
        self._failures += 1
        self._hold_until = self._clock() + full_jitter_seconds(self._failures, self._random)
        self._trouble = sentence

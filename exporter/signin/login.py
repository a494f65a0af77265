"""A sign-in by browser: ask the person, take the code the browser brings back, store the pair."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.errors import CredentialsError
from exporter.signin.authorize import Authorization, Code, Denied, new_authorization, read_redirect
from exporter.signin.callback import CallbackPage, Redirect, callback_page
from exporter.signin.finish import finishing
from exporter.signin.introduction import Login, XAccess, introduced
from exporter.signin.keeper import TokenKeeper
from exporter.signin.scheme import Surroundings
from exporter.signin.token_endpoint import Grant, TokenEndpoint
from exporter.signin.tokens import AccountTokens
from exporter.xapi.backoff import full_jitter_seconds
from exporter.xapi.failure_token import TokenFailure, TokenVerdict

WAIT_SECONDS = 900.0
# X's codes live for 30 s; a try that starts later cannot succeed.
CODE_LIFE_SECONDS = 25.0
TRIES = 4
# How long a person who interrupts waits for an exchange that must not be cut off.
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Talk:
    """How to speak with the person: `say` shows a line, `read_line` waits for one.

    `read_line` is None without a terminal, and gives None at the end of input.
    """

    say: Callable[[str], None]
    read_line: Callable[[], Awaitable[str | None]] | None


async def login(
    keeper: TokenKeeper,
    x: XAccess,
    surroundings: Surroundings,
    talk: Talk,
    port: int,
    *,
    random_token: Callable[[], str] = secrets.token_urlsafe,
    wait_seconds: float = WAIT_SECONDS,
) -> Login:
    """Sign in with a browser, here or elsewhere, and store the pair.

    `random_token` gives 43 to 128 unguessable characters of RFC 7636's alphabet. `wait_seconds` is how long
    the person has.

    Raises:
        CredentialsError: it did not come to that; the text says why and what to do.
        StartError: the port for the browser's return is taken.
    """
    # A file that could not be replaced in the end is better found before the person clicks.
    await keeper.check()
    authorization: Authorization | None = None

    def read(target: str) -> Redirect | None:
        return read_redirect(target, authorization) if authorization else None

    async with callback_page(port, read) as page:
        authorization = new_authorization(keeper.client_id, page.port, random_token)
        _invite(authorization, talk)
        redirect = await _first_redirect(page, authorization, talk, wait_seconds)
        try:
            tokens = await finishing(
                _complete(keeper, x.endpoint, authorization, redirect, surroundings),
                matters=lambda: True,
                wait_seconds=STOP_SECONDS,
            )
        except CredentialsError as error:
            page.finish("Sign-in failed", str(error))
            raise
        done = await introduced(x, tokens)
        whose = f"@{done.username}" if done.username else "the account"
        page.finish("Signed in", f"{keeper.account} may now read as {whose}. You can close this page.")
        return done


def _invite(authorization: Authorization, talk: Talk) -> None:
    talk.say("Open this address in a browser that is signed in to X as the account to watch:")
    talk.say("")
    talk.say(f"  {authorization.url}")
    talk.say("")
    talk.say(f"The app's settings at X must list the callback {authorization.redirect_uri} exactly so.")
    if talk.read_line is not None:
        talk.say(
            "Browser on another machine? After you agree it shows an error page: copy that page's address "
            "from the address bar and paste it here within 30 seconds."
        )


async def _first_redirect(
    page: CallbackPage, authorization: Authorization, talk: Talk, wait_seconds: float
) -> Redirect:
    """What comes first, the browser or a pasted address."""
    waits = [asyncio.create_task(page.redirect())]
    if talk.read_line is not None:
        waits.append(asyncio.create_task(_pasted(authorization, talk.say, talk.read_line)))
    try:
        done, _ = await asyncio.wait(waits, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
    if not done:
        raise CredentialsError(f"Nobody agreed within {wait_seconds / 60:g} minutes. Start `login` again.")
    return done.pop().result()


async def _pasted(
    authorization: Authorization, say: Callable[[str], None], read_line: Callable[[], Awaitable[str | None]]
) -> Redirect:
    while (line := await read_line()) is not None:
        redirect = read_redirect(line, authorization)
        if redirect is not None:
            return redirect
        if line:
            say("That is not the address of this sign-in. Paste the whole address, from http:// to its end.")
    # The terminal is gone, the browser may still come.
    never: asyncio.Future[Redirect] = asyncio.get_running_loop().create_future()
    return await never


async def _complete(
    keeper: TokenKeeper,
    endpoint: TokenEndpoint,
    authorization: Authorization,
    redirect: Redirect,
    surroundings: Surroundings,
) -> AccountTokens:
    if isinstance(redirect, Denied):
        raise CredentialsError(
            f"X reports {redirect.error}: access was not given. Start `login` again and agree in the browser."
        )
    received_at = surroundings.clock()
    grant = await _redeem(endpoint, authorization, redirect, surroundings)
    if grant.refresh_token is None:
        raise CredentialsError(
            "X gave no refresh token, so the sign-in would last two hours. Nothing was stored. Check that "
            "the app's settings at X permit OAuth 2.0 with offline.access, then start `login` again."
        )
    return await keeper.adopt(grant, received_at)


async def _redeem(
    endpoint: TokenEndpoint, authorization: Authorization, code: Code, surroundings: Surroundings
) -> Grant:
    """Exchange the code at once, and again only while it can still be good."""
    started_at, failures = surroundings.clock(), 0
    while True:
        answer = await endpoint.redeem(code.value, authorization.redirect_uri, authorization.verifier)
        if isinstance(answer, Grant):
            return answer
        failures += 1
        pause = full_jitter_seconds(failures, surroundings.random)
        late = surroundings.clock() + pause - started_at > CODE_LIFE_SECONDS
        if answer.verdict is not TokenVerdict.AMBIGUOUS or late or failures >= TRIES:
            raise CredentialsError(_not_redeemed(answer))
        await surroundings.sleep(pause)


def _not_redeemed(failure: TokenFailure) -> str:
    if failure.verdict is TokenVerdict.CONFIG:
        return failure.sentence
    if failure.verdict is TokenVerdict.DEFINITE:
        return (
            "X did not take the authorization code: it lives for 30 seconds and serves once. Start `login` "
            "again."
        )
    return "X's token endpoint gave no clear answer while the authorization code lived. Start `login` again."

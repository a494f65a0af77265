"""Getting an account's first token pair: in a browser, or from a refresh token somebody has."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from exporter.config.settings import BearerAuth, Secret
from exporter.errors import CredentialsError
from exporter.signin.authorize import SCOPES, Authorization, Code, Denied, new_authorization, read_redirect
from exporter.signin.bearer import BearerSigner
from exporter.signin.callback import CallbackServer, Redirect
from exporter.signin.keeper import TokenKeeper
from exporter.signin.scheme import RefreshOutcome, Surroundings
from exporter.signin.token_endpoint import Grant, TokenEndpoint, is_token
from exporter.signin.tokens import AccountTokens
from exporter.xapi.backoff import full_jitter_seconds
from exporter.xapi.client import Reply, XClient
from exporter.xapi.failure_token import TokenFailure, TokenVerdict

WAIT_SECONDS = 900.0
# X's codes live for 30 s; a try that starts later cannot succeed.
CODE_LIFE_SECONDS = 25.0
TRIES = 4
# How long a person who interrupts waits for an exchange that must not be cut off.
STOP_SECONDS = 30.0
_MAX_TOKEN_FILE_BYTES = 64 * 1024
_OK = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in that is stored: what to tell the person.

    `username` and `name` are X's word on whose account it is (`/2/users/me`), None where X would not say
    just now. `scopes` is what the tokens may do, `missing_scopes` what they should and may not.
    """

    account: str
    username: str | None
    name: str | None
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Talk:
    """How to speak with the person: `say` shows a line, `read_line` waits for one.

    `read_line` is None without a terminal, and gives None at the end of input.
    """

    say: Callable[[str], None]
    read_line: Callable[[], Awaitable[str | None]] | None


@dataclass(frozen=True, slots=True)
class XAccess:
    """What a sign-in asks of X: tokens, and with them once `/2/users/me`."""

    endpoint: TokenEndpoint
    client: XClient


async def login(
    keeper: TokenKeeper,
    x: XAccess,
    surroundings: Surroundings,
    talk: Talk,
    port: int,
    random_token: Callable[[], str] = partial(secrets.token_urlsafe, 32),
) -> Login:
    """Sign in with a browser, here or elsewhere, and store the pair.

    `random_token` gives 43 to 128 unguessable characters of RFC 7636's alphabet.

    Raises:
        CredentialsError: it did not come to that; the text says why and what to do.
        StartError: the port for the browser's return is taken.
    """
    # A file that could not be replaced in the end is better found before the person clicks.
    await keeper.load()
    authorization: Authorization | None = None

    def read(target: str) -> Redirect | None:
        return read_redirect(target, authorization) if authorization else None

    async with CallbackServer(port, read) as server:
        authorization = new_authorization(keeper.client_id, server.port, random_token)
        _invite(authorization, talk)
        redirect = await _first_redirect(server, authorization, talk)
        try:
            tokens = await _uncancelled(
                _complete(keeper, x.endpoint, authorization, redirect, surroundings), lambda: True
            )
        except CredentialsError as error:
            server.finish("Sign-in failed", str(error))
            raise
        done = await _introduced(x, tokens)
        whose = f"@{done.username}" if done.username else "the account"
        server.finish("Signed in", f"{keeper.account} may now read as {whose}. You can close this page.")
        return done


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
        exchange = await _uncancelled(keeper.exchange(x.endpoint, choose), lambda: keeper.in_flight)
        if exchange.outcome is RefreshOutcome.SUCCESS:
            return await _introduced(x, exchange.tokens)
        failures += 1
        if exchange.outcome is not RefreshOutcome.AMBIGUOUS or failures >= TRIES:
            raise CredentialsError(f"{file}: the refresh token was not taken over. {exchange.sentence}")
        await surroundings.sleep(full_jitter_seconds(failures, surroundings.random))


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


async def _first_redirect(server: CallbackServer, authorization: Authorization, talk: Talk) -> Redirect:
    """What comes first, the browser or a pasted address."""
    waits = [asyncio.create_task(server.redirect())]
    if talk.read_line is not None:
        waits.append(asyncio.create_task(_pasted(authorization, talk.say, talk.read_line)))
    try:
        done, _ = await asyncio.wait(waits, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
    if not done:
        raise CredentialsError(f"Nobody agreed within {WAIT_SECONDS / 60:g} minutes. Start `login` again.")
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


async def _uncancelled(work: Coroutine[None, None, T], in_flight: Callable[[], bool]) -> T:
    """Await `work`; when cancelled while it is `in_flight`, let it end first, within reason."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if in_flight():
            await asyncio.wait({task}, timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.wait({task})
        raise


async def _introduced(x: XAccess, tokens: AccountTokens) -> Login:
    """The result, with the account's name at X if X tells it."""
    scopes = tokens.pair.scopes if tokens.pair else ()
    user = await _user(x.client, tokens)
    missing = tuple(scope for scope in SCOPES if scopes and scope not in scopes)
    return Login(tokens.account, user.get("username"), user.get("name"), scopes, missing)


async def _user(client: XClient, tokens: AccountTokens) -> dict[str, str]:
    """`data` of `/2/users/me`; empty when X would not say, since the tokens are stored all the same."""
    if tokens.access_token is None:
        return {}
    signer = BearerSigner(tokens.account, BearerAuth(tokens.access_token, None))
    reply = await client.get("/2/users/me", "user.fields=id,name,username", signer)
    if not isinstance(reply, Reply) or reply.status != _OK:
        return {}
    try:
        data = json.loads(reply.body)["data"]
        return {key: value for key, value in data.items() if isinstance(value, str) and value.isprintable()}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return {}


def _read_token(file: Path) -> Secret:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_TOKEN_FILE_BYTES)
    except OSError as error:
        raise CredentialsError(f"{file}: cannot be read: {error.strerror or error}.") from error
    text = content.decode("ascii", "replace").strip()
    if not is_token(text):
        raise CredentialsError(f"{file}: holds no refresh token. Put the token there, alone, as plain text.")
    return Secret(text)

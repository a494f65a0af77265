"""What a person is told after a sign-in: whose account it is at X and what the tokens may do."""

from __future__ import annotations

import json
from dataclasses import dataclass

from exporter.config.settings import BearerAuth
from exporter.signin.authorize import SCOPES
from exporter.signin.bearer import BearerSigner
from exporter.signin.token_endpoint import TokenEndpoint
from exporter.signin.tokens import AccountTokens
from exporter.xapi.client import Reply, XClient

_OK = 200


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
class XAccess:
    """What a sign-in asks of X: tokens, and with them once `/2/users/me`."""

    endpoint: TokenEndpoint
    client: XClient


async def introduced(x: XAccess, tokens: AccountTokens) -> Login:
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

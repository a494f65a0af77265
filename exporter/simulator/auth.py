"""Who is asking: bearer tokens, OAuth 2.0 access tokens and OAuth 1.0a signatures."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.simulator.http import SimRequest, SimResponse
from exporter.simulator.knobs import Knobs
from exporter.simulator.problems import blank_problem, problem, problem_type
from exporter.simulator.signing import is_signed, oauth_parameters
from exporter.simulator.tokens import TokenOffice
from exporter.simulator.world import Account, World


@dataclass(frozen=True, slots=True)
class Caller:
    """An account and what it let the caller do."""

    account: Account
    scopes: frozenset[str]


def identify(
    request: SimRequest, world: World, tokens: TokenOffice, now: float, knobs: Knobs
) -> Caller | SimResponse:
    """The caller of `request`, or X's refusal."""
    authorization = request.headers.get("authorization", "")
    signed = oauth_parameters(authorization)
    if signed is not None:
        return _signer(request, signed, world, now, knobs) or unauthorized(knobs)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        return unauthorized(knobs)
    if token in world.app_only_tokens:
        return app_only(knobs)
    return _bearer(token, world, tokens) or unauthorized(knobs)


def unauthorized(knobs: Knobs) -> SimResponse:
    """401, whatever was wrong."""
    return blank_problem(knobs, 401, "Unauthorized")


def forbidden(knobs: Knobs) -> SimResponse:
    """403 for a scope that is missing."""
    detail = "You are not permitted to perform this action."
    return problem(knobs, 403, {"title": "Forbidden", "type": "about:blank", "status": 403, "detail": detail})


def app_only(knobs: Knobs) -> SimResponse:
    """403 for a token that acts for no user."""
    detail = (
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.  Supported "
        "authentication types are [OAuth 1.0a User Context, OAuth 2.0 User Context]."
    )
    kind = problem_type(knobs, "unsupported-authentication")
    body = {"title": "Unsupported Authentication", "detail": detail, "type": kind, "status": 403}
    return problem(knobs, 403, body)


def _bearer(token: str, world: World, tokens: TokenOffice) -> Caller | None:
    for account in world.accounts.values():
        if token in account.bearer_tokens:
            return Caller(account, account.scopes)
    grant = tokens.grant_of(token)
    if grant is None or grant.account not in world.accounts:
        return None
    return Caller(world.accounts[grant.account], grant.scopes)


def _signer(
    request: SimRequest, signed: dict[str, str], world: World, now: float, knobs: Knobs
) -> Caller | None:
    for account in world.accounts.values():
        keys = account.oauth1
        if keys is None or signed.get("oauth_token") != keys.access_token:
            continue
        if not knobs.check_signature or is_signed(request, signed, keys, now):
            return Caller(account, account.scopes)
    return None

"""GET /2/users/me and what signs a user in: authorize, token and revoke."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from exporter.simulator.asking import Asking
from exporter.simulator.fault_answers import Scene, client_unauthorized, code_invalid, token_invalid
from exporter.simulator.http import Json, Pairs, SimRequest, SimResponse, json_response
from exporter.simulator.knobs import Knobs
from exporter.simulator.parameters import List, read
from exporter.simulator.problems import bad_request
from exporter.simulator.tokens import Refusal, RefusedError, TokenOffice, TokenPair
from exporter.simulator.world import App, World

_USER_FIELDS = (
    "created_at",
    "description",
    "id",
    "name",
    "protected",
    "public_metrics",
    "username",
    "verified",
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the sign-in endpoints work with; `now` is in Unix seconds."""

    now: float
    knobs: Knobs
    world: World
    tokens: TokenOffice

    def scene(self, endpoint: str) -> Scene:
        """For the sentences shared with the scripted failures."""
        return Scene(self.now, self.knobs, endpoint, {})


def users_me(asking: Asking) -> SimResponse:
    """Answer GET /2/users/me."""
    parameters = (List("user.fields", allowed=_USER_FIELDS, required=False, unique=True),)
    _, complaints = read(asking.pairs, parameters, asking.knobs)
    if complaints:
        return bad_request(asking.knobs, complaints)
    account = asking.account
    name = account.name.replace("-", " ").replace("_", " ").title()
    return json_response(200, {"data": {"id": account.user_id, "name": name, "username": account.username}})


def authorize(pairs: Pairs, desk: SignIn) -> SimResponse:
    """The page where a user consents; here everyone does at once and is sent back with a code.

    `account` in the query picks who signs in, the first account where it is not given.
    """
    given = dict(pairs)
    app = desk.world.apps.get(given.get("client_id", ""))
    wrong = _authorize_fault(given, app)
    if app is None or wrong:
        return _oauth_error(f"Something is wrong with {wrong}.")
    account = given.get("account") or next(iter(desk.world.accounts))
    code = desk.tokens.authorize(
        account,
        app.client_id,
        frozenset(given.get("scope", "").split()),
        redirect_uri=given["redirect_uri"],
        challenge=given["code_challenge"],
    )
    back = urlencode({"state": given.get("state", ""), "code": code})
    return SimResponse(302, (("location", f"{given['redirect_uri']}?{back}"),))


def _authorize_fault(given: Mapping[str, str], app: App | None) -> str:
    redirect = given.get("redirect_uri", "")
    checks = (
        (app is not None, "client_id"),
        (app is None or _may_return_to(redirect, app), "redirect_uri"),
        (given.get("response_type") == "code", "response_type"),
        (bool(given.get("scope")), "scope"),
        (0 < len(given.get("state", "")) <= 500, "state"),  # noqa: PLR2004 - X's own limit
        (given.get("code_challenge_method") == "S256", "code_challenge_method"),
        (bool(given.get("code_challenge")), "code_challenge"),
    )
    return next((name for good, name in checks if not good), "")


def _may_return_to(redirect: str, app: App) -> bool:
    return redirect in app.redirect_uris or (
        "http://127.0.0.1/callback" in app.redirect_uris
        and redirect.startswith("http://127.0.0.1:")
        and redirect.endswith("/callback")
    )


def token(request: SimRequest, desk: SignIn) -> SimResponse:
    """Answer POST /2/oauth2/token."""
    form = _form(request)
    app = _client(request, form, desk.world)
    if app is None:
        return client_unauthorized(desk.scene("token"))
    grant_type = form.get("grant_type", "")
    needed = {
        "authorization_code": ("code", "redirect_uri", "code_verifier"),
        "refresh_token": ("refresh_token",),
    }.get(grant_type)
    if needed is None:
        return _oauth_error("Value passed for the grant type was invalid.")
    missing = next((name for name in needed if not form.get(name)), None)
    if missing is not None:
        return _oauth_error(f"Missing required parameter [{missing}].")
    return _exchange(form, app, desk) if grant_type == "authorization_code" else _refresh(form, app, desk)


def revoke(request: SimRequest, desk: SignIn) -> SimResponse:
    """Answer POST /2/oauth2/revoke."""
    form = _form(request)
    if _client(request, form, desk.world) is None:
        return client_unauthorized(desk.scene("revoke"))
    if not form.get("token"):
        return _oauth_error("Missing required parameter [token].")
    desk.tokens.revoke(form["token"])
    return json_response(200, {"revoked": True})


def _exchange(form: Mapping[str, str], app: App, desk: SignIn) -> SimResponse:
    try:
        pair = desk.tokens.exchange(
            form["code"], app.client_id, redirect_uri=form["redirect_uri"], verifier=form["code_verifier"]
        )
    except RefusedError as refused:
        match refused.refusal:
            case Refusal.WRONG_REDIRECT:
                return _oauth_error("Value passed for the redirect uri did not match the authorization code.")
            case Refusal.WRONG_VERIFIER:
                return _oauth_error("Value passed for the code verifier did not match the code challenge.")
            case _:
                return code_invalid(desk.scene("token"))
    return _told(pair, desk)


def _refresh(form: Mapping[str, str], app: App, desk: SignIn) -> SimResponse:
    try:
        return _told(desk.tokens.refresh(form["refresh_token"], app.client_id), desk)
    except RefusedError:
        return token_invalid(desk.scene("token"))


def _told(pair: TokenPair, desk: SignIn) -> SimResponse:
    body: Json = {"token_type": "bearer"}
    if not desk.knobs.omit_expires_in:
        body["expires_in"] = round(pair.expires_at - desk.now)
    body["access_token"] = pair.access_token
    body["scope"] = " ".join(sorted(pair.grant.scopes))
    if pair.refresh_token is not None:
        body["refresh_token"] = pair.refresh_token
    return json_response(200, body)


def _client(request: SimRequest, form: Mapping[str, str], world: World) -> App | None:
    """The app that asks, provided it proves itself in the one way that is its own."""
    basic = _basic(request.headers.get("authorization"))
    if basic is None:
        app = world.apps.get(form.get("client_id", ""))
        return None if app is None or app.confidential else app
    client_id, secret = basic
    app = world.apps.get(client_id)
    if app is None or app.client_secret is None:
        return None
    return app if hmac.compare_digest(app.client_secret.encode(), secret.encode()) else None


def _basic(authorization: str | None) -> tuple[str, str] | None:
    if authorization is None:
        return None
    scheme, _, packed = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = b64decode(packed, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client_id, secret


def _form(request: SimRequest) -> dict[str, str]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _oauth_error(description: str) -> SimResponse:
    return json_response(400, {"error": "invalid_request", "error_description": description})

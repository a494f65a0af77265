"""Signing in to the simulated X with OAuth 2.0, from consent to revocation."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from exporter.simulator import SimRequest, SimResponse, Simulator
from exporter.simulator.tokens import challenge_of
from tests.simulator_support import KEYS, Clock, get, make, post

VERIFIER = "a-verifier-of-more-than-43-characters-0123456789"
SCOPES = frozenset({"tweet.read", "users.read", "offline.access"})
REDIRECT = "http://127.0.0.1:8765/callback"
BASIC = "Basic " + b64encode(b"web:app secret:").decode()
TOKEN_PATH = "/2/oauth2/token"


def consent(simulator: Simulator, **changes: str) -> SimResponse:
    query = {
        "response_type": "code",
        "client_id": "native",
        "redirect_uri": REDIRECT,
        "scope": " ".join(sorted(SCOPES)),
        "state": "s t",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    } | changes
    return simulator.respond(SimRequest("GET", "/i/oauth2/authorize", urlencode(query)))


def code_of(response: SimResponse) -> str:
    return parse_qs(urlsplit(response.header("location") or "").query)["code"][0]


def exchange(simulator: Simulator, good_code: str, authorization: str = "", **changes: str) -> SimResponse:
    form = {
        "grant_type": "authorization_code",
        "code": good_code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    if not authorization:
        form["client_id"] = "native"
    return post(simulator, TOKEN_PATH, form | changes, authorization)


def refresh(simulator: Simulator, token: str, client: str = "native") -> SimResponse:
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client}
    return post(simulator, TOKEN_PATH, form)


def test_challenges_are_those_of_the_standard() -> None:
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_consent_leads_back_with_a_code_that_buys_tokens() -> None:
    simulator = make()
    response = consent(simulator, account="other")
    assert response.status == 302
    assert parse_qs(urlsplit(response.header("location") or "").query)["state"] == ["s t"]
    found = exchange(simulator, code_of(response)).json()
    assert (found["token_type"], found["expires_in"]) == ("bearer", 7200)
    assert set(found["scope"].split()) == SCOPES
    assert get(simulator, "/2/users/me", token=found["access_token"]).json()["data"]["id"] == "2"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unheard"},
        {"redirect_uri": "http://elsewhere.example/callback"},
        {"response_type": "token"},
        {"scope": ""},
        {"state": ""},
        {"state": "s" * 501},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
    ],
)
def test_consent_is_not_asked_for_in_any_other_way(changes: dict[str, str]) -> None:
    assert consent(make(), **changes).status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "unheard"},
        {"code_verifier": "other"},
        {"redirect_uri": "http://127.0.0.1:1/callback"},
        {"code_verifier": ""},
        {"grant_type": "password"},
        {"grant_type": ""},
    ],
)
def test_a_code_is_bought_with_exactly_what_it_was_made_for(changes: dict[str, str]) -> None:
    simulator = make()
    response = exchange(simulator, code_of(consent(simulator)), **changes)
    assert (response.status, response.json()["error"]) == (400, "invalid_request")


def test_a_code_is_good_once_and_for_thirty_seconds() -> None:
    clock = Clock()
    simulator = make(clock=clock)
    code, late = code_of(consent(simulator)), code_of(consent(simulator))
    clock.seconds += 29
    assert exchange(simulator, code).status == 200
    again = exchange(simulator, code)
    assert again.json()["error_description"] == "Value passed for the authorization code was invalid."
    clock.seconds += 1
    assert exchange(simulator, late).status == 400


def test_a_code_of_another_app_buys_nothing() -> None:
    simulator = make()
    assert exchange(simulator, code_of(consent(simulator)), BASIC).status == 400


@pytest.mark.parametrize(
    ("client", "authorization", "status"),
    [
        ("web", BASIC, 200),
        ("web", "", 401),
        ("web", "Basic " + b64encode(b"web:wrong").decode(), 401),
        ("web", "Basic ***", 401),
        ("web", "Bearer x", 401),
        ("native", "", 200),
        ("native", "Basic " + b64encode(b"native:").decode(), 401),
        ("unheard", "", 401),
    ],
)
def test_each_kind_of_app_proves_itself_in_its_own_way(client: str, authorization: str, status: int) -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", client, SCOPES)
    form = {"grant_type": "refresh_token", "refresh_token": pair.refresh_token or ""}
    if not authorization:
        form["client_id"] = client
    response = post(simulator, TOKEN_PATH, form, authorization)
    assert response.status == status
    if status == 401:
        assert response.json()["error"] == "unauthorized_client"
        assert not simulator.tokens.is_spent(pair.refresh_token or "")


def test_a_body_that_is_no_form_proves_nothing() -> None:
    request = SimRequest("POST", TOKEN_PATH, headers={"content-type": "application/json"}, body=b"{}")
    assert make().respond(request).status == 401


def test_a_refresh_token_is_good_once_and_its_replay_ends_the_family() -> None:
    simulator = make()
    first = simulator.tokens.issue("brand", "native", SCOPES)
    second = refresh(simulator, first.refresh_token or "").json()
    assert second["refresh_token"] != first.refresh_token
    assert get(simulator, "/2/users/me", token=second["access_token"]).status == 200
    replay = refresh(simulator, first.refresh_token or "")
    assert replay.json()["error_description"] == "Value passed for the token was invalid."
    assert get(simulator, "/2/users/me", token=second["access_token"]).status == 401
    assert refresh(simulator, second["refresh_token"]).status == 400
    outcomes = [event.outcome for event in simulator.tokens.events]
    assert outcomes == ["ok", "spent", "revoked"]


def test_a_replay_may_be_forgiven() -> None:
    simulator = make()
    simulator.turn(replay_kills_family=False)
    first = simulator.tokens.issue("brand", "native", SCOPES)
    second = refresh(simulator, first.refresh_token or "").json()
    assert refresh(simulator, first.refresh_token or "").status == 400
    assert refresh(simulator, second["refresh_token"]).status == 200


def test_tokens_end_with_their_time() -> None:
    clock = Clock()
    simulator = make(clock=clock)
    simulator.turn(access_token_seconds=100.0, refresh_token_seconds=1000.0)
    pair = simulator.tokens.issue("brand", "native", SCOPES)
    assert get(simulator, "/2/users/me", token=pair.access_token).status == 200
    clock.seconds += 100
    assert get(simulator, "/2/users/me", token=pair.access_token).status == 401
    clock.seconds += 900
    assert refresh(simulator, pair.refresh_token or "").status == 400


def test_a_refresh_token_of_another_app_or_nobody_is_refused() -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", "web", SCOPES)
    assert refresh(simulator, pair.refresh_token or "").status == 400
    assert refresh(simulator, "unheard").status == 400
    assert [event.family for event in simulator.tokens.events] == [1, 0]


def test_without_offline_access_there_is_no_refresh_token() -> None:
    simulator = make()
    response = exchange(simulator, code_of(consent(simulator, scope="tweet.read users.read")))
    assert "refresh_token" not in response.json()


def test_the_lifetime_may_be_left_unsaid() -> None:
    simulator = make()
    simulator.turn(omit_expires_in=True)
    pair = simulator.tokens.issue("brand", "native", SCOPES)
    assert "expires_in" not in refresh(simulator, pair.refresh_token or "").json()


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(which: str) -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", "native", SCOPES)
    form = {"client_id": "native", "token": getattr(pair, which)}
    assert post(simulator, "/2/oauth2/revoke", form).json() == {"revoked": True}
    assert get(simulator, "/2/users/me", token=pair.access_token).status == 401
    assert refresh(simulator, pair.refresh_token or "").status == 400


def test_revoking_asks_for_a_token_and_a_client() -> None:
    simulator = make()
    assert post(simulator, "/2/oauth2/revoke", {"client_id": "native"}).status == 400
    assert post(simulator, "/2/oauth2/revoke", {"token": "x"}).status == 401
    assert post(simulator, "/2/oauth2/revoke", {"client_id": "native", "token": "x"}).status == 200


def test_access_tokens_may_all_end_at_once() -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", "native", SCOPES)
    simulator.tokens.expire_access()
    assert get(simulator, "/2/users/me", token=pair.access_token).status == 401
    assert refresh(simulator, pair.refresh_token or "").status == 200


def test_no_secret_is_in_any_repr() -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", "native", SCOPES)
    refresh(simulator, pair.refresh_token or "")
    shown = repr((simulator.world.accounts, simulator.world.apps, pair, simulator.tokens.events, KEYS))
    secrets = (pair.access_token, pair.refresh_token, "app secret:", KEYS.consumer_secret, "token-of-brand")
    assert not [secret for secret in secrets if secret and secret in shown]


def test_a_token_of_an_account_that_is_gone_acts_for_nobody() -> None:
    simulator = make()
    pair = simulator.tokens.issue("brand", "native", SCOPES)
    del simulator.world.accounts["brand"]
    assert get(simulator, "/2/users/me", token=pair.access_token).status == 401

"""Who may ask the simulated X: bearer tokens and OAuth 1.0a signatures."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from oauthlib.oauth1 import Client

from exporter.simulator import SimRequest, SimResponse, Simulator
from tests.simulator_support import KEYS, MEDIA_PATH, NOW, get, make, media_query


def signed(url: str, **keys: Any) -> str:  # noqa: ANN401 - whatever oauthlib takes
    client = Client(
        KEYS.consumer_key,
        **{
            "client_secret": KEYS.consumer_secret,
            "resource_owner_key": KEYS.access_token,
            "resource_owner_secret": KEYS.access_token_secret,
            "timestamp": str(int(NOW)),
        }
        | keys,
    )
    _, headers, _ = client.sign(url)
    return str(headers["Authorization"])


def ask_signed(authorization: str, simulator: Simulator | None = None) -> SimResponse:
    headers = {"authorization": authorization, "host": "api.x.com:443"}
    request = SimRequest("GET", MEDIA_PATH, urlencode(media_query()), headers, scheme="https")
    return (simulator or make()).respond(request)


URL = f"https://api.x.com{MEDIA_PATH}?{urlencode(media_query())}"


def test_a_signature_made_by_another_library_is_good() -> None:
    assert ask_signed(signed(URL)).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        signed(URL, client_secret="other"),
        signed(URL, resource_owner_secret="other"),
        signed(URL, resource_owner_key="other"),
        signed(URL, timestamp=str(int(NOW) - 3600)),
        signed(URL, timestamp="now"),
        signed(URL, signature_method="PLAINTEXT"),
        signed(URL.replace("hourly", "daily")),
        "OAuth",
        "Bearer",
        "Bearer unheard",
        "Digest x",
    ],
)
def test_what_is_not_signed_right_is_unauthorized(authorization: str) -> None:
    assert ask_signed(authorization).status == 401


def test_signatures_may_go_unchecked() -> None:
    simulator = make()
    simulator.turn(check_signature=False)
    assert ask_signed(signed(URL, client_secret="other"), simulator).status == 200


def test_no_credentials_are_unauthorized_and_app_only_ones_of_the_wrong_kind() -> None:
    simulator = make()
    assert simulator.respond(SimRequest("GET", MEDIA_PATH)).status == 401
    response = get(simulator, MEDIA_PATH, media_query(), "app-only")
    assert (response.status, response.json()["title"]) == (403, "Unsupported Authentication")


def test_a_missing_scope_is_forbidden() -> None:
    response = get(make(), MEDIA_PATH, media_query(), "token-of-narrow")
    assert (response.status, response.json()["title"]) == (403, "Forbidden")


def test_users_me_says_whose_token_it_is() -> None:
    found = get(make(), "/2/users/me", "user.fields=username").json()
    assert found == {"data": {"id": "1", "name": "Brand", "username": "brand"}}
    assert get(make(), "/2/users/me", "user.field=id").status == 400

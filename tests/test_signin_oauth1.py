from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.settings import OAuth1Auth, Secret
from exporter.errors import CredentialsError
from exporter.signin.oauth1 import OAuth1Signer


def signer_of(
    values: tuple[str, str, str, str], timestamp: float = 1318622958.9, nonce: str = "n"
) -> OAuth1Signer:
    auth = OAuth1Auth(*(Secret(value) for value in values))
    return OAuth1Signer("brand", auth, clock=lambda: timestamp, nonce=lambda: nonce)


def authorization(signer: OAuth1Signer, method: str, url: str) -> dict[str, str]:
    """The parameters of the header, decoded."""
    kind, _, rest = asyncio.run(signer.headers(method, url))["Authorization"].partition(" ")
    assert kind == "OAuth"
    pairs = (part.strip().split("=", 1) for part in rest.split(","))
    return {unquote(name): unquote(value.strip('"')) for name, value in pairs}


def expected_signature(values: tuple[str, str, str, str], method: str, url: str, sent: dict[str, str]) -> str:
    """RFC 5849, section 3.4, written out from its text."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in sent.items() if name != "oauth_signature"]
    encoded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    parameters = "&".join(f"{name}={value}" for name, value in encoded)
    place = f"{parts.scheme}://{parts.netloc}{parts.path}"
    base = "&".join(quote(text, safe="~") for text in (method.upper(), place, parameters))
    key = f"{quote(values[1], safe='~')}&{quote(values[3], safe='~')}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()


VALUES = ("consumer", "consumer secret", "token", "token secret")


def test_the_signature_of_x_own_worked_example() -> None:
    """The example of X's page "Creating a signature", whose two parameters are in the query here."""
    values = (
        "xvz1evFS4wEEPTGEFPHBog",
        "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    )
    signer = signer_of(values, nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg")
    status = quote("Hello Ladies + Gentlemen, a signed OAuth request!")
    url = f"https://api.twitter.com/1.1/statuses/update.json?include_entities=true&status={status}"
    sent = authorization(signer, "POST", url)
    assert sent["oauth_signature"] == "hCtSmYh+iHYCEqBWrE7C7hYmtUk="
    assert sent["oauth_timestamp"] == "1318622958"


def test_the_signature_of_rfc_5849_with_repeated_and_empty_parameters() -> None:
    """Section 3.4.1.1's request; its body parameters are in the query, where they sign alike."""
    values = ("9djdj82h48djs9d2", "j49sk3j29djd", "kkk9d7dh3k39sjv7", "dh893hdasih9")
    url = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q"
    signer = signer_of(values, timestamp=137131201, nonce="7d8f3e4a")
    sent = authorization(signer, "POST", url)
    assert sent["oauth_signature"] == expected_signature(values, "POST", url, sent)


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(
    values=st.tuples(texts, texts, texts, texts),
    query=st.lists(st.tuples(texts, st.text(st.characters(codec="utf-8"), max_size=40)), max_size=5),
)
def test_any_secrets_and_any_query_are_signed_as_the_rfc_says(
    values: tuple[str, str, str, str], query: list[tuple[str, str]]
) -> None:
    url = f"https://api.x.com/2/media/analytics?{urlencode(query)}"
    sent = authorization(signer_of(values), "GET", url)
    assert sent["oauth_signature"] == expected_signature(values, "GET", url, sent)
    assert (sent["oauth_consumer_key"], sent["oauth_token"]) == (values[0], values[2])


def test_each_request_has_its_own_nonce() -> None:
    auth = OAuth1Auth(*(Secret(value) for value in VALUES))
    signer = OAuth1Signer("brand", auth, clock=lambda: 0.0)
    nonces = {authorization(signer, "GET", "https://api.x.com/2/tweets")["oauth_nonce"] for _ in range(50)}
    assert len(nonces) == 50


def test_there_is_nothing_to_renew() -> None:
    signer = signer_of(VALUES)
    assert not asyncio.run(signer.rejected())
    assert not asyncio.run(signer.look()).login_required
    asyncio.run(signer.aclose(30.0))


def test_a_value_that_is_no_text_is_an_error_without_it() -> None:
    with pytest.raises(CredentialsError, match=r"auth\.oauth1") as caught:
        authorization(signer_of(("a", "planted\udcff", "c", "d")), "GET", "https://api.x.com/2/tweets")
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_secret_reaches_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    signer = signer_of(("planted-1", "planted-2", "planted-3", "planted-4"))
    authorization(signer, "GET", "https://api.x.com/2/tweets?ids=1")
    assert "planted" not in caplog.text
    assert "planted" not in repr(signer)

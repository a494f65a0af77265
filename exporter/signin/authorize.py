"""The browser's part of a sign-in, OAuth 2.0 authorization code with PKCE: addresses, no I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from exporter.config.settings import Secret

AUTHORIZE_URL = "https://x.com/i/oauth2/authorize"
SCOPES = ("tweet.read", "users.read", "offline.access")
CALLBACK_PATH = "/callback"


@dataclass(frozen=True, slots=True)
class Authorization:
    """One request to a person to let us in: `state` and `verifier` are random and serve once."""

    client_id: str
    redirect_uri: str
    state: Secret
    verifier: Secret

    @property
    def url(self) -> str:
        """Where the person says yes or no. Worthless to others: the verifier is not in it."""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(SCOPES),
            "state": self.state.reveal(),
            "code_challenge": code_challenge(self.verifier),
            "code_challenge_method": "S256",
        }
        return f"{AUTHORIZE_URL}?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class Code:
    """The person said yes: `value` lives for 30 s and serves once."""

    value: Secret


@dataclass(frozen=True, slots=True)
class Denied:
    """The person said no, or X did; `error` is X's word for it, such as ``access_denied``."""

    error: str


def new_authorization(client_id: str, port: int, random_token: Callable[[], str]) -> Authorization:
    """A fresh request; `random_token` gives 43 to 128 unguessable characters of RFC 7636's alphabet."""
    return Authorization(client_id, callback_address(port), Secret(random_token()), Secret(random_token()))


def callback_address(port: int) -> str:
    """The redirect URI, which the app's settings at X must list character by character."""
    return f"http://127.0.0.1:{port}{CALLBACK_PATH}"


def code_challenge(verifier: Secret) -> str:
    """The S256 challenge of RFC 7636."""
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def read_redirect(address: str, authorization: Authorization) -> Code | Denied | None:
    """What the redirect to `address`, whole or from its path on, says; None where it is not ours.

    It is not ours with another `state`, or without a code or an error.
    """
    try:
        query = parse_qs(urlsplit(address.strip()).query)
    except ValueError:
        return None
    state = query.get("state", [""])[0].encode("utf-8", "replace")
    if not hmac.compare_digest(state, authorization.state.reveal().encode()):
        return None
    if "code" in query:
        return Code(Secret(query["code"][0]))
    # A word of the specification's alphabet, or nothing that should reach a terminal.
    error = query.get("error", [""])[0]
    known = error.isascii() and error.replace("_", "").isalpha()
    return Denied(error if known else "an unreadable error") if error else None

"""OAuth 1.0a signatures, verified from the standard (RFC 5849) alone."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from urllib.parse import parse_qsl, quote, unquote

from exporter.simulator.http import SimRequest
from exporter.simulator.world import OAuth1Keys

_SCHEME = "oauth "
# X refuses a timestamp that is further from its own clock than this.
_TIMESTAMP_TOLERANCE_SECONDS = 300.0


def oauth_parameters(authorization: str) -> dict[str, str] | None:
    """The parameters of an ``Authorization: OAuth …`` header, None where it is no such header."""
    if not authorization.lower().startswith(_SCHEME):
        return None
    found: dict[str, str] = {}
    for part in authorization[len(_SCHEME) :].split(","):
        name, _, value = part.strip().partition("=")
        found[unquote(name)] = unquote(value.strip('"'))
    return found


def is_signed(request: SimRequest, given: dict[str, str], keys: OAuth1Keys, now: float) -> bool:
    """Whether the header's parameters `given` are a signature of `request` by `keys`, made about `now`.

    A body is not looked at: nothing that is signed here has one.
    """
    named = (given.get("oauth_consumer_key"), given.get("oauth_token"), given.get("oauth_signature_method"))
    if named != (keys.consumer_key, keys.access_token, "HMAC-SHA1") or not given.get("oauth_nonce"):
        return False
    stamp = given.get("oauth_timestamp", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(int(stamp) - now) > _TIMESTAMP_TOLERANCE_SECONDS:
        return False
    secret = f"{_escape(keys.consumer_secret)}&{_escape(keys.access_token_secret)}"
    digest = hmac.digest(secret.encode(), _base(request, given).encode(), sha1)
    return hmac.compare_digest(b64encode(digest), given.get("oauth_signature", "").encode())


def _base(request: SimRequest, given: dict[str, str]) -> str:
    pairs: list[tuple[str, str]] = parse_qsl(request.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in given.items() if name not in ("oauth_signature", "realm")]
    url = f"{request.scheme}://{_host(request)}{request.path}"
    return "&".join((request.method.upper(), _escape(url), _escape(_normalized(pairs))))


def _host(request: SimRequest) -> str:
    host = request.headers.get("host", "").lower()
    return host.removesuffix(":443" if request.scheme == "https" else ":80")


def _normalized(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted((_escape(n), _escape(v)) for n, v in pairs))


def _escape(text: str) -> str:
    return quote(text, safe="-._~")

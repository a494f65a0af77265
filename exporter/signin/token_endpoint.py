"""POST /2/oauth2/token: a refresh token or an authorization code, exchanged for a new pair."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import httpx

from exporter.config.settings import OAuth2Auth, Secret
from exporter.signin.tokens import is_token
from exporter.xapi.failure_token import TokenFailure, TokenVerdict, classify_token

PATH = "/2/oauth2/token"
MAX_BODY_BYTES = 64 * 1024
# Longer than any lifetime X grants; a larger number is no lifetime.
_LONGEST_LIFETIME_SECONDS = 10 * 366 * 86400.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Grant:
    """What X gave: `access_token`, `refresh_token`, `expires_in`, `scope` of its answer.

    One of the tokens may be None where the answer lacks it. `lifetime_seconds` is None where it does not
    say or says nonsense.
    """

    access_token: Secret | None
    refresh_token: Secret | None
    lifetime_seconds: float | None
    scopes: tuple[str, ...]


class TokenEndpoint:
    """Exchanges for one OAuth 2.0 client, each bounded by `timeout_seconds` and 64 KiB.

    A confidential client proves itself by HTTP Basic, ``base64(client_id:client_secret)`` as X documents it
    (without the percent-encoding of RFC 6749, which X's own ids and secrets never need). A public client
    names itself in the body. Redirects are not followed, so that no token reaches another host.
    """

    def __init__(
        self, http: httpx.AsyncClient, base_url: str, client: OAuth2Auth, timeout_seconds: float
    ) -> None:
        self._http = http
        self._url = base_url.rstrip("/") + PATH
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def refresh(self, token: Secret) -> Grant | TokenFailure:
        """Exchange a refresh token; afterwards it is spent unless X surely refused it."""
        return await self._exchange({"grant_type": "refresh_token", "refresh_token": token.reveal()})

    async def redeem(self, code: Secret, redirect_uri: str, verifier: Secret) -> Grant | TokenFailure:
        """Exchange an authorization code, which lives for 30 s and serves once."""
        return await self._exchange(
            {
                "grant_type": "authorization_code",
                "code": code.reveal(),
                "redirect_uri": redirect_uri,
                "code_verifier": verifier.reveal(),
            }
        )

    async def _exchange(self, form: dict[str, str]) -> Grant | TokenFailure:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._post(form)
        except (TimeoutError, httpx.TimeoutException):
            return _unanswered("timeout", f"did not answer within {self._timeout_seconds:g} s")
        except httpx.ConnectError:
            return _unanswered("connect", "could not be reached")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, zlib.error):
            return _unanswered("read", "broke off its answer")

    async def _post(self, form: dict[str, str]) -> Grant | TokenFailure:
        # `identity`: a compressed answer of 64 KiB may unfold to any size.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self._basic()}
        if self._client.client_type == "public":
            form = {**form, "client_id": self._client.client_id}
        request = self._http.build_request("POST", self._url, data=form, headers=headers)
        response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
        async with aclosing(response):
            body = await _bounded_body(response)
        grant = read_grant(body) if response.status_code == _OK else None
        return grant or classify_token(response.status_code, response.headers, body)

    def _basic(self) -> dict[str, str]:
        secret = self._client.client_secret
        if self._client.client_type == "public" or secret is None:
            return {}
        pair = f"{self._client.client_id}:{secret.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def read_grant(body: bytes) -> Grant | None:
    """The tokens in an answer's body, None where there is none to be read."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    access, refresh = _token(answer, "access_token"), _token(answer, "refresh_token")
    if access is None and refresh is None:
        return None
    scope = answer.get("scope")
    scopes = tuple(scope.split()) if isinstance(scope, str) else ()
    return Grant(access, refresh, _lifetime_seconds(answer.get("expires_in")), scopes)


def _token(answer: Mapping[str, object], key: str) -> Secret | None:
    value = answer.get(key)
    return Secret(value) if isinstance(value, str) and is_token(value) else None


def _lifetime_seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and 0 < seconds <= _LONGEST_LIFETIME_SECONDS else None


async def _bounded_body(response: httpx.Response) -> bytes:
    body = b""
    async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise httpx.DecodingError("longer than any token answer", request=response.request)
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"gzip", "deflate"}:
        return body
    # Compressed all the same: the pair in it must not be lost.
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, MAX_BODY_BYTES)


def _unanswered(code: str, what: str) -> TokenFailure:
    sentence = (
        f"X's token endpoint {what}. The tokens are kept and the exporter tries again; there is nothing to "
        "do unless it lasts."
    )
    return TokenFailure(TokenVerdict.AMBIGUOUS, code, sentence, "", None)

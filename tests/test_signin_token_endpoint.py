from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.settings import OAuth2Auth, Secret
from exporter.signin.token_endpoint import Grant, TokenEndpoint, read_grant
from exporter.xapi.failure_token import TokenFailure, TokenVerdict
from tests.signin_support import CONFIDENTIAL, PUBLIC, form, reply

FULL = {
    "token_type": "bearer",
    "expires_in": 7200,
    "access_token": "new-access",
    "refresh_token": "new-refresh",
    "scope": "tweet.read users.read offline.access",
}
GRANT = Grant(
    Secret("new-access"), Secret("new-refresh"), 7200.0, ("tweet.read", "users.read", "offline.access")
)


def refreshed(
    answer: Callable[[httpx.Request], httpx.Response], client: OAuth2Auth = CONFIDENTIAL, timeout: float = 5.0
) -> Grant | TokenFailure:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), follow_redirects=True, auth=("a", "b"))
    endpoint = TokenEndpoint(http, "https://api.x.com/", client, timeout)
    return asyncio.run(endpoint.refresh(Secret("old")))


def test_a_full_answer_is_read_whole() -> None:
    assert refreshed(lambda _: reply(200, FULL)) == GRANT


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_a_compressed_answer_is_read_though_none_was_asked_for(pack: Callable[[bytes], bytes]) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Accept-Encoding"])
        encoding = "gzip" if pack is gzip.compress else "deflate"
        return reply(200, pack(json.dumps(FULL).encode()), {"Content-Encoding": encoding})

    assert refreshed(answer) == GRANT
    assert asked == ["identity"]


@pytest.mark.parametrize(
    "body",
    [b"\x1f\x8bnothing", gzip.compress(b" " * 10_000_000)],
    ids=["broken", "bomb"],
)
def test_a_hostile_compressed_answer_is_ambiguous(body: bytes) -> None:
    failure = refreshed(lambda _: reply(200, body, {"Content-Encoding": "gzip"}))
    assert isinstance(failure, TokenFailure)
    assert failure.verdict is TokenVerdict.AMBIGUOUS


def test_a_redirect_is_not_followed_and_the_clients_own_credentials_are_not_sent() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(307, b"", {"Location": "https://elsewhere.example/2/oauth2/token"})

    failure = refreshed(answer, PUBLIC)
    assert isinstance(failure, TokenFailure)
    assert failure.verdict is TokenVerdict.AMBIGUOUS
    (request,) = seen
    assert request.url.host == "api.x.com"
    assert "Authorization" not in request.headers


def test_an_answer_without_end_is_cut_off() -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
            while True:
                await asyncio.sleep(0)
                yield b" "

    failure = refreshed(lambda _: httpx.Response(200, stream=Endless()), timeout=0.2)
    assert isinstance(failure, TokenFailure)
    assert (failure.verdict, failure.code) == (TokenVerdict.AMBIGUOUS, "timeout")


def test_every_transport_error_of_httpx_is_ambiguous() -> None:
    kinds, errors = [httpx.TransportError], []
    while kinds:
        kind = kinds.pop()
        errors.append(kind)
        kinds.extend(kind.__subclasses__())
    assert len(errors) > 10
    for error in errors:

        def answer(_: httpx.Request, error: type[httpx.TransportError] = error) -> httpx.Response:
            raise error("planted-old")

        failure = refreshed(answer)
        assert isinstance(failure, TokenFailure)
        assert failure.verdict is TokenVerdict.AMBIGUOUS
        assert failure.code in {"timeout", "connect", "read"}
        assert "planted" not in failure.sentence


def test_the_code_is_exchanged_with_its_verifier() -> None:
    seen: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(form(request))
        return reply(200, FULL)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    endpoint = TokenEndpoint(http, "https://api.x.com", PUBLIC, 5.0)
    redirect_uri = "http://127.0.0.1:1/callback"
    assert asyncio.run(endpoint.redeem(Secret("c&=d"), redirect_uri, Secret("v"))) == GRANT
    assert seen == [
        {
            "grant_type": "authorization_code",
            "code": "c&=d",
            "redirect_uri": redirect_uri,
            "code_verifier": "v",
            "client_id": "client-1",
        }
    ]


LIFETIMES = [(7200, 7200.0), (7200.5, 7200.5), ("7200", 7200.0)]
NO_LIFETIMES: list[object] = [None, True, 0, -1, 1e300, "soon", [], 10**400]


@pytest.mark.parametrize(("value", "seconds"), [*LIFETIMES, *((value, None) for value in NO_LIFETIMES)])
def test_a_lifetime_is_a_number_of_seconds_or_unknown(value: object, seconds: float | None) -> None:
    grant = read_grant(json.dumps({"access_token": "a", "expires_in": value}).encode())
    assert grant is not None
    assert grant.lifetime_seconds == seconds


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.binary(max_size=50)
    | st.builds(lambda value: json.dumps(value).encode(), json_values)
    | st.builds(
        lambda values: json.dumps(dict(zip(FULL, values, strict=True))).encode(),
        st.tuples(*[json_values] * 5),
    )
)
def test_any_answer_is_read_or_refused_without_an_error(body: bytes) -> None:
    grant = read_grant(body)
    assert grant is None or grant.access_token is not None or grant.refresh_token is not None

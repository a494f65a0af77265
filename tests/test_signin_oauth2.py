from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from exporter.config.settings import BearerAuth, OAuth1Auth, OAuth2Auth, Secret
from exporter.errors import CredentialsError
from exporter.signin.bearer import BearerSigner
from exporter.signin.disk import Disk
from exporter.signin.keeper import TokenKeeper
from exporter.signin.oauth1 import OAuth1Signer
from exporter.signin.oauth2 import OAuth2Signer
from exporter.signin.scheme import RefreshOutcome, SignInStatus
from exporter.signin.schemes import open_signer
from exporter.signin.store import TokenStore
from exporter.signin.token_endpoint import Grant
from exporter.signin.tokens import AccountTokens
from exporter.xapi.failure_token import TokenFailure
from tests.signin_support import (
    BASIC,
    NOW,
    PUBLIC,
    Answer,
    TokenServer,
    World,
    account,
    api,
    breaks,
    fails,
    form,
    processed_but,
    reply,
)

GET = ("GET", "https://api.x.com/2/users/me")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "state")


@pytest.fixture
def signed_in(world: World) -> World:
    world.sign_in()
    return world


def test_an_account_without_tokens_asks_for_login_and_sends_nothing(world: World) -> None:
    signer = world.signer()
    assert "`login --account brand`" in world.refusal(signer)
    assert signer.status().login_required
    assert world.requests == []


def test_nothing_is_said_of_an_account_before_the_first_look(world: World) -> None:
    assert world.signer().status() == SignInStatus("brand")


def test_a_living_access_token_is_used_without_a_request(signed_in: World) -> None:
    assert signed_in.token() == "access-1-1"
    assert signed_in.requests == []


@pytest.mark.parametrize(("seconds_left", "expected"), [(300.5, "access-1-1"), (300, "access-1-2")])
def test_the_pair_is_refreshed_from_five_minutes_before_expiry(
    signed_in: World, seconds_left: float, expected: str
) -> None:
    signed_in.clock.now += 7200 - seconds_left
    assert signed_in.token() == expected


def test_the_new_pair_is_on_disk_and_the_old_token_is_known_as_spent(signed_in: World) -> None:
    old = signed_in.tokens.refresh_token
    signed_in.clock.now += 7200
    signed_in.token()
    assert signed_in.tokens.refresh_token == Secret("refresh-1-2")
    assert old is not None
    assert signed_in.tokens.is_spent(old)
    assert signed_in.tokens.attempts == ()
    assert signed_in.outcomes.refreshes == [RefreshOutcome.SUCCESS]


def test_the_token_is_marked_on_disk_before_it_is_sent(signed_in: World) -> None:
    marked: list[bool] = []

    def inspect(token: str) -> None:
        attempt = signed_in.tokens.attempt(Secret(token))
        marked.append(attempt is not None and not attempt.refused)
        assert token not in json.dumps(json.loads(signed_in.file.read_text())["tokens"]["attempts"])

    signed_in.server.inspect = inspect
    signed_in.clock.now += 7200
    signed_in.token()
    assert marked == [True]


def test_a_confidential_client_proves_itself_by_basic_alone(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.token()
    (request,) = signed_in.requests
    assert str(request.url) == "https://api.x.com/2/oauth2/token"
    assert request.headers["Authorization"] == BASIC
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "refresh-1-1"}


def test_a_public_client_names_itself_in_the_body_alone(tmp_path: Path) -> None:
    world = World(tmp_path, auth=PUBLIC)
    world.sign_in()
    world.clock.now += 7200
    world.token()
    (request,) = world.requests
    assert "Authorization" not in request.headers
    assert form(request) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1-1",
        "client_id": "client-1",
    }


def test_many_requests_at_once_share_one_refresh(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signer = signed_in.signer()

    async def together() -> list[dict[str, str]]:
        return await asyncio.gather(*(signer.headers(*GET) for _ in range(20)))

    answers = asyncio.run(together())
    assert {answer["Authorization"] for answer in answers} == {"Bearer access-1-2"}
    assert len(signed_in.requests) == 1


def test_signers_on_one_store_refresh_once(signed_in: World) -> None:
    signed_in.clock.now += 7200
    # Those who wait for the lock wait in real time, as the one who holds it writes in real time.
    signed_in.sleep = asyncio.sleep
    signers = [signed_in.signer() for _ in range(3)]

    async def together() -> list[dict[str, str]]:
        return await asyncio.gather(*(signer.headers(*GET) for signer in signers))

    answers = asyncio.run(together())
    assert {answer["Authorization"] for answer in answers} == {"Bearer access-1-2"}
    assert len(signed_in.requests) == 1


AMBIGUOUS: dict[str, Answer] = {
    "timeout": breaks(httpx.ReadTimeout),
    "connection lost": breaks(httpx.RemoteProtocolError),
    "no connection": breaks(httpx.ConnectError),
    "500": fails(500, b'{"title":"Internal Server Error","status":500}'),
    "503 as text": fails(503, b"upstream connect error"),
    "429": fails(429, b'{"title":"Too Many Requests"}'),
    "redirect": fails(302),
    "200 that is no JSON": fails(200, b"<html>"),
    "200 without tokens": fails(200, b'{"access_token": 5, "refresh_token": ""}'),
    "200 nested too deep": fails(200, b"[" * 60_000),
    "200 of a megabyte": fails(200, b" " * 1_000_000),
    "200 with a header in the token": fails(200, b'{"access_token": "a\\r\\nX: y"}'),
}


@pytest.mark.parametrize("fault", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_an_ambiguous_outcome_is_tried_again_with_the_same_token(signed_in: World, fault: Answer) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [fault, fault]
    assert signed_in.token() == "access-1-2"
    assert [form(request)["refresh_token"] for request in signed_in.requests] == ["refresh-1-1"] * 3
    assert signed_in.outcomes.refreshes == [RefreshOutcome.AMBIGUOUS] * 2 + [RefreshOutcome.SUCCESS]


def test_retries_are_few_and_spread_by_jitter_from_one_second(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [fails(503)] * 9
    signer = signed_in.signer()
    assert "gave no clear answer" in signed_in.refusal(signer)
    # Half of 1, 2 and 4 s with a draw of 0.5; the fourth failure is not waited for.
    assert signed_in.clock.now == NOW + 7200 + 0.5 + 1 + 2
    assert len(signed_in.requests) == 4
    assert signer.status().retry_timestamp_seconds == signed_in.clock.now + 4
    assert not signer.status().login_required


def test_after_a_failed_round_nothing_is_sent_until_the_backoff_is_over(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [fails(503)] * 4
    signer = signed_in.signer()
    signed_in.refusal(signer)
    signed_in.refusal(signer)
    assert len(signed_in.requests) == 4
    signed_in.clock.now += 4
    assert signed_in.token(signer) == "access-1-2"


def test_a_failing_refresh_does_not_stop_the_use_of_a_living_token(signed_in: World) -> None:
    signed_in.clock.now += 7000
    signed_in.faults = [fails(503)] * 9
    assert signed_in.token() == "access-1-1"


def test_the_old_pair_stays_through_every_ambiguous_outcome(signed_in: World) -> None:
    pair = signed_in.tokens.pair
    signed_in.clock.now += 7200
    signed_in.faults = [fails(503)] * 9
    signed_in.refusal()
    assert signed_in.tokens.pair == pair


def test_a_lost_answer_is_tried_again_and_then_asks_for_login(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [processed_but(signed_in, httpx.ReadError)]
    signer = signed_in.signer()
    assert "its successor is lost" in signed_in.refusal(signer)
    assert signer.status().login_required


def test_a_definite_refusal_asks_for_login_and_is_never_sent_again(signed_in: World) -> None:
    signed_in.clock.now += 6990
    signed_in.server.current = None
    signer = signed_in.signer()
    # The access token lives: it is used while the person is called.
    assert signed_in.token(signer) == "access-1-1"
    assert signer.status().login_required
    assert signed_in.outcomes.refreshes == [RefreshOutcome.REFUSED]
    signed_in.clock.now += 86400
    assert "X refuses the refresh token" in signed_in.refusal(signer)
    assert "X refuses the refresh token" in signed_in.refusal()
    assert len(signed_in.requests) == 1


def test_login_in_another_process_heals_a_running_one(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.server.current = None
    signer = signed_in.signer()
    signed_in.refusal(signer)
    signed_in.sign_in()
    assert signed_in.token(signer) == "access-2-2"
    assert not signer.status().login_required


def test_a_refusal_is_no_refusal_when_the_store_changed_meanwhile(signed_in: World) -> None:
    signed_in.clock.now += 7200
    body = signed_in.file.read_bytes()

    async def someone_else_refreshed(request: httpx.Request) -> httpx.Response:
        content = body.replace(b"refresh-1-1", b"refresh-1-2").replace(b"access-1-1", b"access-1-2")
        signed_in.file.write_bytes(content)
        signed_in.server.refresh(form(request)["refresh_token"])
        return reply(400, {"error": "invalid_grant"})

    signed_in.faults = [someone_else_refreshed]
    signer = signed_in.signer()
    signed_in.refusal(signer)
    assert not signer.status().login_required
    signed_in.clock.now += 60
    assert signed_in.token(signer) == "access-1-3"


@pytest.mark.parametrize("error", ["unauthorized_client", "invalid_client"])
def test_a_wrong_client_is_a_configuration_error_and_keeps_the_token(signed_in: World, error: str) -> None:
    signed_in.clock.now += 7200
    before = signed_in.tokens
    body = json.dumps({"error": error, "error_description": "Missing valid authorization header"}).encode()
    signed_in.faults = [fails(401, body)]
    signer = signed_in.signer()
    assert "client_type" in signed_in.refusal(signer)
    assert not signer.status().login_required
    assert signed_in.tokens == before
    assert signed_in.outcomes.refreshes == [RefreshOutcome.CONFIG]
    signed_in.clock.now += 60
    assert signed_in.token(signer) == "access-1-2"


def test_tokens_of_another_client_id_are_not_sent(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.auth = OAuth2Auth("client-2", Secret("x"), "confidential")
    assert "another `client_id`" in signed_in.refusal()
    assert signed_in.requests == []


def test_a_start_that_finds_a_mark_tries_that_token_at_once(signed_in: World) -> None:
    token = signed_in.tokens.refresh_token
    assert token is not None
    write(signed_in, signed_in.tokens.sending(token, NOW))
    assert signed_in.token() == "access-1-2"


def test_a_start_with_a_mark_and_a_spent_token_calls_a_person_while_the_access_token_lives(
    signed_in: World,
) -> None:
    token = signed_in.tokens.refresh_token
    assert token is not None
    write(signed_in, signed_in.tokens.sending(token, NOW))
    signed_in.server.refresh("refresh-1-1")
    signer = signed_in.signer()
    assert signed_in.token(signer) == "access-1-1"
    status = signer.status()
    assert status.login_required
    assert status.sentence is not None
    assert "good until 2026-09-21 16:13 UTC" in status.sentence


def write(world: World, tokens: AccountTokens) -> None:
    TokenStore(Disk(world.file.parent), "brand").save(tokens)


def test_a_refresh_answered_without_a_new_refresh_token_asks_for_login_in_time(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [fails(200, b'{"access_token": "last", "expires_in": 7200}')]
    signer = signed_in.signer()
    assert signed_in.token(signer) == "last"
    assert signer.status().login_required
    signed_in.clock.now += 7200
    assert "no new refresh token" in signed_in.refusal(signer)
    assert len(signed_in.requests) == 1


def test_a_new_refresh_token_without_an_access_token_is_kept(signed_in: World) -> None:
    signed_in.clock.now += 7200

    async def half(request: httpx.Request) -> httpx.Response:
        _, body = signed_in.server.refresh(form(request)["refresh_token"])
        return reply(200, {"refresh_token": body["refresh_token"]})

    signed_in.faults = [half]
    signed_in.refusal()
    assert signed_in.token() == "access-1-3"


@pytest.mark.parametrize("expires_in", [None, 0.0, -5.0, 1e300])
def test_without_a_lifetime_the_token_counts_as_expired_after_one_poll(
    tmp_path: Path, expires_in: float | None
) -> None:
    world = World(tmp_path, server=TokenServer(expires_in))
    world.sign_in()
    signer = world.signer()
    world.clock.now += 61
    assert world.token(signer) == "access-1-2"
    world.clock.now += 59
    assert world.token(signer) == "access-1-2"
    assert signer.status().token_expiry_timestamp_seconds is None
    world.clock.now += 1
    assert world.token(signer) == "access-1-3"


def test_the_expiry_is_told(signed_in: World) -> None:
    signer = signed_in.signer()
    status = asyncio.run(signer.look())
    assert status.token_expiry_timestamp_seconds == NOW + 7200
    assert status.sentence is None


def test_a_401_refreshes_once_and_the_next_soon_after_does_not(signed_in: World) -> None:
    signer = signed_in.signer()

    async def go() -> list[bool]:
        await signer.headers(*GET)
        signed_in.clock.now += 3600
        first = await signer.rejected()
        await signer.headers(*GET)
        return [first, await signer.rejected(), await signer.rejected()]

    assert asyncio.run(go()) == [True, True, True]
    assert len(signed_in.requests) == 1
    assert signed_in.token(signer) == "access-1-2"


def test_401s_of_requests_that_ran_together_refresh_once(signed_in: World) -> None:
    signer = signed_in.signer()

    async def go() -> list[bool]:
        await asyncio.gather(*(signer.headers(*GET) for _ in range(4)))
        signed_in.clock.now += 3600
        return await asyncio.gather(*(signer.rejected() for _ in range(4)))

    assert asyncio.run(go()) == [True] * 4
    assert len(signed_in.requests) == 1


def test_a_401_whose_refresh_fails_keeps_everything(signed_in: World) -> None:
    signer = signed_in.signer()
    signed_in.faults = [fails(503)] * 9

    async def go() -> bool:
        await signer.headers(*GET)
        signed_in.clock.now += 3600
        return await signer.rejected()

    assert not asyncio.run(go())
    assert signed_in.tokens.refresh_token == Secret("refresh-1-1")
    assert signed_in.token(signer) == "access-1-1"


def test_a_401_without_tokens_is_not_worth_another_try(world: World) -> None:
    assert not asyncio.run(world.signer().rejected())


def test_a_401_after_another_process_renewed_is_worth_another_try(signed_in: World) -> None:
    signer, other = signed_in.signer(), signed_in.signer()

    async def go() -> bool:
        await signer.headers(*GET)
        signed_in.clock.now += 7200
        await other.headers(*GET)
        return await signer.rejected()

    assert asyncio.run(go())
    assert len(signed_in.requests) == 1


def test_a_cancelled_request_does_not_cancel_the_refresh(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signer = signed_in.signer()

    async def go() -> None:
        out, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: httpx.Request) -> httpx.Response:
            out.set()
            await go_on.wait()
            return signed_in.honest(request)

        signed_in.faults = [slow]
        request = asyncio.create_task(signer.headers(*GET))
        await out.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        closing = asyncio.create_task(signer.aclose(30.0))
        await asyncio.sleep(0)
        assert not closing.done()
        go_on.set()
        await closing

    asyncio.run(go())
    assert signed_in.tokens.refresh_token == Secret("refresh-1-2")


def test_a_stop_does_not_wait_for_a_retry(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [fails(503)] * 9

    async def go() -> None:
        paused = asyncio.Event()

        async def forever(_: float) -> None:
            paused.set()
            await asyncio.Event().wait()

        signed_in.sleep = forever
        signer = signed_in.signer()
        request = asyncio.create_task(signer.headers(*GET))
        await paused.wait()
        async with asyncio.timeout(5):
            await signer.aclose(30.0)
        with pytest.raises(CredentialsError, match="no clear answer"):
            await request

    asyncio.run(go())
    assert len(signed_in.requests) == 1


def test_a_closed_signer_starts_no_refresh(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signer = signed_in.signer()
    asyncio.run(signer.aclose(30.0))
    signed_in.refusal(signer)
    assert signed_in.requests == []


def test_a_401_is_not_answered_by_a_refresh_right_after_one_failed(signed_in: World) -> None:
    signer = signed_in.signer()
    signed_in.faults = [fails(503)] * 4

    async def go() -> list[bool]:
        await signer.headers(*GET)
        signed_in.clock.now += 3600
        return [await signer.rejected(), await signer.rejected()]

    assert asyncio.run(go()) == [False, False]
    assert len(signed_in.requests) == 4


def test_requests_without_a_token_wait_for_the_retries_of_another(signed_in: World) -> None:
    signed_in.clock.now += 7200
    signed_in.faults = [fails(503)]

    async def go() -> list[dict[str, str]]:
        pausing, go_on = asyncio.Event(), asyncio.Event()

        async def pause(_: float) -> None:
            pausing.set()
            await go_on.wait()

        signed_in.sleep = pause
        signer = signed_in.signer()
        first = asyncio.create_task(signer.headers(*GET))
        await pausing.wait()
        others = [asyncio.create_task(signer.headers(*GET)) for _ in range(3)]
        await asyncio.wait(others, timeout=0.05)
        go_on.set()
        return await asyncio.gather(first, *others)

    assert {answer["Authorization"] for answer in asyncio.run(go())} == {"Bearer access-1-2"}
    assert len(signed_in.requests) == 2


def test_requests_with_a_living_token_do_not_wait_for_a_refresh_that_runs(signed_in: World) -> None:
    signed_in.clock.now += 7000
    signer = signed_in.signer()

    async def go() -> dict[str, str]:
        out, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: httpx.Request) -> httpx.Response:
            out.set()
            await go_on.wait()
            return signed_in.honest(request)

        signed_in.faults = [slow]
        first = asyncio.create_task(signer.headers(*GET))
        await out.wait()
        second = await signer.headers(*GET)
        go_on.set()
        await first
        return second

    assert asyncio.run(go()) == {"Authorization": "Bearer access-1-1"}


def test_each_scheme_of_the_configuration_has_its_signer(world: World) -> None:
    four = OAuth1Auth(Secret("a"), Secret("b"), Secret("c"), Secret("d"))
    signers = [
        open_signer(account(auth), api(), world.state_dir, world.surroundings, world.outcomes)
        for auth in (BearerAuth(Secret("t"), None), four, PUBLIC)
    ]
    assert [type(signer) for signer in signers] == [BearerSigner, OAuth1Signer, OAuth2Signer]
    assert [signer.account for signer in signers] == ["brand"] * 3


def test_what_was_wrong_is_over_once_another_process_renewed(signed_in: World) -> None:
    signed_in.clock.now += 7000
    signed_in.faults = [fails(503)] * 4
    signer = signed_in.signer()
    signed_in.token(signer)
    assert signer.status().sentence is not None
    signed_in.clock.now += 600
    assert signed_in.token() == "access-1-2"
    assert asyncio.run(signer.look()).sentence is None
    assert signer.status().retry_timestamp_seconds is None


class FlakyStore:
    """A store that cannot be read while `broken`, with a file that does not change."""

    def __init__(self, tokens: AccountTokens) -> None:
        self.broken = False
        self._tokens = tokens

    def stamp(self) -> tuple[int, ...]:
        return (1,)

    def load(self) -> AccountTokens:
        if self.broken:
            raise CredentialsError("brand.json: cannot be read: Too many open files.")
        return self._tokens

    def save(self, tokens: AccountTokens) -> None:
        self._tokens = tokens

    def recover(self) -> None:
        pass


class Nobody:
    async def refresh(self, token: Secret) -> Grant | TokenFailure:
        raise AssertionError(token)


def test_a_file_that_could_not_be_read_for_a_moment_is_read_again(signed_in: World) -> None:
    store, clock = FlakyStore(signed_in.tokens), signed_in.clock
    keeper = TokenKeeper(
        "brand", "client-1", store, nullcontext, clock=clock, sleep=clock.sleep, observer=signed_in.outcomes
    )
    signer = OAuth2Signer(
        keeper, Nobody(), clock=clock, sleep=clock.sleep, random=lambda: 0.5, observer=signed_in.outcomes
    )
    store.broken = True
    assert "Too many open files" in signed_in.refusal(signer)
    store.broken = False
    assert signed_in.token(signer) == "access-1-1"
    assert signer.status().sentence is None

"""Tokens and secrets stay out of everything that is shown, logged or raised."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from exporter.config.settings import OAuth2Auth, Secret
from exporter.errors import CredentialsError
from exporter.signin.scheme import SignInStatus, Surroundings
from exporter.signin.schemes import open_access, open_keeper, open_signer
from exporter.signin.token_import import import_refresh_token
from tests.signin_support import BASIC, Outcomes, TokenServer, World, account, api, reply, served

AUTH = OAuth2Auth("client-1", Secret("client-secret"), "confidential")
PLANTED = ("refresh-", "access-", "client-secret", BASIC.removeprefix("Basic "))


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield


def assert_clean(*texts: object) -> None:
    for text in texts:
        for shown in (str(text), repr(text)):
            assert [secret for secret in PLANTED if secret in shown] == []


async def shown_by_a_poll(url: str, world: World, outcomes: Outcomes) -> tuple[SignInStatus, str]:
    async with httpx.AsyncClient() as http:
        surroundings = Surroundings(http, time.time, asyncio.sleep, lambda: 0.0)
        signer = open_signer(account(AUTH), api(url), world.state_dir, surroundings, outcomes)
        try:
            await signer.headers("GET", "https://api.x.com/2/users/me")
            await signer.rejected()
            raised = ""
        except CredentialsError:
            raised = traceback.format_exc()
        finally:
            await signer.aclose(30.0)
        assert_clean(signer, vars(signer))
        return signer.status(), raised


def test_good_and_refused_refreshes_show_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, server=TokenServer(expires_in=1))
    world.clock.now = time.time()
    world.sign_in()
    outcomes = Outcomes()
    with served(world.server, lambda: None, lambda: None) as url:
        assert_clean(*asyncio.run(shown_by_a_poll(url, world, outcomes)))
        world.server.current = None
        status, raised = asyncio.run(shown_by_a_poll(url, world, outcomes))
    assert status.login_required
    assert_clean(status, raised, caplog.text, *outcomes.sentences)
    # The log was on: what must not be in it could have been.
    assert "send_request_headers" in caplog.text


def test_an_answer_that_repeats_the_token_is_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, server=TokenServer(expires_in=1))
    world.clock.now = time.time()
    world.sign_in()

    async def echo(request: httpx.Request) -> httpx.Response:
        text = f"{request.content.decode()} {request.headers['Authorization']}"
        return reply(400, {"error": "invalid_request", "error_description": text})

    world.faults = [echo]
    world.clock.now += 10
    refused = world.refusal()
    assert_clean(refused, world.outcomes.sentences, caplog.text)


def test_a_torn_file_is_reported_without_its_content(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sign_in()
    world.file.write_bytes(world.file.read_bytes()[:-5])
    try:
        world.token()
    except CredentialsError:
        assert_clean(traceback.format_exc())
    else:
        raise AssertionError


def test_an_import_shows_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path / "state", server=TokenServer(expires_in=1))
    world.server.sign_in()
    file = tmp_path / "token"
    file.write_text("refresh-1-1")

    async def go(url: str) -> list[object]:
        async with httpx.AsyncClient() as http:
            surroundings = Surroundings(http, time.time, asyncio.sleep, lambda: 0.0)
            keeper = open_keeper("brand", AUTH, world.state_dir, surroundings, world.outcomes)
            access = open_access(AUTH, api(url), surroundings)
            result = await import_refresh_token(keeper, access, surroundings, file)
            with pytest.raises(CredentialsError, match="used already") as caught:
                await import_refresh_token(keeper, access, surroundings, file)
            return [result, caught.value, keeper, vars(keeper), access]

    with served(world.server, lambda: None, lambda: None) as url:
        shown = asyncio.run(go(url))
    assert_clean(*shown, caplog.text)

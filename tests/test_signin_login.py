from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from exporter.config.settings import Secret
from exporter.errors import CredentialsError, StartError
from exporter.signin.authorize import (
    Authorization,
    Code,
    Denied,
    code_challenge,
    new_authorization,
    read_redirect,
)
from exporter.signin.callback import callback_page
from exporter.signin.disk import Disk
from exporter.signin.introduction import Login
from exporter.signin.lock import AccountLock
from exporter.signin.login import Talk, login
from exporter.signin.schemes import open_access
from exporter.signin.terminal import TerminalLines
from exporter.signin.token_import import import_refresh_token
from tests.signin_support import PUBLIC, World, api, fails, form, processed_but, reply

ME = {"data": {"id": "2244994945", "name": "Brand & Co", "username": "brandco"}}
FORM = "application/x-www-form-urlencoded"


def test_the_challenge_of_rfc_7636_appendix_b() -> None:
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_authorize_address_is_x_own_and_asks_for_what_is_needed() -> None:
    tokens = iter(["the-state", "the-verifier"])
    url = urlsplit(new_authorization("client-1", 8700, lambda: next(tokens)).url)
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://x.com/i/oauth2/authorize"
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["client-1"],
        "redirect_uri": ["http://127.0.0.1:8700/callback"],
        "scope": ["tweet.read users.read offline.access"],
        "state": ["the-state"],
        "code_challenge": [code_challenge(Secret("the-verifier"))],
        "code_challenge_method": ["S256"],
    }


OURS = Authorization("client-1", "http://127.0.0.1:8700/callback", Secret("s1"), Secret("v"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:8700/callback?state=s1&code=abc", Code(Secret("abc"))),
        ("  http://127.0.0.1:8700/callback?code=a%2Bb&state=s1\n", Code(Secret("a+b"))),
        ("/callback?state=s1&code=abc", Code(Secret("abc"))),
        ("/callback?state=s1&error=access_denied", Denied("access_denied")),
        ("/callback?state=s1&error=%1b[31m", Denied("an unreadable error")),
        ("/callback?state=s2&code=abc", None),
        ("/callback?state=s1", None),
        ("/callback?code=abc", None),
        ("/callback?state=%ff&code=abc", None),
        ("abc", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_a_redirect_is_ours_only_with_our_state(address: str, expected: object) -> None:
    assert read_redirect(address, OURS) == expected


@dataclass
class Person:
    """Sees what `login` says, and does `act` with the authorize address once it is shown."""

    act: Callable[[dict[str, str]], Awaitable[None]]
    lines: list[str] = field(default_factory=list)
    typed: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    acting: asyncio.Task[None] | None = None

    def say(self, line: str) -> None:
        self.lines.append(line)
        if line.strip().startswith("https://x.com/"):
            query = {key: values[0] for key, values in parse_qs(urlsplit(line.strip()).query).items()}
            self.acting = asyncio.create_task(self.act(query))  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "state")


def honest_x(world: World) -> None:
    """X as it answers codes and says who somebody is."""

    async def code(request: httpx.Request) -> httpx.Response:
        assert form(request)["grant_type"] == "authorization_code"
        return reply(200, world.server.sign_in())

    async def me(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"].startswith("Bearer access-")
        return reply(200, ME)

    world.faults += [code, me]


def logged_in(world: World, person: Person, *, terminal: bool = False, port: int = 0) -> Login:
    async def go() -> Login:
        talk = Talk(person.say, person.typed.get if terminal else None)
        access = open_access(world.auth, api(), world.surroundings)
        result = await login(world.keeper(), access, world.surroundings, talk, port)
        assert person.acting is not None
        await person.acting
        return result

    return asyncio.run(go())


async def visit(query: dict[str, str], **answer: str) -> httpx.Response:
    """What the browser does when X sends it back."""
    async with httpx.AsyncClient() as browser:
        return await browser.get(f"{query['redirect_uri']}?{urlencode({'state': query['state'], **answer})}")


def test_a_browser_that_comes_back_signs_the_account_in(world: World) -> None:
    pages: list[httpx.Response] = []

    async def agree(query: dict[str, str]) -> None:
        pages.append(await visit(query, code="the-code"))

    honest_x(world)
    result = logged_in(world, Person(agree))
    scopes = ("tweet.read", "users.read", "offline.access")
    assert result == Login("brand", "brandco", "Brand & Co", scopes, ())
    assert pages[0].status_code == 200
    assert "Signed in" in pages[0].text
    assert "@brandco" in pages[0].text
    assert world.token() == "access-1-1"
    exchange = form(world.requests[0])
    assert exchange["code"] == "the-code"
    assert exchange["redirect_uri"].startswith("http://127.0.0.1:")
    assert len(exchange["code_verifier"]) >= 43


def test_the_verifier_sent_belongs_to_the_challenge_shown(world: World) -> None:
    challenges: list[str] = []

    async def agree(query: dict[str, str]) -> None:
        challenges.append(query["code_challenge"])
        await visit(query, code="the-code")

    honest_x(world)
    logged_in(world, Person(agree))
    assert challenges == [code_challenge(Secret(form(world.requests[0])["code_verifier"]))]


def test_a_wrong_state_is_answered_400_and_the_wait_goes_on(world: World) -> None:
    pages: list[httpx.Response] = []

    async def attacked(query: dict[str, str]) -> None:
        pages.append(await visit({**query, "state": "forged"}, code="evil"))
        pages.append(await visit({**query, "redirect_uri": query["redirect_uri"] + "/other"}, code="evil"))
        pages.append(await visit(query, code="the-code"))

    honest_x(world)
    logged_in(world, Person(attacked))
    assert [page.status_code for page in pages] == [400, 404, 200]
    assert [form(request).get("code") for request in world.requests] == ["the-code", None]


def test_other_visitors_do_not_disturb_the_wait(world: World) -> None:
    async def noisy(query: dict[str, str]) -> None:
        port = int(query["redirect_uri"].split(":")[2].split("/")[0])
        for noise in (b"", b"\r\n\r\n", b"x" * 100_000, b"POST /callback HTTP/1.1\r\n\r\n", b"\xff\r\n\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            writer.close()
        idle = await asyncio.open_connection("127.0.0.1", port)
        await visit(query, code="the-code")
        idle[1].close()

    honest_x(world)
    assert logged_in(world, Person(noisy)).username == "brandco"


def test_denied_access_is_told_in_the_browser_and_by_an_error(world: World) -> None:
    pages: list[httpx.Response] = []

    async def refuse(query: dict[str, str]) -> None:
        pages.append(await visit(query, error="access_denied"))

    with pytest.raises(CredentialsError, match="access_denied"):
        logged_in(world, Person(refuse))
    assert not world.file.exists()


def test_a_pasted_address_signs_in_and_a_wrong_one_is_told(world: World) -> None:
    person: Person

    async def over_ssh(query: dict[str, str]) -> None:
        await person.typed.put("the-code")
        await person.typed.put("")
        answer = urlencode({"state": query["state"], "code": "the-code"})
        await person.typed.put(f"{query['redirect_uri']}?{answer}")

    person = Person(over_ssh)
    honest_x(world)
    assert logged_in(world, person, terminal=True).username == "brandco"
    assert sum("Paste the whole address" in line for line in person.lines) == 1


def test_a_terminal_that_ends_leaves_the_browser_its_chance(world: World) -> None:
    person: Person

    async def closed(query: dict[str, str]) -> None:
        await person.typed.put(None)
        await asyncio.sleep(0)
        await visit(query, code="the-code")

    person = Person(closed)
    honest_x(world)
    assert logged_in(world, person, terminal=True).username == "brandco"


def test_a_code_that_came_too_late_asks_to_start_again(world: World) -> None:
    async def agree(query: dict[str, str]) -> None:
        page = await visit(query, code="the-code")
        assert "Sign-in failed" in page.text

    late = {
        "error": "invalid_request",
        "error_description": "Value passed for the authorization code was invalid.",
    }
    world.faults = [fails(400, json.dumps(late).encode())]
    with pytest.raises(CredentialsError, match=r"30 seconds and serves once\. Start `login` again"):
        logged_in(world, Person(agree))
    assert len(world.requests) == 1


def test_a_code_is_tried_again_only_while_it_lives(world: World) -> None:
    async def agree(query: dict[str, str]) -> None:
        await visit(query, code="the-code")

    async def slow_failure(_: httpx.Request) -> httpx.Response:
        world.clock.now += 12
        return reply(503, b"")

    world.faults = [slow_failure] * 9
    with pytest.raises(CredentialsError, match="no clear answer"):
        logged_in(world, Person(agree))
    assert len(world.requests) == 2
    assert not world.file.exists()


def test_a_wrong_client_says_what_to_check(world: World) -> None:
    async def agree(query: dict[str, str]) -> None:
        await visit(query, code="the-code")

    world.faults = [fails(401, b'{"error":"unauthorized_client"}')]
    with pytest.raises(CredentialsError, match="client_type"):
        logged_in(world, Person(agree))


def test_an_answer_without_a_refresh_token_replaces_nothing(world: World) -> None:
    world.sign_in()

    async def agree(query: dict[str, str]) -> None:
        await visit(query, code="the-code")

    world.faults = [fails(200, b'{"access_token":"short-lived"}')]
    with pytest.raises(CredentialsError, match=r"offline\.access"):
        logged_in(world, Person(agree))
    assert world.token() == "access-1-1"


def test_missing_scopes_are_named(world: World) -> None:
    async def agree(query: dict[str, str]) -> None:
        await visit(query, code="the-code")

    world.faults = [fails(200, b'{"access_token":"a","refresh_token":"r","scope":"tweet.read"}'), fails(403)]
    result = logged_in(world, Person(agree))
    assert result.missing_scopes == ("users.read", "offline.access")
    assert result.username is None
    assert world.tokens.refresh_token == Secret("r")


def test_a_login_replaces_the_old_pair_and_its_token_is_known_as_spent(world: World) -> None:
    world.sign_in()

    async def agree(query: dict[str, str]) -> None:
        await visit(query, code="the-code")

    honest_x(world)
    logged_in(world, Person(agree))
    assert world.tokens.refresh_token == Secret("refresh-2-2")
    assert world.tokens.is_spent(Secret("refresh-1-1"))


def test_a_public_client_signs_in_without_basic(tmp_path: Path) -> None:
    world = World(tmp_path, auth=PUBLIC)

    async def agree(query: dict[str, str]) -> None:
        await visit(query, code="the-code")

    honest_x(world)
    logged_in(world, Person(agree))
    assert "Authorization" not in world.requests[0].headers
    assert form(world.requests[0])["client_id"] == "client-1"


def test_a_taken_port_is_an_error_that_names_the_flag(world: World) -> None:
    async def nobody(_: dict[str, str]) -> None:
        raise AssertionError

    async def go() -> None:
        async with callback_page(0, lambda _: None) as taken:
            access = open_access(world.auth, api(), world.surroundings)
            with pytest.raises(StartError, match=r"--callback\.port"):
                await login(
                    world.keeper(), access, world.surroundings, Talk(lambda _: None, None), taken.port
                )

    asyncio.run(go())


def test_a_token_file_that_cannot_be_replaced_is_found_before_anybody_is_asked(world: World) -> None:
    world.sign_in()
    world.file.write_bytes(b"{")
    person = Person(lambda _: asyncio.sleep(0))
    with pytest.raises(CredentialsError, match="cut short"):
        logged_in(world, person)
    assert person.lines == []


def test_lines_of_a_terminal_come_one_by_one_until_its_end() -> None:
    reading, writing = os.pipe()

    async def go() -> list[str | None]:
        read_line = TerminalLines(reading)
        first = asyncio.create_task(read_line())
        await asyncio.sleep(0)
        os.write(writing, b"one\r\ntwo\nthr")
        lines = [await first, await read_line()]
        os.close(writing)
        return [*lines, await read_line()]

    try:
        assert asyncio.run(go()) == ["one", "two", None]
    finally:
        os.close(reading)


def test_a_terminal_that_is_torn_away_is_the_end_of_input() -> None:
    ours, theirs = os.openpty()
    os.close(theirs)
    try:
        assert asyncio.run(TerminalLines(ours)()) is None
    finally:
        os.close(ours)


def imported(world: World, content: str | None = None) -> Login:
    file = world.state_dir.parent / "refresh-token"
    if content is not None:
        file.write_text(content)
    access = open_access(world.auth, api(), world.surroundings)
    return asyncio.run(import_refresh_token(world.keeper(), access, world.surroundings, file))


def test_an_imported_token_is_refreshed_once_and_stored(world: World) -> None:
    world.server.sign_in()

    async def refresh(request: httpx.Request) -> httpx.Response:
        return world.honest(request)

    world.faults = [refresh, fails(200, b'{"data":{"id":"1","name":"N","username":"u"}}')]
    assert imported(world, "refresh-1-1\n").username == "u"
    assert world.token() == "access-1-2"


def test_a_token_imported_before_is_not_sent_again(world: World) -> None:
    world.server.sign_in()

    async def refresh(request: httpx.Request) -> httpx.Response:
        return world.honest(request)

    world.faults = [refresh, fails(503)]
    imported(world, "refresh-1-1")
    for _ in range(3):
        world.clock.now += 7200
        world.token()
    sent = len(world.requests)
    with pytest.raises(CredentialsError, match="has been used already"):
        imported(world)
    assert len(world.requests) == sent
    assert world.server.current is not None


def test_an_import_marks_the_token_before_it_is_sent_and_keeps_the_old_pair_on_refusal(world: World) -> None:
    world.sign_in()
    marked: list[bool] = []
    world.server.inspect = lambda token: marked.append(world.tokens.attempt(Secret(token)) is not None)
    before = world.tokens

    async def no(request: httpx.Request) -> httpx.Response:
        world.server.inspect(form(request)["refresh_token"])
        return reply(400, {"error": "invalid_grant"})

    world.faults = [no]
    with pytest.raises(CredentialsError, match="not taken over"):
        imported(world, "bad-token")
    assert marked == [True]
    assert world.tokens == before


def test_an_import_whose_answer_was_lost_is_tried_again(world: World) -> None:
    world.server.sign_in()

    async def refresh(request: httpx.Request) -> httpx.Response:
        return world.honest(request)

    world.faults = [fails(503), refresh, fails(503)]
    assert imported(world, "refresh-1-1").username is None
    assert world.token() == "access-1-2"


def test_an_import_whose_token_is_lost_says_so(world: World) -> None:
    world.server.sign_in()
    world.faults = [processed_but(world, httpx.ReadError)]
    with pytest.raises(CredentialsError, match="not taken over"):
        imported(world, "refresh-1-1")
    assert world.tokens.pair is None


@pytest.mark.parametrize("content", ["", "two words", "tökén"])
def test_a_file_without_a_refresh_token_is_an_error(world: World, content: str) -> None:
    with pytest.raises(CredentialsError, match="holds no refresh token"):
        imported(world, content)


def test_a_missing_import_file_is_an_error(world: World) -> None:
    with pytest.raises(CredentialsError, match="cannot be read: No such file"):
        imported(world)


def test_an_interrupted_import_lets_the_exchange_end(world: World) -> None:
    world.server.sign_in()
    file = world.state_dir.parent / "refresh-token"
    file.write_text("refresh-1-1")

    async def go() -> None:
        out, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request: httpx.Request) -> httpx.Response:
            out.set()
            await go_on.wait()
            return world.honest(request)

        world.faults = [slow]
        access = open_access(world.auth, api(), world.surroundings)
        work = asyncio.create_task(import_refresh_token(world.keeper(), access, world.surroundings, file))
        await out.wait()
        work.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(go())
    assert world.tokens.refresh_token == Secret("refresh-1-2")


def test_an_import_that_waits_for_the_lock_can_be_interrupted(world: World) -> None:
    file = world.state_dir.parent / "refresh-token"
    file.write_text("refresh-1-1")

    async def go() -> None:
        waiting = asyncio.Event()

        async def wait(_: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        world.sleep = wait
        async with AccountLock(Disk(world.file.parent), "brand", asyncio.sleep, 0.0):
            access = open_access(world.auth, api(), world.surroundings)
            work = asyncio.create_task(import_refresh_token(world.keeper(), access, world.surroundings, file))
            await waiting.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

    asyncio.run(go())
    assert world.requests == []


def test_nobody_agreeing_ends_the_wait_and_a_late_browser_is_told(world: World) -> None:
    async def go() -> None:
        access = open_access(world.auth, api(), world.surroundings)
        await login(
            world.keeper(), access, world.surroundings, Talk(lambda _: None, None), 0, wait_seconds=0.01
        )

    with pytest.raises(CredentialsError, match="Nobody agreed"):
        asyncio.run(go())


def test_a_page_that_never_hears_how_it_went_says_so_at_the_end() -> None:
    async def go() -> str:
        async with httpx.AsyncClient() as browser:
            async with callback_page(0, lambda _: Denied("x")) as page:
                visiting = asyncio.create_task(browser.get(f"http://127.0.0.1:{page.port}/callback"))
                assert await page.redirect() == Denied("x")
            return (await visiting).text

    assert "Look at the terminal" in asyncio.run(go())


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": 1}', b"[" * 100_000, b'{"data": {"username": 7}}'])
def test_an_account_that_x_does_not_name_is_signed_in_all_the_same(world: World, body: bytes) -> None:
    world.server.sign_in()

    async def refresh(request: httpx.Request) -> httpx.Response:
        return world.honest(request)

    world.faults = [refresh, fails(200, body)]
    assert imported(world, "refresh-1-1").username is None
    assert world.token() == "access-1-2"


def test_a_pair_without_an_access_token_is_stored_without_asking_who_it_is(world: World) -> None:
    world.faults = [fails(200, b'{"refresh_token": "only"}')]
    assert imported(world, "refresh-1-1") == Login("brand", None, None, (), ())
    assert len(world.requests) == 1


def test_a_visitor_who_says_nothing_does_not_keep_the_page_open() -> None:
    async def go() -> None:
        async with asyncio.timeout(8):
            async with callback_page(0, lambda _: None) as page:
                _, writer = await asyncio.open_connection("127.0.0.1", page.port)
                await asyncio.sleep(0)
                async with httpx.AsyncClient() as browser:
                    await browser.get(f"http://127.0.0.1:{page.port}/callback")
            writer.close()

    asyncio.run(go())


def test_a_page_that_is_loaded_twice_counts_once() -> None:
    async def go() -> list[str]:
        answers = iter([Code(Secret("first")), Code(Secret("second"))])
        async with callback_page(0, lambda _: next(answers)) as page, httpx.AsyncClient() as browser:
            address = f"http://127.0.0.1:{page.port}/callback"
            first = asyncio.create_task(browser.get(address))
            redirect = await page.redirect()
            second = asyncio.create_task(browser.get(address))
            await asyncio.wait({second}, timeout=0.2)
            assert redirect == await page.redirect() == Code(Secret("first"))
            page.finish("Done", "Close this page.")
            return [(await first).text, (await second).text]

    one, two = asyncio.run(go())
    assert one == two
    assert "Done" in one

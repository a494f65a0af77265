"""Passwords, headers and the rate limit, as clients meet them."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from exporter.config.settings import Secret
from exporter.web.passwords import CrowdedError, Passwords
from tests.web_support import PASSWORD, hashed, serving, users

ALICE = ("alice", PASSWORD)


def written(folder: Path, text: str) -> Path:
    file = folder / "web.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def basic(text: bytes) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(text).decode()}"}


def statuses(file: Path, *wanted: tuple[str, dict[str, str]]) -> list[int]:
    async def ask() -> list[int]:
        async with serving(file) as server, server.client() as client:
            return [(await client.get(path, headers=headers)).status_code for path, headers in wanted]

    return asyncio.run(ask())


def test_the_right_password_opens_every_path_and_nothing_else_does(tmp_path: Path) -> None:
    async def ask() -> list[httpx.Response]:
        async with serving(written(tmp_path, users(alice=PASSWORD))) as server, server.client() as client:
            return [
                await client.get(path, auth=auth)
                for path in ("/metrics", "/", "/unknown")
                for auth in (ALICE, None, ("alice", "wrong"), ("bob", PASSWORD))
            ]

    answers = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200, 401, 401, 401] * 2 + [404, 401, 401, 401]
    for answer in answers:
        assert ("www-authenticate" in answer.headers) is (answer.status_code == 401)
        assert "date" in answer.headers
        assert PASSWORD not in answer.text
    assert answers[1].headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_probes_need_no_password(path: str, tmp_path: Path) -> None:
    assert statuses(written(tmp_path, users(alice=PASSWORD)), (path, {}), (f"{path}/", {})) == [200, 401]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic YWxpY2U="},
        {"authorization": f"Bearer {PASSWORD}"},
        {"authorization": f"Basic {PASSWORD}"},
        basic(b"\xff\xfe:\xff"),
        basic(b"alice:" + PASSWORD.encode() + b"\n"),
        basic(b":"),
        basic(b"alice:" + b"x" * 5000),
        basic(b"alice:\x00"),
    ],
    ids=str,
)
def test_anything_else_in_its_place_is_no_password(headers: dict[str, str], tmp_path: Path) -> None:
    assert statuses(written(tmp_path, users(alice=PASSWORD)), ("/metrics", headers)) == [401]


@pytest.mark.parametrize("password", ["pass:word", "pässword ✓", "p" * 100])
def test_any_text_can_be_a_password(password: str, tmp_path: Path) -> None:
    # bcrypt looks at 72 bytes, and what makes the hash cuts there too.
    file = written(tmp_path, f"basic_auth_users:\n  älice: {hashed(password[:72])}\n")
    right = basic(f"älice:{password}".encode())
    scheme = {"authorization": right["authorization"].replace("Basic", "bAsIc")}
    assert statuses(file, ("/metrics", right), ("/metrics", scheme)) == [200, 200]


def test_users_are_read_again_when_the_file_changes(tmp_path: Path) -> None:
    async def ask() -> list[int]:
        file = written(tmp_path, users(alice="old"))
        async with serving(file) as server, server.client() as client:

            async def codes() -> list[int]:
                auths = [("alice", "old"), ("alice", "new"), ("bob", "new")]
                return [(await client.get("/metrics", auth=auth)).status_code for auth in auths]

            before = await codes()
            written(tmp_path, users(alice="new", bob="new"))
            unseen = await codes()
            server.pass_a_second()
            return before + unseen + await codes()

    assert asyncio.run(ask()) == [200, 401, 401, 200, 401, 401, 401, 200, 200]


def test_a_broken_file_keeps_the_old_users_and_is_logged_once(tmp_path: Path) -> None:
    async def ask() -> list[tuple[str, str]]:
        file = written(tmp_path, users(alice=PASSWORD))
        async with serving(file) as server, server.client(auth=ALICE) as client:
            for text in (
                None,
                "basic_auth_users: [}",
                users(alice="x") + "rate_limit: 1\n",
                users(alice=PASSWORD),
            ):
                if text is None:
                    file.unlink()
                else:
                    written(tmp_path, text)
                for _ in range(3):
                    server.pass_a_second()
                    assert (await client.get("/metrics")).status_code == 200
            return [(line["level"], line.get("first", "").replace(str(tmp_path), "")) for line in server.log]

    assert asyncio.run(ask()) == [
        ("error", "/web.yaml: no such file; name the web configuration with --web.config.file"),
        ("error", "/web.yaml:1:20: a bracket or brace is never closed, or a value is missing before it"),
        ("error", '/web.yaml:3:13: rate_limit: found "1"; allowed: a mapping with keys of interval, burst'),
        ("info", ""),
    ]


def test_a_file_caught_half_written_opens_nothing(tmp_path: Path) -> None:
    async def ask() -> tuple[list[int], list[str]]:
        file = written(tmp_path, users(alice=PASSWORD))
        async with serving(file) as server, server.client() as client:
            codes = []
            for text in ("", "basic_auth_users:\n", users(alice=PASSWORD)):
                written(tmp_path, text)
                server.pass_a_second()
                codes.append((await client.get("/metrics")).status_code)
            return codes, [line.get("first", line["msg"]) for line in server.log]

    codes, said = asyncio.run(ask())
    assert codes == [401, 401, 401]
    assert said == [
        "passwords and client certificates cannot be given up while the exporter runs; restart it",
        "web configuration reloaded",
    ]


def test_headers_go_with_every_answer_and_win_over_our_own(tmp_path: Path) -> None:
    text = (
        users(alice=PASSWORD)
        + "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=31536000\n"
        "    Content-Security-Policy: default-src 'none'\n"
    )

    async def ask() -> list[httpx.Response]:
        async with serving(written(tmp_path, text)) as server, server.client() as client:
            asked = (("/", ALICE), ("/metrics", None), ("/-/healthy", None))
            return [await client.get(path, auth=auth) for path, auth in asked]

    for answer in asyncio.run(ask()):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers.get_list("content-security-policy") == ["default-src 'none'"]


def test_a_rate_limit_refuses_what_is_too_much_but_no_probe(tmp_path: Path) -> None:
    async def ask() -> list[int]:
        file = written(tmp_path, "rate_limit: {interval: 500ms, burst: 2}\n")
        async with serving(file) as server, server.client() as client:

            async def codes(path: str) -> list[int]:
                return [(await client.get(path)).status_code for _ in range(3)]

            first = await codes("/metrics")
            probes = await codes("/-/healthy")
            server.pass_a_second()
            return first + probes + await codes("/metrics")

    assert asyncio.run(ask()) == [200, 200, 429, 200, 200, 200, 200, 200, 429]


def test_a_password_once_checked_costs_no_bcrypt_again(tmp_path: Path) -> None:
    file = written(tmp_path, f"basic_auth_users: {{alice: {hashed(PASSWORD, cost=12)}}}\n")

    async def ask() -> tuple[float, float]:
        async with serving(file) as server, server.client(auth=ALICE) as client:

            async def seconds(times: int) -> float:
                began = time.perf_counter()
                for _ in range(times):
                    assert (await client.get("/-/unknown")).status_code == 404
                return time.perf_counter() - began

            return await seconds(1), await seconds(20) / 20

    first, later = asyncio.run(ask())
    assert later < first / 5


def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    known = {"alice": Secret(hashed(PASSWORD, cost=9)), "bob": Secret(hashed(PASSWORD, cost=9))}

    async def seconds(user: str) -> float:
        passwords, took = Passwords(), []
        for n in range(5):
            began = time.process_time()
            assert not await passwords.is_right(known, user, b"wrong %d" % n, "192.0.2.1")
            took.append(time.process_time() - began)
        return min(took)

    unknown, wrong = asyncio.run(seconds("eve")), asyncio.run(seconds("alice"))
    assert 0.5 < unknown / wrong < 2


def test_what_was_right_is_wrong_once_the_hash_is_another() -> None:
    async def ask() -> list[bool]:
        passwords = Passwords()
        old, new = ({"alice": Secret(hashed(password))} for password in ("old", "new"))
        return [
            await passwords.is_right(known, "alice", password, "192.0.2.1")
            for known in (old, new, old)
            for password in (b"old", b"new")
        ]

    assert asyncio.run(ask()) == [True, False, False, True, True, False]


def test_those_who_wait_for_the_same_password_share_one_check() -> None:
    known = {"alice": Secret(hashed(PASSWORD, cost=10))}

    async def ask() -> tuple[list[bool], float]:
        began = time.process_time()
        passwords = Passwords()
        asked = (passwords.is_right(known, "alice", PASSWORD.encode(), "192.0.2.1") for _ in range(50))
        right = await asyncio.gather(*asked)
        return right, time.process_time() - began

    once = asyncio.run(ask())
    assert once[0] == [True] * 50
    alone = time.process_time()
    asyncio.run(Passwords().is_right(known, "alice", PASSWORD.encode(), "192.0.2.1"))
    assert once[1] < 10 * (time.process_time() - alone)


def test_one_who_guesses_neither_takes_the_turn_of_others_nor_the_processor() -> None:
    known = {"alice": Secret(hashed(PASSWORD, cost=8))}

    async def ask() -> tuple[list[bool | BaseException], bool, float]:
        passwords, loop = Passwords(), asyncio.get_running_loop()
        began, worked = loop.time(), time.process_time()
        guesses = [
            asyncio.ensure_future(passwords.is_right(known, "alice", b"guess %d" % n, "192.0.2.66"))
            for n in range(100)
        ]
        await asyncio.sleep(0)
        right = await passwords.is_right(known, "alice", PASSWORD.encode(), "192.0.2.1")
        guessed = await asyncio.gather(*guesses, return_exceptions=True)
        return guessed, right, (time.process_time() - worked) / (loop.time() - began)

    guessed, right, share = asyncio.run(ask())
    assert right
    assert [each for each in guessed if not isinstance(each, CrowdedError)] == [False] * 4
    assert share < 0.6


def test_many_who_guess_are_answered_that_there_are_too_many(tmp_path: Path) -> None:
    file = written(tmp_path, f"basic_auth_users: {{alice: {hashed(PASSWORD, cost=10)}}}\n")

    async def ask() -> tuple[list[int], int]:
        async with serving(file) as server, server.client() as guesser, server.client(auth=ALICE) as client:
            assert (await client.get("/metrics")).status_code == 200
            guesses = [
                asyncio.ensure_future(guesser.get("/metrics", auth=("alice", f"guess {n}")))
                for n in range(20)
            ]
            scraped = (await client.get("/metrics")).status_code
            return [(await guess).status_code for guess in guesses], scraped

    guessed, scraped = asyncio.run(ask())
    assert scraped == 200
    assert set(guessed) == {401, 429}
    assert guessed.count(401) < 20


def test_at_most_so_many_addresses_wait_at_once() -> None:
    known = {"alice": Secret(hashed(PASSWORD))}

    async def ask() -> list[bool | BaseException]:
        passwords = Passwords()
        asked = (passwords.is_right(known, "alice", b"guess %d" % n, f"192.0.2.{n}") for n in range(40))
        return await asyncio.gather(*asked, return_exceptions=True)

    refused = [each for each in asyncio.run(ask()) if isinstance(each, CrowdedError)]
    assert len(refused) == 8


def test_only_so_many_passwords_are_remembered() -> None:
    # All that begins with these 72 bytes is right, and each is remembered apart.
    known = {"alice": Secret(hashed(PASSWORD, cost=10)), "bob": Secret(hashed("p" * 72))}

    async def ask() -> list[float]:
        passwords, took = Passwords(), []
        for others in (0, 10, 1030):
            for n in range(others):
                assert await passwords.is_right(known, "bob", b"p" * 72 + b"%d" % n, "192.0.2.1")
            began = time.process_time()
            assert await passwords.is_right(known, "alice", PASSWORD.encode(), "192.0.2.1")
            took.append(time.process_time() - began)
        return took

    first, remembered, forgotten = asyncio.run(ask())
    assert remembered < first / 5
    assert remembered < forgotten / 5

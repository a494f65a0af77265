from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from pathlib import Path

import pytest

from exporter.config.settings import Secret
from exporter.errors import CredentialsError
from exporter.signin.disk import Disk
from exporter.signin.document import decode, encode
from exporter.signin.lock import AccountLock
from exporter.signin.store import TokenStore
from exporter.signin.tokens import SPENT_KEPT, AccountTokens, TokenPair, fingerprint
from tests.signin_support import NOW, World, fails


def pair(number: int) -> TokenPair:
    return TokenPair(
        Secret(f"access-{number}"), Secret(f"refresh-{number}"), NOW + 7200, NOW, ("tweet.read",)
    )


ONE = AccountTokens("brand", "client-1").renewed(pair(1), None, "client-1")


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "state" / "tokens")
    disk.prepare()
    return disk


@pytest.fixture
def store(disk: Disk) -> TokenStore:
    return TokenStore(disk, "brand")


def test_what_was_saved_is_loaded(store: TokenStore) -> None:
    refused = ONE.sending(Secret("refresh-1"), NOW).refused(Secret("refresh-1"), NOW)
    store.save(refused)
    assert store.load() == refused


def test_nothing_saved_is_no_tokens(store: TokenStore) -> None:
    assert store.load() is None
    assert store.stamp() is None


def test_directory_and_files_are_private(store: TokenStore, tmp_path: Path) -> None:
    store.save(ONE)
    assert store.path == tmp_path / "state" / "tokens" / "brand.json"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (store.path, *store.path.parents[:2])]
    assert modes == [0o600, 0o700, 0o700]


def test_an_open_directory_is_closed(tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir(mode=0o755)
    Disk(tmp_path / "tokens").prepare()
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700


def test_a_file_that_was_open_to_others_is_private_after_the_next_save(store: TokenStore) -> None:
    store.save(ONE)
    store.path.chmod(0o644)
    store.save(ONE)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_each_save_changes_the_stamp(store: TokenStore) -> None:
    store.save(ONE)
    before = store.stamp()
    store.save(ONE)
    assert store.stamp() != before


def test_nothing_but_the_token_file_stays_behind(store: TokenStore) -> None:
    store.save(ONE)
    assert [path.name for path in store.path.parent.iterdir()] == ["brand.json"]


UNUSABLE = {
    "empty": (b"", "cut short"),
    "torn": (encode(ONE)[:-9], "cut short"),
    "not JSON": (b"refresh-1", "no token file"),
    "not UTF-8": (b'{"version": 1, "program": "\xff"}', "no token file"),
    "deeply nested": (b"[" * 100_000, "no token file"),
    "of another program": (b'{"version": 1, "access_token": "x"}', "no token file"),
    "of wrong types": (encode(ONE).replace(b'"access-1"', b"1"), "no token file"),
    "newer": (encode(ONE).replace(b'"version": 1', b'"version": 2'), "newer version"),
    "newer and different": (b'{"version": 7, "program": "x-analytics-exporter", "box": []}', "newer version"),
    "of another account": (encode(ONE).replace(b'"brand"', b'"other"'), "another account"),
}


@pytest.mark.parametrize(("content", "problem"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_file_that_cannot_be_used_is_an_error_and_stays(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    world = World(tmp_path)
    world.sign_in()
    world.file.write_bytes(content)
    signer = world.signer()
    message = world.refusal(signer)
    assert str(world.file) in message
    assert problem in message
    assert "left as it is" in message
    assert world.file.read_bytes() == content
    assert world.requests == []
    # The cure is a matter of files, which the sentence names.
    assert not signer.status().login_required
    world.faults = [fails(500)] * 9
    with pytest.raises(CredentialsError, match=problem):
        world.sign_in()
    assert world.file.read_bytes() == content


def test_a_file_torn_while_running_does_not_stop_the_living_access_token(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sign_in()
    signer = world.signer()
    world.token(signer)
    world.file.write_bytes(b"{")
    assert world.token(signer) == "access-1-1"
    sentence = signer.status().sentence
    assert sentence is not None
    assert "cut short" in sentence


def test_a_symbolic_link_is_refused_and_stays(store: TokenStore, tmp_path: Path) -> None:
    store.save(ONE)
    target = tmp_path / "elsewhere.json"
    store.path.rename(target)
    store.path.symlink_to(target)
    with pytest.raises(CredentialsError, match="regular file"):
        store.load()
    assert store.path.is_symlink()


def test_a_pipe_is_refused_instead_of_waited_for(store: TokenStore) -> None:
    os.mkfifo(store.path)
    with pytest.raises(CredentialsError, match="regular file"):
        store.load()


def test_an_absurdly_large_file_is_refused(store: TokenStore) -> None:
    with store.path.open("wb") as file:
        file.truncate(10_000_000)
    with pytest.raises(CredentialsError, match="larger than"):
        store.load()


def test_a_directory_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    world = World(tmp_path / "state")
    with pytest.raises(CredentialsError, match="state/tokens"):
        world.sign_in()


def test_a_complete_draft_of_a_crashed_save_is_taken(store: TokenStore, disk: Disk) -> None:
    store.save(ONE)
    two = ONE.sending(Secret("refresh-1"), NOW).renewed(pair(2), Secret("refresh-1"), "client-1")
    disk.write(".brand.json.draft", encode(two))
    store.recover()
    assert store.load() == two


@pytest.mark.parametrize(
    "draft",
    [
        b"",
        encode(ONE)[:-5],
        encode(ONE.sending(Secret("refresh-1"), NOW)),
        encode(AccountTokens("brand", "client-1").renewed(pair(2), None, "client-1")),
    ],
    ids=["empty", "torn", "mark only", "of another history"],
)
def test_any_other_draft_is_left_alone(store: TokenStore, disk: Disk, draft: bytes) -> None:
    store.save(ONE)
    disk.write(".brand.json.draft", draft)
    store.recover()
    assert store.load() == ONE


def test_tokens_are_named_by_hash_wherever_they_are_not_kept(store: TokenStore) -> None:
    store.save(ONE.sending(Secret("refresh-1"), NOW).renewed(pair(2), Secret("refresh-1"), "client-1"))
    text = store.path.read_text()
    assert "refresh-1" not in text
    assert json.loads(text)["tokens"]["spent"] == [fingerprint(Secret("refresh-1"))]


def test_the_list_of_spent_tokens_is_bounded_and_that_of_imported_ones_is_not() -> None:
    tokens = ONE
    for number in range(2, 300):
        tokens = tokens.renewed(pair(number), Secret(f"file-{number}"), "client-1")
    assert len(tokens.spent) == SPENT_KEPT
    assert tokens.is_spent(Secret("file-2"))
    assert tokens.is_spent(Secret("refresh-298"))
    assert not tokens.is_spent(Secret("refresh-299"))


def test_many_failed_imports_do_not_push_out_what_is_known_of_the_stored_token() -> None:
    tokens = ONE.refused(Secret("refresh-1"), NOW)
    for number in range(50):
        tokens = tokens.sending(Secret(f"file-{number}"), NOW)
    attempt = tokens.attempt(Secret("refresh-1"))
    assert attempt is not None
    assert attempt.refused
    assert len(tokens.attempts) < 12


def test_a_token_that_came_back_unchanged_is_not_spent() -> None:
    again = ONE.renewed(pair(1), Secret("refresh-1"), "client-1")
    assert not again.is_spent(Secret("refresh-1"))
    assert again.spent == ()


def test_secrets_show_in_no_repr() -> None:
    assert "refresh-1" not in repr(ONE)
    assert "access-1" not in f"{ONE!r} {ONE}"


def test_a_stored_document_of_version_1_can_still_be_read() -> None:
    text = """{
      "tokens": {
        "account": "brand", "client_id": "client-1",
        "pair": {
          "access_token": "a", "refresh_token": "r", "expires_timestamp_seconds": 1790007200.0,
          "obtained_timestamp_seconds": 1790000000.0, "scopes": ["tweet.read"]
        },
        "attempts": [{"token": "00", "sent_timestamp_seconds": 1.5, "tries": 2, "refused": false}],
        "spent": ["11"], "imported": ["22"]
      },
      "version": 1, "program": "x-analytics-exporter"
    }"""
    tokens = decode(text.encode(), "file", "brand")
    assert tokens.access_token == Secret("a")
    assert tokens.attempts[0].tries == 2
    assert (tokens.spent, tokens.imported) == (("11",), ("22",))


def test_the_lock_is_held_by_one_at_a_time_and_freed(disk: Disk) -> None:
    events: list[str] = []

    async def hold(name: str) -> None:
        async with AccountLock(disk, "brand", asyncio.sleep, 10.0):
            events.append(f"{name} in")
            await asyncio.sleep(0)
            events.append(f"{name} out")

    async def both() -> None:
        await asyncio.gather(hold("a"), hold("b"))

    asyncio.run(both())
    assert events == ["a in", "a out", "b in", "b out"]
    assert stat.S_IMODE((disk.directory / "brand.lock").stat().st_mode) == 0o600


def test_the_locks_of_two_accounts_are_apart(disk: Disk) -> None:
    async def both() -> None:
        async with (
            AccountLock(disk, "brand", asyncio.sleep, 0.0),
            AccountLock(disk, "other", asyncio.sleep, 0.0),
        ):
            pass

    asyncio.run(both())


def test_waiting_for_the_lock_ends_with_an_error_that_names_it(disk: Disk) -> None:
    async def hold() -> None:
        async with AccountLock(disk, "brand", asyncio.sleep, 1.0):
            with pytest.raises(CredentialsError, match=r"brand\.lock: another process"):
                await AccountLock(disk, "brand", asyncio.sleep, 0.1).__aenter__()

    asyncio.run(hold())


def test_a_file_system_without_locks_is_an_error_that_says_so(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_handle: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(CredentialsError, match="No locks available"):
        asyncio.run(AccountLock(disk, "brand", asyncio.sleep, 1.0).__aenter__())


def test_a_directory_that_is_none_has_no_stamp_and_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a file")
    store = TokenStore(Disk(tmp_path / "tokens"), "brand")
    assert store.stamp() is None
    with pytest.raises(CredentialsError, match="cannot be read: Not a directory"):
        store.load()


def test_a_refresh_that_cannot_write_its_mark_sends_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sign_in()
    world.clock.now += 7200
    (world.file.parent / ".brand.json.draft").mkdir()
    message = world.refusal()
    assert "cannot be written" in message
    assert world.requests == []


def test_a_pair_that_cannot_be_stored_is_kept_in_hand_and_the_lock_with_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sign_in()
    world.clock.now += 7200
    obstacle = world.file.parent / ".brand.json.draft"
    world.server.inspect = lambda _: obstacle.mkdir()
    pauses: list[float] = []

    async def mended_in_the_end(seconds: float) -> None:
        pauses.append(seconds)
        assert world.tokens.refresh_token == Secret("refresh-1-1")
        with pytest.raises(CredentialsError, match="another process"):
            await AccountLock(Disk(world.file.parent), "brand", asyncio.sleep, 0.0).__aenter__()
        if len(pauses) == 3:
            obstacle.rmdir()

    world.sleep = mended_in_the_end
    assert world.token() == "access-1-2"
    assert world.tokens.refresh_token == Secret("refresh-1-2")
    assert len(world.requests) == 1
    assert ["Do not stop" in sentence for sentence in world.outcomes.sentences] == [True] * 3 + [False]

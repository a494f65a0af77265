"""Real processes on one token store: killed at any moment, many at once, asked to stop."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.config.settings import Secret
from exporter.signin.document import encode
from exporter.signin.tokens import AccountTokens
from tests.signin_support import TokenServer, World, served

WORKER = Path(__file__).parent / "signin_worker.py"
READERS = Path(__file__).parent / "signin_readers.py"
DEADLINE_SECONDS = 60.0


@contextmanager
def worker(url: str, world: World, pause_seconds: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, str(WORKER), url, str(world.state_dir), str(pause_seconds)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str], *words: str) -> str:
    """Wait until the process says one of `words`."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() in words:
            return line.strip()
    raise AssertionError(f"ended with {process.wait()} before it said any of {words}")


def world_of(path: Path, server: TokenServer) -> World:
    """An account whose tokens are always due, with real time."""
    world = World(path / "state", server=server)
    world.clock.now = time.time()
    world.sign_in()
    return world


def watch(world: World) -> list[str]:
    """Whatever is sent must be the token on disk, marked, and not known to be spent; else it is listed."""
    wrong: list[str] = []

    def inspect(token: str) -> None:
        stored = world.tokens
        if stored.refresh_token != Secret(token) or stored.is_spent(Secret(token)):
            wrong.append(f"{token} is not the one on disk")
        if stored.attempt(Secret(token)) is None:
            wrong.append(f"{token} was not marked")

    world.server.inspect = inspect
    return wrong


@pytest.mark.soak
def test_200_kills(tmp_path: Path) -> None:
    survive_kills(tmp_path, 200)


def test_kills_at_random_moments_lose_a_sign_in_only_between_answer_and_disk(tmp_path: Path) -> None:
    survive_kills(tmp_path, 8)


def survive_kills(tmp_path: Path, kills: int) -> None:
    chance = random.Random(20261122)
    server = TokenServer(expires_in=1)
    world = world_of(tmp_path, server)
    wrong = watch(world)
    lost = asked = 0

    def dawdle() -> None:
        time.sleep(chance.random() * 0.004)

    for kill in range(kills + 1):
        with served(server, dawdle, dawdle) as url, worker(url, world) as process:
            if heard(process, "ok", "login_required") == "login_required":
                asked += 1
                process.wait(DEADLINE_SECONDS)
                world.clock.now = time.time()
                world.sign_in()
            elif kill < kills:
                time.sleep(chance.random() * 0.08)
            process.kill()
            process.wait(DEADLINE_SECONDS)
        # Nothing runs now: X's newest token is on disk, or it was on its way there when the kill fell.
        newest, draft = str(server.current), world.file.parent / ".brand.json.draft"
        drafted = draft.exists() and newest in draft.read_text()
        lost += world.tokens.refresh_token != Secret(newest) and not drafted
    with served(server, dawdle, dawdle) as url, worker(url, world) as process:
        asked += heard(process, "ok", "login_required") == "login_required"
    sys.stdout.write(f"{kills} kills, {server.rotations} refreshes, {lost} lost, {asked} logins asked for\n")
    assert wrong == []
    assert asked == lost == len(server.replayed)


def test_three_processes_on_one_store_never_send_a_token_twice(tmp_path: Path) -> None:
    server = TokenServer(expires_in=1)
    world = world_of(tmp_path, server)
    wrong = watch(world)
    with (
        served(server, lambda: None, lambda: None) as url,
        worker(url, world) as one,
        worker(url, world) as two,
        worker(url, world) as three,
    ):
        processes = (one, two, three)
        for _ in range(10):
            assert [heard(process, "ok", "login_required") for process in processes] == ["ok"] * 3
        for process in processes:
            process.terminate()
        assert [heard(process, "stopped") for process in processes] == ["stopped"] * 3
        assert [process.wait(DEADLINE_SECONDS) for process in processes] == [0, 0, 0]
    assert wrong == []
    assert len(server.received) == len(set(server.received)) >= 10
    assert server.replayed == set()


def test_sigterm_in_the_middle_of_a_refresh_waits_for_it(tmp_path: Path) -> None:
    server = TokenServer(expires_in=1)
    world = world_of(tmp_path, server)
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        go_on.wait(DEADLINE_SECONDS)

    with served(server, lambda: None, hold) as url, worker(url, world) as process:
        assert arrived.wait(DEADLINE_SECONDS)
        process.terminate()
        assert heard(process, "stopped") == "stopped"
        assert process.poll() is None
        go_on.set()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert len(server.received) == 1
    assert world.tokens.refresh_token == Secret(str(server.current))


def test_sigterm_between_refreshes_stops_at_once(tmp_path: Path) -> None:
    server = TokenServer(expires_in=7200)
    world = world_of(tmp_path, server)
    with served(server, lambda: None, lambda: None) as url, worker(url, world, 3600.0) as process:
        heard(process, "ok")
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert server.received == []


def test_threads_that_are_the_first_to_read_the_token_file_at_once_all_read_it(tmp_path: Path) -> None:
    file = tmp_path / "brand.json"
    file.write_bytes(encode(AccountTokens("brand", "client-1")))
    # With types made ready by the first thread, six of seven such processes crashed.
    ended = [
        subprocess.run([sys.executable, READERS, file, "brand"], check=False).returncode for _ in range(4)
    ]
    assert ended == [0, 0, 0, 0]

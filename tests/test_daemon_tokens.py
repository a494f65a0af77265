"""The commands and their OAuth 2.0 tokens as real processes: killed, many at once, stopped, signed in."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from exporter.signin.document import decode
from exporter.simulator import Knobs, SimRequest, SimResponse, Simulator, World
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import mint
from tests.live import APP, OAUTH2, SCOPES, brand, config_text, sign_in
from tests.processes import Running, exporter, finished, free_port, started

HOUR = 3600
WAIT_SECONDS = 60.0
# A token that lives so short is due for a refresh at every request, and serves it all the same.
ALWAYS_DUE = Knobs(access_token_seconds=240.0)
LOGIN_REQUIRED = 'x_exporter_login_required{account="brand"}'
POLL_SUCCESS = 'x_exporter_poll_success{account="brand",endpoint="media_analytics"}'
# Each poll is so many requests: enough for several refreshes in a row.
MEDIA = [f"13_{mint(time.time() - 50 * HOUR, number)}" for number in range(300)]


class Announcing(Simulator):
    """Tells when a token exchange was done, and holds its answer until it may go."""

    def announce(self) -> None:
        """Begin, with answers that go at once."""
        self.arrived, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def respond(self, request: SimRequest) -> SimResponse:
        response = super().respond(request)
        if request.path == "/2/oauth2/token":
            self.arrived.set()
            self.go_on.wait(WAIT_SECONDS)
        return response


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a configuration of one OAuth 2.0 account, and the simulated X that it names."""

    x: Announcing
    url: str
    folder: Path

    @property
    def config(self) -> str:
        return str(self.folder / "config.yaml")

    @property
    def tokens(self) -> Path:
        return self.folder / "state" / "tokens"

    def is_lost(self) -> bool:
        """Whether nothing on disk, a draft included, is of any use at X. Nothing must be running."""
        # Whatever the dead process sent is dealt with before this is answered.
        httpx.get(f"{self.url}/_simulator/tokens", trust_env=False)
        texts = [path.read_text(encoding="utf-8") for path in self.tokens.iterdir() if path.is_file()]
        refresh_tokens = set(re.findall("sim-refresh-[0-9a-f]+", "".join(texts)))
        return all(self.x.tokens.is_spent(token) for token in refresh_tokens)

    def refreshes(self) -> list[str]:
        """What X said to each refresh, in order."""
        return [each.outcome for each in self.x.tokens.events if each.grant_type == "refresh_token"]

    def sign_in(self) -> None:
        """As `login` does in another process."""
        sign_in(self.x, self.folder / "state", time.time)

    @contextmanager
    def daemon(self, name: str) -> Iterator[Running]:
        """The daemon at work, until the context ends."""
        # A start that X did not answer makes the next one wait; each of these is to ask at once.
        shutil.rmtree(self.folder / "state" / "journal", ignore_errors=True)
        command = exporter("run", "--config.file", self.config, "--web.listen-address", "127.0.0.1:0")
        with started(command, self.folder / name) as running:
            yield running


@contextmanager
def placed(folder: Path, knobs: Knobs | None = None, media: list[str] | None = None) -> Iterator[Place]:
    """An account that nobody signed in yet."""
    x = Announcing(World((brand(),), apps=(APP,), any_id=True), clock=time.time, knobs=knobs)
    x.announce()
    with Served(x) as served:
        text = config_text(media=media or MEDIA[:1], auth=OAUTH2) + "    media_metrics: [video_views]\n"
        (folder / "config.yaml").write_text(text.replace("BASE_URL", served.base_url), encoding="utf-8")
        yield Place(x, served.base_url, folder)


def sample(running: Running, series: str) -> float | None:
    """The value of `series` on `/metrics`, None where it is absent."""
    port = running.says(r"port=(\d+)")[1]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).raise_for_status().text
    values = [line.removeprefix(f"{series} ") for line in text.splitlines() if line.startswith(f"{series} ")]
    return float(values[0]) if values else None


def shows(running: Running, series: str, value: float) -> None:
    """Wait until `/metrics` has that value."""
    running.until(lambda: True if sample(running, series) == value else None)


# Killed


def test_kills_around_refreshes_lose_a_sign_in_only_between_answer_and_disk(tmp_path: Path) -> None:
    survive_kills(tmp_path, 6)


@pytest.mark.soak
def test_200_kills_around_refreshes(tmp_path: Path) -> None:
    survive_kills(tmp_path, 200)


def survive_kills(folder: Path, kills: int) -> None:
    chance = random.Random(20261122)
    lost = 0
    with placed(folder, ALWAYS_DUE, MEDIA) as place:
        place.x.turn(latency_seconds=0.02)
        place.sign_in()
        for kill in range(kills):
            place.x.arrived.clear()
            with place.daemon(f"killed-{kill}") as running:
                assert place.x.arrived.wait(WAIT_SECONDS), running.output
                time.sleep(chance.random() * 0.08)
                running.process.kill()
            if place.is_lost():
                lost += 1
                with place.daemon(f"asks-{kill}") as running:
                    shows(running, LOGIN_REQUIRED, 1)
                place.sign_in()
        with place.daemon("last") as running:
            shows(running, f'x_media_up{{id="{MEDIA[0]}"}}', 1)
            assert sample(running, LOGIN_REQUIRED) == 0
            assert running.stop(seconds=35) == 0
        told = place.refreshes()
    sys.stdout.write(f"{kills} kills, {told.count('ok')} refreshes, {lost} sign-ins lost\n")
    # A spent token is sent once per loss, to find out that it is spent, and never again.
    assert (set(told) <= {"ok", "spent"}, told.count("spent")) == (True, lost)


# Many at once, and stopped


def test_three_daemons_on_one_store_never_send_a_token_twice(tmp_path: Path) -> None:
    with placed(tmp_path, ALWAYS_DUE, MEDIA) as place, ExitStack() as stack:
        place.sign_in()
        daemons = [stack.enter_context(place.daemon(f"daemon-{number}")) for number in range(3)]
        for daemon in daemons:
            shows(daemon, POLL_SUCCESS, 1)
            assert sample(daemon, LOGIN_REQUIRED) == 0
        assert [daemon.stop(seconds=35) for daemon in daemons] == [0, 0, 0]
        assert set(place.refreshes()) == {"ok"}
        assert len(place.refreshes()) >= 3
        assert not place.is_lost()


def test_sigterm_in_the_middle_of_a_refresh_waits_for_it_and_for_nothing_else(tmp_path: Path) -> None:
    with placed(tmp_path, ALWAYS_DUE) as place:
        place.sign_in()
        place.x.go_on.clear()
        with place.daemon("stopped") as running:
            assert place.x.arrived.wait(WAIT_SECONDS)
            running.process.send_signal(signal.SIGTERM)
            running.says("msg=stopping")
            assert running.process.poll() is None
            place.x.go_on.set()
            assert running.process.wait(35) == 0
        assert place.refreshes() == ["ok"]
        assert not place.is_lost()


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with placed(tmp_path, ALWAYS_DUE) as place:
        place.sign_in()
        place.x.go_on.clear()
        with place.daemon("stopped") as running:
            assert place.x.arrived.wait(WAIT_SECONDS)
            running.process.send_signal(signal.SIGTERM)
            running.says("msg=stopping")
            assert running.stop(signal.SIGTERM) == -signal.SIGTERM
            place.x.go_on.set()


# Signed in


def test_login_in_a_browser_refuses_a_forged_state_and_then_signs_in(tmp_path: Path) -> None:
    with placed(tmp_path) as place:
        port = free_port()
        login = exporter(
            "login", "--config.file", place.config, "--account", "brand", "--callback.port", str(port)
        )
        with started(login, tmp_path / "login") as running:
            shown = urlsplit(running.says(r"(https://x\.com/i/oauth2/authorize\?\S+)")[1])
            with httpx.Client(trust_env=False, timeout=WAIT_SECONDS) as browser:
                consent = browser.get(f"{place.url}{shown.path}?{shown.query}")
                back = urlsplit(consent.headers["location"])
                assert (back.hostname, back.port, back.path) == ("127.0.0.1", port, "/callback")
                brought = {key: values[0] for key, values in parse_qs(back.query).items()}
                address = f"http://127.0.0.1:{port}/callback"
                forged = browser.get(f"{address}?{urlencode(brought | {'state': 'forged'})}")
                assert forged.status_code == 400
                assert running.process.poll() is None
                page = browser.get(f"{address}?{back.query}")
            assert (page.status_code, "Signed in" in page.text) == (200, True)
            assert running.process.wait(WAIT_SECONDS) == 0
            assert "@brand" in running.stdout
            assert "offline.access" in running.stdout
            assert brought["code"] not in running.output
        file = place.tokens / "brand.json"
        assert file.stat().st_mode & 0o777 == 0o600
        stored = decode(file.read_bytes(), file.name, "brand")
        assert stored.refresh_token is not None
        assert stored.refresh_token.reveal() not in running.output
        polled = finished("poll", "--config.file", place.config, "--output", "json")
        assert polled.returncode == 0, polled.stderr
        (item,) = json.loads(polled.stdout)["items"]
        assert item["id"] == MEDIA[0]


def test_a_refresh_token_from_a_file_is_taken_over_with_one_refresh(tmp_path: Path) -> None:
    with placed(tmp_path) as place:
        pair = place.x.tokens.issue("brand", "web", SCOPES)
        assert pair.refresh_token is not None
        file = tmp_path / "refresh-token"
        file.write_text(f"{pair.refresh_token}\n", encoding="utf-8")
        login = [
            "login",
            "--config.file",
            place.config,
            "--account",
            "brand",
            "--refresh-token-file",
            str(file),
        ]
        done = finished(*login)
        assert (done.returncode, "@brand" in done.stdout) == (0, True), done.stderr
        assert place.refreshes() == ["ok"]
        assert not place.is_lost()
        assert pair.refresh_token not in done.stdout + done.stderr
        assert finished("poll", "--config.file", place.config).returncode == 0
        # The file's token is used up now, and says so once, in words.
        again = finished(*login)
        assert (again.returncode, "Traceback" in again.stderr) == (1, False)
        assert again.stderr.strip()


def test_poll_without_a_sign_in_says_what_to_do_and_asks_x_nothing(tmp_path: Path) -> None:
    with placed(tmp_path) as place:
        polled = finished("poll", "--config.file", place.config)
        assert polled.returncode == 1
        assert "login" in polled.stderr
        assert "Traceback" not in polled.stderr
        assert place.x.requests == []

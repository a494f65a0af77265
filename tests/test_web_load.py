"""Many scrapers at once, and those who would keep them out: a scrape of 100,000 series still answers."""

from __future__ import annotations

import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.processes import Running, started
from tests.web_support import PASSWORD, TLS, Certificates, users

HEAD = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
# Prometheus gives up at 10 s; a busy machine may take twice as long here.
PATIENCE_SECONDS = 20.0
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Loaded:
    """The server at work."""

    running: Running
    port: int
    tls: ssl.SSLContext | None = None
    auth: tuple[str, str] | None = None

    def scrape(self, *, unpacked: bool = False) -> float:
        """Scrape once, as Prometheus does; how many seconds that took."""
        began = time.monotonic()
        answer = httpx.get(
            f"{'https' if self.tls else 'http'}://localhost:{self.port}/metrics",
            headers={"accept-encoding": "identity" if unpacked else "gzip"},
            auth=self.auth,
            verify=self.tls or False,
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        )
        assert answer.status_code == 200
        assert answer.text.count("\nx_media_analytics{") == 100_000
        return time.monotonic() - began

    @property
    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.running.process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.running.process.pid}/fd").iterdir()))


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let this process open as many connections as it may be allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def loaded(folder: Path, repo_root: Path, *arguments: str, most_files: int | None = None) -> Iterator[Loaded]:
    """The server in a process of its own, that may open only so many files."""
    limit = "" if most_files is None else f"ulimit -n {most_files}; "
    script = str(repo_root / "tests" / "web_load_server.py")
    command = ["sh", "-c", f'{limit}exec "$@"', "sh", sys.executable, script, *arguments]
    with started(command, folder / "server", {**os.environ, "PYTHONPATH": str(repo_root)}) as running:
        yield Loaded(running, int(running.says(r"port (\d+)")[1]))
        assert "Traceback" not in running.output


@contextmanager
def connected(
    port: int, count: int, sent: bytes = b"", window: int | None = None
) -> Iterator[list[socket.socket]]:
    """So many clients, each of which has sent `sent` and does nothing more."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            if window is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            client.connect(("127.0.0.1", port))
            client.setblocking(False)  # noqa: FBT003 - its only argument
            send(client, sent)
            clients.append(client)
        yield clients


def send(client: socket.socket, content: bytes) -> None:
    """Send, also to a server that has had enough."""
    with suppress(ConnectionError, BlockingIOError):
        client.send(content)


def wrk(binary: str, url: str, seconds: int, *options: str) -> str:
    """What wrk reports of 200 connections that ask for `url` again and again."""
    command = [binary, "--threads=2", "--connections=200", f"--duration={seconds}s", "--timeout=10s"]
    done = subprocess.run(
        [*command, "--latency", "--header=Accept-Encoding: gzip", *options, url],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_200_scrapers_at_once_see_no_error_and_fill_no_memory(
    part: Callable[[str], str],
    soak: bool,  # noqa: FBT001 - a fixture
    tmp_path: Path,
    repo_root: Path,
) -> None:
    binary = part("wrk")
    with loaded(tmp_path, repo_root) as server:
        url = f"http://127.0.0.1:{server.port}/metrics"
        wrk(binary, url, 2)
        before = server.resident_bytes
        report = wrk(binary, url, 60 if soak else 3)
        grown = server.resident_bytes - before
    assert "Socket errors" not in report, report
    assert "Non-2xx" not in report, report
    assert int(re.findall(r"(\d+) requests in", report)[0]) > 200, report
    assert grown < 20 * MEGABYTE, report


def test_200_scrapers_over_tls_with_a_password_see_no_error(
    part: Callable[[str], str], tmp_path: Path, repo_root: Path
) -> None:
    binary, certificates = part("wrk"), Certificates(tmp_path)
    certificates.issue("server")
    file = tmp_path / "web.yaml"
    file.write_text(TLS + users(alice=PASSWORD), encoding="utf-8")
    authorization = httpx.BasicAuth("alice", PASSWORD)
    request = next(authorization.auth_flow(httpx.Request("GET", "http://localhost")))
    header = f"--header=Authorization: {request.headers['authorization']}"
    with loaded(tmp_path, repo_root, str(file)) as server:
        report = wrk(binary, f"https://127.0.0.1:{server.port}/metrics", 5, header)
        most = server.resident_bytes
    assert "Socket errors" not in report, report
    assert "Non-2xx" not in report, report
    assert most < 250 * MEGABYTE


@pytest.mark.parametrize(
    ("sent", "drop"),
    [(b"", b""), (HEAD, b"a"), (HEAD + b"X-Long: " + b"a" * 12_000, b"a" * 100)],
    ids=["idle", "drop by drop", "giant heads"],
)
def test_2000_who_never_finish_their_request_keep_nobody_out(
    sent: bytes, drop: bytes, tmp_path: Path, repo_root: Path
) -> None:
    with loaded(tmp_path, repo_root) as server:
        server.scrape()
        before = server.resident_bytes
        with connected(server.port, 2000, sent) as clients:
            for _ in range(3):
                assert server.scrape() < PATIENCE_SECONDS
                for client in clients:
                    send(client, drop)
            assert server.open_files < 1024 + 64
            assert server.resident_bytes - before < 60 * MEGABYTE


@pytest.mark.parametrize(
    ("encoding", "most_bytes"), [(b"gzip", 150 * MEGABYTE), (b"identity", 400 * MEGABYTE)]
)
def test_600_who_ask_and_read_nothing_keep_nobody_out(
    encoding: bytes, most_bytes: int, tmp_path: Path, repo_root: Path
) -> None:
    request = HEAD + b"Accept-Encoding: " + encoding + b"\r\n\r\n"
    with loaded(tmp_path, repo_root) as server:
        before = server.resident_bytes
        with connected(server.port, 600, request, window=4096):
            for _ in range(3):
                assert server.scrape(unpacked=encoding == b"identity") < PATIENCE_SECONDS
            assert server.resident_bytes - before < most_bytes


def test_600_who_never_shake_hands_keep_nobody_out(tmp_path: Path, repo_root: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.issue("server")
    file = tmp_path / "web.yaml"
    file.write_text(TLS, encoding="utf-8")
    with loaded(tmp_path, repo_root, str(file)) as plain:
        server = Loaded(plain.running, plain.port, certificates.trusting())
        server.scrape()
        before = server.resident_bytes
        for _ in range(3):
            with connected(server.port, 600, b"\x16"):
                assert server.scrape() < PATIENCE_SECONDS
                assert server.open_files < 256 + 64
        assert server.resident_bytes - before < 150 * MEGABYTE


def test_a_process_that_may_open_few_files_drops_others_earlier(tmp_path: Path, repo_root: Path) -> None:
    with loaded(tmp_path, repo_root, most_files=128) as server, connected(server.port, 400):
        for _ in range(3):
            assert server.scrape() < PATIENCE_SECONDS
        assert server.open_files < 128


def test_who_guesses_passwords_keeps_no_scraper_out_that_was_let_in_before(
    part: Callable[[str], str], tmp_path: Path, repo_root: Path
) -> None:
    binary = part("wrk")
    file, guesses = tmp_path / "web.yaml", tmp_path / "guess.lua"
    file.write_text(users(alice=PASSWORD), encoding="utf-8")
    guesses.write_text(
        'request = function() return wrk.format("GET", "/metrics", '
        '{Authorization = string.format("Basic YWxpY2U6%08d", math.random(99999999))}) end'
    )
    with loaded(tmp_path, repo_root, str(file)) as plain:
        server = Loaded(plain.running, plain.port, auth=("alice", PASSWORD))
        url = f"http://127.0.0.1:{server.port}/metrics"
        command = [binary, "--threads=1", "--connections=50", "--duration=5s", f"--script={guesses}", url]
        # From one address with the guesses, a first password would have to wait its turn among them.
        assert server.scrape() < PATIENCE_SECONDS
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
            while flood.poll() is None:
                assert server.scrape() < PATIENCE_SECONDS
            report = flood.communicate()[0]
    asked, refused = (
        int(re.findall(pattern, report)[0]) for pattern in (r"(\d+) requests in", r"responses: (\d+)")
    )
    assert asked == refused > 100

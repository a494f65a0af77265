from __future__ import annotations

import signal
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.processes import exporter, finished, free_port, started
from tests.simulated import config_text


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A configuration that watches a post on an X that is not there."""
    file = tmp_path / "config.yaml"
    file.write_text(config_text(posts=1, top=f"api: {{base_url: 'http://127.0.0.1:{free_port()}'}}"))
    return file


def daemon(config_file: Path, *flags: str) -> tuple[list[str], str]:
    port = free_port()
    command = exporter(
        "run", f"--config.file={config_file}", f"--web.listen-address=127.0.0.1:{port}", *flags
    )
    return command, f"http://127.0.0.1:{port}"


def reloads(url: str) -> float:
    """When the configuration was last loaded."""
    text = httpx.get(f"{url}/metrics").text
    name = "x_exporter_config_last_reload_success_timestamp_seconds "
    return next(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


def test_sighup_reloads_the_configuration(config_file: Path, tmp_path: Path) -> None:
    command, url = daemon(config_file)
    with started(command, tmp_path / "run") as running:
        running.answers(f"{url}/-/healthy", 200)
        before = reloads(url)
        config_file.write_text(config_file.read_text() + "    media: ['13_2000000000000000000']\n")
        running.process.send_signal(signal.SIGHUP)
        running.until(lambda: reloads(url) > before or None)
        assert "13_2000000000000000000" in httpx.get(f"{url}/metrics").text


def test_a_changed_file_is_reloaded_where_that_is_asked_for(config_file: Path, tmp_path: Path) -> None:
    command, url = daemon(config_file, "--config.watch")
    with started(command, tmp_path / "run") as running:
        running.answers(f"{url}/-/healthy", 200)
        text = config_file.read_text()
        numbers = iter(range(10_000))

        def shows_a_new_name() -> bool | None:
            # The watcher does not say when it has begun to watch, so the file changes until it has.
            config_file.write_text(f"{text}# {next(numbers)}\n    media: ['13_2000000000000000000']\n")
            return "13_2000000000000000000" in httpx.get(f"{url}/metrics").text or None

        running.until(shows_a_new_name)


def test_a_reload_over_http_tells_every_fault_and_keeps_the_old_configuration(
    config_file: Path, tmp_path: Path
) -> None:
    command, url = daemon(config_file, "--web.enable-lifecycle")
    with started(command, tmp_path / "run") as running:
        running.answers(f"{url}/-/ready", 200)
        config_file.write_text("api: {tiemout: 1s}\nacounts: []\n")
        answer = httpx.post(f"{url}/-/reload")
        assert answer.status_code == 500
        assert 'unknown key "tiemout"; did you mean "timeout"' in answer.text
        assert 'unknown key "acounts"; did you mean "accounts"' in answer.text
        metrics = httpx.get(f"{url}/metrics").text
        assert "x_exporter_config_last_reload_successful 0" in metrics
        assert "x_post_info{" in metrics


def test_a_reload_over_http_is_refused_where_it_is_not_allowed(config_file: Path, tmp_path: Path) -> None:
    command, url = daemon(config_file)
    with started(command, tmp_path / "run") as running:
        running.answers(f"{url}/-/healthy", 200)
        assert httpx.post(f"{url}/-/reload").status_code == 403
        assert running.process.poll() is None


def test_a_password_is_asked_for_where_the_web_configuration_says_so(
    config_file: Path, tmp_path: Path
) -> None:
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    web_config = tmp_path / "web.yaml"
    web_config.write_text(f"basic_auth_users: {{prometheus: {hashed}}}\n")
    command, url = daemon(config_file, f"--web.config.file={web_config}")
    with started(command, tmp_path / "run") as running:
        running.answers(f"{url}/-/healthy", 200)
        assert httpx.get(f"{url}/metrics").status_code == 401
        assert httpx.get(f"{url}/metrics", auth=("prometheus", "open sesame")).status_code == 200
        assert hashed not in running.output


def test_a_wrong_web_configuration_is_told_and_nothing_starts(config_file: Path, tmp_path: Path) -> None:
    web_config = tmp_path / "web.yaml"
    web_config.write_text("tls_server_confg: {}\n")
    command, _ = daemon(config_file, f"--web.config.file={web_config}")
    done = finished(*command[len(exporter()) :])
    assert done.returncode == 2
    assert "tls_server_config" in done.stderr
    assert "Traceback" not in done.stderr

"""The command line: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser

import exporter as package
from exporter.cli import cli, main
from exporter.commands.console import local_url
from exporter.simulator import Account, SimRequest, SimResponse, Simulator, World
from exporter.simulator.metrics import INSIGHT_METRICS, MEDIA_METRICS
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import mint
from tests.processes import exporter, finished

# The library gives this one no types.
parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families

HOUR = 3600
TOKEN = "token-known-to-x"
PLANTED = "pl4nted-s3cret-th4t-must-not-sh0w"
BORN = time.time() - 50 * HOUR
VIDEO, PHOTO = f"13_{mint(BORN, 1)}", f"3_{mint(BORN, 2)}"
POST, OTHER_POST = str(mint(BORN, 3)), str(mint(BORN, 4))

FLAGS = {
    "run": {
        "--config.file",
        "--web.listen-address",
        "--web.enable-lifecycle",
        "--config.watch",
        "--log.level",
        "--log.format",
    },
    "check-config": {"--config.file"},
    "poll": {"--config.file", "--output"},
    "login": {"--config.file", "--account", "--callback.port", "--refresh-token-file"},
    "demo": {"--web.listen-address"},
    "simulate-api": {"--listen"},
    "backfill": {
        "--config.file",
        "--start",
        "--end",
        "--account",
        "--id",
        "--output",
        "--remote-write",
        "--dry-run",
    },
    "export": {"--config.file", "--format", "--start", "--end", "--account", "--id", "--output"},
}


@pytest.fixture
def x() -> Iterator[Served]:
    world = World((Account("brand", "1", "brand", (TOKEN,)),), any_id=True)
    with Served(Simulator(world, clock=time.time)) as served:
        yield served


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def config(
    base_url: str, *, media: Iterable[str] = (VIDEO,), posts: Iterable[str] = (POST,), token: str = TOKEN
) -> str:
    """A configuration of one account; the items are YAML."""
    lines = [f"api: {{base_url: '{base_url}'}}", "accounts:", "  - name: brand"]
    lines += [f"    auth: {{bearer_token: {token}}}", "    media:", *(f"      - {item}" for item in media)]
    return "\n".join([*lines, "    posts:", *(f"      - {item}" for item in posts), ""])


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


# Flags and help


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_the_help_of_every_command_names_every_flag(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    declared = {flag for parameter in cli.commands[command].params for flag in parameter.opts}
    assert {flag for flag in declared if flag not in text} == set()
    assert FLAGS.get(command, set()) <= declared


def test_the_help_lists_every_command_with_a_whole_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in FLAGS:
        assert re.search(rf"^  {command} +[A-Z].*\.$", text, re.MULTILINE), text
    assert "..." not in text.split("Commands:")[1]


@pytest.mark.parametrize(
    "command",
    [[sys.executable, "-m", "exporter"], [str(Path(sys.executable).with_name("x-analytics-exporter"))]],
)
def test_both_ways_to_start_it_tell_the_version(command: list[str]) -> None:
    told = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)
    assert told.stdout == f"x-analytics-exporter, version {package.__version__}\n"
    assert told.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--web.listen-port", "1"], "No such option '--web.listen-port'"),
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing option '--config.file'"),
        (["poll", "--config.file", "c.yaml", "--output", "xml"], "'xml' is not one of"),
        (["run", "--config.file", "c.yaml", "--log.level", "loud"], "'loud' is not one of"),
        (["demo", "extra"], "unexpected extra argument"),
        ([], "Usage:"),
    ],
)
def test_wrong_usage_is_told_in_words_and_ends_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:70000", "::1:9877"])
@pytest.mark.parametrize(
    "command",
    [
        ["run", "--config.file", "c.yaml", "--web.listen-address"],
        ["demo", "--web.listen-address"],
        ["simulate-api", "--listen"],
    ],
)
def test_a_wrong_listen_address_is_wrong_usage(
    command: list[str], address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, address]) == 2
    printed = capsys.readouterr().err
    assert f"Invalid value for '{command[-1]}'" in printed
    assert repr(address) in printed


def test_wrong_usage_ends_a_real_process_with_2_and_without_a_traceback() -> None:
    ended = finished("demo", "--web.listen-address", "nonsense")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["run", "demo", "simulate-api"])
def test_a_busy_port_is_one_line_and_1(command: str, x: Served, write: Callable[[str], Path]) -> None:
    address = x.base_url.removeprefix("http://")
    flags = {
        "run": ["--config.file", str(write(config(x.base_url))), "--web.listen-address", address],
        "demo": ["--web.listen-address", address],
        "simulate-api": ["--listen", address],
    }
    ended = finished(command, *flags[command])
    assert ended.returncode == 1
    (line,) = lines(ended.stderr)
    assert line.startswith(f"x-analytics-exporter: cannot listen on {address}: the port is in use; ")
    assert x.simulator.requests == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:9877"),
        ("127.0.0.1", "http://127.0.0.1:9877"),
        ("::1", "http://[::1]:9877"),
        ("exporter.example", "http://exporter.example:9877"),
    ],
)
def test_an_address_is_printed_as_a_url_that_opens(host: str, url: str) -> None:
    assert local_url(host, 9877) == url


# check-config


@pytest.mark.parametrize("command", ["run", "check-config", "poll"])
def test_a_wrong_config_is_all_its_faults_and_2(
    command: str, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        f"acounts: []\naccounts:\n  - name: Brand\n    auth: {{bearer_tokn: {PLANTED}}}\n    media: [13_x]\n"
    )
    assert main([command, "--config.file", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert PLANTED not in printed.err
    places = [re.match(r".*config\.yaml:(\d+):\d+: (\S+):", line) for line in lines(printed.err)]
    found = {(int(place[1]), place[2]) for place in places if place}
    assert {(1, "acounts"), (3, "accounts[0].name"), (5, "accounts[0].media[0]")} <= found
    assert any(line == 4 for line, _ in found)
    assert len(found) == len(places)


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xfe\x00", b"a: !!python/object:os.system {}", b"{" * 5000]
)
def test_a_config_that_is_none_is_one_fault_and_2(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    assert main(["check-config", "--config.file", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_a_wrong_config_ends_a_real_process_with_2_and_without_a_traceback(
    write: Callable[[str], Path],
) -> None:
    ended = finished("run", "--config.file", str(write(f"accounts: {PLANTED}")))
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_check_config_prints_the_plan_and_sends_nothing(x: Served, write: Callable[[str], Path]) -> None:
    path = write(config(x.base_url, media=[f"7_{n}" for n in range(1, 202)], posts=range_of_posts(30)))
    ended = finished("check-config", "--config.file", str(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{path} is right: 231 items in 1 account(s)." in ended.stdout
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert ["brand", "media", "media_analytics", "201", "3", "3", "+5", "1.0%"] in rows
    assert ["brand", "post", "insights_28hr", "30", "2", "2", "+4", "0.7%"] in rows
    assert "5 requests per poll, 5 an hour." in ended.stdout
    assert x.simulator.requests == []


def range_of_posts(count: int) -> list[str]:
    return [str(mint(BORN, number)) for number in range(count)]


def test_the_example_config_is_right_but_for_the_token_it_has_not(
    repo_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes((repo_root / "config.example.yaml").read_bytes())
    (tmp_path / "token").write_text(PLANTED, encoding="utf-8")
    assert main(["check-config", "--config.file", str(path)]) == 0
    assert PLANTED not in capsys.readouterr().out


def test_nothing_is_cut_in_a_pipe(
    x: Served, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    long = "a" * 63
    path = write(config(x.base_url).replace("name: brand", f"name: {long}"))
    assert main(["check-config", "--config.file", str(path)]) == 0
    assert f"{long}  media  media_analytics" in capsys.readouterr().out


# poll


def truth(x: Served, item_id: str, metric: str, hour: float) -> int | None:
    return x.simulator.truth(item_id, metric, int(hour))


def test_poll_prints_a_table_with_names(x: Served, write: Callable[[str], Path]) -> None:
    # Square brackets, colons and markup in a name are part of the name.
    name = "Sale [/50% off] :smile: [red]now"
    path = write(config(x.base_url, media=[f"{{id: {VIDEO}, name: '{name}'}}"]))
    ended = finished("poll", "--config.file", str(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    (row,) = [line for line in ended.stdout.splitlines() if VIDEO in line]
    assert row.startswith(f"{name}  {VIDEO}  20")
    shown = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d) +([\d,]+) ", row)
    assert shown
    hour = datetime.fromisoformat(f"{shown[1]}+00:00").timestamp()
    assert int(shown[2].replace(",", "")) == truth(x, VIDEO, "video_views", hour)


def test_poll_prints_json_with_true_figures(x: Served, write: Callable[[str], Path]) -> None:
    path = write(
        config(x.base_url, media=[f"{{id: {VIDEO}, name: 'Ünïcode', labels: {{campaign: spring}}}}"])
    )
    ended = finished("poll", "--config.file", str(path), "--output", "json")
    assert (ended.returncode, ended.stderr) == (0, "")
    video, post = json.loads(ended.stdout)["items"]
    assert (video["id"], video["kind"], video["up"]) == (VIDEO, "media", True)
    assert (video["name"], video["labels"]) == ("Ünïcode", {"campaign": "spring"})
    for item, metrics in ((video, MEDIA_METRICS), (post, INSIGHT_METRICS.values())):
        hour = item["hour_start_timestamp_seconds"]
        assert item["hour"] == {metric: truth(x, item["id"], metric, hour) for metric in metrics}
        hours = [hour - back * HOUR for back in range(item["28h_buckets"])]
        assert item["28h"] == {
            metric: sum(truth(x, item["id"], metric, each) or 0 for each in hours)
            for metric in metrics
            if metric != "unique_video_views"
        }
    assert "28h_reported" in post


def test_poll_prints_openmetrics_with_true_figures(x: Served, write: Callable[[str], Path]) -> None:
    ended = finished("poll", "--config.file", str(write(config(x.base_url))), "--output", "openmetrics")
    assert (ended.returncode, ended.stderr) == (0, "")
    families = {family.name: family.samples for family in parse_openmetrics(ended.stdout)}
    (start,) = families["x_media_bucket_start_timestamp_seconds"]
    assert {sample.labels["metric"]: sample.value for sample in families["x_media_analytics"]} == {
        metric: truth(x, VIDEO, metric, start.value) for metric in MEDIA_METRICS
    }
    assert len(families["x_post_insights"]) == len(INSIGHT_METRICS)


def test_poll_ends_with_1_and_says_which_items_x_does_not_give(
    x: Served, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    x.simulator.fail("item_not_found", "insights_28hr", ids=(OTHER_POST,))
    x.simulator.turn(photo_keys="null")
    path = write(
        config(x.base_url, media=[VIDEO, f"{{id: {PHOTO}, name: A photo}}"], posts=[POST, OTHER_POST])
    )
    assert main(["poll", "--config.file", str(path)]) == 1
    printed = capsys.readouterr()
    silent, missing = lines(printed.err)
    assert silent == f"A photo ({PHOTO}): X answered without data for it"
    assert missing.startswith(f"{OTHER_POST} ({OTHER_POST}): ")
    assert printed.out.count("no data") == 2


def test_poll_ends_with_1_and_says_what_to_do_when_an_endpoint_is_not_to_be_had(
    x: Served, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    x.simulator.fail("client_not_enrolled", "media_analytics")
    assert main(["poll", "--config.file", str(write(config(x.base_url)))]) == 1
    printed = capsys.readouterr()
    (why,) = lines(printed.err)
    assert why.startswith("brand, media_analytics: The X plan of this developer app does not include this")
    assert "not answered" in printed.out
    assert POST in printed.out


class Rude(Simulator):
    """An X whose words are not fit to be shown."""

    def respond(self, _request: SimRequest) -> SimResponse:
        detail = "\x1b]0;owned\x07\x1b[2J no\r\nentry for account 1234567890"
        problem = {"resource_id": VIDEO, "type": "about:blank", "title": "No", "detail": detail}
        return SimResponse(200, body=json.dumps({"errors": [problem]}).encode())


@pytest.mark.parametrize("output", ["table", "json"])
def test_what_x_says_of_an_item_is_made_fit_to_be_shown(
    output: str, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with Served(Rude(World(()), clock=time.time)) as rude:
        path = str(write(config(rude.base_url)))
        assert main(["poll", "--config.file", path, "--output", output]) == 1
    printed = capsys.readouterr()
    assert "no entry for account" in printed.err
    assert "1234567890" not in printed.err + printed.out
    assert r"\u001b" not in printed.out
    assert [char for char in printed.err + printed.out if not (char.isprintable() or char == "\n")] == []


def test_poll_shows_its_progress_on_a_terminal_alone(x: Served, write: Callable[[str], Path]) -> None:
    path = str(write(config(x.base_url)))
    ours, theirs = pty.openpty()
    try:
        command = exporter("poll", "--config.file", path)
        env = {**os.environ, "TERM": "xterm"}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=theirs, env=env, timeout=60)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "polling" in shown
    assert re.search(r"\d/2", shown)


def test_a_reader_that_has_gone_is_no_traceback(write: Callable[[str], Path]) -> None:
    path = str(write(config("http://127.0.0.1:1")))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            exporter("check-config", "--config.file", path),
            check=False,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("output", ["table", "json", "openmetrics"])
def test_poll_shows_no_secret_even_when_x_refuses_it(
    output: str, x: Served, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(config(x.base_url, token=PLANTED))
    assert main(["poll", "--config.file", str(path), "--output", output]) == 1
    printed = capsys.readouterr()
    assert PLANTED not in printed.out + printed.err
    assert "X did not accept the account's credentials" in printed.err


def test_poll_tells_who_is_not_signed_in_to_log_in(
    x: Served, write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    oauth2 = f"oauth2: {{client_id: app, client_secret: {PLANTED}}}"
    path = write(config(x.base_url).replace(f"bearer_token: {TOKEN}", oauth2))
    assert main(["poll", "--config.file", str(path)]) == 1
    printed = capsys.readouterr()
    assert "login --account brand" in printed.err
    # No request was sent, so X said nothing.
    assert "X said" not in printed.err
    assert x.simulator.requests == []
    assert PLANTED not in printed.out + printed.err

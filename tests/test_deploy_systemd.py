"""deploy/systemd: the unit is one that systemd takes, hardened, and true of the exporter."""

from __future__ import annotations

import configparser
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.cli import EXIT_USAGE
from exporter.simulator import Simulator
from exporter.simulator.sample import sample_config_yaml, sample_world
from exporter.simulator.serving import Served
from tests.deploy_support import flags
from tests.processes import START_SECONDS, exporter, started

# systemd-analyze's score, 0 to 100; beyond 50 it calls a service exposed.
MOST_EXPOSED = 15


@pytest.fixture
def unit(repo_root: Path) -> Path:
    return repo_root / "deploy" / "systemd" / "x-analytics-exporter.service"


@pytest.fixture
def service(unit: Path) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    parser.read_string(unit.read_text(encoding="utf-8"))
    return parser["Service"]


def analyzed(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_systemd_finds_nothing_to_say(part: Callable[[str], str], unit: Path, tmp_path: Path) -> None:
    # It wants to see the program; any will do.
    installed = unit.read_text(encoding="utf-8").replace(
        "ExecStart=/opt/x-analytics-exporter/bin/x-analytics-exporter", f"ExecStart={sys.executable}"
    )
    copy = tmp_path / unit.name
    copy.write_text(installed, encoding="utf-8")
    analyzed(part("systemd-analyze"), "verify", "--man=no", str(copy))


def test_the_service_is_hardly_exposed(part: Callable[[str], str], unit: Path) -> None:
    limit = f"--threshold={MOST_EXPOSED}"
    analyzed(part("systemd-analyze"), "security", "--offline=yes", "--no-pager", limit, str(unit))


def test_systemd_hears_of_readiness_and_of_hanging(service: configparser.SectionProxy) -> None:
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "30s"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_the_command_line_is_one_the_exporter_has(service: configparser.SectionProxy) -> None:
    program, command, *arguments = service["ExecStart"].split()
    assert Path(program).name == "x-analytics-exporter"
    assert {argument.partition("=")[0] for argument in arguments} <= flags(command)


def test_a_wrong_configuration_is_not_tried_again(service: configparser.SectionProxy) -> None:
    assert service["RestartPreventExitStatus"] == str(EXIT_USAGE)


def test_a_token_refresh_in_flight_is_waited_for(service: configparser.SectionProxy) -> None:
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 35


def test_tokens_lie_where_only_the_service_reads_them(service: configparser.SectionProxy) -> None:
    assert service["DynamicUser"] == "yes"
    assert service["StateDirectory"] == "x-analytics-exporter"
    assert service["StateDirectoryMode"] == "0700"


def test_the_daemon_tells_systemd_that_it_is_ready_lives_reloads_and_stops(tmp_path: Path) -> None:
    config, address = tmp_path / "config.yaml", tmp_path / "notify"
    environ = {**os.environ, "NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "100000"}
    now = time.time()
    with (
        Served(Simulator(sample_world(now), clock=time.time)) as x,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
    ):
        config.write_text(sample_config_yaml(x.base_url, now), encoding="utf-8")
        systemd.bind(str(address))
        systemd.settimeout(START_SECONDS)
        command = exporter("run", f"--config.file={config}", "--web.listen-address=127.0.0.1:0")
        with started(command, tmp_path / "run", environ) as running:
            assert [systemd.recv(4096) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            running.process.send_signal(signal.SIGHUP)
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", news(systemd))
            assert news(systemd) == b"READY=1"
            assert running.stop() == 0
        assert news(systemd) == b"STOPPING=1"


def news(systemd: socket.socket) -> bytes:
    """What the daemon tells next, signs of life aside."""
    while (heard := systemd.recv(4096)) == b"WATCHDOG=1":
        pass
    return heard

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from exporter.config.load import parse_config
from exporter.config.settings import Config
from exporter.logs import silent_logger
from exporter.reloading import Reloader
from exporter.sdnotify import ServiceManager
from tests.simulated import Play, config_text, play

PID = 4711


class Listener:
    """What systemd does: a datagram socket that others write to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)  # noqa: FBT003 - its only argument
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)

    def heard(self) -> str | None:
        try:
            return self.socket.recv(4096).decode()
        except BlockingIOError:
            return None


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    abstract = f"@x-analytics-exporter-test-{os.getpid()}"
    listener = Listener(abstract if request.param == "abstract" else str(tmp_path / "notify"))
    with listener.socket:
        yield listener


def manager_of(**environ: str) -> ServiceManager:
    return ServiceManager.from_environ(environ, PID)


def test_each_state_is_told_in_systemds_words(listener: Listener) -> None:
    manager = manager_of(NOTIFY_SOCKET=listener.name)
    manager.ready()
    assert listener.heard() == "READY=1"
    manager.reloading(12.5)
    assert listener.heard() == "RELOADING=1\nMONOTONIC_USEC=12500000"
    manager.stopping()
    assert listener.heard() == "STOPPING=1"
    assert listener.heard() is None


@pytest.mark.parametrize("text", [config_text(1), "nonsense: 1"])
def test_a_reload_is_told_from_its_beginning_to_its_end_whatever_comes_of_it(
    listener: Listener, text: str
) -> None:
    manager = manager_of(NOTIFY_SOCKET=listener.name)

    async def act(play: Play) -> None:
        def load() -> Config:
            assert listener.heard() == "RELOADING=1\nMONOTONIC_USEC=12500000"
            assert listener.heard() is None
            return parse_config(text.encode(), "test.yaml", Path.cwd(), {})

        around = partial(manager.during_reload, lambda: 12.5)
        await Reloader(load, play.engine, silent_logger(), play.clock, around).reload()
        assert listener.heard() == "READY=1"
        assert listener.heard() is None

    play(act)


def test_signs_of_life_come_twice_as_often_as_expected(listener: Listener) -> None:
    manager = manager_of(NOTIFY_SOCKET=listener.name, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(PID))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        assert listener.heard() == "WATCHDOG=1"
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(manager.keep_alive(sleep))
    assert slept == [15.0, 15.0, 15.0]
    assert listener.heard() is None


@pytest.mark.parametrize(
    "watchdog",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": ""},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID + 1)},
    ],
)
def test_no_sign_of_life_is_given_where_none_is_expected(
    listener: Listener, watchdog: dict[str, str]
) -> None:
    manager = ServiceManager.from_environ({"NOTIFY_SOCKET": listener.name, **watchdog}, PID)
    asyncio.run(manager.keep_alive())
    assert listener.heard() is None


@pytest.mark.parametrize("address", ["", "relative/path", "vsock:2:1234"])
def test_without_a_manager_nothing_is_told_and_nothing_fails(address: str) -> None:
    manager = manager_of(NOTIFY_SOCKET=address, WATCHDOG_USEC="30000000")
    assert manager == ServiceManager(None, None) == manager_of()
    manager.ready()
    manager.stopping()
    asyncio.run(manager.keep_alive())


def test_a_manager_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    manager = manager_of(NOTIFY_SOCKET=str(tmp_path / "gone"))
    manager.ready()
    assert not (tmp_path / "gone").exists()


def test_a_manager_that_does_not_read_is_not_waited_for(listener: Listener) -> None:
    manager = manager_of(NOTIFY_SOCKET=listener.name)
    for _ in range(2000):
        manager.ready()
    heard = 0
    while listener.heard() is not None:
        heard += 1
    assert 0 < heard < 2000

from __future__ import annotations

import errno
import socket

import pytest

from exporter.errors import StartError
from exporter.web.addresses import bind, parse_listen_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9877", ("", 9877)),
        (":0", ("", 0)),
        ("127.0.0.1:9877", ("127.0.0.1", 9877)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::]:9877", ("::", 9877)),
        ("[::1]:9877", ("::1", 9877)),
        ("[fe80::1%eth0]:9877", ("fe80::1%eth0", 9877)),
    ],
)
def test_addresses_are_read_as_prometheus_programs_read_them(text: str, address: tuple[str, int]) -> None:
    assert parse_listen_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "9877", "localhost", "localhost:", ":http", "::1:9877", "[::1]", "[]:9877", "a:b:1", ":-1", ":1\n"],
)
def test_what_is_no_address_is_answered_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"write HOST:PORT, \[IPv6\]:PORT, or :PORT"):
        parse_listen_address(text)


@pytest.mark.parametrize("text", [":65536", "localhost:99999"])
def test_a_port_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="port must be from 0 to 65535"):
        parse_listen_address(text)


def reaches(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=5) as client:
        return bool(client.getpeername())


def test_a_bound_socket_takes_connections_at_once() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert reaches("127.0.0.1", listener.getsockname()[1])


def test_a_system_without_a_limit_on_unread_answers_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    with bind("127.0.0.1", 0) as listener:
        assert reaches("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize("host", ["", "::"])
def test_all_interfaces_are_those_of_ipv6_and_ipv4(host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 on this machine")
    with bind(host, 0) as listener:
        port = listener.getsockname()[1]
        assert reaches("127.0.0.1", port)
        assert reaches("::1", port)


def test_all_interfaces_are_those_of_ipv4_where_the_system_has_no_ipv6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with bind("", 0) as listener:
        assert listener.family is socket.AF_INET
        assert reaches("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize("refusal", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_all_interfaces_are_those_of_ipv4_where_ipv6_is_turned_off(
    monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    create_server = socket.create_server

    def without_ipv6(
        address: tuple[str, int], *, family: int, backlog: int, dualstack_ipv6: bool
    ) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(refusal, "no IPv6")
        return create_server(address, family=family, backlog=backlog, dualstack_ipv6=dualstack_ipv6)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    with bind("", 0) as listener:
        assert listener.family is socket.AF_INET


def test_a_name_is_taken_at_its_ipv4_address() -> None:
    with bind("localhost", 0) as listener:
        assert listener.family is socket.AF_INET


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_busy_port_is_one_clear_line(host: str) -> None:
    with bind(host, 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartError) as caught:
            bind(host, port)
    assert str(caught.value) == (
        f"cannot listen on {host}:{port}: the port is in use;"
        " stop the program that has it, or choose another port"
    )


def test_an_unknown_host_is_one_clear_line() -> None:
    with pytest.raises(StartError, match=r"^cannot listen on no\.such\.invalid:9877: host .* is not known"):
        bind("no.such.invalid", 9877)


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    with pytest.raises(StartError, match=r"^cannot listen on \[2001:db8::1\]:9877: "):
        bind("2001:db8::1", 9877)
    with pytest.raises(StartError, match="this machine has no such address"):
        bind("192.0.2.1", 9877)

"""Listen addresses as Prometheus programs write them, and the sockets bound to them."""

from __future__ import annotations

import errno
import os
import re
import socket

from exporter.errors import StartError

_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^\[\]:]*)):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65535

# Enough for every scraper there is to knock at once, among many that only knock.
_BACKLOG = 1024

# A client that takes nothing for so long is cut off by the kernel, and its buffered answer freed.
_SEND_TIMEOUT_MS = 30_000

_CURES = {
    errno.EADDRINUSE: "the port is in use; stop the program that has it, or choose another port",
    errno.EACCES: "not permitted; choose a port from 1024 on",
    errno.EADDRNOTAVAIL: "this machine has no such address; :PORT listens on all it has",
}

# What a kernel that knows IPv6 but has it turned off says to an IPv6 address.
_WITHOUT_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def parse_listen_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPv6]:PORT` or `:PORT`, the host empty for all interfaces.

    Port 0 lets the system choose one. Raises ValueError, whose text says what is expected.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is no listen address; write HOST:PORT, [IPv6]:PORT,"
            " or :PORT for all interfaces, such as 127.0.0.1:9877"
        )
    port = int(match["port"])
    if port > _HIGHEST_PORT:
        raise ValueError(f"{text!r}: the port must be from 0 to {_HIGHEST_PORT}")
    return match["bracketed"] or match["plain"], port


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`; an empty host is all interfaces, IPv6 and IPv4.

    Of a name's addresses the first IPv4 one is taken, or else the first. Connections wait from here on
    until they are served. Raises StartError with one line that says what is wrong and what to do.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        listener = _listener(host, port)
    except socket.gaierror as error:
        raise StartError(f"cannot listen on {shown}: host {host!r} is not known: {error.strerror}") from error
    except OSError as error:
        reason = _CURES.get(error.errno or 0) or os.strerror(error.errno or errno.EIO)
        raise StartError(f"cannot listen on {shown}: {reason}") from error
    # Accepted connections inherit these. asyncio sets TCP_NODELAY itself only for sockets that name TCP.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SEND_TIMEOUT_MS)
    return listener


def _listener(host: str, port: int) -> socket.socket:
    if host:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    if socket.has_dualstack_ipv6():
        try:
            return _listener("::", port)
        except OSError as error:
            if error.errno not in _WITHOUT_IPV6:
                raise
    return _listener("0.0.0.0", port)  # noqa: S104 - all interfaces are what was asked for

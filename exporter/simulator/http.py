"""Requests and answers as plain values, so that the simulated API needs no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

# Query and form parameters in the order they came, decoded.
Pairs = tuple[tuple[str, str], ...]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One HTTP request.

    `query` is the raw query string without ``?``. Header names are lower-case. `scheme` and the `host`
    header make up the URL that an OAuth 1.0a signature covers.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer travels, for those that do not arrive well.

    `delay_seconds` pass before its first byte. `cut` ends the connection in place of a body. `repeat`
    sends the body that many times over, with `drip_seconds` between two copies; 0 means without end.
    """

    delay_seconds: float = 0.0
    cut: bool = False
    repeat: int = 1
    drip_seconds: float = 0.0


PROMPT = Delivery()


@dataclass(frozen=True, slots=True)
class SimResponse:
    """One HTTP answer; `delivery` is for whoever puts it on the wire."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delivery: Delivery = PROMPT

    def header(self, name: str) -> str | None:
        """The value of header `name` (lower-case), None where it is not sent."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def json(self) -> Any:  # noqa: ANN401 - whatever the body holds
        """The body decoded; raises msgspec.DecodeError where it is no JSON."""
        return msgspec.json.decode(self.body)


def json_response(
    status: int, value: object, *, content_type: str = "application/json; charset=utf-8"
) -> SimResponse:
    """`value` as a JSON answer."""
    return SimResponse(status, (("content-type", content_type),), msgspec.json.encode(value))

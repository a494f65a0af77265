"""Answers nobody should send: good ones disfigured, and bodies made to hurt whoever reads them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from exporter.simulator.http import Delivery, SimResponse, json_response

_MEGABYTE = 1 << 20
_NESTING = 100_000
_FOREVER_SECONDS = 86400.0
Options = Mapping[str, Any]


def _body(response: SimResponse, body: bytes, delivery: Delivery | None = None) -> SimResponse:
    return replace(response, body=body, delivery=delivery or response.delivery)


def _lost_response(response: SimResponse, _: Options) -> SimResponse:
    """Processed, and the answer never arrives."""
    return replace(response, delivery=Delivery(cut=True))


def _late_response(response: SimResponse, options: Options) -> SimResponse:
    """Processed, and the answer takes longer than anyone waits."""
    seconds = float(options.get("seconds", _FOREVER_SECONDS))
    return replace(response, delivery=Delivery(delay_seconds=seconds))


def _processed_error(response: SimResponse, _: Options) -> SimResponse:
    """Processed, and answered as if it had not been."""
    body = {"title": "Service Unavailable", "type": "about:blank", "status": 503}
    return replace(json_response(503, body), headers=response.headers)


def _huge_body(response: SimResponse, options: Options) -> SimResponse:
    """White space without measure before any JSON."""
    return _body(response, b" " * _MEGABYTE, Delivery(repeat=int(options.get("megabytes", 100))))


def _slow_body(response: SimResponse, options: Options) -> SimResponse:
    """A body that goes on for ever, a little at a time."""
    return _body(response, b" ", Delivery(repeat=0, drip_seconds=float(options.get("drip_seconds", 0.2))))


def _deep_nesting(response: SimResponse, _: Options) -> SimResponse:
    return _body(response, b'{"data":' + b"[" * _NESTING + b"]" * _NESTING + b"}")


def _wrong_types(response: SimResponse, _: Options) -> SimResponse:
    body = b'{"data":"none","errors":{"0":[]},"meta":[[]]}'
    return _body(response, body)


def _gzip_bomb(response: SimResponse, options: Options) -> SimResponse:
    """A small body that unpacks to a very large one."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(b" " * _MEGABYTE) for _ in range(int(options.get("megabytes", 100)))]
    packed = b"".join((*parts, packer.flush()))
    return replace(response, headers=(*response.headers, ("content-encoding", "gzip")), body=packed)


def _bad_gzip(response: SimResponse, _: Options) -> SimResponse:
    """Plain text that claims to be packed."""
    return replace(response, headers=(*response.headers, ("content-encoding", "gzip")))


def _redirect(_: SimResponse, options: Options) -> SimResponse:
    location = str(options.get("location", "http://localhost:9/elsewhere"))
    return SimResponse(302, (("location", location),))


def _header_junk(response: SimResponse, _: Options) -> SimResponse:
    junk = (
        ("x-rate-limit-limit", "many"),
        ("x-rate-limit-remaining", "-1"),
        ("x-rate-limit-reset", "99999999999999999999"),
        ("retry-after", "soon"),
        ("date", "yesterday"),
        ("x-transaction-id", "\x7f" * 64),
        ("content-type", "image/png"),
        ("x-junk", "a" * 4096),
    )
    kept = tuple(header for header in response.headers if header[0] not in {name for name, _ in junk})
    return replace(response, headers=kept + junk)


CHANGES: Mapping[str, Callable[[SimResponse, Options], SimResponse]] = MappingProxyType(
    {
        "lost_response": _lost_response,
        "late_response": _late_response,
        "processed_error": _processed_error,
        "huge_body": _huge_body,
        "slow_body": _slow_body,
        "deep_nesting": _deep_nesting,
        "wrong_types": _wrong_types,
        "truncated_json": lambda response, _: _body(response, response.body[: len(response.body) // 2]),
        "not_json": lambda response, _: _body(response, b"<!DOCTYPE html><title>X</title>"),
        "empty_body": lambda response, _: _body(response, b""),
        "json_null": lambda response, _: _body(response, b"null"),
        "not_utf8": lambda response, _: _body(response, b'{"data":[{"media_key":"\xff\xfe"}]}'),
        "gzip_bomb": _gzip_bomb,
        "bad_gzip": _bad_gzip,
        "redirect": _redirect,
        "header_junk": _header_junk,
        # Those headers come later, where they are left out on seeing this name.
        "no_rate_headers": lambda response, _: response,
    }
)

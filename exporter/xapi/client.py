"""The only place that sends requests to X, and the only one that knows httpx's errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx
from isal import isal_zlib

from exporter.xapi.failures import Failure, unreachable

# Far above the largest honest answer (a full insights batch is about 1.2 MB), far below what hurts.
MAX_BODY_BYTES = 8 * 1024 * 1024

# The one encoding asked for. X's answers shrink to a fifth or less, for half of what decoding them costs.
_ENCODING = "gzip"
_GZIP = 16 + isal_zlib.MAX_WBITS


class Credentials(Protocol):
    """How requests of one account are signed; every sign-in scheme offers this."""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Headers that authorize exactly this request, its query included.

        Raises:
            CredentialsError: the account cannot be signed in; the text says what to do.
        """

    async def rejected(self) -> bool:
        """X answered 401: renew what can be renewed; True when asking once more makes sense."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of X, whatever its status.

    `sent_at` and `received_at` are this machine's Unix seconds around the exchange; `duration_seconds` is
    measured by a clock that is never set back.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    sent_at: float
    received_at: float
    duration_seconds: float


class XClient:
    """Sends GET requests to X for one or many accounts and bounds what comes back.

    Redirects are never followed, so credentials stay with the host they are meant for. The whole exchange
    is bounded by `timeout_seconds`, and the decoded body by `MAX_BODY_BYTES`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        timeout_seconds: float,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._monotonic = monotonic

    async def get(self, path: str, query: str, credentials: Credentials) -> Reply | Failure:
        """GET `path`?`query`, once; a `Failure` when X could not be asked or its answer not read.

        Raises:
            CredentialsError: the account cannot be signed in.
        """
        url = f"{self._base_url}{path}?{query}"
        headers = await credentials.headers("GET", url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._exchange(_EncodedUrl(url), headers)
        except TimeoutError:
            return unreachable("timeout", f"no answer within {self._timeout_seconds:g} s")
        except httpx.TimeoutException as error:
            return unreachable("timeout", _text(error))
        except httpx.ConnectError as error:
            return unreachable("connect", _text(error))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return unreachable("read", _text(error))
        except OSError as error:
            # What TLS finds wrong after its handshake comes through httpx as it is.
            return unreachable("read", _text(error))

    async def _exchange(self, url: str, headers: Mapping[str, str]) -> Reply | Failure:
        sent_at, started = self._clock(), self._monotonic()
        asked = {**headers, "Accept-Encoding": _ENCODING}
        async with self._http.stream("GET", url, headers=asked, follow_redirects=False) as response:
            try:
                encoding = response.headers.get("content-encoding", "identity")
                body = _unpacked(await _received(response), encoding)
            except _UnreadableBodyError as error:
                return unreachable("read", str(error))
            return Reply(
                response.status_code,
                response.headers,
                body,
                sent_at,
                self._clock(),
                self._monotonic() - started,
            )


class _EncodedUrl(str):
    """A URL in ASCII throughout, as encoding its query made it.

    httpx looks at every character for one that cannot be printed, which with a hundred ids takes as long as
    reading the answer's JSON. Here it finds none to look at.
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        """No character."""
        return iter(())


class _UnreadableBodyError(Exception):
    """The answer's body is too large or not encoded as it says; the text says which."""


async def _received(response: httpx.Response) -> bytes:
    """The body as it came: httpx would unpack it chunk by chunk, whatever it grows to."""
    chunks, length = [], 0
    async for chunk in response.aiter_raw():
        chunks.append(chunk)
        length += len(chunk)
        if length > MAX_BODY_BYTES:
            raise _too_large()
    return b"".join(chunks)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if not body or encoding.lower() == "identity":
        return body
    if encoding.lower() != _ENCODING:
        raise _UnreadableBodyError(f"the body is encoded as {encoding!r:.40}, which was not asked for")
    stream = isal_zlib.decompressobj(_GZIP)
    try:
        text = stream.decompress(body, MAX_BODY_BYTES + 1)
    except isal_zlib.error as error:  # type: ignore[misc] # its stub takes the class for an instance
        raise _UnreadableBodyError(f"the body is not the gzip it is said to be: {error}") from error
    if len(text) > MAX_BODY_BYTES:
        raise _too_large()
    if not stream.eof or stream.unused_data:
        raise _UnreadableBodyError("the body is not one whole gzip stream")
    return text


def _too_large() -> _UnreadableBodyError:
    return _UnreadableBodyError(f"the body is larger than {MAX_BODY_BYTES} bytes")


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__

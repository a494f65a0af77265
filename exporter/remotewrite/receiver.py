"""The connection to a receiver: one message out, one verdict back. The only place here that knows httpx."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import httpx

from exporter import __version__
from exporter.config.settings import RemoteWriteSettings
from exporter.config.values import is_loopback
from exporter.remotewrite.credentials import UnreadableSecretError, secrets_in, sign_in_headers
from exporter.remotewrite.verdict import PutOff, Verdict, verdict
from exporter.selfmetrics.remote_write import SendFailure

OpenHttp: TypeAlias = Callable[[RemoteWriteSettings], httpx.AsyncClient]

# Of what a receiver says only the beginning is of use.
_MOST_TEXT_BYTES: Final = 16_384
_HEADERS: Final = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": f"x-analytics-exporter/{__version__}",
    "Accept-Encoding": "identity",
}


def open_receiver_http(settings: RemoteWriteSettings) -> httpx.AsyncClient:
    """The HTTP client for messages, with the certificates as their files hold them now.

    Raises:
        OSError: a certificate or key cannot be read or used.
    """
    tls = settings.tls
    verify: ssl.SSLContext | bool = True
    if tls.ca_file or tls.cert_file:
        verify = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    if isinstance(verify, ssl.SSLContext) and tls.cert_file:
        # A key that asks for a passphrase is refused: nobody is there to type one.
        verify.load_cert_chain(tls.cert_file, tls.key_file, lambda: "")
    host = urlsplit(settings.url.reveal()).hostname or ""
    return httpx.AsyncClient(
        verify=verify,
        timeout=settings.timeout_seconds,
        # The environment's proxies serve the way out, not the way to this machine itself.
        trust_env=not is_loopback(host),
        follow_redirects=False,
    )


@dataclass(slots=True)
class Receiver:
    """Where messages go; certificates are read when a connection is opened. `clock` gives Unix seconds."""

    settings: RemoteWriteSettings
    open_http: OpenHttp
    clock: Callable[[], float]
    _http: httpx.AsyncClient | None = None

    async def post(self, body: bytes) -> Verdict:
        """Send one message, and say what came of it."""
        try:
            signed = await asyncio.to_thread(sign_in_headers, self.settings)
            http = await self._opened()
        except UnreadableSecretError as error:
            return PutOff(SendFailure.UNAUTHORIZED, str(error))
        except OSError as error:
            return PutOff(
                SendFailure.TLS, f"remote_write.tls_config cannot be used: {_text(error)}; mend its files"
            )
        found = await self._exchange(http, body, signed)
        if isinstance(found, PutOff):
            # Whatever is renewed meanwhile is read with the next connection.
            await self.aclose()
        return found

    async def aclose(self) -> None:
        """Close the connection; the next message opens another."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = await asyncio.to_thread(self.open_http, self.settings)
        return self._http

    async def _exchange(self, http: httpx.AsyncClient, body: bytes, signed: Mapping[str, str]) -> Verdict:
        address, timeout = self.settings.address, self.settings.timeout_seconds
        try:
            async with asyncio.timeout(timeout):
                status, headers, text = await self._answer(http, body, signed)
        except (TimeoutError, httpx.TimeoutException):
            return PutOff(
                SendFailure.TIMEOUT, f"{address} does not answer within {timeout:g} s; it is tried again"
            )
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            # With TLS 1.3 a receiver that misses a client certificate says so after the handshake, in an
            # error that httpx lets through as it is.
            return self._unreachable(error)
        return verdict(address, status, headers, self._without_secrets(text, signed), self.clock())

    async def _answer(
        self, http: httpx.AsyncClient, body: bytes, signed: Mapping[str, str]
    ) -> tuple[int, httpx.Headers, str]:
        own = {name: value.reveal() for name, value in self.settings.headers}
        headers = {**own, **signed, **_HEADERS}
        async with http.stream("POST", self.settings.url.reveal(), content=body, headers=headers) as response:
            text = bytearray()
            async for chunk in response.aiter_raw():
                text += chunk
                if len(text) > _MOST_TEXT_BYTES:
                    break
        return response.status_code, response.headers, text[:_MOST_TEXT_BYTES].decode("utf-8", "replace")

    def _unreachable(self, error: Exception) -> PutOff:
        address, tls = self.settings.address, self.settings.tls
        of_tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
        if of_tls is not None:
            return PutOff(
                SendFailure.TLS,
                f"no TLS connection to {address} ({_text(of_tls)}); mend remote_write.tls_config, or the"
                " receiver's certificate",
            )
        hint = "it is tried again"
        if address.casefold().startswith("https:") and not tls.cert_file and _was_connected(error):
            # The reset may overtake the words that ask for a certificate.
            hint = "if it wants a client certificate, name one in remote_write.tls_config"
        return PutOff(SendFailure.CONNECT, f"{address} cannot be reached ({_text(error)}); {hint}")

    def _without_secrets(self, text: str, signed: Mapping[str, str]) -> str:
        for secret in secrets_in(self.settings, signed):
            if secret:
                text = text.replace(secret, "<secret>")
        return text


def _was_connected(error: Exception) -> bool:
    return not isinstance(error, httpx.ConnectError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _text(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())

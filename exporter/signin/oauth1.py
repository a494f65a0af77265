"""OAuth 1.0a user context: each request signed with four values that do not expire."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from oauthlib.common import generate_nonce
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import signature
from oauthlib.oauth1.rfc5849.parameters import prepare_headers

from exporter.config.settings import OAuth1Auth
from exporter.errors import CredentialsError
from exporter.signin.scheme import SignInStatus


class OAuth1Signer:
    """Signs with HMAC-SHA1 (RFC 5849); every parameter of the query is part of what is signed.

    `clock` gives Unix seconds, which X compares with its own; `nonce` gives a text not used before.
    """

    def __init__(
        self,
        account: str,
        auth: OAuth1Auth,
        *,
        clock: Callable[[], float],
        nonce: Callable[[], str] = generate_nonce,
    ) -> None:
        self._account = account
        self._auth = auth
        self._clock = clock
        self._nonce = nonce

    @property
    def account(self) -> str:
        """The account's name in the configuration."""
        return self._account

    async def headers(self, method: str, url: str) -> dict[str, str]:
        """The signature's header for this request alone; see `Signer.headers`."""
        client = Client(
            self._auth.consumer_key.reveal(),
            client_secret=self._auth.consumer_secret.reveal(),
            resource_owner_key=self._auth.access_token.reveal(),
            resource_owner_secret=self._auth.access_token_secret.reveal(),
            nonce=self._nonce(),
            timestamp=str(int(self._clock())),
        )
        try:
            return _signed(client, method, url)
        except UnicodeError:
            # Not chained: such an error carries the text it failed on.
            raise CredentialsError(
                f"Account {self._account!r}: an OAuth 1.0a value is not valid UTF-8 text. Copy the four "
                "values of `auth.oauth1` again."
            ) from None

    async def rejected(self) -> bool:
        """X answered 401: there is nothing to renew."""
        return False

    async def look(self) -> SignInStatus:
        """There is nothing on disk to look at."""
        return self.status()

    def status(self) -> SignInStatus:
        """Always the same: these values do not expire."""
        return SignInStatus(self._account)

    async def aclose(self, wait_seconds: float) -> None:
        """Nothing is ever in flight."""


def _signed(client: Client, method: str, url: str) -> dict[str, str]:
    # From the library's parts, since its own `Client.sign` writes keys and tokens to the debug log.
    request = signature.collect_parameters(uri_query=urlsplit(url).query)
    protocol = [
        ("oauth_consumer_key", client.client_key),
        ("oauth_nonce", client.nonce),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", client.timestamp),
        ("oauth_token", client.resource_owner_key),
        ("oauth_version", "1.0"),
    ]
    base = signature.signature_base_string(
        method, signature.base_string_uri(url), signature.normalize_parameters([*request, *protocol])
    )
    signed = [*protocol, ("oauth_signature", signature.sign_hmac_sha1_with_client(base, client))]
    return {"Authorization": str(prepare_headers(signed)["Authorization"])}

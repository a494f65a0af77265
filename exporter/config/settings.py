"""The configuration as the rest of the exporter sees it: frozen, checked, in seconds and absolute paths."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporter.model import Item, Kind
from exporter.vocabulary import Metric

PostSource = Literal["auto", "insights_28hr", "tweets_analytics"]
ClientType = Literal["confidential", "public"]


class Secret:
    """A text that shows nowhere by accident: `repr`, `str` and `format` give ``<secret>``.

    Not a dataclass, so that `dataclasses.asdict` and `fields` of what holds it do not open it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        """Compare without telling by the time taken how much of the text was right."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encoded(self._text), _encoded(other._text))

    def __hash__(self) -> int:
        return hash(self._text)


def _encoded(text: str) -> bytes:
    # What an environment variable holds may not be UTF-8; Python keeps such bytes as lone surrogates.
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How X is reached: key `api`.

    `base_url` has no slash at its end. `timeout_seconds` is for one request as a whole.
    `max_concurrency` counts requests in flight per account. `proxy_url` is a `Secret` because it may
    hold a password. `ca_file` is absolute and was a readable PEM file when the configuration was read.
    """

    base_url: str
    timeout_seconds: float
    max_concurrency: int
    proxy_url: Secret | None
    ca_file: Path | None


@dataclass(frozen=True, slots=True)
class PollSettings:
    """When X is asked and how long a figure counts: key `poll`.

    Polls run every `every_seconds` (60 to 86400), `offset_seconds` past the aligned UTC hour. An hour
    counts as complete `settle_seconds` after its end; values are withdrawn `stale_after_seconds` after
    the end of the hour shown. With `catch_up`, X is asked again sooner for an hour that is late.
    """

    every_seconds: float
    offset_seconds: float
    settle_seconds: float
    stale_after_seconds: float
    catch_up: bool = True


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """What becomes of the journal: key `history`. Hours are kept for `keep_seconds` (2 to 400 days)."""

    keep_seconds: float = 35 * 86400.0


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """A user and the password for it: exactly one of `password` and `password_file` is set.

    `password_file` is absolute, was readable when the configuration was read, and is read again at run time.
    """

    username: str
    password: Secret | None
    password_file: Path | None


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files in PEM form, absolute: what to trust, and the client's certificate with its key, or neither."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class RemoteWriteSettings:
    """Where settled hours are sent: key `remote_write`.

    `url` is a `Secret` because its query may hold a token; `address` is what may be shown of it. At most one
    of `basic_auth` and the two bearer fields is set; a token in `bearer_token_file` is read again at run
    time. An hour is sent `settle_seconds` after its end (0 to 172800). `headers` go along with every message
    and `external_labels` with every series, each sorted by name; names of headers are as in the file.
    `timeout_seconds` is for one message as a whole.
    """

    url: Secret
    basic_auth: BasicAuth | None = None
    bearer_token: Secret | None = None
    bearer_token_file: Path | None = None
    headers: tuple[tuple[str, Secret], ...] = ()
    tls: TlsSettings = TlsSettings()
    settle_seconds: float = 7200.0
    external_labels: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 30.0

    @property
    def address(self) -> str:
        """The url without its query."""
        return self.url.reveal().partition("?")[0]

    @property
    def has_credentials(self) -> bool:
        """Whether something goes along that nobody on the way should read."""
        tokens = (self.basic_auth, self.bearer_token, self.bearer_token_file)
        return any(token is not None for token in tokens) or bool(self.headers) or "?" in self.url.reveal()


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A user-context access token: exactly one of the two is set.

    `token_file` is absolute. It was readable and not empty when the configuration was read, and is read
    again at run time, since another program may renew it.
    """

    token: Secret | None
    token_file: Path | None


@dataclass(frozen=True, slots=True)
class OAuth1Auth:
    """The four OAuth 1.0a values of an app and the user it acts for."""

    consumer_key: Secret
    consumer_secret: Secret
    access_token: Secret
    access_token_secret: Secret


@dataclass(frozen=True, slots=True)
class OAuth2Auth:
    """An OAuth 2.0 client; its token pair lives in the state directory.

    `client_secret` is set for a confidential client and None for a public one.
    """

    client_id: str
    client_secret: Secret | None
    client_type: ClientType


Auth = BearerAuth | OAuth1Auth | OAuth2Auth


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One entry of `accounts`: who asks, and what is watched.

    `items` holds the media first, then the posts, each in the file's order; there is at least one.
    `media_metrics` and `post_metrics` are in the order of the vocabulary's tables and never empty.
    """

    name: str
    auth: Auth
    items: tuple[Item, ...]
    media_metrics: tuple[Metric, ...]
    post_metrics: tuple[Metric, ...]
    post_source: PostSource

    @property
    def media(self) -> tuple[Item, ...]:
        """The watched media, in the file's order."""
        return tuple(item for item in self.items if item.kind is Kind.MEDIA)

    @property
    def posts(self) -> tuple[Item, ...]:
        """The watched posts, in the file's order."""
        return tuple(item for item in self.items if item.kind is Kind.POST)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration file.

    `file` and `state_dir` are absolute; `state_dir` may not exist yet. Account names are distinct, and
    no item is watched twice. `remote_write` is None where no hours are sent anywhere.
    """

    file: Path
    api: ApiSettings
    poll: PollSettings
    state_dir: Path
    accounts: tuple[AccountConfig, ...]
    history: HistorySettings = HistorySettings()
    remote_write: RemoteWriteSettings | None = None

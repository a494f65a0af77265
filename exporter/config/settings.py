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
    the end of the hour shown.
    """

    every_seconds: float
    offset_seconds: float
    settle_seconds: float
    stale_after_seconds: float


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
    no item is watched twice.
    """

    file: Path
    api: ApiSettings
    poll: PollSettings
    state_dir: Path
    accounts: tuple[AccountConfig, ...]

"""Who and what exists in the simulated X: accounts, apps, and the media and posts they own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from exporter.simulator.times import HOUR

_MEDIA_KEY = re.compile(r"[0-9]+_[0-9]+", re.ASCII)
_POST_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OAuth1Keys:
    """The four secrets of an OAuth 1.0a user context."""

    consumer_key: str
    consumer_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    access_token_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class App:
    """A developer app that signs users in with OAuth 2.0; one without a secret is a public client."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ("http://127.0.0.1/callback",)

    @property
    def confidential(self) -> bool:
        """Whether the app has to prove itself with its secret."""
        return self.client_secret is not None


@dataclass(frozen=True, slots=True)
class Account:
    """One user of X, with the credentials that act for it.

    `bearer_tokens` do not expire; `scopes` are theirs and the OAuth 1.0a keys'. OAuth 2.0 token pairs are
    issued by the token endpoint and have scopes of their own.
    """

    name: str
    user_id: str
    username: str
    bearer_tokens: tuple[str, ...] = field(default=(), repr=False)
    oauth1: OAuth1Keys | None = None
    scopes: frozenset[str] = frozenset({"tweet.read", "users.read"})


class ItemStatus(StrEnum):
    """What X has to say about an id."""

    EXISTS = "exists"
    NOT_FOUND = "not_found"
    NOT_AUTHORIZED = "not_authorized"
    UNAVAILABLE = "unavailable"
    DISALLOWED = "disallowed"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Effect:
    """From `at` to `until` (Unix seconds) an item's figures are multiplied by `factor`."""

    at: float
    factor: float
    until: float = math.inf

    def weight(self, hour: int) -> float:
        """The mean factor over the hour that starts at `hour`."""
        covered = max(0.0, min(hour + HOUR, self.until) - max(hour, self.at)) / HOUR
        return 1 + (self.factor - 1) * covered


@dataclass(frozen=True, slots=True)
class Item:
    """One media or post: whose it is, whether it can be read, and what befell its figures.

    `owner` is an account's name, None for whoever asks.
    """

    status: ItemStatus = ItemStatus.EXISTS
    owner: str | None = None
    deleted_at: float = math.inf
    effects: tuple[Effect, ...] = ()

    def weight(self, hour: int) -> float:
        """Product of what all effects do to the hour that starts at `hour`."""
        return 1.0 if not self.effects else math.prod(effect.weight(hour) for effect in self.effects)


class World:
    """The accounts, apps and items there are; `any_id` makes every well-formed id exist."""

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        apps: Iterable[App] = (),
        items: Iterable[str] = (),
        app_only_tokens: Iterable[str] = (),
        any_id: bool = False,
    ) -> None:
        self.accounts = {account.name: account for account in accounts}
        self.apps = {app.client_id: app for app in apps}
        self.app_only_tokens = frozenset(app_only_tokens)
        self.any_id = any_id
        self._items: dict[str, Item] = {item_id: Item() for item_id in items}

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The ids this world was told of, in that order."""
        return tuple(self._items)

    def item(self, item_id: str) -> Item:
        """What is known of `item_id`; one never heard of is not found, or exists with `any_id`."""
        known = self._items.get(item_id)
        if known is not None:
            return known
        return Item() if self.any_id and is_well_formed(item_id) else Item(ItemStatus.NOT_FOUND)

    def weight(self, item_id: str, hour: int) -> float:
        """What befell the figures of `item_id` in the hour that starts at `hour`."""
        known = self._items.get(item_id)
        return 1.0 if known is None else known.weight(hour)

    def put(self, item_id: str, item: Item) -> None:
        """Make `item_id` as `item` says. Raises ValueError for an id of the wrong form."""
        if not is_well_formed(item_id):
            message = f"{item_id!r} is neither a media key such as 13_1880028106020515840 nor a post id"
            raise ValueError(message)
        self._items[item_id] = item

    def affect(self, item_id: str, effect: Effect) -> None:
        """Let `effect` befall `item_id`, on top of what already did."""
        item = self._items.get(item_id, Item())
        self.put(item_id, replace(item, effects=(*item.effects, effect)))

    def status(self, item_id: str, account: str, now: float) -> ItemStatus:
        """What `account` gets to hear about `item_id` at `now`."""
        item = self.item(item_id)
        if item.status is ItemStatus.EXISTS and now >= item.deleted_at:
            return ItemStatus.NOT_FOUND
        if item.status is ItemStatus.EXISTS and item.owner not in (None, account):
            return ItemStatus.NOT_AUTHORIZED
        return item.status


def is_well_formed(item_id: str) -> bool:
    """Whether `item_id` is a media key or a post id by its spelling."""
    return bool(_MEDIA_KEY.fullmatch(item_id) or _POST_ID.fullmatch(item_id))

"""Whose hours are asked for, and of which endpoints."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from exporter.config.settings import AccountConfig, Config
from exporter.config.values import media_key, post_id
from exporter.model import HOUR_SECONDS, Endpoint, Item, Kind, created_timestamp_seconds
from exporter.vocabulary import Metric

# The 28-hour endpoint has nothing older than that; for what is, X has a historical one of the same form.
_SOURCES: dict[str, tuple[Endpoint, ...]] = {
    "insights_28hr": (Endpoint.INSIGHTS_HISTORICAL,),
    "tweets_analytics": (Endpoint.TWEETS_ANALYTICS,),
    "auto": (Endpoint.INSIGHTS_HISTORICAL, Endpoint.TWEETS_ANALYTICS),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Items of one kind of one account; `metrics` are the columns of their rows.

    `endpoints` are those they may be asked from, the wanted one first.
    """

    account: str
    kind: Kind
    items: tuple[Item, ...]
    metrics: tuple[Metric, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def name(self) -> str:
        """What it is called where several are told apart."""
        return f"{self.account}/{self.kind}"


def wanted_of(config: Config, account: str | None, ids: Collection[str]) -> list[Wanted]:
    """The watched items of `account` among `ids`, by account and kind; all where None or nothing is given.

    Raises:
        ValueError: no such account or id is watched; the text names it.
    """
    accounts = [each for each in config.accounts if account is None or each.name == account]
    if not accounts:
        known = ", ".join(each.name for each in config.accounts)
        raise ValueError(f"--account: there is no account {account!r} in {config.file}; there are {known}")
    watched = {item.id for each in accounts for item in each.items}
    for each in ids:
        if plain_id(each) not in watched:
            raise ValueError(f"--id: {each!r} is not watched in {config.file}; add it to its account there")
    chosen = {plain_id(each) for each in ids}
    return [wanted for each in accounts for wanted in _of_account(each, chosen)]


def plain_id(text: str) -> str:
    """The id that `text` means: itself, or that of a post whose address it is."""
    return media_key(text) or post_id(text) or text


def born_hour(item: Item) -> float:
    """The hour, since the Unix epoch, in which X minted the id; before all hours where that is not known."""
    created = created_timestamp_seconds(item.id)
    return -math.inf if created is None else created // HOUR_SECONDS


def _of_account(account: AccountConfig, ids: Collection[str]) -> Iterator[Wanted]:
    media, posts = (_among(items, ids) for items in (account.media, account.posts))
    if media:
        analytics = (Endpoint.MEDIA_ANALYTICS,)
        yield Wanted(account.name, Kind.MEDIA, media, account.media_metrics, analytics)
    if posts:
        sources = _SOURCES[account.post_source]
        yield Wanted(account.name, Kind.POST, posts, account.post_metrics, sources)


def _among(items: Sequence[Item], ids: Collection[str]) -> tuple[Item, ...]:
    return tuple(item for item in items if not ids or item.id in ids)

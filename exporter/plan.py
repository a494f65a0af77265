"""What a configuration will ask of X, worked out before the first request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.config.settings import AccountConfig, Config
from exporter.errors import ConfigError, Fault
from exporter.model import Endpoint, Kind

WINDOW_SECONDS = 900
# X documents 300 requests per 15 minutes for its post analytics and nothing for the others; what it
# really allows is in its answers' headers, which the exporter obeys.
KNOWN_LIMIT = 300
# How long after a scheduled poll X is asked again for the hour that it did not have yet (`poll.catch_up`).
CATCH_UP_SECONDS = (300.0, 600.0, 1200.0)


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What one account's media or posts cost.

    `requests` are sent per poll. `endpoint` is the one that is asked first. `catch_up_requests` are the most
    that asking again for a missing hour adds in an hour, 0 where it is off or the next poll comes first.
    """

    account: str
    kind: Kind
    endpoint: Endpoint
    items: int
    requests: int
    every_seconds: float
    catch_up_requests: int = 0

    @property
    def requests_per_hour(self) -> float:
        """Requests an hour in undisturbed running."""
        return self.requests * 3600 / self.every_seconds

    @property
    def share_of_limit(self) -> float:
        """Requests of one poll that fall into one 15-minute window, as a part of the known limit."""
        polls_per_window = max(1.0, WINDOW_SECONDS / self.every_seconds)
        return self.requests * polls_per_window / KNOWN_LIMIT


@dataclass(frozen=True, slots=True)
class Plan:
    """What all accounts cost together."""

    feeds: tuple[FeedPlan, ...]

    @property
    def items(self) -> int:
        """How many media and posts are watched."""
        return sum(feed.items for feed in self.feeds)

    @property
    def requests(self) -> int:
        """Requests sent when everything is polled once."""
        return sum(feed.requests for feed in self.feeds)

    @property
    def requests_per_hour(self) -> float:
        """Requests an hour in undisturbed running."""
        return sum(feed.requests_per_hour for feed in self.feeds)

    @property
    def catch_up_requests(self) -> int:
        """The most requests an hour beside those, where X is late."""
        return sum(feed.catch_up_requests for feed in self.feeds)


def plan_for(config: Config) -> Plan:
    """The plan for `config`.

    Raises:
        ConfigError: a full poll cannot be done within `poll.every` under the known limits.
    """
    plan = Plan(tuple(_feeds(config)))
    faults = [_too_slow(feed, config) for feed in plan.feeds if _sustained_share(feed) > 1]
    if faults:
        raise ConfigError(faults)
    return plan


def catch_up_rounds(every_seconds: float) -> tuple[float, ...]:
    """Those of `CATCH_UP_SECONDS` that come before the next poll."""
    return tuple(seconds for seconds in CATCH_UP_SECONDS if seconds < every_seconds)


def catch_up_requests(requests: int, every_seconds: float) -> int:
    """The most requests an hour that catching up on a feed adds, whose poll takes so many `requests`.

    Everything once, and one look each in the rounds that find that X does not have the hour yet.
    """
    rounds = len(catch_up_rounds(every_seconds))
    return requests + rounds - 1 if rounds else 0


def _sustained_share(feed: FeedPlan) -> float:
    """Requests per 15 minutes in the long run, as a part of the known limit."""
    return feed.requests * WINDOW_SECONDS / feed.every_seconds / KNOWN_LIMIT


def _feeds(config: Config) -> Iterator[FeedPlan]:
    for account in config.accounts:
        for kind, count in ((Kind.MEDIA, len(account.media)), (Kind.POST, len(account.posts))):
            if count:
                endpoint = first_endpoint(account, kind)
                requests, every = math.ceil(count / endpoint.batch_size), config.poll.every_seconds
                extra = catch_up_requests(requests, every) if config.poll.catch_up else 0
                yield FeedPlan(account.name, kind, endpoint, count, requests, every, extra)


def first_endpoint(account: AccountConfig, kind: Kind) -> Endpoint:
    """The endpoint that items of `kind` are asked from first."""
    if kind is Kind.MEDIA:
        return Endpoint.MEDIA_ANALYTICS
    if account.post_source == "tweets_analytics":
        return Endpoint.TWEETS_ANALYTICS
    return Endpoint.INSIGHTS_28HR


def _too_slow(feed: FeedPlan, config: Config) -> Fault:
    least = feed.requests / KNOWN_LIMIT * WINDOW_SECONDS
    message = (
        f"one full poll takes longer than poll.every: {feed.items} {_plural(feed.kind)} of account "
        f"{feed.account} are {feed.requests} requests of {feed.endpoint.batch_size} to {feed.endpoint}; at "
        f"{KNOWN_LIMIT} requests per 15 minutes that is {_duration(least)}, and poll.every is "
        f"{_duration(feed.every_seconds)}; raise poll.every or watch fewer items"
    )
    return Fault(str(config.file), 0, 0, "poll.every", message)


def _plural(kind: Kind) -> str:
    return "media" if kind is Kind.MEDIA else "posts"


def _duration(seconds: float) -> str:
    """`seconds`, whole ones, as durations are written in the configuration, such as 1h3s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count)

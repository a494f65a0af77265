"""What the status page and its JSON say, gathered from the engine in one look: a read of memory.

Nothing in it is secret. Times are Unix seconds; what is not known is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Gauge

from exporter import __version__
from exporter.accounts import Account
from exporter.config.settings import Auth, BearerAuth, OAuth1Auth
from exporter.engine import Engine
from exporter.model import HOUR_SECONDS, Endpoint, Kind
from exporter.polling.channel import Channel
from exporter.polling.feed import Feed
from exporter.polling.troubles import Trouble
from exporter.selfmetrics.instruments import PollOutcome
from exporter.signin.scheme import SignInStatus
from exporter.status.history import HistoryView
from exporter.status.items import Headline, ItemStatus, headline
from exporter.xapi.failures import Failure
from exporter.xapi.limits import RateWindow, Window


class Scheme(StrEnum):
    """How an account signs in."""

    BEARER = "bearer"
    OAUTH1 = "oauth1"
    OAUTH2 = "oauth2"


class EndpointState(StrEnum):
    """How an endpoint fares for one account."""

    IN_SERVICE = "in_service"
    """X answers."""
    RESERVE = "reserve"
    """Asked only while another endpoint is not to be had."""
    UNASKED = "unasked"
    """No poll has ended yet."""
    LIMITED = "limited"
    """The request limit is spent; asking goes on when it opens again."""
    FAILING = "failing"
    """The last request failed; it is asked again."""
    PARKED = "parked"
    """Out of service for this account; looked at rarely."""


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One endpoint of one account.

    `failure` is what X answered last instead of figures, and `failing_since` when the first failure came that
    no answer has followed. `troubles` are the last failures, the newest first. `probe_at` is when a parked
    endpoint is looked at again. `last_success_at` is when a poll last succeeded in every batch. `limits` are
    the windows X has told of, the shorter first.
    """

    endpoint: Endpoint
    state: EndpointState
    failure: Failure | None
    probe_at: float | None
    last_success_at: float | None
    last_duration_seconds: float | None
    limits: tuple[tuple[Window, RateWindow], ...]
    failing_since: float | None = None
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class PollError:
    """A failure of the last poll, and how many of its batches and items it cost."""

    failure: Failure
    batches: int
    items: int


@dataclass(frozen=True, slots=True)
class PollStatus:
    """The polls of one feed: `outcome` of the last one, None before there was one, and when the next is due.

    `finished_at` is when the last one ended, None as long as it asks again for what failed.
    """

    endpoint: Endpoint
    outcome: PollOutcome | None
    batches: int
    errors: tuple[PollError, ...]
    next_at: float | None
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """What one account watches of one kind, in the configuration's order.

    `hour` is the newest hour that any item shows, as hours since the epoch; the last complete one where
    none shows any. Curves end with it, so that an item X is late with has a gap at its end.
    """

    account: str
    kind: Kind
    headline: Headline
    items: tuple[ItemStatus, ...]
    hour: int
    poll: PollStatus
    endpoints: tuple[EndpointStatus, ...]

    @property
    def with_data(self) -> int:
        """How many items X's last answer had data for."""
        return sum(each.state.up is True for each in self.items)

    def total(self) -> tuple[float, int] | None:
        """Sum of the figures of `hour`, and of how many items; None when no item has one."""
        values = [
            value for each in self.items if each.hour == self.hour and (value := each.value) is not None
        ]
        return (sum(values), len(values)) if values else None


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account: how it signs in, and what it watches."""

    name: str
    scheme: Scheme
    sign_in: SignInStatus
    watches: tuple[WatchStatus, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """All there is to say at `now`.

    `stale_after_seconds` is `poll.stale_after`. `config_loaded_at` is when the configuration in use was
    loaded; `config_refused` says that a newer one had faults and was not taken. `history` is None where none
    is kept.
    """

    now: float
    version: str
    ready: bool
    config_loaded_at: float | None
    config_refused: bool
    stale_after_seconds: float
    next_poll_at: float | None
    accounts: tuple[AccountStatus, ...]
    history: HistoryView | None = None

    @property
    def watches(self) -> tuple[WatchStatus, ...]:
        """What all accounts watch."""
        return tuple(watch for account in self.accounts for watch in account.watches)


def observe(engine: Engine, now: float, history: HistoryView | None = None) -> Status:
    """How everything stands at `now`; `history` is how it is kept, None where it is not."""
    look = _Look(engine, now)
    loaded_at = _only_sample(engine.metrics.config_last_reload_success_timestamp_seconds) or None
    refused = not _only_sample(engine.metrics.config_last_reload_successful)
    return Status(
        now=now,
        version=__version__,
        ready=engine.ready,
        config_loaded_at=loaded_at,
        config_refused=refused and loaded_at is not None,
        stale_after_seconds=look.stale_after_seconds,
        next_poll_at=engine.next_poll_timestamp_seconds,
        accounts=tuple(look.account(account) for account in engine.accounts.values()),
        history=history,
    )


class _Look:
    """One look at the engine."""

    def __init__(self, engine: Engine, now: float) -> None:
        self._engine = engine
        self._now = now
        self._successes = _samples(engine.metrics.poll_last_success_timestamp_seconds)
        self._durations = _samples(engine.metrics.poll_last_duration_seconds)
        self.stale_after_seconds = 0.0 if engine.config is None else engine.config.poll.stale_after_seconds

    def account(self, account: Account) -> AccountStatus:
        return AccountStatus(
            name=account.config.name,
            scheme=_scheme(account.config.auth),
            sign_in=account.signer.status(),
            watches=tuple(self._watch(feed) for feed in account.feeds.values()),
        )

    def _watch(self, feed: Feed) -> WatchStatus:
        shown = headline(feed.watch.kind, feed.watch.metrics)
        state_of, now, stale_after = self._engine.board.state, self._now, self.stale_after_seconds
        patience = feed.source.patience
        items = tuple(
            ItemStatus(
                item, state, shown, state.is_stale(now, stale_after), patience.left_out_until(item.id, now)
            )
            for item in feed.watch.items
            for state in (state_of(item.id),)
        )
        fresh = (each.hour for each in items if not each.stale and each.hour is not None)
        return WatchStatus(
            account=feed.watch.account,
            kind=feed.watch.kind,
            headline=shown,
            items=items,
            hour=max(fresh, default=int(now // HOUR_SECONDS) - 1),
            poll=self._poll(feed),
            endpoints=tuple(self._endpoint(channel, feed) for channel in feed.channels),
        )

    def _poll(self, feed: Feed) -> PollStatus:
        result = feed.last_result
        return PollStatus(
            endpoint=feed.source.endpoint if result is None else result.endpoint,
            outcome=None if result is None else result.outcome,
            batches=0 if result is None else result.batches,
            errors=tuple(_poll_errors(feed)),
            next_at=self._engine.next_poll_of(feed),
            finished_at=None if result is None else result.finished_at,
        )

    def _endpoint(self, channel: Channel, feed: Feed) -> EndpointStatus:
        windows = channel.ledger.current(self._now)
        limits = tuple((window, windows[window]) for window in Window if window in windows)
        labels = (channel.account, channel.endpoint.value)
        return EndpointStatus(
            endpoint=channel.endpoint,
            state=_endpoint_state(channel, feed, limits),
            failure=channel.failure,
            probe_at=channel.probe_at,
            last_success_at=self._successes.get(labels),
            last_duration_seconds=self._durations.get(labels),
            limits=limits,
            failing_since=channel.troubles.since,
            troubles=channel.troubles.recent(),
        )


def _endpoint_state(
    channel: Channel, feed: Feed, limits: tuple[tuple[Window, RateWindow], ...]
) -> EndpointState:
    if channel.parked is not None:
        return EndpointState.PARKED
    if any(window.remaining == 0 for _, window in limits):
        return EndpointState.LIMITED
    if channel.failure is not None:
        return EndpointState.FAILING
    if channel is not feed.source:
        return EndpointState.RESERVE
    asked = feed.last_result is not None and feed.last_result.endpoint is channel.endpoint
    return EndpointState.IN_SERVICE if asked else EndpointState.UNASKED


def _poll_errors(feed: Feed) -> Iterator[PollError]:
    """The failures of the last poll, those alike counted together, the first standing for them."""
    failures = {} if feed.last_result is None else feed.last_result.failures
    alike: dict[tuple[str, str], list[tuple[int, Failure]]] = {}
    for batch, failure in failures.items():
        alike.setdefault((failure.sentence, failure.detail), []).append((len(batch), failure))
    for group in alike.values():
        yield PollError(group[0][1], batches=len(group), items=sum(size for size, _ in group))


def _only_sample(gauge: Gauge) -> float:
    """The value of a gauge without labels."""
    return next(sample.value for family in gauge.collect() for sample in family.samples)


def _samples(gauge: Gauge) -> dict[tuple[str, str], float]:
    """The gauge's values by account and endpoint."""
    return {
        (sample.labels["account"], sample.labels["endpoint"]): sample.value
        for family in gauge.collect()
        for sample in family.samples
    }


def _scheme(auth: Auth) -> Scheme:
    if isinstance(auth, BearerAuth):
        return Scheme.BEARER
    return Scheme.OAUTH1 if isinstance(auth, OAuth1Auth) else Scheme.OAUTH2

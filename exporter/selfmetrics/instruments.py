"""What the exporter counts and sets about itself: one instrument per name, on a registry handed in."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from enum import StrEnum

from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from exporter.model import Endpoint, ItemErrorType, Kind
from exporter.selfmetrics.delay_histogram import DelayHistogram
from exporter.selfmetrics.remembering import Counter, Gauge, Histogram
from exporter.signin.scheme import RefreshOutcome
from exporter.xapi.failures import PARK_REASONS, RETRY_REASONS

# Buckets for one exchange with X; the upper ones are where the default timeout cuts.
REQUEST_SECONDS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# From the end of an hour to its first complete sight. With hourly polls at five past, what is there in time
# falls below 10 min, what `poll.catch_up` brings below 15, 20 and 30 min, and the next poll's below 2 h.
DELAY_SECONDS_BUCKETS = (60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 28800, 43200)

# `code` values that stand at 0 from the start; any other status X answers appears with its first request.
INITIAL_CODES = (
    "200",
    "400",
    "401",
    "403",
    "404",
    "429",
    "500",
    "503",
    "timeout",
    "connect",
    "read",
    "decode",
)


class PollOutcome(StrEnum):
    """The `outcome` of one poll: every batch in, some of them, none."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"


class SelfMetrics:
    """All instruments. Times are Unix seconds; a timestamp has no sample until it is known."""

    def __init__(self, registry: CollectorRegistry, *, version: str, revision: str) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._build_info(version, revision)
        self._config(registry)
        self._polls(registry)
        self._requests(registry)

    def _build_info(self, version: str, revision: str) -> None:
        info = Gauge(
            "x_exporter_build_info",
            "Always 1; carries what is running.",
            ["version", "revision", "python_version"],
            registry=self.registry,
        )
        info.labels(version, revision, platform.python_version()).set(1)

    def _config(self, registry: CollectorRegistry) -> None:
        self.config_last_reload_successful = Gauge(
            "x_exporter_config_last_reload_successful",
            "Whether the last attempt to load the configuration succeeded.",
            registry=registry,
        )
        self.config_last_reload_success_timestamp_seconds = Gauge(
            "x_exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded successfully.",
            registry=registry,
        )
        self.watched_items = Gauge(
            "x_exporter_watched_items",
            "Media and posts the configuration watches.",
            ["account", "kind"],
            registry=registry,
        )
        self.post_source = Gauge(
            "x_exporter_post_source",
            "1 for the endpoint that post figures come from, 0 for the other.",
            ["account", "source"],
            registry=registry,
        )

    def _polls(self, registry: CollectorRegistry) -> None:
        labels = ["account", "endpoint"]
        self.poll_success = Gauge(
            "x_exporter_poll_success",
            "1 when every batch of the last poll succeeded, else 0.",
            labels,
            registry=registry,
        )
        self.polls = Counter(
            "x_exporter_polls",
            "Polls finished, by outcome: success, partial or failure.",
            [*labels, "outcome"],
            registry=registry,
        )
        self.poll_last_success_timestamp_seconds = Gauge(
            "x_exporter_poll_last_success_timestamp_seconds",
            "When a poll last succeeded in every batch.",
            labels,
            registry=registry,
        )
        self.poll_last_duration_seconds = Gauge(
            "x_exporter_poll_last_duration_seconds",
            "How long the last poll took, waits for limits and retries included.",
            labels,
            registry=registry,
        )
        self.poll_next_timestamp_seconds = Gauge(
            "x_exporter_poll_next_timestamp_seconds",
            "When the next poll is due.",
            labels,
            registry=registry,
        )
        self.bucket_revisions = Counter(
            "x_exporter_bucket_revisions",
            "Complete hours that X later restated with other figures.",
            ["endpoint"],
            registry=registry,
        )
        self.bucket_delay_seconds = DelayHistogram(DELAY_SECONDS_BUCKETS)
        registry.register(self.bucket_delay_seconds)

    def _requests(self, registry: CollectorRegistry) -> None:
        labels = ["account", "endpoint"]
        self.requests = Counter(
            "x_exporter_requests",
            "Requests sent to X, by status or by timeout, connect, read, decode.",
            [*labels, "code"],
            registry=registry,
        )
        self.request_duration_seconds = Histogram(
            "x_exporter_request_duration_seconds",
            "Time from sending a request to X until its body was read.",
            ["endpoint"],
            buckets=REQUEST_SECONDS_BUCKETS,
            registry=registry,
        )
        self.retries = Counter(
            "x_exporter_retries",
            "Requests sent again within a poll, by the reason of the failure before.",
            [*labels, "reason"],
            registry=registry,
        )
        self.resources_returned = Counter(
            "x_exporter_resources_returned",
            "Media and posts X returned data for, summed over answers; what X counts for billing.",
            labels,
            registry=registry,
        )
        self.item_errors = Counter(
            "x_exporter_item_errors",
            "Items X answered with a problem instead of data, by the problem's type.",
            [*labels, "type"],
            registry=registry,
        )
        self.token_refreshes = Counter(
            "x_exporter_token_refreshes",
            "OAuth 2.0 token refreshes sent, by outcome: success, ambiguous, refused or config.",
            ["account", "outcome"],
            registry=registry,
        )
        self.endpoint_parked = Gauge(
            "x_exporter_endpoint_parked",
            "1 while an endpoint is only probed rarely, by reason; 0 else.",
            [*labels, "reason"],
            registry=registry,
        )

    def watch_journal(self) -> Gauge:
        """The gauge that tells whether the journal works; there is none where no journal is kept."""
        return Gauge(
            "x_exporter_journal_up",
            "1 while the journal is written, 0 while figures are kept in memory alone.",
            registry=self.registry,
        )

    def watch_account(self, account: str, endpoints: Iterable[Endpoint]) -> None:
        """Let the counters and closed sets of an account stand at 0, so that first increments are seen."""
        for refresh_outcome in RefreshOutcome:
            self.token_refreshes.labels(account, refresh_outcome.value)
        for endpoint in endpoints:
            for outcome in PollOutcome:
                self.polls.labels(account, endpoint.value, outcome.value)
            for code in INITIAL_CODES:
                self.requests.labels(account, endpoint.value, code)
            for reason in RETRY_REASONS:
                self.retries.labels(account, endpoint.value, reason.value)
            for error_type in ItemErrorType:
                self.item_errors.labels(account, endpoint.value, error_type.value)
            for reason in PARK_REASONS:
                self.endpoint_parked.labels(account, endpoint.value, reason.value)
            self.resources_returned.labels(account, endpoint.value)
            self.request_duration_seconds.labels(endpoint.value)
            self.bucket_revisions.labels(endpoint.value)
            self.bucket_delay_seconds.watch(endpoint.value)

    def forget(self, account: str, endpoint: Endpoint | None = None) -> None:
        """Remove the series of an account, or of one of its endpoints, that is no longer watched."""
        labels = {"account": account}
        if endpoint is not None:
            labels["endpoint"] = endpoint.value
        for instrument in self._per_endpoint():
            instrument.remove_by_labels(labels)
        if endpoint is None:
            self.token_refreshes.remove_by_labels(labels)
            self.watched_items.remove_by_labels(labels)
            self.post_source.remove_by_labels(labels)

    def _per_endpoint(self) -> tuple[Counter | Gauge, ...]:
        return (
            self.poll_success,
            self.polls,
            self.poll_last_success_timestamp_seconds,
            self.poll_last_duration_seconds,
            self.poll_next_timestamp_seconds,
            self.requests,
            self.retries,
            self.resources_returned,
            self.item_errors,
            self.endpoint_parked,
        )

    def watch_items(self, account: str, counts: dict[Kind, int]) -> None:
        """Set how many items of each kind an account watches."""
        for kind, count in counts.items():
            self.watched_items.labels(account, kind.value).set(count)

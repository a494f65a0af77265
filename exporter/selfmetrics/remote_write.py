"""What the exporter counts and sets about remote write, while the configuration asks for it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import prometheus_client
from prometheus_client.registry import CollectorRegistry

from exporter.selfmetrics.remembering import Counter, Gauge


class SendFailure(StrEnum):
    """The `reason` of a request that brought nothing in."""

    CONNECT = "connect"
    """The receiver could not be reached, or the connection broke."""
    TIMEOUT = "timeout"
    """No answer within `remote_write.timeout`."""
    TLS = "tls"
    """No TLS connection: a certificate is not trusted, missing or unreadable."""
    UNAUTHORIZED = "unauthorized"
    """401 or 403, or a file with a password or token that cannot be read."""
    NOT_FOUND = "not_found"
    """404: nothing takes remote write at this address."""
    THROTTLED = "throttled"
    """429."""
    SERVER = "server"
    """5xx."""
    REFUSED = "refused"
    """The receiver refuses samples in it for good: 400, 409, 413, 422."""
    UNEXPECTED = "unexpected"
    """An answer that has no place in remote write, such as a redirect."""


class SkipReason(StrEnum):
    """The `reason` of samples that a receiver refused for good."""

    TOO_OLD = "too_old"
    """Older than the receiver's out-of-order window."""
    OUT_OF_BOUNDS = "out_of_bounds"
    """Outside the times the receiver takes."""
    OUT_OF_ORDER = "out_of_order"
    """Older than the newest sample of its series, where the receiver takes none of those."""
    DUPLICATE = "duplicate"
    """The receiver has another value of this series at this time."""
    REJECTED = "rejected"
    """Any other reason."""


class RemoteWriteMetrics:
    """The instruments of remote write, on `registry` until `withdraw`. Times are Unix seconds."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._due_since: float | None = None
        self._last_success: Gauge | None = None
        self._sent = Counter(
            "x_exporter_remote_write_sent",
            "Samples that the receiver took.",
            registry=registry,
        )
        self._failed = Counter(
            "x_exporter_remote_write_failed",
            "Requests to the receiver that brought nothing in, by reason; their samples are sent again.",
            ["reason"],
            registry=registry,
        )
        self._skipped = Counter(
            "x_exporter_remote_write_skipped",
            "Samples that the receiver refused for good, by reason; they are not sent again.",
            ["reason"],
            registry=registry,
        )
        self._pending = Gauge(
            "x_exporter_remote_write_pending",
            "Settled hours of items that wait to be sent.",
            registry=registry,
        )
        # It asks for the time at each scrape.
        self._lag = prometheus_client.Gauge(
            "x_exporter_remote_write_lag_seconds",
            "For how long the oldest hour that waits could have been sent already; 0 while none waits.",
            registry=registry,
        )
        self._lag.set_function(self._lag_seconds)
        for failure in SendFailure:
            self._failed.labels(failure.value)
        for skip in SkipReason:
            self._skipped.labels(skip.value)

    def sent(self, samples: int, at: float) -> None:
        """The receiver took `samples` at `at`."""
        self._sent.inc(samples)
        if self._last_success is None:
            # Absent until it is known: a 0 would be a time long ago.
            self._last_success = Gauge(
                "x_exporter_remote_write_last_success_timestamp_seconds",
                "When the receiver last took samples.",
                registry=self._registry,
            )
        self._last_success.set(at)

    def failed(self, reason: SendFailure) -> None:
        """A request brought nothing in."""
        self._failed.labels(reason.value).inc()

    def skipped(self, reason: SkipReason, samples: int) -> None:
        """`samples` are given up."""
        self._skipped.labels(reason.value).inc(samples)

    def waiting(self, buckets: int, due_since: float | None) -> None:
        """So many settled hours of items wait, the oldest since `due_since`, None where none waits."""
        self._pending.set(buckets)
        self._due_since = due_since

    def withdraw(self) -> None:
        """Take all of them off the registry."""
        for instrument in (
            self._sent,
            self._failed,
            self._skipped,
            self._pending,
            self._lag,
            self._last_success,
        ):
            if instrument is not None:
                self._registry.unregister(instrument)

    def _lag_seconds(self) -> float:
        return 0.0 if self._due_since is None else max(0.0, self._clock() - self._due_since)

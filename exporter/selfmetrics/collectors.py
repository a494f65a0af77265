"""The exporter's own metrics that are read where they live at each scrape, instead of being kept twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.model import Endpoint
from exporter.signin.scheme import SignInStatus
from exporter.xapi.limits import RateWindow, Window


class RateLimits(Collector):
    """Rate-limit windows as X's last headers told them, read from the ledgers at each scrape.

    `current` yields (account, endpoint, window name, figures) for the windows X has told of. A figure the
    ledger withholds, such as `remaining` once its reset has passed, has no sample.
    """

    def __init__(self, current: Callable[[], Iterable[tuple[str, Endpoint, Window, RateWindow]]]) -> None:
        self._current = current

    def describe(self) -> list[GaugeMetricFamily]:
        """The families without samples, so that `name[]` finds them."""
        labels = ["account", "endpoint", "window"]
        return [
            GaugeMetricFamily(
                "x_exporter_rate_limit_limit",
                "Requests X allows per window, from its last headers.",
                labels=labels,
            ),
            GaugeMetricFamily(
                "x_exporter_rate_limit_remaining",
                "Requests left in the window, from X's last headers; absent once the window has ended.",
                labels=labels,
            ),
            GaugeMetricFamily(
                "x_exporter_rate_limit_reset_timestamp_seconds",
                "When the window ends, from X's last headers.",
                labels=labels,
            ),
        ]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families with one sample per account, endpoint and window X has told of."""
        limit, remaining, reset = self.describe()
        for account, endpoint, window, figures in self._current():
            labels = [account, endpoint.value, window.value]
            for family, value in (
                (limit, figures.limit),
                (remaining, figures.remaining),
                (reset, figures.reset_timestamp_seconds),
            ):
                if value is not None:
                    family.add_metric(labels, value)
        yield from (limit, remaining, reset)


class SignIns(Collector):
    """How each account's sign-in stands, read at each scrape from what the sign-ins hold in memory."""

    def __init__(self, current: Callable[[], Iterable[SignInStatus]]) -> None:
        self._current = current

    def describe(self) -> list[GaugeMetricFamily]:
        """The families without samples, so that `name[]` finds them."""
        return [
            GaugeMetricFamily(
                "x_exporter_login_required",
                "1 when only a person can sign the account in again, by `login`; else 0.",
                labels=["account"],
            ),
            GaugeMetricFamily(
                "x_exporter_token_expiry_timestamp_seconds",
                "When the access token expires; absent where unknown or where tokens do not expire.",
                labels=["account"],
            ),
        ]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families with a sample per account."""
        login_required, expiry = self.describe()
        for status in self._current():
            login_required.add_metric([status.account], int(status.login_required))
            if status.token_expiry_timestamp_seconds is not None:
                expiry.add_metric([status.account], status.token_expiry_timestamp_seconds)
        yield from (login_required, expiry)

"""prometheus_client's instruments, which remember what they gave a scrape until they change.

An exporter's own metrics are read far more often than they change, and collecting a hundred and fifty samples
takes prometheus_client longer than all else that a scrape costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric


class _Remembering(MetricWrapperBase):
    """Gives the same `Metric` again as long as no series of it has changed, come or gone.

    Whatever changes one calls `_changed` afterwards, on any thread.
    """

    whole: _Remembering | None = None
    unchanged_since: object = None
    _given: tuple[object, Iterable[Metric]] = (object(), ())

    def collect(self) -> Iterable[Metric]:
        """All series. What is given may be given again, so it is not to be altered."""
        since, given = self._given
        if since is self.unchanged_since:
            return given
        # Noted before anything is read: a change meanwhile takes that back.
        since = self.unchanged_since = object()
        given = super().collect()
        self._given = since, given
        return given

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        """The series with these label values, a new one where there is none."""
        series = super().labels(*labelvalues, **labelkwargs)
        if series.whole is None:
            series.whole = self
            self._changed()
        return series

    def remove(self, *labelvalues: Any) -> None:  # noqa: ANN401 - as the library has it
        """Remove the series with these label values."""
        super().remove(*labelvalues)
        self._changed()

    def remove_by_labels(self, labels: dict[str, str]) -> None:
        """Remove all series with these labels."""
        super().remove_by_labels(labels)
        self._changed()

    def clear(self) -> None:
        """Remove all series."""
        super().clear()
        self._changed()

    def _changed(self) -> None:
        (self.whole or self).unchanged_since = None


class Counter(_Remembering, prometheus_client.Counter):
    """A counter."""

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Count `amount` more."""
        super().inc(amount, exemplar)
        self._changed()

    def reset(self) -> None:
        """Begin at 0 again."""
        super().reset()
        self._changed()


class Gauge(_Remembering, prometheus_client.Gauge):
    """A gauge that is set; one that asks a function would not be noticed to change."""

    def inc(self, amount: float = 1) -> None:
        """Add `amount`."""
        super().inc(amount)
        self._changed()

    def dec(self, amount: float = 1) -> None:
        """Take `amount` away."""
        super().dec(amount)
        self._changed()

    def set(self, value: float) -> None:
        """Set it to `value`."""
        super().set(value)
        self._changed()

    def set_function(self, f: object) -> None:
        """Refused: what `f` gives may change at any time."""
        raise TypeError(f"a gauge that remembers what it is set to cannot ask {f!r}")


class Histogram(_Remembering, prometheus_client.Histogram):
    """A histogram."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count an observation of `amount`."""
        super().observe(amount, exemplar)
        self._changed()

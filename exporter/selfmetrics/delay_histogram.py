"""A histogram that takes many observations of one value at once, as every answer brings them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class DelayHistogram(Collector):
    """How long after its end an hour was told, by endpoint, counted in the buckets up to each of `bounds`."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = (*map(float, bounds), inf)
        self._le = (*map(repr, self._bounds[:-1]), "+Inf")
        self._counts: dict[str, list[float]] = {}
        self._sums: dict[str, float] = {}
        self._given: list[HistogramMetricFamily] = []

    def watch(self, endpoint: str) -> None:
        """Let the series of `endpoint` stand at 0, so that first increments are seen."""
        self._given = []
        self._counts.setdefault(endpoint, [0.0] * len(self._bounds))
        self._sums.setdefault(endpoint, 0.0)

    def observe(self, endpoint: str, delays: Mapping[float, int]) -> None:
        """Count `delays`: how often each was seen, by its seconds."""
        self.watch(endpoint)
        for seconds, times in delays.items():
            self._counts[endpoint][bisect_left(self._bounds, seconds)] += times
            self._sums[endpoint] += seconds * times

    def describe(self) -> list[HistogramMetricFamily]:
        """The family without samples, so that `name[]` finds it."""
        return [
            HistogramMetricFamily(
                "x_exporter_bucket_delay_seconds",
                "From the end of an hour until X's first answer that told it whole, for each item.",
                labels=["endpoint"],
            )
        ]

    def collect(self) -> list[HistogramMetricFamily]:
        """The family with the buckets of each endpoint watched; the same again until something is counted."""
        if not self._given:
            self._given = self.describe()
            for endpoint, counts in self._counts.items():
                buckets = list(zip(self._le, accumulate(counts), strict=True))
                self._given[0].add_metric([endpoint], buckets, self._sums[endpoint])
        return self._given

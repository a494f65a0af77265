"""Instruments that remember what they gave a scrape tell what prometheus_client's own would tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from exporter.exposition.registry_text import RegistryText
from exporter.selfmetrics import remembering
from exporter.selfmetrics.delay_histogram import DelayHistogram
from exporter.selfmetrics.instruments import DELAY_SECONDS_BUCKETS

Act = tuple[str, str, float]

names = st.sampled_from(["a", "b"])
amounts = st.integers(0, 9).map(float)


@dataclass(frozen=True)
class Instruments:
    """One of each kind, on a registry of their own."""

    registry: CollectorRegistry
    counter: prometheus_client.Counter
    gauge: prometheus_client.Gauge
    histogram: prometheus_client.Histogram
    bare: prometheus_client.Gauge

    def act(self, act: Act) -> None:
        what, name, amount = act
        ACTS[what](self, name, amount)


ACTS: dict[str, Callable[[Instruments, str, float], object]] = {
    "count": lambda all_, name, amount: all_.counter.labels(name).inc(amount),
    "reset": lambda all_, name, _: all_.counter.labels(name).reset(),
    "set": lambda all_, name, amount: all_.gauge.labels(name).set(amount),
    "add": lambda all_, name, amount: all_.gauge.labels(one=name).inc(amount),
    "take": lambda all_, name, amount: all_.gauge.labels(name).dec(amount),
    "observe": lambda all_, name, amount: all_.histogram.labels(name).observe(amount),
    "set the one without labels": lambda all_, _, amount: all_.bare.set(amount),
    "see": lambda all_, name, _: all_.gauge.labels(name),
    "remove": lambda all_, name, _: all_.gauge.remove(name),
    "remove by labels": lambda all_, name, _: all_.counter.remove_by_labels({"one": name}),
    "clear": lambda all_, *_: all_.histogram.clear(),
}
acts = st.tuples(st.sampled_from(sorted(ACTS)), names, amounts)


def instruments_of(library: ModuleType) -> Instruments:
    registry = CollectorRegistry()
    return Instruments(
        registry,
        library.Counter("c", "A counter.", ["one"], registry=registry),
        library.Gauge("g", "A gauge.", ["one"], registry=registry),
        library.Histogram("h", "A histogram.", ["one"], buckets=(1, 5), registry=registry),
        library.Gauge("bare", "Without labels.", registry=registry),
    )


@given(history=st.lists(st.tuples(acts, st.booleans()), max_size=30), openmetrics=st.booleans())
def test_whatever_is_done_a_scrape_reads_what_the_library_would_tell(
    *, history: list[tuple[Act, bool]], openmetrics: bool
) -> None:
    mine, others = instruments_of(remembering), instruments_of(prometheus_client)
    text, plain = RegistryText(mine.registry), RegistryText(others.registry)
    for act, scraped in [*history, (("see", "a", 0.0), True)]:
        mine.act(act)
        others.act(act)
        if scraped:
            expected = plain.render(None, openmetrics=openmetrics)
            assert text.render(None, openmetrics=openmetrics) == expected


def test_what_has_not_changed_is_given_again_and_what_has_is_not() -> None:
    mine = instruments_of(remembering)
    mine.act(("count", "a", 1))
    first, again = mine.counter.collect(), mine.counter.collect()
    mine.act(("count", "a", 1))
    assert again is first
    assert mine.counter.collect() is not first


class Meddled(remembering.Gauge):
    """Is set to 2 by somebody else after its value has been read, and before that has been remembered."""

    meddled = False

    def _child_samples(self) -> Iterable[Sample]:
        samples = list(super()._child_samples())
        if not self.meddled:
            self.meddled = True
            self.set(2)
        return samples


def test_a_change_while_a_scrape_reads_is_seen_by_the_next() -> None:
    registry = CollectorRegistry()
    Meddled("g", "A gauge.", registry=registry).set(1)
    seen = [registry.get_sample_value("g") for _ in range(3)]
    assert seen == [1, 2, 2]


def test_a_gauge_does_not_take_a_function_whose_changes_it_could_not_see() -> None:
    gauge = remembering.Gauge("g", "A gauge.", registry=None)
    with pytest.raises(TypeError, match="cannot ask"):
        gauge.set_function(lambda: 1)


delays = st.dictionaries(st.integers(-100, 50_000).map(float), st.integers(1, 5), max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["media", "posts"]), delays), max_size=5))
def test_delays_are_counted_as_the_library_counts_them_one_by_one(
    history: list[tuple[str, dict[float, int]]],
) -> None:
    mine, others = CollectorRegistry(), CollectorRegistry()
    histogram = DelayHistogram(DELAY_SECONDS_BUCKETS)
    mine.register(histogram)
    (described,) = histogram.describe()
    library = prometheus_client.Histogram(
        described.name,
        described.documentation,
        ["endpoint"],
        buckets=DELAY_SECONDS_BUCKETS,
        registry=others,
    )
    text, plain = RegistryText(mine), RegistryText(others)
    histogram.watch("media")
    library.labels("media")
    for endpoint, counted in history:
        histogram.observe(endpoint, counted)
        for seconds, times in counted.items():
            library.labels(endpoint)
            for _ in range(times):
                library.labels(endpoint).observe(seconds)
        if not counted:
            library.labels(endpoint)
        assert sorted(text.render(None, openmetrics=False).splitlines()) == sorted(
            plain.render(None, openmetrics=False).splitlines()
        )

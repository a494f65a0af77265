from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric, Summary
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, UnknownMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.exposition.registry_text import RegistryText

# The library gives these no types.
parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families
generate_openmetrics: Callable[[CollectorRegistry], bytes] = openmetrics_exposition.generate_latest

labels = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=5)


class Families(Collector):
    def __init__(self, *families: Metric) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def contents(families: Iterable[Metric]) -> list[tuple[object, ...]]:
    """What a parser read, without the `_created` series that the library adds."""
    return [
        (family.name, family.type, family.documentation, family.unit, kept)
        for family in families
        if (kept := [sample for sample in family.samples if not sample.name.endswith("_created")])
        or not family.samples
    ]


def every_kind(registry: CollectorRegistry, label: str, value: float) -> None:
    Gauge("g", "A gauge.", ["one", "two"], registry=registry).labels(label, "x").set(value)
    Counter("c", "A counter.", ["one"], registry=registry).labels(label).inc(abs(value))
    Histogram("h_seconds", "A histogram.", ["one"], unit="seconds", registry=registry).labels(label).observe(
        1
    )
    Summary("s", "A summary.", registry=registry).observe(2)
    Info("i", "An info.", registry=registry).info({"version": label})
    Gauge("empty", "Without samples.", ["one"], registry=registry)
    registry.register(Families(UnknownMetricFamily("u", "Unknown.", value)))


@given(labels, st.floats(allow_nan=False, allow_infinity=False))
def test_the_library_renders_the_same(label: str, value: float) -> None:
    registry = CollectorRegistry()
    every_kind(registry, label, value)
    ours = RegistryText(registry)
    for _ in range(2):
        text = ours.render(None, openmetrics=False).decode()
        openmetrics = ours.render(None, openmetrics=True).decode()
        assert contents(parse_text(text)) == contents(parse_text(generate_latest(registry).decode()))
        assert contents(parse_openmetrics(f"{openmetrics}# EOF\n")) == contents(
            parse_openmetrics(generate_openmetrics(registry).decode())
        )


@pytest.mark.parametrize(
    ("value", "written"), [(math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (1e300, "1e+300")]
)
def test_extreme_values_are_written_as_both_formats_want_them(value: float, written: str) -> None:
    registry = CollectorRegistry()
    Gauge("g", "A gauge.", registry=registry).set(value)
    assert RegistryText(registry).render(None, openmetrics=True).endswith(f"\ng {written}\n".encode())


def test_every_rendering_shows_the_values_of_its_moment() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "A gauge.", ["one"], registry=registry)
    ours = RegistryText(registry)
    gauge.labels("a").set(1)
    assert b'g{one="a"} 1.0\n' in ours.render(None, openmetrics=False)
    gauge.labels("a").set(2)
    gauge.labels("b").set(3)
    assert b'g{one="a"} 2.0\ng{one="b"} 3.0\n' in ours.render(None, openmetrics=False)
    gauge.remove("a")
    assert b'one="a"' not in ours.render(None, openmetrics=False)


def test_equal_label_values_under_other_names_are_told_apart() -> None:
    first = GaugeMetricFamily("g", "A gauge.", labels=["one"])
    first.add_metric(["x"], 1)
    second = GaugeMetricFamily("g", "A gauge.", labels=["two"])
    second.add_metric(["x"], 2)
    registry = CollectorRegistry()
    registry.register(Families(first, second))
    text = RegistryText(registry).render(None, openmetrics=False)
    assert b'g{one="x"} 1\n' in text
    assert b'g{two="x"} 2\n' in text


def test_names_keep_only_what_is_named() -> None:
    registry = CollectorRegistry()
    every_kind(registry, "x", 1)
    text = RegistryText(registry).render(frozenset({"c_total", "nowhere"}), openmetrics=False)
    assert [family.name for family in parse_text(text.decode())] == ["c"]


def test_the_library_s_created_series_are_left_out() -> None:
    registry = CollectorRegistry()
    every_kind(registry, "x", 1)
    assert b"_created" in generate_latest(registry)
    assert b"_created" not in RegistryText(registry).render(None, openmetrics=False)
    assert b"_created" not in RegistryText(registry).render(None, openmetrics=True)

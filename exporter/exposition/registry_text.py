"""The exporter's own metrics as text, from a prometheus_client registry.

prometheus_client escapes and sorts every label of every sample on each scrape, which would take most
of the time of one. Here what stands before a sample's value is remembered from the scrape before, and the
whole text of a family that is given again unchanged.
"""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from exporter.exposition.escaping import escape_help, escape_label_value

# How the text format names and types what it has no word for.
_TEXT_SUFFIXES = {"counter": "_total", "info": "_info"}
_TEXT_TYPES = {"info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram", "unknown": "untyped"}

_Series = tuple[str, tuple[tuple[str, str], ...]]


class _Family:
    """The text of `metric` in either format, and what stands before the value of each of its samples."""

    def __init__(self, metric: Metric, before: _Family | None) -> None:
        self.metric = metric
        self._texts: dict[bool, str] = {}
        self._known = {} if before is None else before.beginnings
        self.beginnings: dict[_Series, str] = {}

    def text(self, *, openmetrics: bool) -> str:
        """Head and samples, each line ended by a newline."""
        text = self._texts.get(openmetrics)
        if text is None:
            metric = self.metric
            created = f"{metric.name}_created"
            lines = [_openmetrics_head(metric) if openmetrics else _text_head(metric)]
            lines += [
                f"{self._beginning(sample)} {_number(sample.value)}\n"
                for sample in metric.samples
                if sample.name != created
            ]
            text = self._texts[openmetrics] = "".join(lines)
        return text

    def _beginning(self, sample: Sample) -> str:
        series = (sample.name, tuple(sample.labels.items()))
        beginning = self.beginnings.get(series) or self._known.get(series) or _beginning(sample)
        self.beginnings[series] = beginning
        return beginning


class RegistryText:
    """Renders `registry` as prometheus_client does, without the `_created` series of its counters.

    Neither format needs those, and the text format would have to make gauges of them. A `Metric` that is the
    same object as before is taken to be unchanged.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._families: dict[str, _Family] = {}

    def render(self, names: frozenset[str] | None, *, openmetrics: bool) -> bytes:
        """The metrics as they are now, without ``# EOF``; `names` keeps only those, None keeps all."""
        if names is not None:
            chosen = self._registry.restricted_registry(names).collect()
            return "".join(
                [_Family(metric, None).text(openmetrics=openmetrics) for metric in chosen]
            ).encode()
        families: dict[str, _Family] = {}
        texts = []
        for metric in self._registry.collect():
            known = self._families.get(metric.name)
            family = known if known is not None and known.metric is metric else _Family(metric, known)
            families[metric.name] = family
            texts.append(family.text(openmetrics=openmetrics))
        # Families and series that are gone are forgotten.
        self._families = families
        return "".join(texts).encode()


def _beginning(sample: Sample) -> str:
    labels = ",".join(
        f'{name}="{escape_label_value(value)}"' for name, value in sorted(sample.labels.items())
    )
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _text_head(metric: Metric) -> str:
    name = metric.name + _TEXT_SUFFIXES.get(metric.type, "")
    kind = _TEXT_TYPES.get(metric.type, metric.type)
    return f"# HELP {name} {escape_help(metric.documentation)}\n# TYPE {name} {kind}\n"


def _openmetrics_head(metric: Metric) -> str:
    unit = f"# UNIT {metric.name} {metric.unit}\n" if metric.unit else ""
    text = escape_help(metric.documentation)
    return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.type}\n{unit}"

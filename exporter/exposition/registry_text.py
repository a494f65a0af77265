"""The exporter's own metrics as text, from a prometheus_client registry.

prometheus_client escapes and sorts every label of every sample on each scrape, which would take most
of the time of one. Here what stands before a sample's value is remembered from the scrape before.
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


class RegistryText:
    """Renders `registry` as prometheus_client does, without the `_created` series of its counters.

    Neither format needs those, and the text format would have to make gauges of them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._beginnings: dict[_Series, str] = {}

    def render(self, names: frozenset[str] | None, *, openmetrics: bool) -> bytes:
        """The metrics as they are now, without ``# EOF``; `names` keeps only those, None keeps all."""
        source = self._registry if names is None else self._registry.restricted_registry(names)
        lines: list[str] = []
        used: dict[_Series, str] = {}
        for metric in source.collect():
            lines.append(_openmetrics_head(metric) if openmetrics else _text_head(metric))
            created = f"{metric.name}_created"
            lines.extend(
                f"{self._beginning(sample, used)} {_number(sample.value)}\n"
                for sample in metric.samples
                if sample.name != created
            )
        if names is None:
            # Series that are gone are forgotten with the dictionary they stood in.
            self._beginnings = used
        return "".join(lines).encode()

    def _beginning(self, sample: Sample, used: dict[_Series, str]) -> str:
        series = (sample.name, tuple(sample.labels.items()))
        beginning = used[series] = self._beginnings.get(series) or _beginning(sample)
        return beginning


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

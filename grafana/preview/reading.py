"""Reads dashboards as Grafana does: fills in variables, asks Prometheus, names the series.

Written after @grafana/prometheus 11.6: `metric_find_query` for what variables ask, `datasource` for how
several chosen values become one regular expression, `legend` for how series are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}")
_LABEL_NAMES = re.compile(r"label_names\((.+)\)\s*")
_LABEL_VALUES = re.compile(r"label_values\((?:(.+),\s*)?(.+)\)\s*")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)\s*")
_LEGEND = re.compile(r"\{\{\s*(.+?)\s*\}\}")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}]")


@dataclass(frozen=True, slots=True)
class Option:
    """A value of a variable and the text it is shown by."""

    text: str
    value: str


@dataclass(frozen=True, slots=True)
class Span:
    """The time range looked at, in Unix seconds, and the step of range queries."""

    start: float
    end: float
    step: int


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: labels, and (time, value) pairs, one of them for an instant query."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """A Prometheus at `url`, asked over `http`."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def instant(self, expression: str, at: float) -> list[Series]:
        """An instant query. Raises ValueError with Prometheus' words where it refuses the query."""
        answer = self._get("query", query=expression, time=at)
        return [_series(entry["metric"], [entry["value"]]) for entry in answer["result"]]

    def over(self, expression: str, span: Span) -> list[Series]:
        """A range query. Raises ValueError with Prometheus' words where it refuses the query."""
        answer = self._get("query_range", query=expression, start=span.start, end=span.end, step=span.step)
        return [_series(entry["metric"], entry["values"]) for entry in answer["result"]]

    def label_names(self, selector: str, span: Span) -> list[str]:
        """Names of the labels of the series that `selector` matches."""
        return list(self._get("labels", **{"match[]": selector}, start=span.start, end=span.end))

    def label_values(self, label: str, selector: str, span: Span) -> list[str]:
        """Values that `label` has in the series that `selector` matches."""
        asked = {"match[]": selector} if selector else {}
        return list(self._get(f"label/{label}/values", **asked, start=span.start, end=span.end))

    def _get(self, path: str, **asked: str | float) -> Any:  # noqa: ANN401 - as Prometheus has it
        response = (
            self._http.post(f"{self._url}/api/v1/{path}", data=asked)
            if path.startswith("query")
            else (self._http.get(f"{self._url}/api/v1/{path}", params=asked))
        )
        answer = response.json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}: {asked}")
        return answer["data"]


def _series(labels: Mapping[str, str], points: Sequence[Sequence[Any]]) -> Series:
    return Series(labels, tuple((float(time), float(value)) for time, value in points))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a variable is set to: the options and whether they stand for several."""

    options: tuple[Option, ...]
    multi: bool = False

    def text(self) -> str:
        """As it is shown."""
        return " + ".join(option.text for option in self.options)

    def value(self) -> str:
        """As it stands in a query: several values are one regular expression."""
        if not self.multi:
            return "".join(option.value for option in self.options)
        values = [option.value if option.value == ".*" else _escaped(option.value) for option in self.options]
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"


def _escaped(value: str) -> str:
    """`value` as Grafana writes it into a regular expression that stands in a PromQL string."""
    return _SPECIAL.sub(lambda found: "\\\\" + found[0], value.replace("\\", "\\\\\\\\"))


def fill(text: str, chosen: Mapping[str, Chosen]) -> str:
    """`text` with the variables it names; Grafana's own of other kinds are left as they are."""

    def filled(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name == "__rate_interval":
            return "4m"
        if name not in chosen:
            return found[0]
        return chosen[name].text() if found[3] == "text" else chosen[name].value()

    return _VARIABLE.sub(filled, text)


def options(variable: Json, chosen: Mapping[str, Chosen], prometheus: Prometheus, span: Span) -> list[Option]:
    """What Grafana lists for a query variable, in its order, without `All`."""
    found = _texts(fill(variable["query"]["query"], chosen), prometheus, span)
    pattern = variable.get("regex", "")
    listed = [option for text in found if (option := _option(text, pattern)) is not None]
    unique = {option.value: option for option in reversed(listed)}
    return sorted(unique.values(), key=lambda option: option.text.casefold())


def _texts(query: str, prometheus: Prometheus, span: Span) -> list[str]:
    if found := _LABEL_NAMES.fullmatch(query):
        return prometheus.label_names(f'{{__name__=~".*{found[1]}.*"}}', span)
    if found := _LABEL_VALUES.fullmatch(query):
        return prometheus.label_values(found[2], found[1] or "", span)
    if found := _QUERY_RESULT.fullmatch(query):
        return [_as_text(series) for series in prometheus.instant(found[1], span.end)]
    raise ValueError(f"{query!r} is no variable query that is used here")


def _as_text(series: Series) -> str:
    """A series as `query_result` shows it to the variable's regular expression."""
    labels = ",".join(f'{name}="{value}"' for name, value in series.labels.items())
    ((time, value),) = series.points
    return f"{{{labels}}} {value:g} {time * 1000:.0f}"


def _option(text: str, pattern: str) -> Option | None:
    if not pattern:
        return Option(text, text)
    # JavaScript writes a named group without the P.
    found = re.search(pattern.strip("/").replace("(?<", "(?P<").replace("(?P<!", "(?<!"), text)
    if found is None:
        return None
    groups = found.groupdict()
    return Option(groups["text"], groups["value"]) if groups else Option(found[0], found[0])


def legend(target: Json, chosen: Mapping[str, Chosen], labels: Mapping[str, str]) -> str:
    """What a series of `target` is called; the expression itself where no legend is set."""
    template = fill(target.get("legendFormat", ""), chosen)
    return _LEGEND.sub(lambda found: labels.get(found[1], ""), template) or target["expr"]


def panels(dashboard: Json) -> Iterator[Json]:
    """The panels that show data, rows left out."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def variables(dashboard: Json) -> list[Json]:
    """The variables in their order, the data source included."""
    return list(dashboard["templating"]["list"])

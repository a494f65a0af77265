"""What holds for every answer: ordinary ones are read truly, odd ones never break anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.model import Answer, Endpoint
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS, Metric, metrics_of, wire_name
from exporter.xapi.wire import decode

DATA = Path(__file__).parent / "data" / "wire"
DOCUMENTS = {
    Endpoint.MEDIA_ANALYTICS: "media_analytics.json",
    Endpoint.TWEETS_ANALYTICS: "tweets_analytics.json",
    Endpoint.INSIGHTS_28HR: "insights_28hr.json",
}
FIRST_HOUR = 1791298800

# (id, hour's start, metric) -> number, only what was told.
Truth: TypeAlias = dict[tuple[str, float, str], float]
Spell: TypeAlias = Callable[[float], Any]

endpoints = st.sampled_from(Endpoint)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fragments = json_values.map(lambda value: json.dumps(value).encode()) | st.sampled_from(
    [b"1e999", b"-1e999", b"1" + b"0" * 5000, b'"\xff"', b'"\\ud800"', b"nul", b"", b"[" * 5000, b'"', b"NaN"]
)


def told(answer: Answer, metrics: Sequence[Metric]) -> Truth:
    """Every number of the answer."""
    width = len(metrics)
    return {
        (report.id, start, metric.name): report.values[row * width + column]
        for report in answer.reports
        for row, start in enumerate(report.starts)
        for column, metric in enumerate(metrics)
        if not math.isnan(report.values[row * width + column])
    }


def outcome(endpoint: Endpoint, body: bytes) -> Answer | WireError:
    try:
        return decode(endpoint, body, metrics_of(endpoint.kind))
    except WireError as error:
        return error


def places(document: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in `document`, itself included."""
    members = (
        list(document.items())
        if isinstance(document, dict)
        else list(enumerate(document))
        if isinstance(document, list)
        else []
    )
    return [path] + [deeper for key, value in members for deeper in places(value, (*path, key))]


def replaced(document: Any, path: Sequence[Any], value: object) -> Any:  # noqa: ANN401 - any JSON
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = replaced(document[path[0]], path[1:], value)
    return copy


@given(endpoint=endpoints, body=st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_answer_or_a_wire_error(endpoint: Endpoint, body: bytes) -> None:
    read = outcome(endpoint, body)

    if isinstance(read, WireError):
        assert read.path.startswith("$")
    else:
        assert not told(read, metrics_of(endpoint.kind))


@given(data=st.data(), endpoint=endpoints, fragment=fragments)
def test_anything_at_any_place_is_an_answer_or_a_wire_error(
    data: st.DataObject, endpoint: Endpoint, fragment: bytes
) -> None:
    document = json.loads((DATA / DOCUMENTS[endpoint]).read_bytes())
    place = data.draw(st.sampled_from(places(document)))
    body = json.dumps(replaced(document, place, "<here>")).encode().replace(b'"<here>"', fragment)
    read = outcome(endpoint, body)

    if isinstance(read, WireError):
        assert read.path.startswith("$")
    else:
        width = len(metrics_of(endpoint.kind))
        assert all(len(report.values) == len(report.starts) * width for report in read.reports)


@given(data=st.data(), value=json_values)
def test_any_json_in_place_of_one_number_costs_at_most_that_number(
    data: st.DataObject, value: object
) -> None:
    body = (DATA / "media_analytics.json").read_bytes()
    document = json.loads(body)
    hour = ("data", 0, "timestamped_metrics", 0, "metrics")
    spoilt = data.draw(st.sampled_from(MEDIA_METRICS))
    changed = json.dumps(replaced(document, (*hour, spoilt.wire), value)).encode()

    def others(body: bytes) -> Truth:
        numbers = told(decode(Endpoint.MEDIA_ANALYTICS, body, MEDIA_METRICS), MEDIA_METRICS)
        return {place: number for place, number in numbers.items() if place[2] != spoilt.name}

    assert others(changed) == others(body)


@pytest.mark.parametrize("opening", [b'{"errors": ', b'{"data": [{"errors": ', b'{"meta": '])
def test_nesting_of_any_depth_is_an_answer_or_a_wire_error(opening: bytes) -> None:
    closing = {b'{"data": [{"errors": ': b"}]}"}.get(opening, b"}")
    nested = [opening + b"[" * depth + b"]" * depth + closing for depth in range(1, 2000, 7)]
    read = [outcome(Endpoint.INSIGHTS_28HR, body) for body in nested]

    assert read[0] == Answer(())
    assert all(isinstance(each, WireError) or each == Answer(()) for each in read)
    assert isinstance(read[-1], WireError)


def iso8601(start: float) -> str:
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spellings(number: float) -> list[Any]:
    """All the ways in which X may write `number`."""
    written: list[Any] = [number, repr(number)]
    return [*written, int(number), str(int(number))] if number == int(number) else written


def analytics_document(
    truth: Truth, spell: Spell, endpoint: Endpoint, shuffle: Callable[[list[Any]], list[Any]]
) -> Any:  # noqa: ANN401
    id_field = "media_key" if endpoint is Endpoint.MEDIA_ANALYTICS else "id"
    names = {metric.name: wire_name(metric, endpoint) for metric in metrics_of(endpoint.kind)}
    hours: dict[str, dict[float, dict[str, Any]]] = {}
    for (item, start, name), number in truth.items():
        hours.setdefault(item, {}).setdefault(start, {"a_new_metric": [5]})[names[name] or ""] = spell(number)
    return [
        {
            id_field: item,
            "a_new_field": {},
            "timestamped_metrics": shuffle(
                [{"timestamp": iso8601(start), "metrics": metrics} for start, metrics in buckets.items()]
            ),
        }
        for item, buckets in hours.items()
    ]


def insights_document(truth: Truth, spell: Spell, shuffle: Callable[[list[Any]], list[Any]]) -> Any:  # noqa: ANN401
    wires = {metric.name: metric.wire for metric in POST_METRICS}
    hours: dict[tuple[str, float], list[Any]] = {}
    for (item, start, name), number in truth.items():
        figures = hours.setdefault((item, start), [{"metric_type": "ANewMetric", "metric_value": 5}])
        spelt = {"metric_type": wires[name], "metric_value": spell(number), "a_new_field": None}
        if number == 0:
            del spelt["metric_value"]
        figures.append(spelt)
    series = [
        {
            "tweet_id": item,
            "value": {"metric_values": shuffle(figures), "timestamp": {"iso8601_time": iso8601(start)}},
        }
        for (item, start), figures in hours.items()
    ]
    middle = len(series) // 2
    return [
        {"measurement": {"metrics_time_series": part}} for part in (series[:middle], series[middle:]) if part
    ]


@st.composite
def truths(draw: st.DrawFn, endpoint: Endpoint) -> Truth:
    metrics = [metric for metric in metrics_of(endpoint.kind) if wire_name(metric, endpoint)]
    keys = st.tuples(
        st.sampled_from(["13_1", "13_2", "7_1880028106020515840"]),
        st.integers(0, 28).map(lambda hour: float(FIRST_HOUR + 3600 * hour)),
        st.sampled_from([metric.name for metric in metrics]),
    )
    numbers = st.integers(0, 2**53).map(float) | st.floats(0, 1e15, allow_subnormal=False).map(
        lambda number: round(number, 2)
    )
    return draw(st.dictionaries(keys, numbers, max_size=40))


@given(data=st.data(), endpoint=endpoints)
def test_an_ordinary_answer_says_what_x_meant_however_it_is_spelt(
    data: st.DataObject, endpoint: Endpoint
) -> None:
    truth = data.draw(truths(endpoint))

    def spell(number: float) -> object:
        return data.draw(st.sampled_from(spellings(number)))

    def shuffle(things: list[Any]) -> list[Any]:
        return data.draw(st.permutations(things))

    entries = (
        insights_document(truth, spell, shuffle)
        if endpoint is Endpoint.INSIGHTS_28HR
        else analytics_document(truth, spell, endpoint, shuffle)
    )
    as_object = len(entries) == 1 and data.draw(st.booleans())
    body = json.dumps({"meta": [], "data": entries[0] if as_object else shuffle(entries)}).encode()
    metrics = data.draw(st.permutations(metrics_of(endpoint.kind)))
    asked = metrics[: data.draw(st.integers(1, len(metrics)))]
    names = {metric.name for metric in asked}

    assert told(decode(endpoint, body, asked), asked) == {
        place: number for place, number in truth.items() if place[2] in names
    }

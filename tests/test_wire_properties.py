"""Odd answers never break anything, and cost no more than they must."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.model import Answer, Endpoint
from exporter.vocabulary import MEDIA_METRICS, Metric, metrics_of
from exporter.xapi.wire import decode

DATA = Path(__file__).parent / "data" / "wire"
DOCUMENTS = {
    Endpoint.MEDIA_ANALYTICS: "media_analytics.json",
    Endpoint.TWEETS_ANALYTICS: "tweets_analytics.json",
    Endpoint.INSIGHTS_28HR: "insights_28hr.json",
    Endpoint.INSIGHTS_HISTORICAL: "insights_28hr.json",
}
FIRST_HOUR = 1791298800

endpoints = st.sampled_from(Endpoint)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fragments = json_values.map(lambda value: json.dumps(value).encode()) | st.sampled_from(
    [b"1e999", b"-1e999", b"1" + b"0" * 5000, b'"\xff"', b'"\\ud800"', b"nul", b"", b"[" * 5000, b'"', b"NaN"]
)


def numbers(answer: Answer, metrics: Sequence[Metric]) -> dict[str, list[float]]:
    """Every number of the answer, by metric."""
    return {
        metric.name: [
            number
            for report in answer.reports
            for number in report.values[column :: len(metrics)]
            if not math.isnan(number)
        ]
        for column, metric in enumerate(metrics)
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
        assert not any(report.carries_data for report in read.reports)


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

    def others(body: bytes) -> dict[str, list[float]]:
        told = numbers(decode(Endpoint.MEDIA_ANALYTICS, body, MEDIA_METRICS), MEDIA_METRICS)
        del told[spoilt.name]
        return told

    assert others(changed) == others(body)


@pytest.mark.parametrize("opening", [b'{"errors": ', b'{"data": [{"errors": ', b'{"meta": '])
def test_nesting_of_any_depth_is_an_answer_or_a_wire_error(opening: bytes) -> None:
    closing = {b'{"data": [{"errors": ': b"}]}"}.get(opening, b"}")
    nested = [opening + b"[" * depth + b"]" * depth + closing for depth in range(1, 1200)]
    read = [outcome(Endpoint.INSIGHTS_28HR, body) for body in nested]

    assert read[0] == Answer(())
    assert all(isinstance(each, WireError) or each == Answer(()) for each in read)
    assert isinstance(read[-1], WireError)

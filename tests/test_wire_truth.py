"""Whatever the legal spelling, an ordinary answer is read as X meant it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Answer, Endpoint
from exporter.vocabulary import POST_METRICS, Metric, metrics_of, wire_name
from exporter.xapi.requests import INSIGHTS
from exporter.xapi.wire import decode

FIRST_HOUR = 1791298800

# What X wants to say: (id, start of the hour, metric) -> number.
Truth: TypeAlias = dict[tuple[str, float, str], float]


def told(answer: Answer, metrics: Sequence[Metric]) -> Truth:
    """What was understood; no sample, no entry."""
    width = len(metrics)
    cells = {
        (report.id, start, metric.name): report.values[row * width + column]
        for report in answer.reports
        for row, start in enumerate(report.starts)
        for column, metric in enumerate(metrics)
    }
    return {place: number for place, number in cells.items() if not math.isnan(number)}


def iso8601(start: float, chance: Random) -> str:
    text = datetime.fromtimestamp(start, UTC).isoformat()
    return text.replace("+00:00", chance.choice(["Z", ".000Z", "+00:00"]))


def spelt(number: float, chance: Random) -> object:
    ways: list[object] = [number, repr(number)]
    if number == int(number):
        ways += [int(number), str(int(number))]
    return chance.choice(ways)


def shuffled(things: list[Any], chance: Random) -> list[Any]:
    return chance.sample(things, len(things))


def analytics_entries(truth: Truth, endpoint: Endpoint, chance: Random) -> list[Any]:
    """`data` of /2/media/analytics or /2/tweets/analytics that says `truth`."""
    id_field = "media_key" if endpoint is Endpoint.MEDIA_ANALYTICS else "id"
    fields = {metric.name: wire_name(metric, endpoint) for metric in metrics_of(endpoint.kind)}
    items: dict[str, dict[float, dict[Any, Any]]] = {}
    for (item, start, name), number in truth.items():
        metrics = items.setdefault(item, {}).setdefault(start, {"a_new_metric": [5]})
        metrics[fields[name]] = spelt(number, chance)
    return [
        {
            id_field: item,
            "a_new_field": {},
            "timestamped_metrics": [
                {"metrics": metrics, "timestamp": iso8601(start, chance)}
                for start, metrics in shuffled(list(hours.items()), chance)
            ],
        }
        for item, hours in items.items()
    ]


def insights_entries(truth: Truth, chance: Random) -> list[Any]:
    """`data` of /2/insights/28hr that says `truth`, in two parts, zeros perhaps by silence."""
    wires = {metric.name: metric.wire for metric in POST_METRICS}
    unasked = chance.choice([[], [{"metric_type": "ANewMetric", "metric_value": 5}]])
    hours: dict[tuple[str, float], dict[str, float]] = {}
    for (item, start, name), number in truth.items():
        hours.setdefault((item, start), {})[name] = number
    series = []
    for (item, start), numbers in hours.items():
        figures: list[Any] = [*unasked]
        for name, number in numbers.items():
            figure: dict[str, object] = {
                "metric_type": chance.choice([wires[name], name, wires[name].upper()])
            }
            if number or not (unasked or any(numbers.values())):
                figure["metric_value"] = spelt(number, chance)
            figures.append(figure)
        stamp = {"iso8601_time": iso8601(start, chance)}
        value = {"metric_values": shuffled(figures, chance), "timestamp": stamp}
        series.append({"tweet_id": item, "value": value})
    middle = len(series) // 2
    halves = shuffled(series[:middle], chance), shuffled(series[middle:], chance)
    return [{"measurement": {"metrics_time_series": half}} for half in halves if half]


@st.composite
def truths(draw: st.DrawFn, endpoint: Endpoint) -> Truth:
    names = [metric.name for metric in metrics_of(endpoint.kind) if wire_name(metric, endpoint)]
    places = st.tuples(
        st.sampled_from(["13_1", "13_2", "7_1880028106020515840"]),
        st.integers(0, 28).map(lambda hour: float(FIRST_HOUR + 3600 * hour)),
        st.sampled_from(names),
    )
    cents = st.integers(0, 10**12).map(lambda number: number / 100)
    numbers = st.just(0.0) | st.integers(0, 2**53).map(float) | cents
    return draw(st.dictionaries(places, numbers, max_size=40))


@given(data=st.data(), endpoint=st.sampled_from(Endpoint), seed=st.integers(0, 2**32))
def test_an_ordinary_answer_says_what_x_meant_however_it_is_spelt(
    data: st.DataObject, endpoint: Endpoint, seed: int
) -> None:
    chance = Random(seed)
    truth = data.draw(truths(endpoint))
    metrics = shuffled(list(metrics_of(endpoint.kind)), chance)
    asked = metrics[: chance.randint(1, len(metrics))]
    entries = (
        insights_entries(truth, chance)
        if endpoint in INSIGHTS
        else analytics_entries(truth, endpoint, chance)
    )
    as_object = len(entries) == 1 and chance.random() < 0.5
    body = json.dumps({"meta": [], "data": entries[0] if as_object else shuffled(entries, chance)})

    expected = {place: number for place, number in truth.items() if place[2] in {one.name for one in asked}}
    assert told(decode(endpoint, body.encode(), asked), asked) == expected

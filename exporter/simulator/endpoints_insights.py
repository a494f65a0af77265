"""GET /2/insights/28hr and GET /2/insights/historical."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from exporter.simulator.asking import Asking
from exporter.simulator.endpoints_analytics import oddly_written, range_complaints
from exporter.simulator.figures import Row
from exporter.simulator.http import Json, SimResponse, json_response
from exporter.simulator.knobs import Knobs
from exporter.simulator.metrics import INSIGHT_METRICS, POST_INDEX
from exporter.simulator.parameters import List, Parameter, Time, Values, Word, read
from exporter.simulator.problems import Complaint, bad_request, field_problem, item_problem
from exporter.simulator.reporting import Bucket, Range
from exporter.simulator.times import DAY, HOUR, WEEK, iso
from exporter.simulator.world import ItemStatus

_STEPS = MappingProxyType({"Hourly": HOUR, "Daily": DAY, "Weekly": WEEK, "Total": 0})
_WINDOW = 28 * HOUR
_PARAMETERS: tuple[Parameter, ...] = (
    List("tweet_ids", pattern="^[0-9]{1,19}$", most=25, unique=True, style="knob"),
    Word("granularity", ("Daily", "Hourly", "Weekly", "Total")),
    List("requested_metrics", allowed=tuple(INSIGHT_METRICS), unique=True, style="knob"),
    List("engagement.fields", allowed=("errors", "measurement"), required=False, unique=True),
)
_HISTORICAL: tuple[Parameter, ...] = (*_PARAMETERS, Time("start_time"), Time("end_time"))
# The old API's sentences; the wording of this one is not known.
_SENTENCES = MappingProxyType(
    {
        ItemStatus.NOT_FOUND: "{count} Tweet ID(s) are unavailable",
        ItemStatus.UNAVAILABLE: "{count} Tweet ID(s) are unavailable",
        ItemStatus.DISALLOWED: "{count} Tweet ID(s) are unavailable",
        ItemStatus.NOT_AUTHORIZED: "Forbidden to access tweets: {ids}",
    }
)


def insights_28hr(asking: Asking) -> SimResponse:
    """Answer GET /2/insights/28hr for the 28 hours that end at the moment of asking."""
    values, complaints = read(asking.pairs, _PARAMETERS, asking.knobs)
    if complaints:
        return bad_request(asking.knobs, complaints)
    start = asking.now - _WINDOW
    if asking.knobs.insights_buckets == 28:  # noqa: PLR2004 - the knob's other value
        start = -(-start // HOUR) * HOUR
    return _answer(asking, values, Range(start, asking.now, _STEPS[values.words["granularity"]]))


def insights_historical(asking: Asking) -> SimResponse:
    """Answer GET /2/insights/historical."""
    values, complaints = read(asking.pairs, _HISTORICAL, asking.knobs)
    complaints = complaints or _range_complaints(values, asking.now, asking.knobs)
    if complaints:
        return bad_request(asking.knobs, complaints)
    step = _STEPS[values.words["granularity"]]
    return _answer(asking, values, Range(values.times["start_time"], values.times["end_time"], step))


def _range_complaints(values: Values, now: float, knobs: Knobs) -> tuple[Complaint, ...]:
    start, end = values.times["start_time"], values.times["end_time"]
    if start < now - knobs.historical_back_days * DAY:
        message = f"Invalid 'start_time':'{iso(int(start))}'. It reaches back more than "
        return (Complaint("start_time", (iso(int(start)),), f"{message}{knobs.historical_back_days} days."),)
    return range_complaints(start, end, now, knobs.historical_max_days)


@dataclass(slots=True)
class _Measured:
    """What an answer says about the posts that can be told about."""

    series: list[Json]
    totals: list[Json]

    def measurement(self) -> Json:
        """Without the lists that would be empty, as the schema forbids those."""
        lists = (("metrics_time_series", self.series), ("metrics_total", self.totals))
        return {name: found for name, found in lists if found}


def _answer(asking: Asking, values: Values, span: Range) -> SimResponse:
    statuses = asking.statuses(values.lists["tweet_ids"])
    fields = values.lists.get("engagement.fields", ())
    data = _data(asking, values, span, [key for key, told in statuses.items() if told is ItemStatus.EXISTS])
    if "errors" in fields:
        data = _with_errors(data, statuses)
    if "measurement" not in fields:
        data = [{key: value for key, value in each.items() if key != "measurement"} for each in data]
    body: Json = {"data": data} if any(data) else {}
    errors = _problems(asking, statuses, values, told_inside="errors" in fields)
    return json_response(200, body | ({"errors": errors} if errors else {}))


def _data(asking: Asking, values: Values, span: Range, posts: Sequence[str]) -> list[Json]:
    groups = [[post] for post in posts] if asking.knobs.insights_per_post else [list(posts)]
    measured = [_measure(asking, values, span, group).measurement() for group in groups if group]
    return [{"measurement": each} for each in measured if each]


def _measure(asking: Asking, values: Values, span: Range, posts: Sequence[str]) -> _Measured:
    measured = _Measured([], [])
    withheld = asking.withheld(values.lists["tweet_ids"])
    tellers = [_Teller(asking, values.lists["requested_metrics"][skipped:]) for skipped in (0, 1)]
    for post in posts:
        tell = tellers[post in withheld]
        if not tell.metrics:
            continue
        if span.step:
            measured.series.extend(tell.entry(post, bucket) for bucket in tell.buckets(post, span))
        if asking.knobs.totals or not span.step:
            row = asking.reporter.total(post, span, asking.now)
            measured.totals.append({"tweet_id": post, "value": tell.values(post, 0, row)})
    if asking.knobs.shuffle:
        measured.series.sort(key=lambda each: asking.reporter.chance("order", each))
    return measured


class _Teller:
    """Writes figures of posts as the knobs want them, for the `metrics` of one request."""

    def __init__(self, asking: Asking, metrics: Sequence[str]) -> None:
        self.metrics = [
            (_spelling(name, asking.knobs), POST_INDEX[INSIGHT_METRICS[name]]) for name in metrics
        ]
        self._asking = asking
        knobs = asking.knobs
        self._odd = knobs.string_ratio or knobs.float_ratio or knobs.null_ratio or knobs.absent_ratio

    def buckets(self, post: str, span: Range) -> Sequence[Bucket]:
        """The buckets of `post` in the order they are sent."""
        return self._asking.reporter.buckets(post, span, self._asking.now)

    def entry(self, post: str, bucket: Bucket) -> Json:
        """One (post, bucket) pair of ``metrics_time_series``."""
        told = self.values(post, bucket.label, bucket.row)
        return {
            "tweet_id": post,
            "value": {"metric_values": told, "timestamp": {"iso8601_time": iso(bucket.label)}},
        }

    def values(self, post: str, label: int, row: Row | None) -> list[Json]:
        """The metric objects of `row`, without any value where there is none."""
        if row is None:
            return [{"metric_type": name} for name, _ in self.metrics]
        omit_zero = self._asking.knobs.omit_zero
        return [
            {"metric_type": name}
            if value == 0 and omit_zero
            else {"metric_type": name, "metric_value": value}
            for name, value in self._figures(post, label, row)
        ]

    def _figures(self, post: str, label: int, row: Row) -> Iterable[tuple[str, Any]]:
        if not self._odd:
            return [(name, row[place]) for name, place in self.metrics]
        drawn = {name: self._asking.reporter.chance(post, label, name) for name, _ in self.metrics}
        plain = {name: row[place] for name, place in self.metrics}
        return oddly_written(plain, drawn, self._asking.knobs).items()


def _spelling(name: str, knobs: Knobs) -> str:
    if knobs.metric_type == "pascal":
        return name
    snake = INSIGHT_METRICS[name]
    return snake.upper() if knobs.metric_type == "screaming" else snake


def _with_errors(data: list[Json], statuses: dict[str, ItemStatus]) -> list[Json]:
    told: list[Json] = []
    for status, sentence in _SENTENCES.items():
        posts = [post for post, found in statuses.items() if found is status]
        if posts:
            error = sentence.format(count=len(posts), ids=",".join(posts))
            told.append({"error": error, "tweets": posts})
    if not told:
        return data
    return [{**data[0], "errors": told}, *data[1:]] if data else [{"errors": told}]


def _problems(
    asking: Asking, statuses: dict[str, ItemStatus], values: Values, *, told_inside: bool
) -> list[Json]:
    """Entries of the top-level ``errors[]``: whatever has no place, or was not asked for, inside `data`."""
    problems = [
        item_problem(asking.knobs, status, post, resource="tweet", parameter="tweet_ids")
        for post, status in statuses.items()
        if status is not ItemStatus.EXISTS and not (told_inside and status in _SENTENCES)
    ]
    name = asking.spoil.field_problem
    for post in asking.withheld(tuple(statuses)) if name else ():
        metric = values.lists["requested_metrics"][0]
        problems.append(field_problem(asking.knobs, post, metric, resource="tweet", name=name or ""))
    return problems

"""GET /2/media/analytics and its sibling GET /2/tweets/analytics, which differ in names only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from exporter.simulator.asking import Asking
from exporter.simulator.figures import Row
from exporter.simulator.http import Json, SimResponse, json_response
from exporter.simulator.knobs import Knobs
from exporter.simulator.metrics import ANALYTICS_METRICS, MEDIA_INDEX, MEDIA_METRICS, POST_INDEX
from exporter.simulator.parameters import List, Parameter, Time, Values, Word, read
from exporter.simulator.problems import Complaint, bad_request, field_problem, item_problem
from exporter.simulator.reporting import Bucket, Range
from exporter.simulator.times import DAY, HOUR, WEEK, iso
from exporter.simulator.world import ItemStatus

_STEPS = MappingProxyType({"hourly": HOUR, "daily": DAY, "weekly": WEEK, "total": 0})
_SERIES = "timestamped_metrics"
_PHOTO = "3_"


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of the two endpoints spells things.

    `ids` and `fields` are parameters, `key` the field that holds an item's id, `resource` what its
    problems call an item, `index` the place of each metric in a figures row.
    """

    ids: str
    pattern: str
    key: str
    fields: str
    metrics: tuple[str, ...]
    index: Mapping[str, int]
    resource: str
    granularities: tuple[str, ...]
    default: str

    def parameters(self, knobs: Knobs) -> tuple[Parameter, ...]:
        """The parameters as the excerpts declare them."""
        extra = () if knobs.old_field_list else (_SERIES,)
        fields = tuple(sorted((*self.metrics, self.key, "timestamp", *extra)))
        default = None if knobs.granularity_required else self.default
        return (
            List(self.ids, pattern=self.pattern, most=100),
            Time("start_time"),
            Time("end_time"),
            Word("granularity", self.granularities, default),
            List(self.fields, allowed=fields, required=False, unique=True),
        )


MEDIA = Shape(
    ids="media_keys",
    pattern="^([0-9]+)_([0-9]+)$",
    key="media_key",
    fields="media_analytics.fields",
    metrics=MEDIA_METRICS,
    index=MEDIA_INDEX,
    resource="media_analytics",
    granularities=("hourly", "daily", "total"),
    default="daily",
)
POSTS = Shape(
    ids="ids",
    pattern="^[0-9]{1,19}$",
    key="id",
    fields="analytics.fields",
    metrics=ANALYTICS_METRICS,
    index=POST_INDEX,
    resource="analytics",
    granularities=("hourly", "daily", "weekly", "total"),
    default="total",
)


def media_analytics(asking: Asking) -> SimResponse:
    """Answer GET /2/media/analytics."""
    return _answer(asking, MEDIA)


def tweets_analytics(asking: Asking) -> SimResponse:
    """Answer GET /2/tweets/analytics."""
    return _answer(asking, POSTS)


def _answer(asking: Asking, shape: Shape) -> SimResponse:
    knobs = asking.knobs
    values, complaints = read(asking.pairs, shape.parameters(knobs), knobs)
    complaints = complaints or _range_complaints(values, asking.now, knobs)
    if complaints:
        return bad_request(knobs, complaints)
    ids = tuple(dict.fromkeys(values.lists[shape.ids]))
    return json_response(200, _body(asking, shape, values, ids))


def _range_complaints(values: Values, now: float, knobs: Knobs) -> tuple[Complaint, ...]:
    return range_complaints(values.times["start_time"], values.times["end_time"], now, knobs.media_max_days)


def range_complaints(start: float, end: float, now: float, most_days: int) -> tuple[Complaint, ...]:
    """What is wrong with a time range (Unix seconds) asked for at `now`."""
    if start >= end:
        message = f"Invalid 'start_time':'{iso(int(start))}'. 'start_time' must be before 'end_time'."
        return (Complaint("start_time", (iso(int(start)),), message),)
    if end > now:
        message = f"Invalid 'end_time':'{iso(int(end))}'. 'end_time' must not be in the future."
        return (Complaint("end_time", (iso(int(end)),), message),)
    if end - start > most_days * DAY:
        message = f"Invalid 'start_time':'{iso(int(start))}'. The range is limited to {most_days} days."
        return (Complaint("start_time", (iso(int(start)),), message),)
    return ()


def _body(asking: Asking, shape: Shape, values: Values, ids: Sequence[str]) -> Json:
    asked = values.lists.get(shape.fields, (shape.key,))
    item = _item_writer(asking, shape, values, asked)
    data: list[Json] = []
    errors: list[Json] = []
    withheld = asking.withheld(ids)
    for item_id, status in asking.statuses(ids).items():
        if status is ItemStatus.EXISTS and item_id.startswith(_PHOTO) and shape is MEDIA:
            status = _photo_status(asking.knobs)  # noqa: PLW2901 - a photo exists and has no figures
        if status is not ItemStatus.EXISTS:
            told = item_problem(asking.knobs, status, item_id, resource=shape.resource, parameter=shape.ids)
            errors.append(told)
            continue
        metrics = tuple(name for name in asked if name in shape.index)
        if item_id in withheld and metrics:
            errors.append(_field_error(asking, shape, item_id, metrics[0]))
            metrics = metrics[1:]
        data.append(item(item_id, metrics))
    if asking.knobs.shuffle:
        data.sort(key=lambda each: asking.reporter.chance("order", each.get(shape.key)))
    return _envelope(asking.knobs, data, errors, single=len(ids) == 1 and shape is MEDIA)


def _envelope(knobs: Knobs, data: list[Json], errors: list[Json], *, single: bool) -> Json:
    body: Json = {}
    if data:
        body["data"] = data[0] if knobs.data_as_object and single else data
    if errors:
        body["errors"] = errors
    return body


def _photo_status(knobs: Knobs) -> ItemStatus:
    return ItemStatus.EXISTS if knobs.photo_keys == "null" else ItemStatus.NOT_FOUND


def _field_error(asking: Asking, shape: Shape, item_id: str, metric: str) -> Json:
    name = asking.spoil.field_problem or "not-authorized-for-field"
    return field_problem(asking.knobs, item_id, metric, resource=shape.resource, name=name)


def _item_writer(
    asking: Asking, shape: Shape, values: Values, asked: Sequence[str]
) -> Callable[[str, Sequence[str]], Json]:
    span = Range(values.times["start_time"], values.times["end_time"], _STEPS[values.words["granularity"]])
    knobs, reporter = asking.knobs, asking.reporter
    series = _SERIES in asked or (knobs.old_field_list and any(name in shape.index for name in asked))
    stamped = not knobs.old_field_list or "timestamp" in asked

    def item(item_id: str, metrics: Sequence[str]) -> Json:
        body: Json = {shape.key: item_id} if shape.key in asked else {}
        if not span.step and knobs.flat_total:
            row = reporter.total(item_id, span, asking.now)
            return body | {name: row[shape.index[name]] for name in metrics}
        if series:
            write = _metrics_writer(asking, shape, item_id, metrics)
            found = reporter.buckets(item_id, span, asking.now)
            body[_SERIES] = [_bucket(each, write(each), stamped=stamped) for each in found]
        return body

    return item


def _bucket(bucket: Bucket, metrics: Json | None, *, stamped: bool) -> Json:
    return {"timestamp": iso(bucket.label), "metrics": metrics} if stamped else {"metrics": metrics}


def _metrics_writer(
    asking: Asking, shape: Shape, item_id: str, metrics: Sequence[str]
) -> Callable[[Bucket], Json | None]:
    knobs, reporter = asking.knobs, asking.reporter
    places = [(name, shape.index[name]) for name in metrics]
    odd = knobs.string_ratio or knobs.float_ratio or knobs.null_ratio or knobs.absent_ratio

    def plain(row: Row) -> Json:
        return {name: row[place] for name, place in places}

    def write(bucket: Bucket) -> Json | None:
        if bucket.row is None or (shape is MEDIA and item_id.startswith(_PHOTO)):
            return dict.fromkeys(metrics)
        if (
            knobs.null_bucket_ratio
            and reporter.chance("bucket", item_id, bucket.label) < knobs.null_bucket_ratio
        ):
            return None
        if not odd:
            return plain(bucket.row)
        drawn = {name: reporter.chance(item_id, bucket.label, name) for name in metrics}
        return oddly_written(plain(bucket.row), drawn, knobs)

    return write


def oddly_written(figures: Mapping[str, int], drawn: Mapping[str, float], knobs: Knobs) -> Json:
    """`figures` in the kinds of value the knobs ask for; `drawn` is a number in [0, 1) for each."""
    strings = knobs.string_ratio
    floats = strings + knobs.float_ratio
    nulls = floats + knobs.null_ratio
    absent = nulls + knobs.absent_ratio
    written: Json = {}
    for name, value in figures.items():
        chance = drawn[name]
        if chance < strings:
            written[name] = str(value)
        elif chance < floats:
            written[name] = float(value)
        elif chance < nulls:
            written[name] = None
        elif chance >= absent:
            written[name] = value
    return written

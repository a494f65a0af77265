"""What is asked of X is what X's OpenAPI excerpts allow."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, ValidationError

from exporter.model import HOUR_SECONDS, Endpoint, Kind
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS, POST_WITNESS, Metric, metrics_of
from exporter.xapi.requests import INSIGHTS, Bounds, Dialect, PollRequest, poll_request

# 2026-10-07T20:05:00Z
NOW = 1_791_403_500.0
NUMBERS = st.integers(1, 10**19 - 1).map(str)
IDS = {
    Kind.MEDIA: st.builds("{}_{}".format, st.integers(1, 99), NUMBERS),
    Kind.POST: NUMBERS,
}
DIALECTS = st.builds(Dialect, st.booleans(), st.booleans())
Check = Callable[[str, PollRequest], None]


def chosen(kind: Kind) -> st.SearchStrategy[list[Metric]]:
    """Some metrics of a kind, in the order of the vocabulary, as the configuration gives them."""
    everything = metrics_of(kind)
    some = st.sets(st.sampled_from(everything), min_size=1)
    return some.map(lambda metrics: [metric for metric in everything if metric in metrics])


def asked(endpoint: Endpoint, dialect: Dialect | None = None) -> st.SearchStrategy[PollRequest]:
    """Requests to `endpoint`, as large as one may be."""
    ids = st.lists(IDS[endpoint.kind], min_size=1, max_size=endpoint.batch_size, unique=True)
    now = st.floats(0, 4e9)
    return st.builds(
        poll_request, st.just(endpoint), ids, chosen(endpoint.kind), now, st.just(dialect or Dialect())
    )


@pytest.fixture(scope="module")
def check(reference: Path) -> Check:
    """Hold a request against the parameters of the excerpt of a spec version."""
    specs: dict[str, dict[str, Any]] = {}

    def run(version: str, request: PollRequest) -> None:
        if version not in specs:
            specs[version] = json.loads((reference / f"openapi-{version}.json").read_text(encoding="utf-8"))
        assert_allowed(specs[version], request)

    return run


def assert_allowed(spec: dict[str, Any], request: PollRequest) -> None:
    """Names, required ones, schemas, and how arrays are written: what the spec says of a query."""
    declared = {parameter["name"]: parameter for parameter in parameters(spec, request.endpoint.path)}
    sent: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, strict_parsing=True, keep_blank_values=True):
        sent.setdefault(name, []).append(value)
    assert set(sent) <= set(declared)
    assert {name for name, parameter in declared.items() if parameter.get("required")} <= set(sent)
    for name, values in sent.items():
        schema = {**declared[name]["schema"], "components": spec["components"]}
        Draft4Validator(schema).validate(unpacked(declared[name], values))
        if schema.get("format") == "date-time":
            # The spec's pattern in its own words: YYYY-MM-DDTHH:mm:ssZ.
            datetime.strptime(values[0], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - only the form counts


def parameters(spec: dict[str, Any], path: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = spec["paths"][path]["get"]["parameters"]
    shared = spec["components"]["parameters"]
    return [shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in listed]


def unpacked(parameter: dict[str, Any], values: Sequence[str]) -> list[str] | str:
    """The value as a server reads it that keeps to `style` and `explode`, whose default is true."""
    assert parameter["style"] == "form"
    if parameter["schema"]["type"] != "array":
        (value,) = values
        return value
    if parameter.get("explode", True):
        return list(values)
    (value,) = values
    return value.split(",")


@given(asked(Endpoint.MEDIA_ANALYTICS))
def test_media_are_asked_as_the_newer_spec_has_it(check: Check, request: PollRequest) -> None:
    check("2.167", request)


@given(asked(Endpoint.MEDIA_ANALYTICS, Dialect(older_fields=True)))
def test_media_are_asked_in_the_older_form_as_both_specs_have_it(check: Check, request: PollRequest) -> None:
    check("2.159", request)
    check("2.167", request)


@given(asked(Endpoint.TWEETS_ANALYTICS))
def test_the_sibling_is_asked_as_the_newer_spec_has_it(check: Check, request: PollRequest) -> None:
    check("2.167", request)


@given(asked(Endpoint.INSIGHTS_28HR, Dialect(repeated_keys=True)))
def test_insights_with_repeated_keys_are_as_the_spec_says(check: Check, request: PollRequest) -> None:
    # `engagement.fields` alone says explode: false, and is comma-joined in this form as well.
    check("2.159", request)


@given(asked(Endpoint.INSIGHTS_HISTORICAL, Dialect(repeated_keys=True)))
def test_historical_insights_are_asked_as_the_spec_says(check: Check, request: PollRequest) -> None:
    check("2.159", request)


@given(asked(Endpoint.INSIGHTS_28HR))
def test_insights_joined_by_commas_hold_what_the_spec_allows(reference: Path, request: PollRequest) -> None:
    # The spec leaves `explode` out, which would mean repeated keys; both official SDKs join by commas.
    spec = json.loads((reference / "openapi-2.159.json").read_text(encoding="utf-8"))
    assert_allowed(joining(spec), request)


def joining(spec: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(spec)
    for parameter in changed["paths"][Endpoint.INSIGHTS_28HR.path]["get"]["parameters"]:
        parameter["explode"] = False
    return changed


@given(st.sampled_from(Endpoint), st.floats(0, 4e9), DIALECTS)
def test_bounds_are_the_28_whole_hours_before_now(endpoint: Endpoint, now: float, dialect: Dialect) -> None:
    ids = ["13_1" if endpoint.kind is Kind.MEDIA else "1"]
    request = poll_request(endpoint, ids, metrics_of(endpoint.kind), now, dialect)
    query = dict(parse_qsl(request.query))
    if endpoint is Endpoint.INSIGHTS_28HR:
        assert (request.start, request.end) == (None, None)
        assert "start_time" not in query
        return
    assert request.start is not None
    assert request.end is not None
    assert request.end % HOUR_SECONDS == 0
    assert request.end <= now < request.end + HOUR_SECONDS
    assert request.end - request.start == 28 * HOUR_SECONDS
    told = [datetime.fromisoformat(query[name]).timestamp() for name in ("start_time", "end_time")]
    assert told == [request.start, request.end]


@given(st.sampled_from([each for each in Endpoint if each is not Endpoint.INSIGHTS_28HR]), DIALECTS)
def test_hours_are_asked_for_as_they_are_given(endpoint: Endpoint, dialect: Dialect) -> None:
    ids = ["13_1" if endpoint.kind is Kind.MEDIA else "1"]
    bounds = Bounds(1_788_134_400.0, 1_790_553_600.0)
    request = poll_request(endpoint, ids, metrics_of(endpoint.kind), NOW, dialect, bounds)
    query = dict(parse_qsl(request.query))
    assert (request.start, request.end) == (bounds.start, bounds.end)
    assert query["start_time"] == "2026-08-31T00:00:00Z"
    assert query["end_time"] == "2026-09-28T00:00:00Z"


@pytest.mark.parametrize("endpoint", sorted(INSIGHTS))
def test_either_insights_endpoint_may_want_its_keys_repeated(endpoint: Endpoint) -> None:
    assert Dialect().fallback(endpoint, ["requested_metrics"]) == Dialect(repeated_keys=True)
    assert Dialect().fallback(endpoint, ["start_time"]) is None


@given(st.sampled_from(Endpoint).flatmap(asked))
def test_a_request_names_each_of_its_ids_once_and_in_order(request: PollRequest) -> None:
    name = {
        Endpoint.MEDIA_ANALYTICS: "media_keys",
        Endpoint.INSIGHTS_28HR: "tweet_ids",
        Endpoint.TWEETS_ANALYTICS: "ids",
        Endpoint.INSIGHTS_HISTORICAL: "tweet_ids",
    }
    assert tuple(dict(parse_qsl(request.query))[name[request.endpoint]].split(",")) == request.ids


@given(st.sampled_from(sorted(INSIGHTS)), chosen(Kind.POST), DIALECTS)
def test_insights_are_asked_for_the_chosen_metrics_and_the_witness(
    endpoint: Endpoint, metrics: list[Metric], dialect: Dialect
) -> None:
    request = poll_request(endpoint, ["1"], metrics, NOW, dialect)
    values = [value for name, value in parse_qsl(request.query) if name == "requested_metrics"]
    names = values if dialect.repeated_keys else values[0].split(",")
    assert set(names) == {metric.wire for metric in [*metrics, POST_WITNESS]}
    assert len(names) == len(set(names))


@given(chosen(Kind.POST))
def test_the_sibling_is_asked_only_for_what_it_has(metrics: list[Metric]) -> None:
    request = poll_request(Endpoint.TWEETS_ANALYTICS, ["1"], metrics, NOW, Dialect())
    names = dict(parse_qsl(request.query))["analytics.fields"].split(",")
    twins = {metric.twin for metric in metrics if metric.twin is not None}
    assert set(names) == twins | {"id", "timestamp", "timestamped_metrics"}


def test_the_check_itself_finds_what_is_wrong(check: Check) -> None:
    def request(endpoint: Endpoint, ids: Sequence[str], **changes: str) -> PollRequest:
        made = poll_request(endpoint, ids, metrics_of(endpoint.kind), NOW, Dialect())
        query = made.query
        for old, new in changes.items():
            assert old in query
            query = query.replace(old, new)
        return PollRequest(endpoint, made.ids, query, made.start, made.end)

    media = Endpoint.MEDIA_ANALYTICS
    for wrong in (
        request(media, [f"13_{number}" for number in range(101)]),
        request(media, ["13"]),
        request(media, ["13_1"], hourly="Hourly"),
        request(media, ["13_1"], video_views="VideoViews"),
        request(Endpoint.TWEETS_ANALYTICS, ["12345678901234567890"]),
    ):
        with pytest.raises(ValidationError):
            check("2.167", wrong)
    for wrong in (
        request(media, ["13_1"], start_time="since"),
        request(media, ["13_1"], granularity="granularity=hourly&cache_buster"),
    ):
        with pytest.raises(AssertionError):
            check("2.167", wrong)
    with pytest.raises(ValueError, match="does not match format"):
        check("2.167", request(media, ["13_1"], **{"00Z": "00.000Z"}))
    # Commas where the spec's letter wants repeated keys: one id that is none.
    with pytest.raises(ValidationError):
        check("2.159", request(Endpoint.INSIGHTS_28HR, ["1", "2"]))


def test_the_whole_vocabulary_is_known_to_the_specs(check: Check) -> None:
    check("2.167", poll_request(Endpoint.MEDIA_ANALYTICS, ["13_1"], MEDIA_METRICS, NOW, Dialect()))
    check("2.167", poll_request(Endpoint.TWEETS_ANALYTICS, ["1"], POST_METRICS, NOW, Dialect()))
    check(
        "2.159", poll_request(Endpoint.INSIGHTS_28HR, ["1"], POST_METRICS, NOW, Dialect(repeated_keys=True))
    )

"""What the simulator answers is what X's OpenAPI excerpts describe."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, ValidationError

from exporter.simulator import Item, ItemStatus, Knobs, Simulator
from tests.simulator_support import (
    ANALYTICS_PATH,
    GONE,
    INSIGHTS_PATH,
    MEDIA_PATH,
    OLD_FIELDS,
    POST,
    VIDEO,
    YOUNG_POST,
    YOUNG_VIDEO,
    analytics_query,
    get,
    insights_query,
    make,
    media_query,
    openapi,
)

Check = Callable[[str, str, dict[str, Any]], None]
RATIOS = st.sampled_from([0.0, 0.3])

# Whatever the newer spec allows for figures by hour.
LEGAL = st.fixed_dictionaries(
    {
        "null_ratio": RATIOS,
        "absent_ratio": RATIOS,
        "null_bucket_ratio": RATIOS,
        "missing_ratio": RATIOS,
        "label_end": st.booleans(),
        "bucket_at_end": st.booleans(),
        "zero_fill": st.booleans(),
        "before_creation": st.sampled_from(["absent", "zero", "null"]),
        "shuffle": st.booleans(),
        "repeat_buckets": st.booleans(),
        "lag_hours": st.integers(0, 3),
        "revision_hours": st.sampled_from([0.0, 12.0]),
    }
)
LEGAL_INSIGHTS = st.fixed_dictionaries(
    {
        "float_ratio": RATIOS,
        "absent_ratio": RATIOS,
        "omit_zero": st.booleans(),
        "insights_buckets": st.sampled_from([28, 29]),
        "metric_type": st.sampled_from(["pascal", "snake", "screaming"]),
        "insights_per_post": st.booleans(),
        "totals": st.booleans(),
        "zero_fill": st.booleans(),
        "before_creation": st.sampled_from(["absent", "zero", "null"]),
        "shuffle": st.booleans(),
        "lag_hours": st.sampled_from([0, 2, 40]),
    }
)


@pytest.fixture(scope="module")
def check(reference: Path) -> Check:
    """Hold a body against the schema of a 200 of (spec version, path)."""
    validators: dict[tuple[str, str], Draft4Validator] = {}

    def run(version: str, path: str, body: dict[str, Any]) -> None:
        key = (version, path)
        if key not in validators:
            spec = plain(openapi(reference, version))
            answer = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            validators[key] = Draft4Validator({**answer, "components": spec["components"]})
        validators[key].validate(body)

    return run


def plain(node: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """An OpenAPI 3.0 document with `nullable` told in JSON Schema's own way."""
    if isinstance(node, list):
        return [plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: plain(each) for name, each in node.items()}
    if found.pop("nullable", False):
        return {"anyOf": [found, {"type": "null"}]}
    return found


def with_problems(**knobs: Any) -> Simulator:  # noqa: ANN401 - as drawn
    simulator = make(knobs=Knobs(**knobs))
    simulator.world.put("13_2", Item(ItemStatus.NOT_AUTHORIZED))
    simulator.world.put("13_3", Item(ItemStatus.UNAVAILABLE))
    simulator.world.put("13_4", Item(ItemStatus.DISALLOWED))
    simulator.world.put("13_5", Item(ItemStatus.INTERNAL_ERROR))
    simulator.world.put("5", Item(ItemStatus.NOT_AUTHORIZED))
    return simulator


def answer(simulator: Simulator, path: str, query: dict[str, str]) -> dict[str, Any]:
    response = get(simulator, path, query)
    assert response.status == 200, response.body
    found: dict[str, Any] = response.json()
    return found


quick = settings(max_examples=40)


@quick
@given(LEGAL, RATIOS, st.sampled_from(["hourly", "daily", "total"]))
def test_media_analytics_is_as_the_newer_spec_has_it(
    check: Check, knobs: dict[str, Any], strings: float, granularity: str
) -> None:
    simulator = with_problems(**knobs, string_ratio=strings)
    keys = (VIDEO, YOUNG_VIDEO, "13_1", "13_2", "13_3", "13_4", "13_5")
    check("2.167", MEDIA_PATH, answer(simulator, MEDIA_PATH, media_query(*keys, granularity=granularity)))


@quick
@given(LEGAL, st.sampled_from(["hourly", "daily", "weekly", "total"]))
def test_tweets_analytics_is_as_the_newer_spec_has_it(
    check: Check, knobs: dict[str, Any], granularity: str
) -> None:
    query = analytics_query(POST, YOUNG_POST, GONE, granularity=granularity)
    check("2.167", ANALYTICS_PATH, answer(with_problems(**knobs), ANALYTICS_PATH, query))


@quick
@given(LEGAL_INSIGHTS, st.sampled_from(["Hourly", "Daily", "Weekly", "Total"]), st.booleans())
def test_insights_are_as_the_older_spec_has_them(
    check: Check,
    knobs: dict[str, Any],
    granularity: str,
    tell_errors: bool,  # noqa: FBT001 - drawn
) -> None:
    fields = "errors,measurement" if tell_errors else "measurement"
    query = insights_query(POST, YOUNG_POST, GONE, "5", granularity=granularity) | {
        "engagement.fields": fields
    }
    check("2.159", INSIGHTS_PATH, answer(with_problems(**knobs), INSIGHTS_PATH, query))
    past = {"start_time": "2026-11-27T00:00:00Z", "end_time": "2026-11-28T12:00:00Z"}
    path = "/2/insights/historical"
    check("2.159", path, answer(with_problems(**knobs), path, query | past))


@pytest.mark.parametrize("host", ["api.x.com", "api.twitter.com"])
def test_both_analytics_endpoints_are_as_the_older_spec_has_them(check: Check, host: str) -> None:
    simulator = with_problems(old_field_list=True, problem_host=host)
    query = media_query(VIDEO, "13_1", "13_2", **{"media_analytics.fields": ",".join(OLD_FIELDS)})
    check("2.159", MEDIA_PATH, answer(simulator, MEDIA_PATH, query))
    query = analytics_query(POST, GONE, **{"analytics.fields": "id,timestamp,impressions,likes"})
    check("2.159", ANALYTICS_PATH, answer(simulator, ANALYTICS_PATH, query))


def test_a_flat_total_is_as_the_newer_spec_has_it(check: Check) -> None:
    simulator = with_problems(flat_total=True)
    found = answer(simulator, MEDIA_PATH, media_query(granularity="total"))
    check("2.167", MEDIA_PATH, found)
    assert "timestamped_metrics" not in found["data"][0]


@pytest.mark.parametrize("name", ["row01", "row02", "row03", "row04", "row05", "field_unauthorized"])
def test_answers_with_problems_of_single_items_are_as_the_specs_have_them(check: Check, name: str) -> None:
    simulator = make()
    simulator.fail(name)
    check("2.167", MEDIA_PATH, answer(simulator, MEDIA_PATH, media_query(VIDEO, YOUNG_VIDEO)))
    check("2.167", ANALYTICS_PATH, answer(simulator, ANALYTICS_PATH, analytics_query(POST, YOUNG_POST)))
    check("2.159", INSIGHTS_PATH, answer(simulator, INSIGHTS_PATH, insights_query(POST, YOUNG_POST)))


def test_a_refused_request_is_a_problem_of_both_specs(reference: Path) -> None:
    for version in ("2.159", "2.167"):
        spec = plain(openapi(reference, version))
        schema = copy.deepcopy(spec["components"]["schemas"]["InvalidRequestProblem"])
        validator = Draft4Validator({**schema, "components": spec["components"]})
        simulator = make()
        for flat in (False, True):
            simulator.turn(flat_bad_request=flat)
            validator.validate(get(simulator, MEDIA_PATH, media_query(granularity="x")).json())


def test_the_check_itself_finds_what_is_wrong(check: Check) -> None:
    found = answer(make(), MEDIA_PATH, media_query())
    found["data"][0]["timestamped_metrics"][0]["metrics"]["video_views"] = 1.5
    with pytest.raises(ValidationError, match=r"1\.5.* is not valid"):
        check("2.167", MEDIA_PATH, found)
    found = answer(make(), INSIGHTS_PATH, insights_query())
    found["data"][0]["measurement"]["metrics_total"] = []
    with pytest.raises(ValidationError, match=r"should be non-empty|too short"):
        check("2.159", INSIGHTS_PATH, found)

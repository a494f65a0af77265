"""The simulated endpoints refuse whatever X's OpenAPI excerpts do not allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.simulator import SimResponse
from exporter.simulator.metrics import ANALYTICS_METRICS, INSIGHT_METRICS, MEDIA_METRICS
from exporter.simulator.times import iso
from tests.simulator_support import (
    ANALYTICS_PATH,
    HOUR,
    INSIGHTS_PATH,
    MEDIA_PATH,
    NOW,
    POST,
    THIS_HOUR,
    TOKEN,
    VIDEO,
    YOUNG_POST,
    analytics_query,
    get,
    insights_query,
    make,
    media_query,
    openapi,
)

HISTORICAL_PATH = "/2/insights/historical"
HISTORICAL = {"start_time": iso(THIS_HOUR - 30 * HOUR), "end_time": iso(THIS_HOUR - 20 * HOUR)}
MANY_KEYS = ",".join(f"13_18800281060205158{number:02}" for number in range(101))
MANY_POSTS = ",".join(f"18800281060205158{number:02}" for number in range(101))
NEXT_HOUR = iso(THIS_HOUR + HOUR)


def without(query: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in query.items() if key != name}


def refused(response: SimResponse, parameter: str) -> dict[str, Any]:
    """The refusal, which must name `parameter` and nothing else."""
    assert response.status == 400
    assert response.header("content-type") == "application/problem+json; charset=utf-8"
    found: dict[str, Any] = response.json()
    assert found["title"] == "Invalid Request"
    assert found["detail"] == "One or more parameters to your request was invalid."
    assert found["type"].endswith("/2/problems/invalid-request")
    assert [list(error["parameters"]) for error in found["errors"]] == [[parameter]]
    assert all(error["message"] for error in found["errors"])
    return found


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ("media_keys", without(media_query(), "media_keys")),
        ("media_keys", media_query(media_keys="")),
        ("media_keys", media_query(media_keys=f"{VIDEO},")),
        ("media_keys", media_query(media_keys=MANY_KEYS)),
        ("media_keys", media_query(media_keys="1880028106020515840")),
        ("media_keys", media_query(media_keys=f"{VIDEO}, {VIDEO}")),
        ("media_keys", media_query(media_keys="13_188002810602051584\u0660")),
        ("start_time", without(media_query(), "start_time")),
        ("end_time", without(media_query(), "end_time")),
        ("start_time", media_query(start_time="2026-11-29")),
        ("start_time", media_query(start_time="2026-11-29T00:00:00+01:00")),
        ("start_time", media_query(start_time="2026-13-29T00:00:00Z")),
        ("end_time", media_query(end_time=NEXT_HOUR)),
        ("start_time", media_query(start_time=iso(THIS_HOUR))),
        ("start_time", media_query(start_time=iso(THIS_HOUR - 93 * 24 * HOUR))),
        ("granularity", media_query(granularity="Hourly")),
        ("granularity", media_query(granularity="weekly")),
        ("granularity", media_query(granularity="")),
        ("media_analytics.fields", media_query(**{"media_analytics.fields": ""})),
        ("media_analytics.fields", media_query(**{"media_analytics.fields": "playback_25_count"})),
        ("media_analytics.fields", media_query(**{"media_analytics.fields": "video_views,video_views"})),
        ("cache_buster", media_query(cache_buster="1")),
    ],
)
def test_media_analytics_refuses(parameter: str, query: dict[str, str]) -> None:
    refused(get(make(any_id=True), MEDIA_PATH, query), parameter)


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ("ids", without(analytics_query(), "ids")),
        ("ids", analytics_query(ids=MANY_POSTS)),
        ("ids", analytics_query(ids=VIDEO)),
        ("ids", analytics_query(ids="18800281060205158400")),
        ("granularity", analytics_query(granularity="Hourly")),
        ("analytics.fields", analytics_query(**{"analytics.fields": "link_clicks"})),
        ("end_time", analytics_query(end_time=NEXT_HOUR)),
        ("tweet_ids", analytics_query(tweet_ids=POST)),
    ],
)
def test_tweets_analytics_refuses(parameter: str, query: dict[str, str]) -> None:
    refused(get(make(any_id=True), ANALYTICS_PATH, query), parameter)


INSIGHTS_CASES = [
    ("tweet_ids", without(insights_query(), "tweet_ids")),
    ("tweet_ids", insights_query(*MANY_POSTS.split(",")[:26])),
    ("tweet_ids", insights_query(POST, POST)),
    ("tweet_ids", insights_query(VIDEO)),
    ("granularity", without(insights_query(), "granularity")),
    ("granularity", insights_query(granularity="hourly")),
    ("requested_metrics", without(insights_query(), "requested_metrics")),
    ("requested_metrics", insights_query(requested_metrics="")),
    ("requested_metrics", insights_query(requested_metrics="impressions")),
    ("requested_metrics", insights_query(requested_metrics="Likes,Likes")),
    ("engagement.fields", insights_query(**{"engagement.fields": "measurements"})),
]


@pytest.mark.parametrize(
    ("parameter", "query"), [*INSIGHTS_CASES, ("end_time", insights_query(end_time=iso(THIS_HOUR)))]
)
def test_insights_refuse(parameter: str, query: dict[str, str]) -> None:
    refused(get(make(any_id=True), INSIGHTS_PATH, query), parameter)


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        *[(parameter, query | HISTORICAL) for parameter, query in INSIGHTS_CASES],
        ("start_time", insights_query(end_time=iso(THIS_HOUR))),
        ("end_time", insights_query(**HISTORICAL) | {"end_time": NEXT_HOUR}),
        ("start_time", insights_query(**HISTORICAL) | {"start_time": iso(THIS_HOUR - 29 * 24 * HOUR)}),
        ("start_time", insights_query(**HISTORICAL) | {"start_time": iso(THIS_HOUR - 366 * 24 * HOUR)}),
    ],
)
def test_historical_insights_refuse(parameter: str, query: dict[str, str]) -> None:
    refused(get(make(any_id=True), HISTORICAL_PATH, query), parameter)


@pytest.mark.parametrize("parameter", ["media_keys", "granularity", "start_time", "media_analytics.fields"])
def test_media_parameters_may_not_be_repeated(parameter: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in media_query().items())
    again = f"{query}&{parameter}={media_query()[parameter]}"
    refused(get(make(), MEDIA_PATH, again), parameter)


@pytest.mark.parametrize(
    ("arrays", "commas", "repeated"),
    [("either", 200, 200), ("commas", 200, 400), ("repeated", 400, 200)],
)
def test_insights_take_lists_as_the_knob_says(arrays: str, commas: int, repeated: int) -> None:
    simulator = make()
    simulator.turn(insights_arrays=arrays)
    asked = f"tweet_ids={POST}&tweet_ids={YOUNG_POST}&requested_metrics=Likes&requested_metrics=Impressions"
    joined = f"tweet_ids={POST},{YOUNG_POST}&requested_metrics=Likes,Impressions"
    tail = "&granularity=Hourly&engagement.fields=measurement"
    assert get(simulator, INSIGHTS_PATH, joined + tail).status == commas
    assert get(simulator, INSIGHTS_PATH, asked + tail).status == repeated


def test_media_fields_of_the_old_list_lack_the_series() -> None:
    simulator = make()
    simulator.turn(old_field_list=True)
    refused(get(simulator, MEDIA_PATH, media_query()), "media_analytics.fields")
    refused(get(simulator, ANALYTICS_PATH, analytics_query()), "analytics.fields")


def test_granularity_may_be_left_out_unless_it_is_required() -> None:
    simulator = make()
    query = without(media_query(), "granularity")
    assert get(simulator, MEDIA_PATH, query).status == 200
    simulator.turn(granularity_required=True)
    refused(get(simulator, MEDIA_PATH, query), "granularity")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    response = get(make(), MEDIA_PATH, {"media_keys": "x", "granularity": "hour", "foo": "1"})
    wrong = [name for error in response.json()["errors"] for name in error["parameters"]]
    assert wrong == ["foo", "media_keys", "start_time", "end_time", "granularity"]
    assert response.json()["errors"][1] == {
        "parameters": {"media_keys": ["x"]},
        "message": "The `media_keys` query parameter value [x] does not match ^([0-9]+)_([0-9]+)$",
    }


def test_a_refusal_may_have_the_newer_form_and_be_wrapped() -> None:
    simulator = make()
    simulator.turn(flat_bad_request=True)
    found = get(simulator, MEDIA_PATH, media_query(granularity="Hourly")).json()
    assert (found["parameter"], found["value"], found["title"]) == (
        "granularity",
        "Hourly",
        "Invalid Request",
    )
    simulator.turn(wrap_problems=True)
    (wrapped,) = get(simulator, MEDIA_PATH, media_query(granularity="Hourly")).json()["errors"]
    assert wrapped == found


def test_fractions_of_a_second_and_encoded_commas_are_fine() -> None:
    query = media_query(start_time="2026-11-29T00:00:00.000Z", end_time="2026-11-29T12:00:00.5Z")
    assert get(make(), MEDIA_PATH, query).status == 200


@pytest.mark.parametrize("version", ["2.159", "2.167"])
def test_the_lists_of_names_are_those_of_the_excerpts(reference: Path, version: str) -> None:
    shared = openapi(reference, version)["components"]["parameters"]
    extra = {"timestamped_metrics"} if version == "2.167" else set()
    media = shared["MediaAnalyticsFieldsParameter"]["schema"]["items"]["enum"]
    assert set(media) == {*MEDIA_METRICS, "media_key", "timestamp"} | extra
    posts = shared["AnalyticsFieldsParameter"]["schema"]["items"]["enum"]
    assert set(posts) == {*ANALYTICS_METRICS, "id", "timestamp"} | extra
    if version == "2.159":
        parameters = openapi(reference, version)["paths"][INSIGHTS_PATH]["get"]["parameters"]
        (metrics,) = [each for each in parameters if each.get("name") == "requested_metrics"]
        assert metrics["schema"]["items"]["enum"] == list(INSIGHT_METRICS)


@pytest.mark.parametrize("version", ["2.159", "2.167"])
def test_each_parameter_of_the_excerpts_is_known_and_required_alike(reference: Path, version: str) -> None:
    simulator = make()
    simulator.turn(old_field_list=version == "2.159", granularity_required=version == "2.159")
    for path, operation in openapi(reference, version)["paths"].items():
        shared = openapi(reference, version)["components"]["parameters"]
        declared = [
            shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for each in operation["get"]["parameters"]
        ]
        errors = get(simulator, path, "").json()["errors"]
        missing = {name for error in errors for name in error["parameters"]}
        assert missing == {each["name"] for each in declared if each["required"]}
        errors = get(simulator, path, {"unheard": "1"}).json()["errors"]
        known = errors[0]["message"].partition("one of [")[2].rstrip("]").split(",")
        assert set(known) == {each["name"] for each in declared}


def test_a_request_from_nobody_is_unauthorized_before_anything_else() -> None:
    simulator = make()
    assert get(simulator, MEDIA_PATH, "", token="x").status == 401
    assert get(simulator, MEDIA_PATH, "", token=TOKEN).status == 400
    assert simulator.requests[0].time == NOW

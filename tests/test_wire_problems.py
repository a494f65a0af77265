"""What X complains of beside the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.model import Answer, ItemErrorType, ItemProblem
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS
from exporter.xapi.wire import decode_insights_28hr, decode_media_analytics, decode_tweets_analytics

DATA = Path(__file__).parent / "data" / "wire"


def problems(errors: Any) -> tuple[ItemProblem, ...]:  # noqa: ANN401 - any JSON
    return decode_media_analytics(json.dumps({"errors": errors}).encode(), MEDIA_METRICS).problems


def problem(**members: Any) -> ItemProblem:  # noqa: ANN401 - any JSON
    (only,) = problems([members])
    return only


def test_an_answer_of_errors_only_is_an_answer_without_reports() -> None:
    assert decode_tweets_analytics((DATA / "errors_only.json").read_bytes(), POST_METRICS) == Answer(
        (),
        (
            ItemProblem(
                "1880028106020515841",
                ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE,
                "Sorry, you are not authorized to see the Tweet with ids: [1880028106020515841].",
            ),
            ItemProblem(
                "1880028106020515842",
                ItemErrorType.NOT_AUTHORIZED_FOR_FIELD,
                "Sorry, you are not authorized to access 'impressions' on the Tweet.",
            ),
        ),
    )


@pytest.mark.parametrize("host", ["https://api.x.com/2/problems/", "https://api.twitter.com/2/problems/", ""])
@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("resource-not-found", ItemErrorType.RESOURCE_NOT_FOUND),
        ("not-authorized-for-resource", ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE),
        ("resource-unavailable", ItemErrorType.RESOURCE_UNAVAILABLE),
        ("disallowed-resource", ItemErrorType.DISALLOWED_RESOURCE),
        ("not-authorized-for-field", ItemErrorType.NOT_AUTHORIZED_FOR_FIELD),
        ("field-unauthorized", ItemErrorType.NOT_AUTHORIZED_FOR_FIELD),
        ("field-hydration-failure", ItemErrorType.FIELD_HYDRATION_FAILURE),
        ("internal-error", ItemErrorType.INTERNAL_ERROR),
        ("something-new", ItemErrorType.OTHER),
    ],
)
def test_the_type_is_the_last_segment_whatever_the_host(
    host: str, segment: str, expected: ItemErrorType
) -> None:
    assert problem(type=host + segment).type is expected


@pytest.mark.parametrize("uri", ["about:blank", "", "https://api.x.com/2/problems/something-new", None, 5])
@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Not Found Error", ItemErrorType.RESOURCE_NOT_FOUND),
        ("Authorization Error", ItemErrorType.NOT_AUTHORIZED_FOR_RESOURCE),
        ("Field Authorization Error", ItemErrorType.NOT_AUTHORIZED_FOR_FIELD),
        ("Resource Unavailable", ItemErrorType.RESOURCE_UNAVAILABLE),
        ("Something New", ItemErrorType.OTHER),
    ],
)
def test_the_title_tells_where_the_type_does_not(uri: object, title: str, expected: ItemErrorType) -> None:
    assert problem(type=uri, title=title).type is expected


def test_the_type_goes_before_the_title() -> None:
    assert problem(type="x/internal-error", title="Not Found Error").type is ItemErrorType.INTERNAL_ERROR


def test_the_id_is_the_resource_id_or_else_the_value() -> None:
    assert problem(resource_id="13_1", value="13_2").id == "13_1"
    assert problem(resource_id=None, value="13_2").id == "13_2"
    assert problem(resource_id="", value="13_2").id == "13_2"
    assert problem(value=["13_2"], title="x").id is None
    assert problem(title="x").id is None


def test_the_detail_is_xs_own_sentence_or_else_the_title() -> None:
    assert problem(detail="Not  yours.\n", title="x").detail == "Not  yours.\n"
    assert problem(title="Not Found Error").detail == "Not Found Error"
    assert problem(value="13_1").detail == ""


def test_a_detail_is_cut_at_300_characters() -> None:
    assert problem(detail="é" * 1000).detail == "é" * 300


@pytest.mark.parametrize("errors", [None, 5, "no", True, [], {}, [None, 5, "no", True, [], {}, [{}]]])
def test_errors_of_another_shape_are_passed_over(errors: object) -> None:
    assert problems(errors) == ()


def test_one_error_may_stand_there_without_a_list() -> None:
    assert problems({"type": "x/internal-error", "value": "13_1", "detail": "Sorry."}) == (
        ItemProblem("13_1", ItemErrorType.INTERNAL_ERROR, "Sorry."),
    )


@pytest.mark.parametrize(
    "junk", [b'{"detail": 1e400}', b'{"detail": "\xff"}', b'{"\xff": 1}', b"1e400", b"[[[[]]]]"]
)
def test_an_unreadable_error_costs_neither_the_others_nor_the_data(junk: bytes) -> None:
    good = b'{"type": "x/internal-error", "value": "13_1", "detail": "Sorry."}'
    body = b'{"errors": [%s, %s], "data": [{"media_key": "13_2"}]}' % (junk, good)
    answer = decode_media_analytics(body, MEDIA_METRICS)

    assert answer.problems[-1] == ItemProblem("13_1", ItemErrorType.INTERNAL_ERROR, "Sorry.")
    assert [report.id for report in answer.reports] == ["13_2"]


def engagement_problems(*errors: Any) -> tuple[ItemProblem, ...]:  # noqa: ANN401 - any JSON
    body = json.dumps({"data": [{"errors": errors}]}).encode()
    return decode_insights_28hr(body, POST_METRICS).problems


def test_an_insights_error_is_one_problem_per_post_it_names() -> None:
    assert engagement_problems({"error": "2 Tweet ID(s) are unavailable", "tweets": ["1", "2"]}) == (
        ItemProblem("1", ItemErrorType.ENGAGEMENT_ERROR, "2 Tweet ID(s) are unavailable"),
        ItemProblem("2", ItemErrorType.ENGAGEMENT_ERROR, "2 Tweet ID(s) are unavailable"),
    )


@pytest.mark.parametrize("tweets", [None, [], "1", [None, 5, {}]])
def test_an_insights_error_that_names_no_post_is_one_problem_without_id(tweets: object) -> None:
    assert engagement_problems({"error": "Sorry.", "tweets": tweets}) == (
        ItemProblem(None, ItemErrorType.ENGAGEMENT_ERROR, "Sorry."),
    )


def test_the_text_of_an_insights_error_is_cut_too() -> None:
    assert engagement_problems({"error": "x" * 1000})[0].detail == "x" * 300


def test_insights_errors_come_from_both_places() -> None:
    body = json.dumps(
        {
            "data": [{"errors": [{"error": "Sorry.", "tweets": ["1"]}]}, {"errors": [None, 5]}],
            "errors": [{"type": "x/internal-error", "value": "2", "detail": "Oops."}],
        }
    ).encode()

    assert set(decode_insights_28hr(body, POST_METRICS).problems) == {
        ItemProblem("1", ItemErrorType.ENGAGEMENT_ERROR, "Sorry."),
        ItemProblem("2", ItemErrorType.INTERNAL_ERROR, "Oops."),
    }

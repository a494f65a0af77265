"""What X says word for word as before is not read again, and means the same all the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from exporter.errors import WireError
from exporter.figures.hours import Hours, merge
from exporter.figures.window import AnswerHours, AnswerWindow
from exporter.model import HOUR_SECONDS, Answer, Endpoint, ItemReport
from exporter.vocabulary import MEDIA_METRICS, Metric, metrics_of
from exporter.xapi.wire import decoding
from exporter.xapi.wire_steps import finished

KEYS = ("13_1880028106020515840", "7_1880028106020515841")
METRICS = MEDIA_METRICS[:3]
NAMES = tuple(metric.wire for metric in METRICS)
# 2026-10-07T20:00:00Z as hours since the epoch.
EIGHT = 1_791_403_200 // HOUR_SECONDS
ENDPOINTS = {Endpoint.MEDIA_ANALYTICS: "media_key", Endpoint.TWEETS_ANALYTICS: "id"}

States = dict[str, Hours | None]


def bucket(hour: int, metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    """What X says of one hour, counted from 20:00."""
    label = datetime.fromtimestamp((EIGHT + hour) * HOUR_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"timestamp": label, "metrics": metrics}


def figures(hour: int, told: str = "") -> dict[str, Any]:
    """Some figures of an hour; `told` makes them others."""
    return {name: len(f"{told}{name}") * 1000 + hour for name in NAMES}


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def entry(key: str, buckets: Sequence[Any]) -> dict[str, Any]:
    return {"media_key": key, "timestamped_metrics": list(buckets)}


def usual(end: int, restated: Mapping[int, str] | None = None, key: str = KEYS[0]) -> dict[str, Any]:
    """The entry of an answer about the 28 hours before `end`."""
    told = restated or {}
    hours = range(end - 28, end)
    return entry(key, [bucket(hour, figures(hour, told.get(hour, ""))) for hour in hours])


def window(end: int) -> AnswerWindow:
    now = (EIGHT + end) * HOUR_SECONDS + 300.0
    return AnswerWindow(now, now, 0, (EIGHT + end - 28) * HOUR_SECONDS, (EIGHT + end) * HOUR_SECONDS)


def read(
    body: bytes,
    known: Mapping[str, Hours | None],
    metrics: Sequence[Metric] = METRICS,
    endpoint: Endpoint = Endpoint.MEDIA_ANALYTICS,
) -> Answer:
    return finished(decoding(endpoint, body, metrics, known.get))


def told_in_full(answer: Answer) -> list[tuple[str, tuple[float, ...], bytes, bool]]:
    full = [(report, report.in_full()) for report in answer.reports]
    return [(each.id, whole.starts, whole.values.tobytes(), each.carries_data) for each, whole in full]


def take(states: States, answer: Answer, end: int, width: int = len(METRICS)) -> int:
    """Lay an answer over what is known; how many hours it restates."""
    hours = AnswerHours(window(end))
    revised = 0
    for report in answer.reports:
        merged = merge(states.get(report.id), report, width, hours)
        states[report.id] = merged.hours
        revised += merged.revised
    return revised


def after(*bodies: tuple[int, bytes]) -> States:
    """What is known after answers, each with the hour it was asked at."""
    states: States = {}
    for end, body in bodies:
        take(states, read(body, states), end)
    return states


def standing_hours(report: ItemReport) -> int:
    return 0 if report.standing is None else len(report.standing.told)


def data(*entries: Any) -> bytes:  # noqa: ANN401 - any JSON
    return compact({"data": entries})


def known_at(end: int) -> States:
    """What is known once X has answered twice."""
    return after((end - 1, data(usual(end - 1))), (end, data(usual(end))))


def test_an_hour_later_all_but_the_newest_hours_are_standing() -> None:
    (report,) = read(data(usual(1)), known_at(0)).reports
    assert standing_hours(report) == 25
    assert [start / HOUR_SECONDS - EIGHT for start in report.starts] == [-2, -1, 0]


def test_within_the_hour_all_but_the_newest_hours_are_standing() -> None:
    (report,) = read(data(usual(0, {-1: "restated"})), known_at(0)).reports
    assert standing_hours(report) == 26
    assert len(report.starts) == 2


def test_hour_after_hour_most_of_a_series_is_standing() -> None:
    states = known_at(0)
    for end in range(1, 30):
        answer = read(data(usual(end, {end - 2: f"restated {end}"})), states)
        assert [standing_hours(report) for report in answer.reports] == [25]
        take(states, answer, end)


@pytest.mark.parametrize("names", [["timestamp", "metrics"], ["metrics", "timestamp"]])
def test_the_order_of_the_keys_in_a_bucket_makes_no_difference(names: list[str]) -> None:
    def said(end: int) -> bytes:
        buckets = usual(end)["timestamped_metrics"]
        return data(entry(KEYS[0], [{name: each[name] for name in names} for each in buckets]))

    states = after((-1, said(-1)), (0, said(0)))
    assert standing_hours(read(said(1), states).reports[0]) == 25


def test_posts_of_the_sibling_are_known_again_too() -> None:
    metrics = metrics_of(Endpoint.TWEETS_ANALYTICS.kind)

    def said(end: int) -> bytes:
        buckets = [bucket(hour, {"impressions": hour + 100, "likes": 1}) for hour in range(end - 28, end)]
        return compact({"data": [{"id": "1", "timestamped_metrics": buckets}]})

    states: States = {}
    for end in (-1, 0):
        answer = read(said(end), states, metrics, Endpoint.TWEETS_ANALYTICS)
        take(states, answer, end, len(metrics))
    (report,) = read(said(1), states, metrics, Endpoint.TWEETS_ANALYTICS).reports
    assert standing_hours(report) == 25
    assert len(report.values) == 3 * len(metrics)


def test_of_a_first_answer_nothing_is_marked() -> None:
    (report,) = read(data(usual(0)), {}).reports
    assert (report.standing, report.passage) == (None, None)


@pytest.mark.parametrize("hour", range(-27, -2))
def test_an_hour_told_otherwise_is_read_however_old(hour: int) -> None:
    states = known_at(0)
    answer = read(data(usual(1, {hour: "restated"})), states)
    assert take(states, answer, 1) == 1
    hours = states[KEYS[0]]
    assert hours is not None
    assert list(hours.between(EIGHT + hour, EIGHT + hour)) == list(figures(hour, "restated").values())


@given(st.data())
def test_one_changed_byte_anywhere_is_never_passed_over(drawn: st.DataObject) -> None:
    states = known_at(0)
    body = data(usual(1))
    place = drawn.draw(st.integers(0, len(body) - 1))
    byte = drawn.draw(st.integers(0, 255))
    changed = body[:place] + bytes([byte]) + body[place + 1 :]
    assert outcome(changed, states) == outcome(changed, {})


@given(st.data())
def test_a_text_cut_off_anywhere_is_the_error_it_would_be(drawn: st.DataObject) -> None:
    body = data(usual(1), usual(1, key=KEYS[1]))
    cut = body[: drawn.draw(st.integers(0, len(body) - 1))]
    known = known_at(0) | {KEYS[1]: known_at(0)[KEYS[0]]}
    assert outcome(cut, known) == outcome(cut, {})


def outcome(body: bytes, known: Mapping[str, Hours | None]) -> object:
    try:
        answer = read(body, known)
    except WireError as error:
        return str(error)
    return told_in_full(answer), answer.problems


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda body: body.replace(b",", b", "),
        lambda body: body.replace(b'{"data":', b'{ "data":'),
        lambda body: body.replace(b'"timestamped_metrics":[', b'"timestamped_metrics" : ['),
        lambda body: body.replace(b'{"media_key":', b'{"video_views":5,"media_key":'),
        lambda body: body.replace(b'"metrics":{', b'"of":[{"a":1},{"b":2}],"metrics":{'),
        lambda body: body.replace(b'"metrics":{', b'"note":"},{","metrics":{'),
        lambda body: body.replace(b'"metrics":{', b'"note":"]}","metrics":{'),
        lambda body: body.replace(b'"metrics":{', b'"note":"{","metrics":{'),
        lambda body: body.replace(b'"timestamp":"2026-10-07T05', b'"timestamp":"in 2026-10-07T05'),
        lambda body: body.replace(b'{"timestamp":', b'{"timestamp":"#0"},{"timestamp":', 1),
        lambda body: body.replace(b'"data":[', b'"data":[],"data":['),
        lambda body: body[:-2] + b',{"media_key":"7_5"},{"media_key":"7_6","timestamped_metrics":[]}]}',
        lambda body: body[:-1] + b',"errors":[{"title":"Not Found Error","value":"13_5"}]}',
        lambda body: body[:-1] + b',"errors":' + body[8:-1] + b"}",
        lambda body: body[:-2] + b"," + body[9:],
    ],
)
def test_texts_of_other_shapes_mean_what_they_mean(rewritten: Callable[[bytes], bytes]) -> None:
    known: States = {}
    for end in range(-1, 4):
        body = rewritten(data(usual(end, {end - 1: f"{end}"})))
        plain = read(body, {})
        answer = read(body, known)
        assert told_in_full(answer) == told_in_full(plain)
        assert answer.problems == plain.problems
        take(known, answer, end)


def test_what_became_otherwise_known_meanwhile_gives_way_to_the_later_answer() -> None:
    states = known_at(0)
    late = read(data(usual(1)), states)
    take(states, read(data(usual(1, {-20: "in between"})), states), 1)
    take(states, late, 1)
    hours = states[KEYS[0]]
    assert hours is not None
    assert list(hours.between(EIGHT - 20, EIGHT - 20)) == list(figures(-20).values())


def test_hours_that_stand_without_a_number_are_no_data() -> None:
    def said(newest: Mapping[str, int] | None) -> bytes:
        return data(entry(KEYS[0], [*(bucket(hour, None) for hour in range(-28, -1)), bucket(-1, newest)]))

    states = after((0, said(figures(-1))), (0, said(figures(-1))))
    (report,) = read(said(None), states).reports
    assert standing_hours(report) == 26
    assert not report.carries_data


values = st.one_of(
    st.integers(0, 50), st.integers(0, 50).map(str), st.none(), st.sampled_from([True, 2.5, "x", -3, 10**30])
)
tellings = st.one_of(st.none(), st.dictionaries(st.sampled_from(NAMES), values))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, bytes]]:
    """Answers of X to polls, mostly an hour apart, about hours that it restates, leaves out or mixes up."""
    said: dict[tuple[str, int], Any] = {}
    end, answers = 0, []
    for _ in range(draw(st.integers(3, 7))):
        end += draw(st.sampled_from([0, 1, 1, 1, 1, 2]))
        entries = []
        for key in draw(st.permutations(KEYS)):
            told = list(range(end - draw(st.sampled_from([28, 28, 28, 28, 29, 5, 0])), end))
            for hour in draw(st.lists(st.integers(end - 28, end - 1), max_size=2)):
                said[key, hour] = draw(tellings)
            if draw(st.integers(0, 7)) == 7:
                told = draw(st.lists(st.integers(end - 28, end - 1), max_size=30))
            entries.append(entry(key, [bucket(hour, said.get((key, hour), figures(hour))) for hour in told]))
        answers.append((end, data(*entries)))
    return answers


@given(histories())
def test_any_history_comes_to_the_same_as_if_everything_were_read(answers: list[tuple[int, bytes]]) -> None:
    known: States = {}
    plain: States = {}
    for end, body in answers:
        brief, whole = read(body, known), read(body, {})
        event(f"{max(map(standing_hours, brief.reports), default=0)} hours standing")
        assert told_in_full(brief) == told_in_full(whole)
        assert take(known, brief, end) == take(plain, whole, end)
        assert known.keys() == plain.keys()
        for key, hours in known.items():
            other = plain[key]
            assert (hours is None) == (other is None)
            if hours is not None and other is not None:
                assert (hours.first, hours.values.tobytes()) == (other.first, other.values.tobytes())
                assert (repr(hours.sums), hours.covered) == (repr(other.sums), other.covered)


def test_a_stub_is_no_time_that_x_could_tell() -> None:
    assert re.fullmatch(r"\d{4}-.*", bucket(0, None)["timestamp"])
    (report,) = read(data(entry(KEYS[0], [{"timestamp": "#0", "metrics": figures(0)}])), {}).reports
    assert report.starts == ()

"""Hours and items are cut into requests that are neither too large nor too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.backfill.coverage import Coverage
from exporter.backfill.planning import backfill_plan, duration_words
from exporter.backfill.slices import LONGEST_HOURS, hours_of_slice, slices_of
from exporter.backfill.span import Span, parse_time, span_between
from exporter.backfill.wanted import Wanted, born_hour
from exporter.model import Endpoint, Item, Kind
from exporter.simulator import Account, SimRequest, Simulator, World
from exporter.vocabulary import metrics_of
from exporter.xapi.client import MAX_BODY_BYTES
from exporter.xapi.requests import Dialect, poll_request
from tests.backfill_support import NOW_HOUR, last_hours
from tests.simulated import FIVE_PAST_EIGHT, TOKEN

ENDPOINTS = (Endpoint.MEDIA_ANALYTICS, Endpoint.INSIGHTS_HISTORICAL, Endpoint.TWEETS_ANALYTICS)
NO_SETTLE = (0.0, "poll.settle")
spans = st.builds(lambda first, hours: Span(first, first + hours), st.integers(0, 60), st.integers(1, 20))


def items(kind: Kind, count: int) -> tuple[Item, ...]:
    """Items that are older than snowflakes, so that no hour is before them."""
    ids = [f"7_{number}" if kind is Kind.MEDIA else str(number) for number in range(1, count + 1)]
    return tuple(Item(item_id, kind, "brand", item_id) for item_id in ids)


def wanted(endpoint: Endpoint, count: int, metrics: int | None = None) -> Wanted:
    columns = metrics_of(endpoint.kind)[:metrics]
    return Wanted("brand", endpoint.kind, items(endpoint.kind, count), columns, (endpoint,))


@given(
    st.sampled_from(ENDPOINTS),
    st.integers(1, 260),
    st.integers(1, 10),
    st.builds(lambda first, hours: Span(first, first + hours), st.integers(0, 9), st.integers(1, 3000)),
)
def test_slices_hold_every_hour_of_every_item_once(
    endpoint: Endpoint, count: int, metrics: int, span: Span
) -> None:
    asked = wanted(endpoint, count, metrics)
    slices = slices_of(asked, endpoint, span, Coverage())
    assert all(len(each.items) <= endpoint.batch_size for each in slices)
    assert all(0 < each.span.hours <= LONGEST_HOURS for each in slices)
    assert sum(len(each.items) * each.span.hours for each in slices) == count * span.hours
    told = {(item.id, each.span) for each in slices for item in each.items}
    assert len(told) == sum(len(each.items) for each in slices)
    assert all(span.first <= each.span.first and each.span.end <= span.end for each in slices)


@given(st.sampled_from(ENDPOINTS), st.integers(1, 120), st.lists(spans, max_size=4), spans)
def test_what_is_covered_is_left_out(endpoint: Endpoint, count: int, covered: list[Span], span: Span) -> None:
    asked, coverage = wanted(endpoint, count), Coverage()
    for each in covered:
        coverage.add(asked.items[0].id, each)
    slices = slices_of(asked, endpoint, span, coverage)
    of_first = [each.span for each in slices if asked.items[0] in each.items]
    assert not any(coverage.covers(asked.items[0].id, each) for each in of_first)
    for one in slices:
        for item in one.items:
            coverage.add(item.id, one.span)
    assert not slices_of(asked, endpoint, span, coverage)


@given(st.lists(spans, max_size=8))
def test_coverage_is_the_union_of_what_was_answered_and_outlives_the_process(answered: list[Span]) -> None:
    coverage, text = Coverage(), ""
    for span in answered:
        text = coverage.text_with("1", span)
        coverage.add("1", span)
    hours = {hour for span in answered for hour in range(span.first, span.end)}
    again = Coverage({"1": text})
    for hour in range(90):
        assert again.covers("1", Span(hour, hour + 1)) == coverage.covers("1", Span(hour, hour + 1))
        assert coverage.covers("1", Span(hour, hour + 1)) == (hour in hours)
    assert not coverage.covers("2", Span(0, 1))


def test_an_item_is_asked_for_from_the_hour_of_its_birth() -> None:
    newborn = Item("1880028106020515841", Kind.POST, "brand", "")
    born = int(born_hour(newborn))
    asked = Wanted("brand", Kind.POST, (newborn,), metrics_of(Kind.POST)[:1], ENDPOINTS[1:2])
    slices = slices_of(asked, Endpoint.INSIGHTS_HISTORICAL, Span(born - 3000, born + 10), Coverage())
    assert [each.span.end for each in slices] == [born + 10]
    assert [each.rows for each in slices] == [10]


@pytest.mark.parametrize("metrics", [1, 10, 26])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("count", [1, 25, 100])
def test_the_largest_answer_stays_well_below_what_is_accepted(
    endpoint: Endpoint, count: int, metrics: int
) -> None:
    asked = wanted(endpoint, count, metrics)
    hours = hours_of_slice(endpoint, count, asked.metrics)
    (first, *_) = slices_of(asked, endpoint, last_hours(hours), Coverage())
    account = Account("brand", "1", "brand", (TOKEN,))
    x = Simulator(World((account,), any_id=True), clock=lambda: FIVE_PAST_EIGHT)
    request = poll_request(endpoint, first.ids, asked.metrics, 0, Dialect(), first.bounds)
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = x.respond(SimRequest("GET", endpoint.path, request.query, headers, b"", "https"))
    assert answer.status == 200
    assert first.span.hours == hours
    # Not wastefully small either, where a slice is not as long as it may be.
    assert hours == LONGEST_HOURS or len(answer.body) > MAX_BODY_BYTES / 4
    assert len(answer.body) < MAX_BODY_BYTES * 0.7


def test_a_plan_tells_requests_rows_and_time() -> None:
    asked = wanted(Endpoint.MEDIA_ANALYTICS, 1000)
    span = last_hours(365 * 24)
    plan = backfill_plan([asked], span, Coverage(), 4)
    assert plan.requests == len(slices_of(asked, Endpoint.MEDIA_ANALYTICS, span, Coverage())) == 610
    assert plan.rows == 1000 * 365 * 24
    assert plan.had == 0
    # 610 requests at 300 per 15 minutes.
    assert duration_words(plan.seconds) == "31 min"


def test_a_plan_of_what_goes_on_tells_what_has_been_had() -> None:
    asked, coverage = wanted(Endpoint.MEDIA_ANALYTICS, 1), Coverage()
    span = last_hours(3 * LONGEST_HOURS)
    coverage.add(asked.items[0].id, last_hours(LONGEST_HOURS))
    plan = backfill_plan([asked], span, coverage, 4)
    assert (plan.requests, plan.had, plan.rows) == (2, 1, 2 * LONGEST_HOURS)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (60, "1 min"), (61, "2 min"), (3600, "1 h"), (93_600, "1 d 2 h")],
)
def test_durations_are_told_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-10-07", 1_791_331_200),
        ("2026-10-07T20:05:00Z", 1_791_403_500),
        ("2026-10-07T20:05Z", 1_791_403_500),
        ("2026-10-07t22:05:00.500+02:00", 1_791_403_500.5),
        ("2026-10-07 20:05:00", 1_791_403_500),
    ],
)
def test_times_are_rfc_3339_and_utc_where_they_do_not_say(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1791331200", "2026-W41", "2026-13-01", "2026-10-07T25:00Z"]
)
def test_what_is_no_time_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time"):
        parse_time(text)


def test_a_span_is_widened_to_whole_hours() -> None:
    base = NOW_HOUR * 3600.0
    assert span_between(base - 7000, base - 3601, base, NO_SETTLE) == Span(NOW_HOUR - 2, NOW_HOUR - 1)
    assert span_between(base - 7200, base, base, NO_SETTLE) == Span(NOW_HOUR - 2, NOW_HOUR)


@pytest.mark.parametrize(
    ("start", "end", "settle", "said"),
    [
        (-3600, -3600, 0, "--start must be before --end"),
        (-3600, 1, 0, "is not over; ask for 2026-10-07T20:00:00Z or earlier"),
        (
            -7200,
            0,
            600,
            r"is not over and settled \(`poll.settle`\); ask for 2026-10-07T19:00:00Z or earlier",
        ),
    ],
)
def test_a_span_that_cannot_be_had_is_refused(start: float, end: float, settle: float, said: str) -> None:
    base = NOW_HOUR * 3600.0
    with pytest.raises(ValueError, match=said):
        span_between(base + start, base + end, base + 300, (settle, "poll.settle"))

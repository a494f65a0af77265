from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.figures.state import ItemState
from exporter.journal import Settling
from exporter.model import HOUR_SECONDS, Endpoint, ItemErrorType, ItemProblem, Kind
from exporter.selfmetrics.instruments import PollOutcome
from exporter.simulator import Limit
from exporter.status.history import HistoryView, RemoteWriteView
from exporter.status.items import headline
from exporter.status.notices import Level, notices
from exporter.status.order import Order, Sort, ordered, parse_order, rows_per_list
from exporter.status.status import EndpointState, EndpointStatus, Scheme, observe
from exporter.vocabulary import POST_METRICS
from exporter.xapi.failures import Reason
from exporter.xapi.limits import Window
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, config_text, media_key, play, post_id
from tests.status_support import NEWEST, item_status, only_watch, page_of, quiet_status, run, with_items

DAY = 24 * HOUR


def endpoint(play: Play, which: Endpoint) -> EndpointStatus:
    watches = observe(play.engine, play.clock()).watches
    (found,) = (each for watch in watches for each in watch.endpoints if each.endpoint is which)
    return found


def test_the_figures_are_those_of_metrics_and_of_x() -> None:
    def act(play: Play) -> None:
        text = play.text()
        watches = observe(play.engine, play.clock()).watches
        for watch, family in zip(watches, ("x_media_analytics", "x_post_insights"), strict=True):
            metric = watch.headline.metric.name
            for each in watch.items:
                head, tail = f'{{id="{each.item.id}"', f'metric="{metric}"}} '
                assert f"{family}{head},{tail}{each.value:.0f}\n" in text
                assert f"{family}_28h{head},{tail}{each.sum_28h:.0f}\n" in text
                kind = watch.kind.value
                assert f"x_{kind}_28h_buckets{head}}} {each.hours_known}\n" in text
                truth = [play.x.truth(each.item.id, metric, start) for start, _ in each.curve(watch.hour)]
                known = [value for _, value in each.curve(watch.hour)]
                assert all(value in (None, told) for value, told in zip(known, truth, strict=True))
                assert (known[-1], known[-2]) == (each.value, each.before)

    run(act, config_text(media=3, posts=2))


def test_what_is_shown_first_is_views_or_impressions_or_else_what_is_asked_for() -> None:
    assert [watch.headline.metric.name for watch in quiet_status(config_text(1, 1)).watches] == [
        "video_views",
        "impressions",
    ]
    assert headline(Kind.POST, POST_METRICS[8:10]).metric.name == "likes"


def test_the_total_is_over_the_items_that_x_reported_the_newest_hour_of() -> None:
    late = item_status(2, [100.0], last=NEWEST - 1)
    status = with_items(quiet_status(), item_status(0, [4.0]), item_status(1, [5.0, nan, 6.0]), late)
    assert only_watch(status).total() == (10, 2)


def test_a_list_without_figures_has_no_total() -> None:
    assert only_watch(with_items(quiet_status(), item_status())).total() is None


def test_change_is_against_the_hour_before() -> None:
    each = item_status(0, [50.0, 60.0])
    assert (each.change, each.change_ratio) == (10, 0.2)


def test_there_is_no_change_without_the_hour_before() -> None:
    for values in ([], [7.0], [5.0, nan, 7.0], [5.0, nan]):
        each = item_status(0, values)
        assert (each.change, each.change_ratio) == (None, None)


def test_a_change_from_nothing_has_no_ratio() -> None:
    each = item_status(0, [0.0, 7.0])
    assert (each.change, each.change_ratio) == (7, None)


def test_a_stale_item_shows_no_figure_but_its_hours_at_their_time() -> None:
    each = item_status(0, [3.0, 4.0], last=NEWEST - 6, stale=True)
    assert (each.value, each.before, each.change, each.sum_28h) == (None, None, None, None)
    assert [value for _, value in each.curve(NEWEST)][-8:] == [3, 4, None, None, None, None, None, None]


@given(
    values=st.lists(st.one_of(st.just(nan), st.floats(0, 1e9)), min_size=1, max_size=28),
    behind=st.integers(0, 40),
)
def test_a_curve_is_28_hours_that_hold_what_is_known_at_its_time(values: list[float], behind: int) -> None:
    each = item_status(0, values, last=NEWEST - behind)
    curve = dict(each.curve(NEWEST))
    assert list(curve) == [hour * HOUR_SECONDS for hour in range(NEWEST - 27, NEWEST + 1)]
    for place, value in enumerate(reversed(values)):
        start = (NEWEST - behind - place) * HOUR_SECONDS
        if start in curve:
            assert curve.pop(start) == (None if value != value else value)  # noqa: PLR0124 - NaN
    assert set(curve.values()) <= {None}


def test_a_stale_list_ends_its_curves_with_the_last_complete_hour() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        assert only_watch(observe(play.engine, play.clock() + 20 * HOUR)).hour == NEWEST + 20

    play(act)


def test_before_the_first_poll_nothing_is_known() -> None:
    status = quiet_status(config_text(posts=1))
    assert not status.ready
    assert only_watch(status).poll.outcome is None
    assert [each.state for each in only_watch(status).endpoints] == [
        EndpointState.UNASKED,
        EndpointState.RESERVE,
    ]
    assert only_watch(status).items[0].value is None
    assert notices(status) == ()


def test_an_endpoint_that_answers_is_in_service_and_tells_its_limits() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        found = endpoint(play, Endpoint.MEDIA_ANALYTICS)
        assert (found.state, found.last_success_at) == (EndpointState.IN_SERVICE, FIVE_PAST_EIGHT)
        ((window, figures),) = found.limits
        assert (window, figures.limit, figures.remaining) == (Window.M15, 300, 299)

    play(act)


def test_a_spent_limit_is_a_state_of_its_own() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        assert endpoint(play, Endpoint.MEDIA_ANALYTICS).state is EndpointState.LIMITED

    play(act, limits={"media_analytics": Limit(1)})


def test_a_parked_endpoint_is_told_as_an_error_with_what_to_do() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row10", "media_analytics")
        await play.poll()
        found = endpoint(play, Endpoint.MEDIA_ANALYTICS)
        (notice,) = notices(observe(play.engine, play.clock()))
        assert found.state is EndpointState.PARKED
        assert (notice.level, notice.reason, notice.code) == (Level.ERROR, "not_enrolled", "403")
        assert notice.again_at == found.probe_at == pytest.approx(play.clock() + 24 * HOUR)
        assert notice.transaction_id
        assert "Enterprise" in notice.sentence

    play(act)


def test_a_retired_endpoint_is_only_a_note_while_its_sibling_serves() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row15", "insights_28hr")
        await play.poll(Kind.POST)
        (notice,) = notices(observe(play.engine, play.clock()))
        assert (notice.level, notice.endpoint) == (Level.NOTE, Endpoint.INSIGHTS_28HR)
        assert notice.sentence.endswith("Meanwhile the figures come from Post analytics.")
        assert endpoint(play, Endpoint.TWEETS_ANALYTICS).state is EndpointState.IN_SERVICE

    play(act, text=config_text(posts=1))


def test_a_failing_endpoint_is_a_warning_until_it_answers() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row20", "media_analytics")
        await play.poll(within=30)
        (notice,) = notices(observe(play.engine, play.clock()))
        assert (notice.level, notice.reason) == (Level.WARNING, "server_error")
        assert endpoint(play, Endpoint.MEDIA_ANALYTICS).state is EndpointState.FAILING
        play.x.faults.clear()
        await play.poll()
        assert notices(observe(play.engine, play.clock())) == ()

    play(act)


def test_an_endpoint_says_since_when_it_fails_and_what_went_wrong_lately() -> None:
    async def act(play: Play) -> None:
        began = play.clock()
        play.x.fail("row20", "media_analytics")
        await play.poll(within=600)
        found = endpoint(play, Endpoint.MEDIA_ANALYTICS)
        (trouble,) = found.troubles
        assert (found.failing_since, trouble.first_at) == (began, began)
        assert trouble.count == len(play.x.requests) > 5
        assert began < trouble.last_at <= play.clock()
        play.x.faults.clear()
        await play.poll()
        found = endpoint(play, Endpoint.MEDIA_ANALYTICS)
        assert (found.failing_since, found.troubles) == (None, (trouble,))
        poll = only_watch(observe(play.engine, play.clock())).poll
        assert poll.finished_at == play.clock()

    play(act)


def test_an_item_that_polls_leave_out_says_until_when() -> None:
    async def act(play: Play) -> None:
        play.x.fail("item_not_authorized", "media_analytics", ids=(media_key(1),))
        await play.poll()
        status = observe(play.engine, play.clock())
        kept, left_out = only_watch(status).items
        assert kept.left_out_until is None
        assert left_out.left_out_until == play.clock() + 24 * HOUR
        (notice,) = notices(status)
        assert notice.again_at == left_out.left_out_until

    play(act, text=config_text(media=2))


def test_an_item_that_is_due_again_is_not_left_out() -> None:
    async def act(play: Play) -> None:
        play.x.fail("item_not_authorized", "media_analytics", ids=(media_key(0),))
        await play.poll()
        assert only_watch(observe(play.engine, play.clock() + 24 * HOUR)).items[0].left_out_until is None

    play(act)


def test_a_journal_that_is_not_written_is_told_with_what_to_do() -> None:
    history = HistoryView(35 * DAY, trouble="The disk is full. Make room.")
    (notice,) = notices(replace(quiet_status(), history=history))
    assert (notice.account, notice.level, notice.reason) == (None, Level.WARNING, "journal")
    assert notice.sentence == "The disk is full. Make room. Meanwhile the hours are kept in memory alone."


def test_what_remote_write_complains_of_is_told() -> None:
    history = HistoryView(35 * DAY, remote_write=RemoteWriteView(7200, error="The sink answers 404."))
    (notice,) = notices(replace(quiet_status(), history=history))
    assert (notice.level, notice.reason, notice.sentence) == (
        Level.WARNING,
        "remote_write",
        "The sink answers 404.",
    )


@pytest.mark.parametrize(
    ("p99", "hours", "told"), [(3 * HOUR - 1, 5000, True), (2 * HOUR, 5000, False), (3 * HOUR, 100, False)]
)
def test_hours_that_are_sent_before_they_have_settled_are_told(p99: float, hours: int, *, told: bool) -> None:
    settling = {"media_analytics": Settling(300, 900, p99, 9 * HOUR, hours, 9)}
    history = HistoryView(35 * DAY, settling=settling, remote_write=RemoteWriteView(2 * HOUR))
    found = notices(replace(quiet_status(), history=history))
    assert [(notice.level, notice.reason) for notice in found] == (
        [(Level.NOTE, "settle_short")] if told else []
    )
    assert all("`settle: 3h` would wait for it." in notice.sentence for notice in found)
    assert notices(replace(quiet_status(), history=replace(history, remote_write=None))) == ()


def test_failures_of_a_poll_are_counted_by_what_they_are() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row06", "media_analytics", after=1)
        await play.poll()
        poll = only_watch(observe(play.engine, play.clock())).poll
        assert poll.outcome is PollOutcome.PARTIAL
        assert [(each.failure.reason, each.batches, each.items) for each in poll.errors] == [
            (Reason.INVALID_REQUEST, 2, 130)
        ]

    play(act, text=config_text(media=230))


def test_what_a_limit_held_back_is_told_with_the_time_it_opens() -> None:
    async def act(play: Play) -> None:
        await play.poll(within=60)
        (notice,) = notices(observe(play.engine, play.clock()))
        assert (notice.level, notice.reason, notice.batches) == (Level.WARNING, "rate_limited", 1)
        assert notice.again_at is not None
        assert notice.again_at > play.clock() + 60
        assert "1 request of the last poll" in page_of(observe(play.engine, play.clock()))

    play(act, text=config_text(media=230), limits={"media_analytics": Limit(2)})


def test_items_x_complains_of_are_told_together() -> None:
    problem = ItemProblem("7_2", ItemErrorType.RESOURCE_NOT_FOUND, "Could not find media [7_2].")
    gone = ItemState(up=False, answered_at=FIVE_PAST_EIGHT, problems=(problem,))
    silent = ItemState(up=False, answered_at=FIVE_PAST_EIGHT)
    good, bad = item_status(0, [1.0]), [item_status(number, state=gone) for number in (1, 2)]
    items = [good, *bad, item_status(3, state=silent)]
    told = notices(with_items(quiet_status(), *items))
    assert [(each.level, each.reason, len(each.items)) for each in told] == [
        (Level.WARNING, "resource_not_found", 2),
        (Level.WARNING, "no_figures", 1),
    ]
    assert told[0].detail == problem.detail


def test_items_whose_figures_are_withdrawn_are_told() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        (notice,) = notices(observe(play.engine, play.clock() + 5 * HOUR))
        assert (notice.reason, [each.item.id for each in notice.items]) == ("stale", [media_key(0)])
        assert "more than 4 h ago" in notice.sentence

    play(act)


def test_an_account_that_must_be_signed_in_is_an_error_told_once() -> None:
    text = f"""
accounts:
  - name: house
    auth: {{oauth2: {{client_id: abc, client_secret: def}}}}
    posts: ['{post_id(0)}']
"""

    async def act(play: Play) -> None:
        await play.poll(Kind.POST)
        status = observe(play.engine, play.clock())
        assert status.accounts[0].scheme is Scheme.OAUTH2
        (notice,) = notices(status)
        assert (notice.level, notice.reason, notice.account) == (Level.ERROR, "login_required", "house")

    play(act, text=text)


def test_a_configuration_that_was_not_taken_is_told() -> None:
    async def act(play: Play) -> None:
        play.engine.metrics.config_last_reload_success_timestamp_seconds.set(FIVE_PAST_EIGHT)
        play.engine.metrics.config_last_reload_successful.set(1)
        assert notices(observe(play.engine, play.clock())) == ()
        play.engine.metrics.config_last_reload_successful.set(0)
        status = observe(play.engine, play.clock())
        assert (status.config_loaded_at, status.config_refused) == (FIVE_PAST_EIGHT, True)
        (notice,) = notices(status)
        assert (notice.account, notice.level, notice.reason) == (None, Level.WARNING, "config_refused")
        assert "Configuration</strong>The configuration was changed" in page_of(status)

    play(act)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("views", "cbad"),
        ("-views", "abcd"),
        ("change", "cabd"),
        ("-change", "bacd"),
        ("name", "abcd"),
        ("-name", "dcba"),
        ("", "cbad"),
        ("--name", "cbad"),
        ("nonsense", "cbad"),
    ],
)
def test_items_stand_in_the_order_asked_for_and_those_without_a_value_last(query: str, names: str) -> None:
    items = (
        item_status(0, [1.0, 1.0], name="a"),
        item_status(1, [1.0, 2.0], name="B"),
        item_status(2, [9.0, 3.0], name="c"),
        item_status(3, name="d"),
    )
    shown = [each.item.name.lower() for each in ordered(items, parse_order(query))]
    assert "".join(shown) == names


def test_the_youngest_comes_first_by_age() -> None:
    born = int(media_key(0).removeprefix("13_"))
    old, young = item_status(item_id=f"7_{born}"), item_status(item_id=f"7_{born * 2}")
    unknown = item_status(item_id="7_12")
    assert ordered((unknown, old, young), Order(Sort.AGE)) == [young, old, unknown]
    assert ordered((unknown, young, old), Order(Sort.AGE, reverse=True)) == [old, young, unknown]


def test_the_heading_of_a_sorted_column_turns_it_round() -> None:
    assert Order(Sort.NAME).next(Sort.NAME).query == "-name"
    assert Order(Sort.NAME, reverse=True).next(Sort.NAME).query == "name"
    assert Order(Sort.NAME).next(Sort.VIEWS).query == "views"


def test_rows_are_shared_out_over_the_lists() -> None:
    assert [rows_per_list(lists) for lists in (0, 1, 6, 12, 200)] == [100, 100, 100, 50, 10]

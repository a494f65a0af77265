"""What the simulated audience does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import Effect
from exporter.simulator.figures import Figures
from exporter.simulator.metrics import MEDIA_METRICS, POST_METRICS
from exporter.simulator.snowflake import born_seconds, mint
from tests.simulator_support import HOUR, NOW, POST, THIS_HOUR, VIDEO, Clock, make

HOURS = st.integers(THIS_HOUR - 2000 * HOUR, THIS_HOUR).map(lambda second: second // HOUR * HOUR)
IDS = st.integers(30_000_000_000, mint(NOW, 0)).map(str)


def media(figures: Figures, key: str, hour: int) -> dict[str, int] | None:
    row = figures.row(key, hour)
    return None if row is None else dict(zip(MEDIA_METRICS, row, strict=True))


@given(st.integers(0, 1000), IDS, HOURS, st.floats(0.0, 3.0), st.floats(0.0, 3600.0))
def test_fewer_and_fewer_stay_to_the_end(
    seed: int, number: str, hour: int, factor: float, elapsed: float
) -> None:
    """In whole hours, in hours something befell, and in parts of hours."""
    key = f"13_{number}"
    simulator = make(seed=seed, any_id=True)
    simulator.world.affect(key, Effect(hour - 5 * HOUR, factor))

    def told(metric: str) -> int:
        return simulator.reported(key, metric, hour, hour + elapsed) or 0

    funnel = ("playback_start", "playback25", "playback50", "playback75", "playback_complete")
    counts = [told(metric) for metric in funnel]
    assert counts == sorted(counts, reverse=True)
    assert told("video_views") <= told("playback_start")
    assert told("play_from_tap") <= told("playback_start")


@given(st.integers(0, 1000), IDS, HOURS)
def test_watch_time_lies_between_those_who_finished_and_those_who_began(
    seed: int, number: str, hour: int
) -> None:
    figures = Figures(seed)
    key = f"7_{number}"
    row = media(figures, key, hour)
    if row is not None:
        duration = figures.profile(key).duration_ms
        assert row["playback_complete"] * duration <= row["watch_time_ms"] <= row["playback_start"] * duration


@given(st.integers(0, 1000), IDS, HOURS)
def test_engagements_are_at_least_their_parts_and_parts_at_most_their_whole(
    seed: int, number: str, hour: int
) -> None:
    row = Figures(seed).row(number, hour)
    if row is None:
        return
    post = dict(zip(POST_METRICS, row, strict=True))
    parts = ("likes", "replies", "retweets", "quote_tweets", "url_clicks", "detail_expands", "bookmarks")
    assert post["engagements"] >= sum(post[part] for part in parts)
    assert post["link_clicks"] <= post["url_clicks"]
    assert post["profile_visits"] <= post["user_profile_clicks"]
    assert post["unique_video_views"] <= post["video_views"] <= post["video_starts"] <= post["impressions"]
    quarters = [post[f"video_played_{part}_percent"] for part in (25, 50, 75)]
    funnel = [post["video_starts"], *quarters, post["video_completions"]]
    assert funnel == sorted(funnel, reverse=True)


@given(IDS, HOURS)
def test_the_same_question_has_the_same_answer(number: str, hour: int) -> None:
    assert Figures(7).row(number, hour) == Figures(7).row(number, hour)


def test_another_seed_is_another_world() -> None:
    assert make(seed=1).truth(VIDEO, "video_views", THIS_HOUR - 40 * HOUR) != make(seed=2).truth(
        VIDEO, "video_views", THIS_HOUR - 40 * HOUR
    )


def test_nothing_happens_before_an_item_is_made() -> None:
    simulator = make()
    born = int(born_seconds(VIDEO) // HOUR) * HOUR
    assert simulator.truth(VIDEO, "video_views", born - HOUR) is None
    assert simulator.truth(VIDEO, "video_views", born) is not None


def test_an_id_older_than_snowflakes_was_always_there() -> None:
    assert Figures(1).row("20", 0) is not None


def test_an_item_bursts_decays_and_keeps_a_tail() -> None:
    simulator = make(any_id=True)
    keys = [f"13_{mint(NOW - 90 * 24 * HOUR, number)}" for number in range(40)]

    def day(age_days: int) -> int:
        start = THIS_HOUR - (90 - age_days) * 24 * HOUR
        hours = range(start, start + 24 * HOUR, HOUR)
        return sum(simulator.truth(key, "video_views", hour) or 0 for key in keys for hour in hours)

    days = [day(age) for age in (0, 1, 3, 10, 30, 80)]
    assert days == sorted(days, reverse=True)
    assert days[0] > 20 * days[3]
    assert days[-1] > 0


def test_audiences_sleep_at_night() -> None:
    simulator = make(any_id=True)
    key = f"13_{mint(NOW - 30 * 24 * HOUR, 5)}"
    hours = range(THIS_HOUR - 20 * 24 * HOUR, THIS_HOUR - 6 * 24 * HOUR, HOUR)
    by_clock = [0] * 24
    for hour in hours:
        by_clock[hour // HOUR % 24] += simulator.truth(key, "watch_time_ms", hour) or 0
    assert max(by_clock) > 2 * min(by_clock)


def test_the_running_hour_grows_with_the_clock() -> None:
    simulator = make()
    hour = THIS_HOUR - 20 * HOUR
    grown = [
        simulator.reported(POST, "impressions", hour, hour + second) or 0 for second in range(0, 3601, 100)
    ]
    assert grown == sorted(grown)
    assert grown[0] == 0
    assert grown[18] > 0
    assert grown[-1] == simulator.truth(POST, "impressions", hour)


def test_a_drop_falls_where_it_happened() -> None:
    simulator = make()
    untouched = make()
    hour = THIS_HOUR - 10 * HOUR
    simulator.world.affect(VIDEO, Effect(hour + 1800, 0.0))
    before, at, after = (
        (simulator.truth(VIDEO, "video_views", each), untouched.truth(VIDEO, "video_views", each))
        for each in (hour - HOUR, hour, hour + HOUR)
    )
    assert before[0] == before[1]
    assert at[1] is not None
    assert at[0] == at[1] // 2
    assert after[0] == 0
    assert after[1] != 0


def test_a_spike_ends_when_it_should() -> None:
    simulator = make()
    untouched = make()
    hour = THIS_HOUR - 10 * HOUR
    simulator.world.affect(VIDEO, Effect(hour, 3.0, until=hour + HOUR))
    whole = untouched.truth(VIDEO, "video_views", hour)
    assert whole is not None
    assert simulator.truth(VIDEO, "video_views", hour) == 3 * whole
    assert simulator.truth(VIDEO, "video_views", hour + HOUR) == untouched.truth(
        VIDEO, "video_views", hour + HOUR
    )


def test_past_hours_are_revised_until_they_settle() -> None:
    clock = Clock()
    simulator = make(clock=clock)
    simulator.turn(revision_hours=6.0, revision_ratio=0.25)
    hour = THIS_HOUR - 40 * HOUR
    final = simulator.truth(VIDEO, "video_views", hour)
    assert final is not None
    assert simulator.reported(VIDEO, "video_views", hour, hour + 2 * HOUR) == int(final * 0.75)
    assert simulator.reported(VIDEO, "video_views", hour, hour + 7 * HOUR) == final

"""What has gone wrong lately on one way to one endpoint."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.polling.troubles import REMEMBERED, SAME_SECONDS, Troubles
from exporter.xapi.failures import Failure, classify
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, play


def failure(status: int = 503, transaction_id: str = "") -> Failure:
    return classify(status, {"x-transaction-id": transaction_id}, b"", FIVE_PAST_EIGHT)


def test_it_fails_since_the_first_failure_that_no_answer_has_followed() -> None:
    troubles = Troubles()
    assert troubles.since is None
    troubles.note(failure(), 10.0)
    troubles.note(failure(401), 20.0)
    assert troubles.since == 10.0
    troubles.over()
    assert troubles.since is None
    troubles.note(failure(), 30.0)
    assert troubles.since == 30.0


def test_failures_alike_count_together_and_the_last_one_stands_for_them() -> None:
    troubles = Troubles()
    troubles.note(failure(transaction_id="a" * 16), 10.0)
    troubles.note(failure(401), 15.0)
    troubles.over()
    troubles.note(failure(transaction_id="b" * 16), 20.0)
    newest, other = troubles.recent()
    assert (newest.count, newest.first_at, newest.last_at) == (2, 10.0, 20.0)
    assert newest.failure.transaction_id == "b" * 16
    assert (other.count, other.failure.code) == (1, "401")


def test_what_comes_back_after_an_hour_is_a_trouble_of_its_own() -> None:
    troubles = Troubles()
    troubles.note(failure(), 0.0)
    troubles.note(failure(), SAME_SECONDS)
    troubles.note(failure(), 2 * SAME_SECONDS + 1)
    assert [trouble.count for trouble in troubles.recent()] == [1, 2]


@given(st.lists(st.tuples(st.sampled_from([500, 401, 403, 404, 429]), st.floats(0, 3 * HOUR)), max_size=40))
def test_few_are_remembered_and_the_newest_stands_first(course: list[tuple[int, float]]) -> None:
    troubles, now = Troubles(), FIVE_PAST_EIGHT
    for status, pause in course:
        now += pause
        troubles.note(failure(status), now)
    recent = troubles.recent()
    assert len(recent) <= REMEMBERED
    assert [trouble.last_at for trouble in recent] == sorted((t.last_at for t in recent), reverse=True)
    assert all(trouble.first_at <= trouble.last_at for trouble in recent)
    if course:
        assert recent[0].failure == failure(course[-1][0])


def test_a_channel_remembers_each_request_that_failed() -> None:
    async def act(play: Play) -> None:
        channel = play.feed().source
        play.x.fail("service_unavailable", "media_analytics", times=3)
        began = play.clock()
        await play.poll()
        (trouble,) = channel.troubles.recent()
        assert (trouble.count, trouble.first_at, trouble.failure.code) == (3, began, "503")
        assert channel.troubles.since is None
        assert channel.failure is None

    play(act)


def test_a_poll_says_when_it_ended() -> None:
    async def act(play: Play) -> None:
        play.x.fail("service_unavailable", "media_analytics", until=play.clock() + 100)
        result = await play.poll()
        assert result.finished_at == play.clock() > FIVE_PAST_EIGHT + 60
        assert play.feed().last_result == result

    play(act)

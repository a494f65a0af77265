"""Whatever a receiver refuses, the rest gets in, and few questions are asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from exporter.remotewrite.series import Sample
from exporter.remotewrite.sift import DOUBTS, MOST_SAMPLES, Sift
from exporter.selfmetrics.remote_write import SkipReason
from tests.remotewrite_support import HOUR, stored

Judge = Callable[[Sample], SkipReason | None]


class Outcome:
    """What came of a batch at a receiver that refuses a message with the reason of one of its samples."""

    def __init__(self, sift: Sift, judge: Judge) -> None:
        self.taken: list[Sample] = []
        self.skipped: Counter[SkipReason] = Counter()
        self.settled: list[tuple[str, int]] = sift.settled()
        self.requests = 0
        while portion := sift.portion:
            self.requests += 1
            refusals = [reason for reason in map(judge, portion) if reason is not None]
            if refusals:
                sift.refused(refusals[0])
            else:
                self.taken += portion
                sift.taken()
            self.skipped += sift.newly_skipped()
            self.settled += sift.settled()
        self.stuck = sift.stuck


def batch(items: int, hours: int, metrics: int = 1) -> Sift:
    return Sift(
        stored(str(item), HOUR + hour, [float(metric) for metric in range(metrics)])
        for hour in range(hours)
        for item in range(items)
    )


def sample_of(item: int, hour: int, metric: int = 0) -> tuple[str, int, str]:
    return (str(item), HOUR + hour, f"m{metric}")


def key(sample: Sample) -> tuple[str, int, str]:
    return (sample.item_id, sample.hour, sample.metric)


@given(
    st.integers(1, 12),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(0, 6),
    st.data(),
)
def test_exactly_what_the_receiver_would_take_gets_in(
    items: int, hours: int, metrics: int, too_old: int, data: st.DataObject
) -> None:
    everything = [
        sample_of(item, hour, metric)
        for item in range(items)
        for hour in range(hours)
        for metric in range(metrics)
    ]
    reasons = st.sampled_from([SkipReason.OUT_OF_ORDER, SkipReason.DUPLICATE, SkipReason.REJECTED])
    wrong = data.draw(st.dictionaries(st.sampled_from(everything), reasons))

    def judge(sample: Sample) -> SkipReason | None:
        return SkipReason.TOO_OLD if sample.hour < HOUR + too_old else wrong.get(key(sample))

    outcome = Outcome(batch(items, hours, metrics), judge)
    welcome = {each for each in everything if each[1] >= HOUR + too_old and each not in wrong}
    if outcome.stuck:
        # Nothing was taken, so nothing may be given up for a reason that the receiver does not tell.
        assert not outcome.taken
        assert SkipReason.REJECTED not in outcome.skipped
        assert SkipReason.REJECTED in wrong.values()
        return
    assert {key(sample) for sample in outcome.taken} == welcome
    assert len(outcome.taken) == len(welcome)
    assert outcome.skipped.total() == len(everything) - len(welcome)
    assert sorted(outcome.settled) == sorted({each[:2] for each in everything})


@given(st.integers(1, 40), st.integers(1, 8), st.data())
def test_every_series_is_sent_in_the_order_of_its_hours(items: int, hours: int, data: st.DataObject) -> None:
    wrong = data.draw(st.sets(st.tuples(st.integers(0, items - 1), st.integers(0, hours - 1))))
    bad = {sample_of(item, hour) for item, hour in wrong}
    outcome = Outcome(batch(items, hours), lambda sample: SkipReason.REJECTED if key(sample) in bad else None)
    for item in range(items):
        sent = [sample.hour for sample in outcome.taken if sample.item_id == str(item)]
        assert sent == sorted(sent)


def test_a_batch_that_is_taken_goes_in_as_few_messages_as_it_can() -> None:
    outcome = Outcome(batch(200, 1, 26), lambda _: None)
    assert outcome.requests == math.ceil(200 * 26 / MOST_SAMPLES)


def test_one_wrong_sample_among_two_thousand_is_found_with_few_requests() -> None:
    wrong = sample_of(137, 0, 3)
    outcome = Outcome(batch(200, 1, 10), lambda sample: SkipReason.REJECTED if key(sample) == wrong else None)
    assert outcome.skipped == {SkipReason.REJECTED: 1}
    assert len(outcome.taken) == 1999
    assert outcome.requests < 40


def test_hours_that_are_too_old_cost_few_requests_however_many_samples_they_have() -> None:
    outcome = Outcome(
        batch(40, 28), lambda sample: SkipReason.OUT_OF_BOUNDS if sample.hour < HOUR + 20 else None
    )
    assert outcome.skipped == {SkipReason.OUT_OF_BOUNDS: 20 * 40}
    assert len(outcome.taken) == 8 * 40
    assert outcome.requests < 40


def test_a_receiver_that_refuses_everything_is_not_asked_about_every_sample() -> None:
    outcome = Outcome(batch(200, 1, 10), lambda _: SkipReason.REJECTED)
    assert outcome.stuck
    assert not outcome.skipped
    assert not outcome.settled
    assert outcome.requests <= math.log2(MOST_SAMPLES) + 1 + 2 * DOUBTS


def test_a_receiver_that_refused_everything_before_is_asked_once() -> None:
    buckets = [stored(str(item), HOUR, [1.0]) for item in range(50)]
    outcome = Outcome(Sift(buckets, cautious=True), lambda _: SkipReason.REJECTED)
    assert (outcome.stuck, outcome.requests) == (True, 1)
    assert Outcome(Sift(buckets, cautious=True), lambda _: None).taken


def test_an_item_that_is_refused_whole_does_not_look_like_a_receiver_that_refuses_everything() -> None:
    outcome = Outcome(
        batch(100, 1, 26), lambda sample: SkipReason.REJECTED if sample.item_id == "0" else None
    )
    assert outcome.skipped == {SkipReason.REJECTED: 26}
    assert len(outcome.taken) == 99 * 26


def test_a_lone_sample_that_is_refused_waits_for_others_to_be_judged_by() -> None:
    lone = stored("1", HOUR, [1.0])
    assert Outcome(Sift([lone]), lambda _: SkipReason.REJECTED).stuck
    both = Sift([lone, stored("2", HOUR + 1, [1.0])])
    outcome = Outcome(both, lambda sample: SkipReason.REJECTED if sample.item_id == "1" else None)
    assert outcome.skipped == {SkipReason.REJECTED: 1}
    assert len(outcome.taken) == 1


def test_an_hour_without_a_number_is_settled_unsent() -> None:
    sift = Sift([stored("1", HOUR, [math.nan, math.nan])])
    assert sift.settled() == [("1", HOUR)]
    assert not sift.portion


def test_a_message_that_is_too_large_makes_the_next_ones_smaller_for_good() -> None:
    sift = batch(200, 1, 10)
    sizes = []
    while portion := sift.portion:
        sizes.append(len(portion))
        if len(portion) > 300:
            sift.too_large()
        else:
            sift.taken()
    assert sizes == [2000, 1000, 500, *[250] * 8]
    assert sift.most == 250


def test_a_single_sample_that_is_too_large_is_given_up_where_others_are_taken() -> None:
    sift = batch(2, 1)
    sift.too_large()
    sift.taken()
    sift.too_large()
    assert sift.newly_skipped() == {SkipReason.REJECTED: 1}
    assert not sift.portion

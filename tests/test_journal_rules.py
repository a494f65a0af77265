"""What stands in the journal after any sequence of answers, against a model of plain dicts."""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.journal import Bucket, BucketState, SavedState, StoredBucket, Told
from exporter.model import HOUR_SECONDS, Kind
from tests.journal_support import COMPLETE, CUT, HOUR, NONE, bucket, numbers, opened, saved, told

ITEMS = ("1", "2", "13_3")
HOURS = range(HOUR, HOUR + 4)
LISTS = (("likes",), ("likes", "replies"), ("replies", "likes"), ("views", "likes"), ("views",))
SOURCES = ("insights_28hr", "tweets_analytics")

figures = st.one_of(st.just(NONE), st.sampled_from([0.0, 1.0, 300.0, 0.25]))
item_ids = st.sampled_from(ITEMS)
hours = st.sampled_from(HOURS)


@st.composite
def answers(draw: st.DrawFn) -> Told:
    metrics = draw(st.sampled_from(LISTS))
    rows = st.lists(figures, min_size=len(metrics), max_size=len(metrics)).map(lambda row: array("d", row))
    buckets = draw(
        st.lists(st.builds(Bucket, item_ids, hours, rows, st.sampled_from(BucketState)), max_size=8)
    )
    account = draw(st.sampled_from(["brand", "other"]))
    return Told(account, Kind.POST, draw(st.sampled_from(SOURCES)), metrics, 0.0, buckets)


@dataclass
class Known:
    """An hour as the model has it; `asked` are the metrics that X was ever asked about it."""

    state: BucketState
    source: str
    numbers: dict[str, float]
    asked: set[str]
    first_seen: float
    last_changed: float
    completed_at: float | None = None
    revisions: int = 0


@dataclass
class Model:
    hours: dict[tuple[str, int], Known] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    states: dict[str, SavedState] = field(default_factory=dict)
    # Hours that wait, with what was handed out of them.
    waiting: dict[tuple[int, str], dict[str, float] | None] = field(default_factory=dict)
    queues: bool = False

    def hear(self, told: Told) -> int:
        before = {key: replace(known) for key, known in self.hours.items()}
        for each in told.buckets:
            self.accounts[each.item_id] = told.account
            self.hear_bucket(told, each)
        return sum(before.get(key) != known for key, known in self.hours.items())

    def hear_bucket(self, told: Told, each: Bucket) -> None:
        key = (each.item_id, each.hour)
        pairs = zip(told.metrics, each.figures, strict=True)
        heard = {metric: number for metric, number in pairs if number == number}  # noqa: PLR0124 - NaN
        known = self.hours.get(key)
        if known is None:
            if heard:
                asked = set(told.metrics)
                known = Known(each.state, told.source, heard, asked, told.seen_at, told.seen_at)
                self.hours[key] = known
        elif each.state is CUT or each.state < known.state:
            return
        elif each.state > known.state:
            known.state, known.numbers, known.asked = each.state, heard, set(told.metrics)
            known.source, known.last_changed = told.source, told.seen_at
        else:
            self.restate(known, told, heard)
        if known is not None and known.state is COMPLETE and known.numbers and known.completed_at is None:
            known.completed_at = told.seen_at
            if self.queues:
                self.waiting[each.hour, each.item_id] = None

    def restate(self, known: Known, told: Told, heard: dict[str, float]) -> None:
        both = known.asked.intersection(told.metrics)
        changes = {metric for metric in both if known.numbers.get(metric) != heard.get(metric)}
        if changes:
            known.source, known.last_changed = told.source, told.seen_at
            known.revisions += known.state is COMPLETE and bool(known.numbers)
        kept = {metric: number for metric, number in known.numbers.items() if metric not in told.metrics}
        known.numbers = kept | heard
        known.asked = known.asked.union(told.metrics)

    def forget(self, item_ids: Iterable[str], first_hour: int) -> None:
        gone = [key for key in self.hours if key[0] in item_ids and key[1] >= first_hour]
        for item_id, hour in gone:
            del self.hours[item_id, hour]
            self.waiting.pop((hour, item_id), None)

    def is_settled(self, key: tuple[int, str]) -> bool:
        """Whether it was handed out before, or no answer is known that came before the hour's end."""
        state = self.states.get(key[1])
        answered_at = None if state is None else state.answered_at
        return (
            self.waiting[key] is not None or answered_at is None or answered_at >= (key[0] + 1) * HOUR_SECONDS
        )

    def newest(self) -> dict[str, int]:
        whole = [key for key, known in self.hours.items() if known.state is COMPLETE and known.numbers]
        return dict(sorted(whole))

    def prune(self, before_hour: int) -> int:
        newest = self.newest()
        answered = {
            item_id
            for item_id, state in self.states.items()
            if state.answered_at is not None and state.answered_at >= before_hour * HOUR_SECONDS
        }
        old = [key for key in self.hours if key[1] < before_hour]
        gone = [key for key in old if not (key[0] in answered and newest.get(key[0]) == key[1])]
        for key in gone:
            del self.hours[key]
        self.waiting = {key: sent for key, sent in self.waiting.items() if key[0] >= before_hour}
        told_of = answered.union(item_id for item_id, _ in self.hours)
        self.states = {item_id: state for item_id, state in self.states.items() if item_id in told_of}
        return len(gone)


class JournalMachine(RuleBasedStateMachine):
    """The journal and the model hear the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.journal = opened(self.folder)
        self.model = Model()
        self.now = (HOUR - 3) * HOUR_SECONDS + 0.125

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    @rule(told=st.lists(answers(), min_size=1, max_size=3))
    def hear(self, told: list[Told]) -> None:
        self.now += 61.5
        told = [replace(each, seen_at=self.now + place) for place, each in enumerate(told)]
        changed = self.journal.write(told)
        # Two answers of one write may change an hour to and fro.
        expected = [self.model.hear(each) for each in told]
        assert changed == sum(expected)

    @rule(ids=st.sets(item_ids), hours_back=st.integers(-2, 6))
    def save(self, ids: set[str], hours_back: int) -> None:
        states = [saved(item_id, (HOUR + 2 - hours_back) * HOUR_SECONDS) for item_id in sorted(ids)]
        self.journal.write([], states)
        self.model.states |= {state.item_id: state for state in states}
        self.model.accounts |= dict.fromkeys(ids, "brand")

    @rule(ids=st.sets(item_ids), hour=hours)
    def forget(self, ids: set[str], hour: int) -> None:
        self.journal.forget_hours(ids, hour)
        self.model.forget(ids, hour)

    @rule(hour=hours)
    def prune(self, hour: int) -> None:
        assert self.journal.prune(hour) == self.model.prune(hour)

    @rule(hour=hours)
    def open_outbox(self, hour: int) -> None:
        self.journal.open_outbox(hour)
        if not self.model.queues:
            self.model.queues = True
            self.model.waiting |= {
                (known_hour, item_id): None
                for (item_id, known_hour), known in self.model.hours.items()
                if known.completed_at is not None and known_hour >= hour
            }

    @rule()
    def close_outbox(self) -> None:
        self.journal.close_outbox()
        self.model.queues = False
        self.model.waiting = {}

    @rule(hour=hours, most=st.integers(1, 5), share=st.integers(0, 5))
    def send(self, hour: int, most: int, share: int) -> None:
        taken = self.journal.outbox_take(hour, most)
        due = sorted(key for key in self.model.waiting if key[0] <= hour and self.model.is_settled(key))
        # Items of one hour come in any order.
        assert [each.hour for each in taken] == [due_hour for due_hour, _ in due[:most]]
        for each in taken:
            key = (each.hour, each.item_id)
            frozen = self.model.waiting[key]
            if frozen is None:
                frozen = self.model.waiting[key] = dict(self.model.hours[each.item_id, each.hour].numbers)
            assert numbers(each) == frozen
        self.journal.outbox_done([(each.item_id, each.hour) for each in taken[:share]])
        for each in taken[:share]:
            del self.model.waiting[each.hour, each.item_id]

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = opened(self.folder)

    @invariant()
    def the_hours_are_those_of_the_model(self) -> None:
        stored = list(self.journal.buckets())
        keys = [(each.item_id, each.hour) for each in stored]
        assert keys == sorted(self.model.hours)
        for each, key in zip(stored, keys, strict=True):
            assert known_as(each) == self.model.hours[key]
            assert each.account == self.model.accounts[each.item_id]

    @invariant()
    def whatever_is_asked_for_is_a_part_of_all(self) -> None:
        stored = list(self.journal.buckets(item_ids=ITEMS[1:], first_hour=HOUR + 1, last_hour=HOUR + 2))
        wanted = [key for key in sorted(self.model.hours) if key[0] != "1" and HOUR < key[1] < HOUR + 3]
        assert [(each.item_id, each.hour) for each in stored] == wanted
        complete = list(self.journal.buckets(only_complete=True, accounts=["other"]))
        assert [(each.item_id, each.hour) for each in complete] == [
            key
            for key, known in sorted(self.model.hours.items())
            if known.state is COMPLETE and self.model.accounts[key[0]] == "other"
        ]

    @invariant()
    def newest_hours_states_and_the_outbox_agree(self) -> None:
        assert self.journal.newest_complete(ITEMS) == self.model.newest()
        states = self.journal.states(ITEMS)
        assert {key: state.answered_at for key, state in states.items()} == {
            key: state.answered_at for key, state in self.model.states.items()
        }
        waiting = self.model.waiting
        assert self.journal.outbox_size() == (len(waiting), min(waiting)[0] if waiting else None)


def known_as(stored: StoredBucket) -> Known:
    return Known(
        stored.state,
        stored.source,
        numbers(stored),
        set(stored.metrics),
        stored.first_seen,
        stored.last_changed,
        stored.completed_at,
        stored.revisions,
    )


def test_metrics_asked_for_in_another_order_are_no_news(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(bucket("1", HOUR, 1, 2, 3))])
        assert journal.write([told(bucket("1", HOUR, 3, 1), metrics=("video_views", "impressions"))]) == 0


def test_an_item_whose_newest_hour_turns_out_empty_shows_the_one_before(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as journal:
        journal.write([told(*(bucket("1", HOUR - hour, 1, 2, 3) for hour in range(3)))])
        journal.write([told(bucket("1", HOUR, NONE, NONE, NONE))])
        assert journal.newest_complete(["1"]) == {"1": HOUR - 1}


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=40, stateful_step_count=20)

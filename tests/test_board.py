"""The board: answers in, the page out; reloads, staleness, labels."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.board import Board, Watch
from exporter.config.values import label_name
from exporter.exposition.families import FAMILIES
from exporter.exposition.page import Page
from exporter.figures.state import ItemState
from exporter.figures.window import AnswerWindow
from exporter.model import Answer, Item, ItemErrorType, ItemProblem, ItemReport, Kind
from exporter.vocabulary import POST_METRICS, Metric, metrics_of

T = TypeVar("T")
# The library gives this one no types.
parse_openmetrics: Callable[[str], Iterable[Family]] = openmetrics_parser.text_string_to_metric_families

HOUR = 3600
# 2026-10-07T20:00:00Z; the clock starts five minutes later.
EIGHT = 1_791_403_200
STALE_AFTER = 4 * HOUR
POST_NAMES = {metric.name: metric for metric in POST_METRICS}
LIKES, IMPRESSIONS, VIEWERS = (POST_NAMES[name] for name in ("likes", "impressions", "unique_video_views"))
NAN = math.nan
# Rows by hours after 20:00, each a number per metric.
Hours = Mapping[int, Sequence[float]]


def post(number: int, account: str = "brand", **changes: Any) -> Item:  # noqa: ANN401 - fields of an item
    return replace(Item(str(number), Kind.POST, account, str(number)), **changes)


def media(number: int) -> Item:
    return Item(f"13_{number}", Kind.MEDIA, "brand", f"13_{number}")


def watch(items: Iterable[Item], *metrics: Metric, account: str = "brand") -> Watch:
    watched = tuple(items)
    return Watch(account, watched[0].kind, watched, metrics or metrics_of(watched[0].kind))


def report(item: Item, hours: Hours, total: Sequence[float] | None = None) -> ItemReport:
    values = array("d", [value for row in hours.values() for value in row])
    starts = tuple(float(EIGHT + hour * HOUR) for hour in hours)
    return ItemReport(item.id, starts, values, None if total is None else array("d", total))


@dataclass
class Desk:
    """A board with its page and clock."""

    page: Page
    board: Board
    now: float = EIGHT + 300.0

    async def watch(self, *watches: Watch) -> None:
        await self.board.watch(watches, STALE_AFTER)

    async def hear(self, watched: Watch, *reports: ItemReport, asked: Sequence[Item] | None = None) -> int:
        """X answers now about `asked`, all of them unless told otherwise."""
        return await self.problem(watched, (), *reports, asked=asked)

    async def problem(
        self,
        watched: Watch,
        problems: Sequence[ItemProblem],
        *reports: ItemReport,
        asked: Sequence[Item] | None = None,
    ) -> int:
        answer = Answer(reports, tuple(problems))
        window = AnswerWindow(self.now, self.now)
        absorbed = await self.board.absorb(asked or watched.items, watched.metrics, answer, window)
        return absorbed.revised

    def text(self) -> str:
        """What a scrape reads."""
        self.board.withdraw_stale()
        return self.page.text(None, b"").decode()

    def of(self, family: str, item: Item) -> dict[str, float]:
        """The samples of one item in a family, by metric; a series that stands twice is refused."""
        samples = [sample for each in parse_text(self.text()) for sample in each.samples]
        twice = Counter((sample.name, tuple(sorted(sample.labels.items()))) for sample in samples)
        assert set(twice.values()) <= {1}
        return {
            sample.labels.get("metric", ""): sample.value
            for sample in samples
            if sample.name == family and sample.labels["id"] == item.id
        }

    def families(self) -> set[str]:
        return {family.name for family in parse_text(self.text())}

    def about(self, item: Item) -> list[str]:
        """The lines that name the item, heads and values of others left out."""
        return [line for line in self.text().splitlines() if f'id="{item.id}"' in line]


def at_desk(act: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        page = Page(FAMILIES)
        desk = Desk(page, Board(page, lambda: desk.now))
        return await act(desk)

    return asyncio.run(run())


# Answers


def test_before_the_first_answer_only_the_configuration_is_shown() -> None:
    async def act(desk: Desk) -> None:
        await desk.watch(watch([post(1880028106020515841)]), watch([media(1880028106020515840)]))
        assert desk.families() == {
            f"x_{kind}_{name}" for kind in ("media", "post") for name in ("info", "created_timestamp_seconds")
        }

    at_desk(act)


def test_an_answer_shows_the_hour_the_sums_and_what_they_cover() -> None:
    async def act(desk: Desk) -> None:
        item = post(1)
        watched = watch([item], IMPRESSIONS, LIKES, VIEWERS)
        await desk.watch(watched)
        # 18:00 is missing, and nothing is known of the likes at 19:00.
        await desk.hear(watched, report(item, {-3: (5, 1, 4), -1: (7, NAN, 2)}, total=(99, 9, 3)))
        assert desk.of("x_post_insights", item) == {"impressions": 7, "unique_video_views": 2}
        # Distinct viewers of two hours do not add up.
        assert desk.of("x_post_insights_28h", item) == {"impressions": 12, "likes": 1}
        assert desk.of("x_post_28h_buckets", item) == {"": 2}
        reported = {"impressions": 99, "likes": 9, "unique_video_views": 3}
        assert desk.of("x_post_insights_28h_reported", item) == reported
        assert desk.of("x_post_bucket_start_timestamp_seconds", item) == {"": EIGHT - HOUR}
        assert desk.of("x_post_up", item) == {"": 1}

    at_desk(act)


def test_an_answer_without_the_item_takes_it_down_and_leaves_its_hours() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1), post(2)], LIKES)
        await desk.watch(watched)
        await desk.hear(watched, report(post(1), {-1: (7,)}), report(post(2), {-1: (8,)}))
        complaint = ItemProblem("1", ItemErrorType.RESOURCE_NOT_FOUND, "gone")
        await desk.problem(watched, [complaint], report(post(2), {-1: (8,)}))
        assert desk.of("x_post_up", post(1)) == {"": 0}
        assert desk.of("x_post_insights", post(1)) == {"likes": 7}
        assert desk.of("x_post_up", post(2)) == {"": 1}
        assert desk.board.state("1").problems == (complaint,)
        assert desk.board.state("2").problems == ()

    at_desk(act)


def test_hours_told_anew_with_other_figures_are_counted() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1), post(2)], LIKES)
        await desk.watch(watched)
        first = [report(post(number), {-2: (5,), -1: (7,)}) for number in (1, 2)]
        assert await desk.hear(watched, *first) == 0
        assert await desk.hear(watched, *first) == 0
        second = [report(post(1), {-2: (6,), -1: (8,)}), report(post(2), {-2: (5,), -1: (9,)})]
        assert await desk.hear(watched, *second) == 3
        assert desk.of("x_post_insights_28h", post(1)) == {"likes": 14}

    at_desk(act)


def test_an_answer_about_one_slot_leaves_the_others_as_they_are() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(number) for number in range(1, 61)], LIKES)
        await desk.watch(watched)
        await desk.hear(watched, *(report(item, {-1: (1,)}) for item in watched.items))
        others = [desk.about(item) for item in watched.items[25:]]
        first = watched.items[:25]
        await desk.hear(watched, *(report(item, {-1: (2,)}) for item in first), asked=first)
        assert [desk.about(item) for item in watched.items[25:]] == others
        assert {desk.of("x_post_insights", item)["likes"] for item in first} == {2}

    at_desk(act)


def test_a_slot_keeps_its_place_whatever_is_answered_first() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(number) for number in range(1, 61)], LIKES)
        await desk.watch(watched)
        for chosen in (watched.items[50:], watched.items[:25], watched.items[25:50]):
            await desk.hear(watched, *(report(item, {-1: (1,)}) for item in chosen), asked=chosen)
        lines = [line for line in desk.text().splitlines() if line.startswith("x_post_insights{")]
        assert [line.split('"')[1] for line in lines] == [item.id for item in watched.items]

    at_desk(act)


def test_an_answer_that_touches_four_slots_is_seen_whole_or_not_at_all() -> None:
    async def act(desk: Desk) -> None:
        # The sibling of the 28-hour endpoint takes 100 ids where that takes 25.
        watched = watch([post(number) for number in range(1, 101)], LIKES, IMPRESSIONS)
        await desk.watch(watched)
        before = desk.text()
        answer = asyncio.create_task(
            desk.hear(watched, *(report(item, {-1: (3, 4)}) for item in watched.items))
        )
        seen = []
        while not answer.done():
            seen.append(desk.text())
            await asyncio.sleep(0)
        after = desk.text()
        assert after.count("x_post_insights{") == 200
        assert set(seen) <= {before, after}
        assert before in seen

    at_desk(act)


def test_media_and_posts_stand_beside_each_other() -> None:
    async def act(desk: Desk) -> None:
        posts, videos = watch([post(1)], LIKES), watch([media(1)], *metrics_of(Kind.MEDIA)[:1])
        await desk.watch(videos, posts)
        await desk.hear(posts, report(post(1), {-1: (3,)}))
        await desk.hear(videos, report(media(1), {-1: (4,)}))
        assert desk.of("x_post_insights", post(1)) == {"likes": 3}
        assert desk.of("x_media_analytics", media(1)) == {"video_views": 4}
        assert desk.of("x_media_28h_buckets", media(1)) == {"": 1}

    at_desk(act)


@settings(max_examples=40)
@given(st.permutations(range(1, 60)), st.lists(st.integers(1, 58), max_size=5))
def test_how_ids_share_requests_does_not_change_what_is_shown(order: list[int], cuts: list[int]) -> None:
    watched = watch([post(number) for number in range(1, 60)], LIKES)

    def told(number: int) -> ItemReport:
        return report(post(number), {-2: (number,), -1: (NAN if number % 7 == 0 else number,)})

    async def at_once(desk: Desk) -> str:
        await desk.watch(watched)
        await desk.hear(watched, *(told(item) for item in range(1, 60)))
        return desk.text()

    async def in_parts(desk: Desk) -> str:
        await desk.watch(watched)
        bounds = [0, *sorted(cuts), len(order)]
        parts = [order[start:end] for start, end in pairwise(bounds) if start < end]
        answers = [
            desk.hear(watched, *map(told, part), asked=[post(each) for each in part]) for part in parts
        ]
        await asyncio.gather(*answers)
        return desk.text()

    assert at_desk(in_parts) == at_desk(at_once)


# Reloads


def test_items_that_stay_keep_their_figures_and_the_others_go() -> None:
    async def act(desk: Desk) -> None:
        before = watch([post(number) for number in range(1, 61)], LIKES)
        await desk.watch(before)
        await desk.hear(before, *(report(item, {-1: (int(item.id),)}) for item in before.items))
        after = watch([post(99), *(post(number) for number in range(60, 30, -1))], LIKES)
        await desk.watch(after)
        assert desk.about(post(30)) == []
        assert desk.board.state("30") == ItemState()
        assert {desk.of("x_post_insights", post(number))["likes"] for number in range(31, 61)} == set(
            range(31, 61)
        )
        assert desk.of("x_post_info", post(99)) == {"": 1}
        assert desk.of("x_post_insights", post(99)) == {}
        assert desk.text().count("x_post_up{") == 30

    at_desk(act)


def test_a_reload_that_changes_nothing_leaves_the_page_as_it_was() -> None:
    async def act(desk: Desk) -> None:
        watches = watch([post(1), post(2)], LIKES), watch([media(1)])
        await desk.watch(*watches)
        await desk.hear(watches[0], report(post(1), {-1: (3,)}, total=(9,)))
        before = desk.text()
        await desk.watch(*watches)
        assert desk.text() == before

    at_desk(act)


def test_other_metrics_take_over_what_is_known_and_invent_nothing() -> None:
    async def act(desk: Desk) -> None:
        item = post(1)
        before = watch([item], LIKES, IMPRESSIONS)
        await desk.watch(before)
        await desk.hear(before, report(item, {-2: (1, 10), -1: (2, 20)}, total=(3, 30)))
        await desk.watch(watch([item], VIEWERS, IMPRESSIONS))
        assert desk.of("x_post_insights", item) == {"impressions": 20}
        assert desk.of("x_post_insights_28h", item) == {"impressions": 30}
        # X's own total was for other metrics; the next answer brings another.
        assert desk.of("x_post_insights_28h_reported", item) == {}
        assert desk.of("x_post_up", item) == {"": 1}

    at_desk(act)


def test_metrics_of_which_nothing_is_known_leave_no_hour() -> None:
    async def act(desk: Desk) -> None:
        item = post(1)
        before = watch([item], LIKES)
        await desk.watch(before)
        await desk.hear(before, report(item, {-1: (2,)}))
        await desk.watch(watch([item], IMPRESSIONS))
        assert "x_post_insights" not in desk.families()
        assert "x_post_bucket_start_timestamp_seconds" not in desk.families()

    at_desk(act)


def test_a_new_name_and_labels_are_shown_at_once_and_the_figures_stay() -> None:
    async def act(desk: Desk) -> None:
        before = watch([post(1)], LIKES)
        await desk.watch(before)
        await desk.hear(before, report(post(1), {-1: (2,)}))
        renamed = post(1, name="Teaser", labels=(("campaign", "spring"),), account="other")
        await desk.watch(watch([renamed], LIKES, account="other"))
        assert info_labels(desk.text(), parse_text) == {
            "id": "1",
            "account": "other",
            "name": "Teaser",
            "campaign": "spring",
        }
        assert desk.of("x_post_insights", renamed) == {"likes": 2}

    at_desk(act)


def test_an_answer_that_comes_after_its_items_are_gone_shows_nothing_of_them() -> None:
    async def act(desk: Desk) -> None:
        before = watch([post(1), post(2)], LIKES)
        await desk.watch(before)
        await desk.watch(watch([post(2)], LIKES))
        restated = await desk.hear(before, *(report(item, {-1: (2,)}) for item in before.items))
        assert restated == 0
        assert desk.about(post(1)) == []
        assert desk.of("x_post_insights", post(2)) == {"likes": 2}

    at_desk(act)


def test_an_answer_for_metrics_that_are_no_longer_asked_for_is_left_aside() -> None:
    async def act(desk: Desk) -> None:
        before, after = watch([post(1)], LIKES), watch([post(1)], IMPRESSIONS)
        await desk.watch(before)
        await desk.watch(after)
        await desk.hear(before, report(post(1), {-1: (2,)}))
        assert desk.board.state("1") == ItemState()

    at_desk(act)


def test_a_reload_waits_for_an_answer_that_is_being_shown() -> None:
    async def act(desk: Desk) -> None:
        before = watch([post(number) for number in range(1, 101)], LIKES)
        await desk.watch(before)
        answers = desk.hear(before, *(report(item, {-1: (2,)}) for item in before.items))
        await asyncio.gather(answers, desk.watch(watch([post(100)], LIKES)))
        assert desk.text().count("x_post_insights{") == 1
        assert desk.about(post(1)) == []

    at_desk(act)


# Hours taken back, and hours grown old


def test_hours_that_stood_under_the_wrong_label_are_taken_back() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(number) for number in range(1, 51)], LIKES)
        await desk.watch(watched)
        await desk.hear(watched, *(report(item, {-1: (2,)}) for item in watched.items))
        await desk.board.forget_hours([*watched.items[:25], post(777)])
        assert desk.of("x_post_insights", post(1)) == {}
        assert desk.of("x_post_bucket_start_timestamp_seconds", post(1)) == {}
        assert desk.of("x_post_up", post(1)) == {"": 1}
        assert desk.of("x_post_insights", post(50)) == {"likes": 2}

    at_desk(act)


def test_each_item_grows_stale_by_its_own_hour() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1), post(2), *(post(number) for number in range(3, 31))], LIKES)
        await desk.watch(watched)
        old, young, elsewhere = post(1), post(2), post(30)
        await desk.hear(
            watched,
            report(old, {-3: (1,)}, total=(9,)),
            report(young, {-1: (2,)}),
            report(elsewhere, {-2: (3,)}),
        )
        shown = [(item, desk.of("x_post_insights", item)) for item in (old, young, elsewhere)]
        assert [values for _, values in shown] == [{"likes": 1}, {"likes": 2}, {"likes": 3}]
        for item, end in ((old, -2), (elsewhere, -1), (young, 0)):
            desk.now = EIGHT + end * HOUR + STALE_AFTER
            assert desk.of("x_post_insights", item) != {}
            desk.now += 0.001
            assert desk.of("x_post_insights", item) == {}
            for withdrawn in ("x_post_insights_28h", "x_post_28h_buckets", "x_post_insights_28h_reported"):
                assert desk.of(withdrawn, item) == {}
            for kept in ("x_post_up", "x_post_info", "x_post_bucket_start_timestamp_seconds"):
                assert desk.of(kept, item) != {}

    at_desk(act)


def test_a_newer_hour_brings_a_stale_item_back() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1)], LIKES)
        await desk.watch(watched)
        await desk.hear(watched, report(post(1), {-1: (1,)}))
        desk.now = EIGHT + 9 * HOUR + 300
        assert desk.of("x_post_insights", post(1)) == {}
        # An answer that has nothing newer does not.
        await desk.hear(watched, report(post(1), {-1: (1,)}))
        assert desk.of("x_post_insights", post(1)) == {}
        await desk.hear(watched, report(post(1), {8: (2,)}))
        assert desk.of("x_post_insights", post(1)) == {"likes": 2}
        assert desk.of("x_post_28h_buckets", post(1)) == {"": 2}

    at_desk(act)


def test_what_is_stale_stays_away_through_a_reload() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1)], LIKES)
        await desk.watch(watched)
        await desk.hear(watched, report(post(1), {-1: (1,)}))
        desk.now = EIGHT + STALE_AFTER + 1
        await desk.watch(watched)
        assert "x_post_insights" not in desk.families()
        # A reload that allows older figures shows them again.
        await desk.board.watch([watched], STALE_AFTER + HOUR)
        assert desk.of("x_post_insights", post(1)) == {"likes": 1}

    at_desk(act)


def test_a_total_without_any_complete_hour_grows_stale_from_its_answer() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1)], LIKES)
        await desk.watch(watched)
        answered_at = desk.now
        await desk.hear(watched, report(post(1), {}, total=(9,)))
        assert desk.of("x_post_insights_28h_reported", post(1)) == {"likes": 9}
        desk.now = answered_at + STALE_AFTER
        assert desk.of("x_post_insights_28h_reported", post(1)) == {"likes": 9}
        desk.now += 1
        assert "x_post_insights_28h_reported" not in desk.families()

    at_desk(act)


# Labels


def info_labels(text: str, parse: Callable[[str], Iterable[Family]]) -> dict[str, str]:
    (sample,) = [
        sample for family in parse(text) if family.name == "x_post_info" for sample in family.samples
    ]
    labels: dict[str, str] = sample.labels
    return labels


@given(
    # What the configuration lets through: printable, and half a surrogate pair from the environment.
    st.text(st.characters(exclude_categories=["Cc"]), min_size=1),
    st.dictionaries(
        st.from_regex("[a-zA-Z_][a-zA-Z0-9_]{0,12}", fullmatch=True).filter(label_name),
        st.text(max_size=20),
        max_size=3,
    ),
)
def test_any_name_and_label_comes_back_through_both_parsers(name: str, labels: dict[str, str]) -> None:
    item = post(1, name=name, labels=tuple(sorted(labels.items())))

    async def act(desk: Desk) -> str:
        await desk.watch(watch([item], LIKES))
        return desk.text()

    text = at_desk(act)
    expected = {"id": "1", "account": "brand", "name": name, **labels}
    for told in (info_labels(text, parse_text), info_labels(f"{text}# EOF\n", parse_openmetrics)):
        assert told == {label: writable(value) for label, value in expected.items()}


def writable(text: str) -> str:
    """`text` with U+FFFD for what the formats cannot carry."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if (char < " " and char != "\n") or char == "\x7f" or "\ud800" <= char <= "\udfff"
        else char
        for char in text
    )


@pytest.mark.parametrize(
    "name", ["a\\nb", 'quote " brace } hash # comma ,', "\\", "line\nbreak", "  ", "\u2028", "🎬"]
)
def test_awkward_names_come_back(name: str) -> None:
    async def act(desk: Desk) -> None:
        await desk.watch(watch([post(1, name=name)], LIKES))
        assert info_labels(desk.text(), parse_text)["name"] == name
        assert info_labels(f"{desk.text()}# EOF\n", parse_openmetrics)["name"] == name

    at_desk(act)


def test_hours_are_known_only_for_exactly_the_metrics_that_are_watched() -> None:
    async def act(desk: Desk) -> None:
        watched = watch([post(1)], LIKES, IMPRESSIONS)
        await desk.watch(watched)
        await desk.hear(watched, report(post(1), {-1: (3, 4)}))
        assert desk.board.hours("1", (LIKES, IMPRESSIONS)) is desk.board.state("1").hours is not None
        assert desk.board.hours("1", (IMPRESSIONS, LIKES)) is None
        assert desk.board.hours("2", (LIKES, IMPRESSIONS)) is None

    at_desk(act)

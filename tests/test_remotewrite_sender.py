"""Hours leave the outbox once, in time, whatever the receiver does meanwhile."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from exporter.config.settings import RemoteWriteSettings, Secret
from exporter.model import HOUR_SECONDS, Kind
from exporter.remotewrite.delivery import DOUBTING_SECONDS
from exporter.remotewrite.sift import MOST_SAMPLES
from exporter.selfmetrics.remote_write import SendFailure, SkipReason
from tests.remotewrite_support import (
    EPOCH,
    HOUR,
    MEDIA,
    URL,
    Got,
    Office,
    Play,
    Sink,
    refusing,
    told,
)

PAST = range(HOUR - 28, HOUR)
SETTLED = range(HOUR - 28, HOUR - 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def hours_of(sink: Sink, item_id: str = "1") -> list[int]:
    return sorted(sink.values(item_id))


async def pass_by(office: Office, hours: float = 0.1) -> None:
    await office.until(hours)


async def settled_hours(office: Office) -> None:
    await pass_by(office)


# What arrives, and when


def test_each_settled_hour_arrives_once_at_its_own_time_with_its_figure(path: Path) -> None:
    sink = Sink()
    Play(path, sink, before=(told(["1", "2"], PAST),)).run(settled_hours)
    assert sink.values("2") == {hour: [2000 + hour - HOUR] for hour in SETTLED}
    assert sink.values("2", "watch_time_ms") == {hour: [2001 + hour - HOUR] for hour in SETTLED}
    assert {timestamp % (HOUR_SECONDS * 1000) for _, timestamp in sink.stored} == {HOUR_SECONDS * 1000 - 1}
    assert {dict(series)["__name__"] for series, _ in sink.stored} == {"x_media_analytics_hourly"}


def test_hours_are_sent_oldest_first_in_bounded_messages(path: Path) -> None:
    sink, sizes, hours = Sink(), [], []

    def look(samples: list[Got]) -> None:
        sizes.append(len(samples))
        hours.append([sample.hour for sample in samples])

    sink.judge = look
    Play(path, sink, before=(told([str(item) for item in range(300)], PAST),)).run(settled_hours)
    assert sum(sizes) == 300 * 26 * 2
    assert max(sizes) <= MOST_SAMPLES
    bounds = [(min(each), max(each)) for each in hours]
    assert bounds == sorted(bounds)


def test_an_hour_is_sent_the_moment_it_has_settled_and_not_before(path: Path) -> None:
    sink = Sink()

    async def act(office: Office) -> list[list[int]]:
        seen = []
        for moment in (0.1, 0.99, 1.01, 1.99, 2.01):
            await office.until(moment)
            seen.append(hours_of(sink))
        return seen

    before, still, first, still_first, second = Play(
        path, sink, before=(told(["1"], [HOUR - 2, HOUR - 1]),)
    ).run(act)
    assert (before, still, first, still_first) == ([], [], [HOUR - 2], [HOUR - 2])
    assert second == [HOUR - 2, HOUR - 1]


def test_an_hour_that_comes_late_is_sent_as_soon_as_it_is_there(path: Path) -> None:
    sink = Sink()

    async def act(office: Office) -> None:
        await office.until(5)
        office.tell(told(["1"], [HOUR - 20]))
        await office.until(5.01)

    Play(path, sink).run(act)
    assert hours_of(sink) == [HOUR - 20]


def test_settle_is_counted_from_the_end_of_the_hour(path: Path) -> None:
    sink = Sink()
    at_once = RemoteWriteSettings(Secret(URL), settle_seconds=0)
    Play(path, sink, settings=at_once, before=(told(["1"], PAST),)).run(settled_hours)
    assert hours_of(sink) == list(PAST)


def test_a_figure_that_x_did_not_give_is_not_sent(path: Path) -> None:
    sink = Sink()
    answer = told(["1", "2"], PAST, value=lambda item, _, column: math.nan if item == "1" or column else 5)

    async def act(office: Office) -> float | None:
        await office.until(0.1)
        return office.sample("pending")

    assert Play(path, sink, before=(answer,)).run(act) == 0
    assert sink.values("1") == {}
    assert sink.values("2", "watch_time_ms") == {}
    assert sink.values("2") == {hour: [5] for hour in SETTLED}


def test_hours_without_any_figure_cost_no_request(path: Path) -> None:
    sink = Sink()
    Play(path, sink, before=(told(["1"], PAST, value=lambda *_: math.nan),)).run(settled_hours)
    assert sink.requests == []


def test_posts_have_a_family_of_their_own_and_external_labels_are_on_every_series(path: Path) -> None:
    sink = Sink()
    settings = RemoteWriteSettings(Secret(URL), external_labels=(("Zone", "a"), ("site", "main")))
    answer = told(["7"], PAST, metrics=("impressions",), kind=Kind.POST)
    Play(path, sink, settings=settings, before=(answer,)).run(settled_hours)
    assert {series for series, _ in sink.stored} == {
        frozenset(
            {
                ("__name__", "x_post_insights_hourly"),
                ("id", "7"),
                ("metric", "impressions"),
                ("Zone", "a"),
                ("site", "main"),
            }
        )
    }


def test_a_message_says_what_it_is_and_carries_the_headers_that_are_asked_for(path: Path) -> None:
    sink = Sink()
    settings = RemoteWriteSettings(
        Secret(f"{URL}?tenant=made-up"),
        headers=(("X-Scope-OrgID", Secret("brand")),),
        bearer_token=Secret("t0ken"),
    )
    Play(path, sink, settings=settings, before=(told(["1"], PAST),)).run(settled_hours)
    (request,) = sink.requests
    assert (request.method, str(request.url)) == ("POST", f"{URL}?tenant=made-up")
    assert request.headers["content-encoding"] == "snappy"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["x-prometheus-remote-write-version"] == "0.1.0"
    assert request.headers["user-agent"].startswith("x-analytics-exporter/")
    assert request.headers["x-scope-orgid"] == "brand"
    assert request.headers["authorization"] == "Bearer t0ken"


# While nothing is due


def test_nothing_is_looked_at_while_nothing_can_be_due(path: Path) -> None:
    async def act(office: Office) -> int:
        await office.until(1)
        before = len(office.uses)
        await office.until(200)
        return len(office.uses) - before

    assert Play(path, Sink()).run(act) == 0


def test_a_burst_of_writes_is_looked_at_once(path: Path) -> None:
    async def act(office: Office) -> int:
        await office.until(1)
        before = len(office.uses)
        for _ in range(100):
            office.sender.wake()
            await asyncio.sleep(0.001)
        await office.until(2)
        return len(office.uses) - before

    assert Play(path, Sink()).run(act) < 10


def test_what_an_older_hour_says_anew_is_not_sent_again(path: Path) -> None:
    sink = Sink()

    async def act(office: Office) -> None:
        await office.until(1)
        office.tell(told(["1"], PAST, value=lambda *_: 99.0))
        await office.until(2)

    Play(path, sink, before=(told(["1"], PAST),)).run(act)
    assert all(len(values) == 1 for values in sink.stored.values())
    assert sink.values("1")[HOUR - 10] == [1000 - 10]


# A receiver in trouble


def test_a_receiver_that_is_down_is_tried_at_least_every_15_seconds_and_gets_everything_later(
    path: Path,
) -> None:
    sink = Sink(lambda _: httpx.Response(503, text="starting"))

    async def act(office: Office) -> tuple[float | None, float | None, float | None]:
        await office.until(5)
        told_of = (office.sample("pending"), office.sample("lag_seconds"), office.sample("sent_total"))
        sink.judge = lambda _: None
        await office.until(5.1)
        assert office.sample("pending") == 0
        assert office.sample("lag_seconds") == 0
        return told_of

    pending, lag, sent = Play(path, sink, before=(told(["1"], PAST),)).run(act)
    assert (
        max(later - earlier for earlier, later in zip(sink.asked_at, sink.asked_at[1:], strict=False)) <= 15
    )
    assert (pending, lag, sent) == (28, (5 + 28 - 1 - 2) * HOUR_SECONDS, 0)
    assert sink.values("1") == {hour: [1000 + hour - HOUR] for hour in PAST}


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.999])
def test_the_waits_between_tries_are_drawn_from_a_range_that_doubles_up_to_15_seconds(
    path: Path, chance: float
) -> None:
    sink = Sink(lambda _: httpx.Response(500))

    async def act(office: Office) -> list[float]:
        await office.until(0.1)
        return office.waits

    waits = Play(path, sink, chance=chance, before=(told(["1"], PAST),)).run(act)
    assert waits[:7] == pytest.approx([chance * ceiling for ceiling in (1, 2, 4, 8, 15, 15, 15)])


def test_a_retry_has_identical_content_though_x_restated_the_hour_and_the_process_was_killed(
    path: Path,
) -> None:
    sink = Sink(lambda _: httpx.Response(503))
    play = Play(path, sink, before=(told(["1"], PAST),))
    play.run(settled_hours)

    async def restated(office: Office) -> None:
        office.tell(told(["1"], PAST, value=lambda *_: 99.0))
        await office.until(0.1)
        sink.judge = lambda _: None
        await office.until(0.2)

    Play(path, sink).run(restated)
    assert len({request.content for request in sink.requests}) == 1
    assert sink.values("1") == {hour: [1000 + hour - HOUR] for hour in SETTLED}


def test_a_receiver_that_asks_for_time_is_given_it_up_to_15_seconds(path: Path) -> None:
    sink = Sink(lambda _: httpx.Response(429, headers={"retry-after": "12"}))
    Play(path, sink, chance=0.001, before=(told(["1"], PAST),)).run(settled_hours)
    gaps = [later - earlier for earlier, later in zip(sink.asked_at, sink.asked_at[1:], strict=False)]
    assert set(gaps) == {12}


@pytest.mark.parametrize(
    ("answer", "reason", "says"),
    [
        (httpx.Response(401), SendFailure.UNAUTHORIZED, "mend basic_auth"),
        (httpx.Response(404), SendFailure.NOT_FOUND, "--web.enable-remote-write-receiver"),
        (httpx.Response(307), SendFailure.UNEXPECTED, "is remote_write.url right?"),
    ],
)
def test_what_is_not_the_samples_fault_is_retried_and_logged_once(
    path: Path, answer: httpx.Response, reason: SendFailure, says: str
) -> None:
    sink = Sink(lambda _: httpx.Response(answer.status_code))

    async def act(office: Office) -> None:
        await office.until(1)
        assert office.sender.progress.error is not None
        assert says in office.sender.progress.error
        assert office.sample("failed_total", reason=reason.value) == len(sink.requests) > 100
        sink.judge = lambda _: None
        await office.until(1.1)
        assert office.sender.progress.error is None
        complaints = [line for line in office.log if line["level"] == "warning"]
        assert len(complaints) == 1
        assert says in complaints[0]["error"]
        assert office.log[-1]["msg"] == "remote write works again"

    Play(path, sink, before=(told(["1"], PAST),)).run(act)
    assert hours_of(sink) == list(range(HOUR - 28, HOUR - 1))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("refused"), SendFailure.CONNECT),
        (httpx.ReadError("reset"), SendFailure.CONNECT),
        (httpx.RemoteProtocolError("gone"), SendFailure.CONNECT),
        (httpx.ReadTimeout("slow"), SendFailure.TIMEOUT),
        (ssl.SSLError(1, "certificate required"), SendFailure.TLS),
        (OSError("no route"), SendFailure.CONNECT),
    ],
)
def test_a_connection_that_fails_is_tried_again(path: Path, error: Exception, reason: SendFailure) -> None:
    def fail(_: list[Got]) -> None:
        raise error

    sink = Sink(fail)

    async def act(office: Office) -> None:
        await office.until(0.1)
        assert office.sample("failed_total", reason=reason.value) == len(sink.requests)
        sink.judge = lambda _: None
        await office.until(0.2)

    Play(path, sink, before=(told(["1"], PAST),)).run(act)
    assert hours_of(sink) == list(SETTLED)


def test_a_receiver_that_never_ends_its_answer_is_left_after_the_timeout(path: Path) -> None:
    class Hanging(Sink):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            await asyncio.sleep(1000)
            return httpx.Response(204)

    sink = Hanging()

    async def act(office: Office) -> float | None:
        await office.until(0.1)
        return office.sample("failed_total", reason="timeout")

    failed = Play(path, sink, before=(told(["1"], PAST),)).run(act)
    assert failed is not None
    assert failed >= 360 // (30 + 15)


def test_no_secret_shows_though_the_receiver_repeats_what_it_was_sent(path: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-of-the-file\n")
    settings = RemoteWriteSettings(
        Secret(f"{URL}?key=s3cret-query"),
        bearer_token_file=tmp_path / "token",
        headers=(("X-Key", Secret("s3cret-header")),),
    )

    class Echo(Sink):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(403, text=f"{request.url} {request.headers}")

    async def act(office: Office) -> str:
        await office.until(0.1)
        return office.written.getvalue() + str(office.sender.progress)

    shown = Play(path, Echo(), settings=settings, before=(told(["1"], PAST),)).run(act)
    assert "<secret>" in shown
    assert "s3cret" not in shown


def test_a_password_file_is_read_anew_for_each_message(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    settings = RemoteWriteSettings(Secret(URL), bearer_token_file=file)

    class Guarded(Sink):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            if request.headers["authorization"] != "Bearer new":
                return httpx.Response(401)
            return await super().__call__(request)

    sink = Guarded()

    async def act(office: Office) -> None:
        await office.until(0.1)
        assert sink.stored == {}
        file.unlink()
        await office.until(0.2)
        assert "bearer_token_file cannot be used" in str(office.sender.progress.error)
        file.write_text("new\n")
        await office.until(0.3)

    Play(path, sink, settings=settings, before=(told(["1"], PAST),)).run(act)
    assert hours_of(sink) == list(SETTLED)


# A receiver that refuses for good


def older_than(hour: int) -> Callable[[Got], bool]:
    return lambda sample: sample.hour < hour


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [(500, "too old sample", SkipReason.TOO_OLD), (400, "out of bounds", SkipReason.OUT_OF_BOUNDS)],
)
def test_hours_that_are_too_old_are_counted_and_the_rest_delivered(
    path: Path, status: int, text: str, reason: SkipReason
) -> None:
    sink = Sink(refusing(older_than(HOUR - 9), status=status, text=text))

    async def act(office: Office) -> None:
        await office.until(0.1)
        skipped = sum(hour < HOUR - 9 for hour in SETTLED) * 5 * len(MEDIA)
        assert office.sample("skipped_total", reason=reason.value) == skipped
        assert office.sample("pending") == 0
        cures = [line for line in office.log if "storage.tsdb.out_of_order_time_window: 36h" in line["msg"]]
        assert len(cures) == 1
        told_of = [
            (line["samples"], line["receiver_says"]) for line in office.log if line.get("reason") == reason
        ]
        assert told_of == [(skipped, f"{status}: {text}")]

    Play(path, sink, before=(told(["1", "2", "3", "4", "5"], PAST),)).run(act)
    assert hours_of(sink, "3") == [hour for hour in SETTLED if hour >= HOUR - 9]
    assert len(sink.requests) < 30


def test_one_refused_sample_costs_no_other_its_place(path: Path) -> None:
    sink = Sink(refusing(lambda sample: sample.id == "77" and sample.hour == HOUR - 5, status=409, text="no"))

    async def act(office: Office) -> None:
        await office.until(0.1)
        assert office.sample("skipped_total", reason="rejected") == len(MEDIA)
        assert office.sample("sent_total") == 100 * len(SETTLED) * len(MEDIA) - len(MEDIA)

    Play(path, sink, before=(told([str(item) for item in range(100)], PAST),)).run(act)
    assert hours_of(sink, "76") == list(SETTLED)
    assert hours_of(sink, "77") == [hour for hour in SETTLED if hour != HOUR - 5]
    assert len(sink.requests) < 100


def test_a_receiver_that_refuses_everything_loses_nothing_and_is_not_hammered(path: Path) -> None:
    sink = Sink(lambda _: httpx.Response(400, text="snappy: corrupt input"))

    async def act(office: Office) -> None:
        await office.until(0.5)
        assert office.sample("skipped_total", reason="rejected") == 0
        assert office.sample("failed_total", reason="refused") == len(sink.requests)
        assert "refuses whatever it is sent (400: snappy: corrupt input)" in str(office.sender.progress.error)
        assert len([line for line in office.log if line["level"] == "warning"]) == 1
        tries = HOUR_SECONDS / 2 / 15
        assert tries <= len(sink.requests) <= tries + 40 * (HOUR_SECONDS / 2 / DOUBTING_SECONDS + 1)
        sink.judge = lambda _: None
        await office.until(0.6)

    Play(path, sink, before=(told([str(item) for item in range(50)], PAST),)).run(act)
    assert sink.values("49")[HOUR - 9] == [49_000 - 9]
    assert hours_of(sink, "0") == list(SETTLED)
    assert (
        max(later - earlier for earlier, later in zip(sink.asked_at, sink.asked_at[1:], strict=False)) <= 15
    )


def test_a_receiver_that_finds_everything_out_of_order_is_not_hammered(path: Path) -> None:
    sink = Sink(lambda _: httpx.Response(400, text="out of order sample"))

    async def act(office: Office) -> None:
        await office.until(3)
        assert office.sample("skipped_total", reason="out_of_order") == 10 * 28 * len(MEDIA)

    Play(path, sink, before=(told([str(item) for item in range(10)], PAST),)).run(act)
    for start in sink.asked_at:
        assert sum(start <= at < start + 15 for at in sink.asked_at) <= 200


def test_messages_that_are_too_large_are_made_smaller(path: Path) -> None:
    sink = Sink(lambda samples: httpx.Response(413) if len(samples) > 150 else None)
    Play(path, sink, before=(told([str(item) for item in range(40)], PAST),)).run(settled_hours)
    assert hours_of(sink, "39") == list(SETTLED)
    refused = len(sink.requests) - math.ceil(40 * 26 * 2 / 125)
    assert refused < 10


# The journal


def test_a_journal_that_is_down_stops_nothing_but_the_sending(path: Path) -> None:
    sink = Sink()

    async def act(office: Office) -> None:
        await office.until(1)
        assert sink.requests == []
        await office.until(3.1)

    down_for_two_hours = Play(
        path, sink, before=(told(["1"], PAST),), down=lambda now: now < EPOCH + 2 * HOUR_SECONDS
    )
    down_for_two_hours.run(act)
    # As far back as X tells when the journal works at last.
    assert hours_of(sink) == list(range(HOUR + 2 - 28, HOUR))


def test_what_was_taken_before_the_journal_broke_is_sent_again_unchanged(path: Path) -> None:
    broken = False

    def break_after(_: list[Got]) -> None:
        nonlocal broken
        broken = len(sink.requests) == 1

    sink = Sink(break_after)

    def down(_: float) -> bool:
        nonlocal broken
        was, broken = broken, False
        return was

    Play(path, sink, before=(told(["1"], PAST),), down=down).run(settled_hours)
    first, second = sink.requests
    assert first.content == second.content


def test_what_stands_in_the_journal_when_sending_is_new_goes_back_as_far_as_x_tells(path: Path) -> None:
    sink = Sink()
    Play(path, sink, before=(told(["1"], range(HOUR - 100, HOUR)),)).run(settled_hours)
    assert hours_of(sink) == list(SETTLED)


def test_after_a_day_without_the_exporter_all_hours_that_x_still_has_arrive(path: Path) -> None:
    sink = Sink()
    Play(path, sink, before=(told(["1"], range(HOUR - 60, HOUR - 30)),)).run(settled_hours)

    async def act(office: Office) -> None:
        office.tell(told(["1"], PAST))
        await office.until(0.1)

    Play(path, sink).run(act)
    assert hours_of(sink) == list(SETTLED)
    assert all(len(values) == 1 for values in sink.stored.values())


def test_draining_sends_what_is_settled_and_ends(path: Path) -> None:
    sink = Sink()

    async def act(office: Office) -> int:
        office.journal.open_outbox(0)
        await office.sender.drain()
        return office.sender.progress.taken

    play = Play(path, sink, before=(told(["1"], range(HOUR - 900, HOUR)),), runs=False)
    assert play.run(act) == 898 * len(MEDIA)
    assert len(hours_of(sink)) == 898

"""Answers made to hurt whoever reads them, and connections that break, over real sockets."""

from __future__ import annotations

import http.server
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from exporter.model import Endpoint
from exporter.polling.results import PollResult
from exporter.selfmetrics.instruments import PollOutcome
from exporter.xapi.client import MAX_BODY_BYTES
from exporter.xapi.failures import Reason
from tests.breaking_proxy import Break, BreakingProxy
from tests.live import Live, config_text, live
from tests.simulated import TOKEN, media_key

MEDIA = Endpoint.MEDIA_ANALYTICS
TEXT = config_text(media=[media_key(0)], timeout="30s")
# For what never comes to an end by itself.
HASTY = config_text(media=[media_key(0)], timeout="2s")
# Generous: the machine may have other work.
MOST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one poll cost."""

    result: PollResult
    seconds: float
    peak_bytes: int


async def measured(stage: Live) -> Cost:
    """Poll once and measure the time it took and the memory that Python had at most."""
    tracemalloc.start()
    try:
        started = time.monotonic()
        result = await stage.poll()
        return Cost(result, time.monotonic() - started, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def only_reason(result: PollResult) -> Reason:
    (failure,) = result.failures.values()
    return failure.reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("huge_body", Reason.READ),
        ("gzip_bomb", Reason.READ),
        ("bad_gzip", Reason.READ),
        ("deep_nesting", Reason.UNREADABLE),
        ("wrong_types", Reason.UNREADABLE),
        ("truncated_json", Reason.UNREADABLE),
        ("not_json", Reason.UNREADABLE),
        ("empty_body", Reason.UNREADABLE),
        ("json_null", Reason.UNREADABLE),
        ("not_utf8", Reason.UNREADABLE),
    ],
)
def test_a_hostile_body_costs_three_tries_and_bounded_time_and_memory(fault: str, reason: Reason) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics")
        cost = await measured(stage)
        assert only_reason(cost.result) is reason
        assert len(stage.calls()) == 3
        assert cost.seconds < MOST_SECONDS
        # The simulated X lives in this process too, and its hundred megabytes are one in its hands.
        assert cost.peak_bytes < 4 * MAX_BODY_BYTES
        assert len(stage.lines("warning")) == 1
        assert "x_media_analytics{" not in stage.text()
        # It is over as soon as X is itself again.
        stage.x.faults.clear()
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS

    live(act, TEXT)


@pytest.mark.parametrize("fault", ["hang", "slow_body"])
def test_what_never_ends_is_cut_off_by_the_timeout_and_tried_three_times(fault: str) -> None:
    async def act(stage: Live) -> None:
        stage.x.fail(fault, "media_analytics")
        cost = await measured(stage)
        assert only_reason(cost.result) is Reason.TIMEOUT
        assert len(stage.calls()) == 3
        assert stage.sample("x_exporter_requests_total", endpoint=MEDIA, code="timeout") == 3
        assert 6 <= cost.seconds < MOST_SECONDS
        assert len(stage.lines("warning")) == 1

    live(act, HASTY)


def test_junk_in_headers_changes_nothing() -> None:
    async def act(stage: Live) -> None:
        stage.x.fail("header_junk", "media_analytics")
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        assert 'metric="video_views"' in stage.text()
        assert stage.channel().ledger.current(stage.clock()) == {}
        assert stage.lines("warning") == []

    live(act, TEXT)


@dataclass(slots=True)
class Elsewhere:
    """Another host, which notes every request that reaches it."""

    url: str = ""
    requests: list[str] = field(default_factory=list)


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            other.requests.append(f"{self.path} {self.headers}")
            self.send_error(404)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        other.url = f"http://localhost:{server.server_address[1]}/2/media/analytics"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield other
        finally:
            server.shutdown()
            thread.join()


def test_a_redirect_to_another_host_is_not_followed_and_takes_no_credentials_along() -> None:
    with elsewhere() as other:

        async def act(stage: Live) -> None:
            stage.x.fail("redirect", options={"location": other.url})
            for _ in range(3):
                await stage.poll()
                stage.clock.pass_by(600)
            assert stage.calls() == [302]
            assert stage.parked(MEDIA) == [Reason.REDIRECT]
            assert "credentials go nowhere else" in stage.sentences()[0]
            assert TOKEN not in stage.log.getvalue()

        live(act, TEXT)
        assert other.requests == []


@pytest.mark.parametrize(
    ("breakage", "code"),
    [
        (Break.CUT_BEFORE_HEADERS, "read"),
        (Break.CUT_IN_BODY, "read"),
        (Break.RESET, "read"),
        (Break.SHORT_LENGTH, "read"),
        (Break.DELAY, "timeout"),
    ],
)
def test_a_connection_that_breaks_costs_one_more_try(breakage: Break, code: str) -> None:
    with BreakingProxy(breakage, times=1) as proxy:

        async def act(stage: Live) -> None:
            assert (await stage.poll()).outcome is PollOutcome.SUCCESS
            assert proxy.broken == 1
            assert stage.sample("x_exporter_requests_total", endpoint=MEDIA, code=code) == 1
            assert stage.sample("x_exporter_requests_total", endpoint=MEDIA, code="200") == 1
            assert len(stage.lines("warning")) == 1
            assert 'metric="video_views"' in stage.text()

        live(act, HASTY if breakage is Break.DELAY else TEXT, through=proxy.before)


def test_a_connection_that_always_breaks_is_a_failed_poll_and_no_figure() -> None:
    with BreakingProxy(Break.CUT_IN_BODY) as proxy:

        async def act(stage: Live) -> None:
            result = await stage.poll()
            assert only_reason(result) is Reason.READ
            assert "x_media_analytics{" not in stage.text()
            assert "x_media_up{" not in stage.text()
            assert "check the network" in stage.sentences()[0]

        live(act, TEXT, through=proxy.before)

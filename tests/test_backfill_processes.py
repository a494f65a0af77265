"""The command itself, as a process: killed and begun again, limited, refused, and its file in Prometheus."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from exporter.backfill.span import Span
from exporter.journal import BucketState, JournalFile
from exporter.simulator import Knobs, Limit, Simulator
from exporter.vocabulary import POST_METRICS
from tests.backfill_live import staged
from tests.processes import exporter, finished, started


def asked_hours(x: Simulator) -> list[tuple[str, str]]:
    """(media key, start of the slice) of everything that was asked."""
    queries = [parse_qs(call.query) for call in x.requests]
    return [(key, query["start_time"][0]) for query in queries for key in query["media_keys"][0].split(",")]


def test_the_past_comes_into_the_journal_and_nothing_of_the_work_is_left(tmp_path: Path) -> None:
    with staged(tmp_path, media=3, posts=3) as stage:
        done = finished(*stage.arguments())
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 requests for up to 300 hours of items, about less than a minute" in done.stdout
        assert "X gave figures for 300 hours of items." in done.stdout
        assert stage.kept() == stage.truth(stage.span)
        assert not stage.spools


def test_a_dry_run_tells_the_requests_and_sends_none(tmp_path: Path) -> None:
    with staged(tmp_path, media=120, posts=30, days=40) as stage:
        done = finished(*stage.arguments("--dry-run", "--output", str(tmp_path / "x.om")))
        assert (done.returncode, done.stderr) == (0, "")
        rows = [line.split() for line in done.stdout.splitlines() if line.startswith("brand")]
        assert rows == [
            ["brand", "media_analytics", "120", "14", "115,200"],
            ["brand", "insights_historical", "30", "16", "28,800"],
        ]
        assert "30 requests for up to 144,000 hours of items" in done.stdout
        assert not stage.x.requests
        assert [each.name for each in tmp_path.iterdir()] == ["config.yaml"]


def test_after_kill_9_the_same_command_goes_on_and_asks_nothing_twice_but_what_was_in_flight(
    tmp_path: Path,
) -> None:
    knobs = Knobs(latency_seconds=0.3)
    with staged(tmp_path, media=2, days=300, media_metrics=["video_views"], knobs=knobs) as stage:
        command = stage.arguments("--output", str(tmp_path / "history.om"))
        for number, enough in enumerate((3, 6)):
            with started(exporter(*command), tmp_path / f"run{number}") as running:
                running.until(lambda: len(stage.x.requests) > enough or None)  # noqa: B023 - awaited here
                running.stop(signal.SIGKILL)
            assert len(stage.spools) == 1
        dry = finished(*command, "--dry-run")
        assert "An earlier run has had" in dry.stdout
        done = finished(*command)
        assert (done.returncode, done.stderr) == (0, "")
        assert "An earlier run has had" in done.stdout
        asked = asked_hours(stage.x)
        # Each of the two kills costs at most what was on its way: two requests of two items.
        assert len(asked) - len(set(asked)) <= 2 * 2 * 2
        samples = (tmp_path / "history.om").read_text(encoding="utf-8").splitlines()
        assert sum(not line.startswith("#") for line in samples) == len(stage.truth(stage.span))
        assert not stage.spools
        kept = stage.kept()
        oldest = min(hour for _, _, hour in kept)
        assert kept == stage.truth(Span(oldest, stage.span.end))
        # `history.keep` is 35 days.
        assert stage.span.end - oldest in {840, 841}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_at_once_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    with staged(tmp_path, media=4, days=20, knobs=Knobs(latency_seconds=0.3)) as stage:
        with started(exporter(*stage.arguments()), tmp_path / "run") as running:
            running.until(lambda: stage.x.requests or None)
            assert running.stop(number) == 1
            assert "Stopped. What was had is kept: the same command goes on from here." in running.stderr
            assert "Traceback" not in running.output
        done = finished(*stage.arguments())
        assert done.returncode == 0
        assert stage.kept() == stage.truth(stage.span)


def test_limits_are_kept_beside_a_daemon_that_polls(tmp_path: Path) -> None:
    with staged(tmp_path, media=3, posts=3) as stage:
        stage.x.limiter.set("media_analytics", Limit(3, 5.0))
        daemon = ["run", "--config.file", str(stage.config), "--web.listen-address", "127.0.0.1:0"]
        with started(exporter(*daemon), tmp_path / "daemon") as running:
            running.until(lambda: stage.journal.exists() or None)
            done = finished(*stage.arguments())
            assert (done.returncode, done.stderr) == (0, "")
            assert running.stop() == 0
        assert {call.status for call in stage.x.requests} == {200}
        journal = JournalFile.open(stage.journal, time.time())
        complete = {
            (each.item_id, each.hour): each
            for each in journal.buckets()
            if each.state is BucketState.COMPLETE
        }
        journal.close()
        truth = stage.truth(stage.span)
        assert set(complete) == {(item_id, hour) for item_id, _, hour in truth}
        assert {each.revisions for each in complete.values()} == {0}


def test_what_could_not_be_had_is_told_and_asked_for_by_the_next_run(tmp_path: Path) -> None:
    with staged(tmp_path, media=2, posts=1) as stage:
        (missing, other) = stage.media
        stage.x.fail("item_not_found", "media_analytics", ids=(missing,))
        stage.x.fail("credits_depleted", "insights_historical")
        done = finished(*stage.arguments("--output", str(tmp_path / "history.om")))
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert lines[0] == (
            f"{missing} ({missing}): resource_not_found: "
            f"Could not find media_analytics with media_keys: [{missing}]."
        )
        assert lines[1].startswith(
            f"brand/post: not had: {stage.span}, {stage.posts[0]}: The X developer account has no credits"
        )
        assert lines[2:] == ["The same command asks again for what is missing, and for nothing else."]
        assert {item_id for item_id, _, _ in stage.kept()} == {other}
        stage.x.faults.clear()
        before = len(stage.x.requests)
        again = finished(*stage.arguments("--output", str(tmp_path / "history.om")))
        assert (again.returncode, again.stderr) == (0, "")
        asked = {parse_qs(call.query).get("media_keys", [""])[0] for call in stage.x.requests[before:]}
        assert asked == {missing, ""}
        assert stage.kept() == stage.truth(stage.span)


def test_a_retired_historical_endpoint_gives_way_to_its_sibling(tmp_path: Path) -> None:
    with staged(tmp_path, posts=3) as stage:
        stage.x.fail("route_retired", "insights_historical")
        done = finished(*stage.arguments())
        assert (done.returncode, done.stderr) == (0, "")
        assert stage.x.counts["tweets_analytics"] == 1
        twins = {metric.name for metric in POST_METRICS if metric.twin is not None}
        truth = stage.truth(stage.span)
        assert stage.kept() == {place: amount for place, amount in truth.items() if place[1] in twins}


def test_hours_that_the_journal_does_not_keep_are_not_asked_for_in_vain(tmp_path: Path) -> None:
    with staged(tmp_path, media=1, days=50, top="history: {keep: 7d}") as stage:
        done = finished(*stage.arguments())
        assert done.returncode == 0
        assert "older ones are left out, since neither --output nor --remote-write is given" in done.stderr
        kept = stage.kept()
        assert {stage.span.end - hour for _, _, hour in kept} == set(range(1, 7 * 24 + 1))
        old = Span(stage.span.first, stage.span.first + 24)
        refused = finished(*stage.arguments(span=old))
        assert refused.returncode == 2
        assert "nothing of" in refused.stderr
        assert "would be kept; give --output or --remote-write" in refused.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--start", "yesterday", "--end", "2026-01-02"],
            "'yesterday' is no time; write it as 2026-09-01 or",
        ),
        (["--start", "2026-01-02", "--end", "2026-01-02"], "--start must be before --end"),
        (["--start", "2026-01-02", "--end", "2126-01-02"], "is not over; ask for"),
        (["--start", "2026-01-01", "--end", "2026-01-02", "--account", "brnd"], "there is no account 'brnd'"),
        (["--start", "2026-01-01", "--end", "2026-01-02", "--id", "13_99"], "'13_99' is not watched in"),
        (["--start", "2026-01-01"], "Missing option '--end'"),
        (
            ["--start", "2026-01-01", "--end", "2026-01-02", "--output", "x.om", "--remote-write"],
            "--output and --remote-write exclude each other",
        ),
        (
            ["--start", "2026-01-01", "--end", "2026-01-02", "--remote-write"],
            "--remote-write: `remote_write` is not in",
        ),
    ],
)
def test_bad_arguments_are_told_in_one_sentence(tmp_path: Path, flags: list[str], said: str) -> None:
    with staged(tmp_path, media=1) as stage:
        done = finished("backfill", "--config.file", str(stage.config), *flags)
        assert done.returncode == 2
        assert said in done.stderr.splitlines()[-1]
        assert not stage.x.requests
        assert not stage.journal.parent.exists()


@pytest.mark.parametrize(
    ("output", "said"),
    [("gone/x.om", "the directory .*/gone is not there or cannot be written"), ("", "this is a directory")],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    tmp_path: Path, output: str, said: str
) -> None:
    with staged(tmp_path, media=1) as stage:
        done = finished(*stage.arguments("--output", str(tmp_path / output)))
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert re.search(said, line)
        assert not stage.x.requests

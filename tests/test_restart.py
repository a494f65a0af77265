"""A restart: what was shown is shown again, limits hold, and X is not hammered."""

from __future__ import annotations

import asyncio
import math
import re
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
import pytest

from exporter.errors import JournalError
from exporter.journal import BucketState, JournalFile
from exporter.model import Kind
from exporter.selfmetrics.instruments import PollOutcome
from exporter.simulator import Account, Limit, Simulator, World
from exporter.simulator.serving import Served
from tests.processes import Running, exporter, started
from tests.simulated import HOUR, TOKEN, Play, config_text, media_key, play, post_id

ANY_PORT = ("--web.listen-address", "127.0.0.1:0")


def journal_of(folder: Path) -> Path:
    return folder / "state" / "journal" / "journal.sqlite3"


def families(text: str) -> str:
    """The lines about media and posts, heads included, and the limits."""
    wanted = re.compile(r"(# (HELP|TYPE) )?(x_media_|x_post_|x_exporter_rate_limit_)")
    return "\n".join(line for line in text.splitlines() if wanted.match(line))


def test_what_was_shown_is_shown_again_byte_for_byte(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        stage.x.fail("item_not_found", "media_analytics", ids=(media_key(1),))
        for _ in range(3):
            for kind in Kind:
                await stage.poll(kind)
            await asyncio.sleep(HOUR)
        before = stage.text()
        limits = dict(stage.engine.accounts["brand"].channels)
        figures = {endpoint: channel.ledger.current(stage.clock()) for endpoint, channel in limits.items()}
        await stage.restart()
        assert stage.text() == before
        assert before.count("\nx_media_up{") == 3
        assert "_28h{" in before
        after = stage.engine.accounts["brand"].channels
        assert {endpoint: each.ledger.current(stage.clock()) for endpoint, each in after.items()} == figures
        assert stage.engine.ready

    play(act, text=config_text(3, 30), folder=tmp_path)


def test_what_the_second_source_lacks_is_absent_again_and_kept_in_the_journal(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        await stage.poll(Kind.POST)
        stage.x.fail("route_retired", "insights_28hr")
        await asyncio.sleep(HOUR)
        await stage.poll(Kind.POST)
        before = stage.text()
        assert 'metric="video_starts"' not in before
        await stage.restart()
        assert stage.text() == before
        await stage.engine.stop()
        journal = JournalFile.open(journal_of(tmp_path), stage.clock())
        hours = list(journal.buckets(item_ids=[post_id(0)], only_complete=True))
        journal.close()
        starts = [bucket.figures[bucket.metrics.index("video_starts")] for bucket in hours[1:-1]]
        assert len(starts) == 26
        assert not any(math.isnan(value) for value in starts)

    play(act, text=config_text(posts=1), folder=tmp_path)


def test_stale_figures_are_not_shown_again_but_their_bucket_start_is(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        await stage.poll()
        await stage.engine.stop()
        await asyncio.sleep(30 * HOUR)
        stage.engine = await stage.open_engine()
        text = stage.text()
        assert "\nx_media_analytics{" not in text
        assert "\nx_media_bucket_start_timestamp_seconds{" in text
        assert "\nx_media_up{" in text

    play(act, text=config_text(1), folder=tmp_path)


def test_older_hours_come_back_from_the_journal_into_the_sums(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        # An unaligned answer holds 27 whole hours; the polls before it told the 28th.
        await stage.poll(Kind.POST)
        await asyncio.sleep(HOUR)
        await stage.poll(Kind.POST)
        await stage.restart()
        await asyncio.sleep(HOUR)
        await stage.poll(Kind.POST)
        assert f'x_post_28h_buckets{{id="{post_id(0)}"}} 28\n' in stage.text()

    play(act, text=config_text(posts=1), folder=tmp_path)


def test_a_start_asks_nothing_of_x_that_it_knows_already(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        await stage.poll()
        asked = len(stage.x.requests)
        await stage.restart()
        stage.engine.start()
        await asyncio.sleep(60)
        assert len(stage.x.requests) == asked

    play(act, text=config_text(2), folder=tmp_path)


def test_a_crash_loop_asks_an_x_that_does_not_answer_ever_more_rarely(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        stage.x.fail("service_unavailable", "media_analytics")
        for _ in range(180):
            stage.engine.start()
            # Killed during the first retries, again and again.
            await asyncio.sleep(10)
            await stage.restart()
        # Half an hour: pauses of 30 s, 1, 2, 4, 8 and 16 minutes, and the retries of 10 seconds each.
        assert len(stage.x.requests) < 60

    play(act, text=config_text(1), folder=tmp_path)


def test_a_crash_loop_does_not_ask_again_for_items_without_data(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        stage.x.fail("item_not_found", "media_analytics", ids=(media_key(0),))
        for _ in range(50):
            stage.engine.start()
            await asyncio.sleep(10)
            await stage.restart()
        assert len(stage.x.requests) <= 3

    play(act, text=config_text(1), folder=tmp_path)


def test_limits_hold_over_a_restart(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        assert (await stage.poll()).outcome is PollOutcome.SUCCESS
        await stage.restart()
        await stage.poll(within=60)
        # Nothing was sent that the headers before the restart said would be refused.
        assert [call.status for call in stage.x.requests] == [200]

    play(act, text=config_text(1), limits={"media_analytics": Limit(1, 900)}, folder=tmp_path)


def test_a_parked_endpoint_is_looked_at_once_after_a_restart(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        stage.x.fail("client_not_enrolled", "media_analytics", times=1)
        await stage.poll()
        assert stage.endpoint_sample("x_exporter_endpoint_parked", reason="not_enrolled") == 1
        await stage.restart()
        assert stage.endpoint_sample("x_exporter_endpoint_parked", reason="not_enrolled") == 1
        await stage.poll()
        assert stage.endpoint_sample("x_exporter_endpoint_parked", reason="not_enrolled") == 0

    play(act, text=config_text(1), folder=tmp_path)


def test_when_a_poll_last_succeeded_is_known_after_a_restart(tmp_path: Path) -> None:
    name = "x_exporter_poll_last_success_timestamp_seconds"

    async def act(stage: Play) -> None:
        stage.engine.start()
        await asyncio.sleep(10)
        before = stage.endpoint_sample(name)
        assert before is not None
        await stage.restart()
        assert stage.endpoint_sample(name) == before

    play(act, text=config_text(1), folder=tmp_path)


def test_every_answer_is_in_the_journal_with_its_running_hour_marked(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        await stage.poll(Kind.POST)
        await stage.engine.stop()
        journal = JournalFile.open(journal_of(tmp_path), stage.clock())
        states = [bucket.state for bucket in journal.buckets(item_ids=[post_id(0)])]
        journal.close()
        assert states == [BucketState.CUT, *[BucketState.COMPLETE] * 27, BucketState.RUNNING]

    play(act, text=config_text(posts=1), folder=tmp_path)


def spoil_with_rubbish(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database at all, but somebody may want it")


def test_a_foreign_file_is_kept_aside_and_a_new_journal_begun(tmp_path: Path) -> None:
    spoil_with_rubbish(journal_of(tmp_path))

    async def act(stage: Play) -> None:
        await stage.poll()
        assert stage.sample("x_exporter_journal_up") == 1
        kept = [
            path for path in journal_of(tmp_path).parent.iterdir() if path.read_bytes().startswith(b"not a")
        ]
        assert len(kept) == 1
        before = stage.text()
        await stage.restart()
        assert stage.text() == before

    play(act, text=config_text(1), folder=tmp_path)


def obstruct(folder: Path) -> Path:
    """Put a file where the journal's directory should be."""
    obstacle = journal_of(folder).parent
    obstacle.parent.mkdir()
    obstacle.write_text("in the way")
    return obstacle


def test_without_a_place_for_the_journal_figures_are_served_and_it_is_said(tmp_path: Path) -> None:
    obstruct(tmp_path)

    async def act(stage: Play) -> None:
        await stage.poll()
        assert stage.sample("x_exporter_journal_up") == 0
        assert "\nx_media_analytics{" in stage.text()

    play(act, text=config_text(1), folder=tmp_path)


def test_what_a_broken_journal_missed_is_made_good_when_it_works_again(tmp_path: Path) -> None:
    obstacle = obstruct(tmp_path)

    async def act(stage: Play) -> None:
        await stage.poll()
        obstacle.unlink()
        await asyncio.sleep(120)
        assert stage.sample("x_exporter_journal_up") == 1
        before = stage.text()
        await stage.restart()
        assert stage.text() == before
        assert "\nx_media_analytics{" in before

    play(act, text=config_text(2), folder=tmp_path)


def test_what_is_made_for_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        await stage.poll()
        await stage.engine.stop()

    play(act, text=config_text(1), folder=tmp_path)
    made = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    assert {oct(path.stat().st_mode & 0o777) for path in made if path.is_dir()} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in made if path.is_file()} == {"0o600"}


def test_a_second_daemon_on_the_same_directory_does_without(tmp_path: Path) -> None:
    async def act(stage: Play) -> None:
        await stage.poll()
        second = await stage.open_engine()
        try:
            recorder = second.memory.recorder
            assert recorder is not None
            status = recorder.status
            assert status is not None
            assert status.trouble is not None
            assert "another exporter" in status.trouble
            with pytest.raises(JournalError):
                await recorder.run(lambda journal: journal.marks(""))
        finally:
            await second.stop()

    play(act, text=config_text(1), folder=tmp_path)


CONFIG = """
api: {{base_url: {base_url}}}
state_dir: state
accounts:
  - name: brand
    auth: {{bearer_token: {token}}}
    media: ['{media[0]}', '{media[1]}']
    posts: ['{posts[0]}', {{id: '{posts[1]}', name: Teaser, labels: {{campaign: spring}}}}]
"""


def shown_by(daemon: Running) -> tuple[str, str]:
    """Where the daemon listens, and what it shows once all has been asked."""
    port = daemon.says(r'"port": ?(\d+)|port=(\d+)')
    url = f"http://127.0.0.1:{port[1] or port[2]}"
    daemon.answers(f"{url}/-/ready")
    return url, httpx.get(f"{url}/metrics", trust_env=False).text


def test_after_a_kill_with_x_down_the_daemon_shows_what_it_showed(tmp_path: Path) -> None:
    now = time.time()
    born = int((now - 50 * HOUR) * 1000) - 1288834974657
    ids = [str((born << 22) + number) for number in range(4)]
    world = World((Account("brand", "1", "brand", (TOKEN,)),), any_id=True)
    command = exporter(
        "run", "--config.file", str(tmp_path / "x.yaml"), "--web.listen-address", "127.0.0.1:0"
    )
    with Served(Simulator(world, clock=time.time)) as served:
        media = [f"13_{number}" for number in ids[:2]]
        text = CONFIG.format(base_url=served.base_url, token=TOKEN, media=media, posts=ids[2:])
        (tmp_path / "x.yaml").write_text(text)
        with started(command, tmp_path / "first") as daemon:
            _, before = shown_by(daemon)
            daemon.until(written(journal_of(tmp_path), [*media, *ids[2:]]))
            daemon.stop(signal.SIGKILL)
    with started(command, tmp_path / "second") as daemon:
        _, after = shown_by(daemon)
        assert families(after) == families(before)
        assert families(after).count("\nx_media_analytics{") == 20
        assert daemon.stop() == 0


def written(path: Path, ids: Iterable[str]) -> Callable[[], bool | None]:
    """A look that finds the states of all of `ids` in the journal."""
    wanted = set(ids)

    def look() -> bool | None:
        journal = JournalFile.open(path, time.time())
        known = set(journal.states(wanted))
        journal.close()
        return known == wanted or None

    return look

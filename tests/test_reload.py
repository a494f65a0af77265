from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from exporter.config.load import parse_config
from exporter.config.settings import Config
from exporter.errors import ConfigError, Fault
from exporter.logs import silent_logger
from exporter.model import Kind
from exporter.reloading import Reloader
from tests.simulated import HOUR, Play, config_text, idle_engine, media_key, play, post_id


def parsed(text: str) -> Config:
    return parse_config(text.encode(), "test.yaml", Path.cwd(), {})


async def apply(play: Play, text: str) -> None:
    await play.engine.apply(parsed(text))


def test_unchanged_items_keep_their_figures_and_removed_ones_go() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        before = [line for line in play.text().splitlines() if media_key(0) in line]
        await apply(play, config_text(media=1))
        after = play.text()
        assert [line for line in after.splitlines() if media_key(0) in line] == before
        assert media_key(1) not in after

    play(act, text=config_text(media=2))


def test_a_renamed_item_keeps_its_figures_under_the_new_name() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        renamed = config_text(media=1).replace(
            f"- '{media_key(0)}'", f"- {{id: '{media_key(0)}', name: Launch, labels: {{campaign: spring}}}}"
        )
        await apply(play, renamed)
        assert f'x_media_info{{id="{media_key(0)}",account="brand",name="Launch",campaign="spring"}} 1' in (
            play.text()
        )
        assert f'x_media_up{{id="{media_key(0)}"}} 1' in play.text()

    play(act)


def test_metrics_chosen_anew_show_what_is_known_of_them() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await apply(play, config_text(media=1, extra="    media_metrics: [watch_time_ms, video_views]"))
        shown = {
            line.split('metric="')[1].split('"')[0] for line in play.text().splitlines() if "metric=" in line
        }
        assert shown == {"watch_time_ms", "video_views"}

    play(act)


def test_items_added_by_a_reload_are_polled_at_once_and_alone() -> None:
    async def act(play: Play) -> None:
        play.engine.start()
        await asyncio.sleep(60)
        assert play.x.counts == {"media_analytics": 1}
        await apply(play, config_text(media=2, posts=1))
        await asyncio.sleep(60)
        assert play.x.counts == {"media_analytics": 2, "insights_28hr": 1}
        assert f'x_media_up{{id="{media_key(1)}"}} 1' in play.text()
        assert media_key(0) not in play.x.requests[1].query

    play(act)


def test_a_removed_account_leaves_no_series_of_its_own_behind() -> None:
    async def act(play: Play) -> None:
        await play.poll()
        await apply(play, config_text(media=1).replace("name: brand", "name: other"))
        samples = [
            sample.labels.get("account")
            for family in play.engine.metrics.registry.collect()
            for sample in family.samples
        ]
        assert "other" in samples
        assert "brand" not in samples

    play(act)


def test_what_x_taught_outlives_a_reload() -> None:
    async def act(play: Play) -> None:
        play.x.fail("client_not_enrolled", "media_analytics")
        await play.poll()
        await apply(play, config_text(media=3))
        await play.poll()
        assert len(play.x.requests) == 1

    play(act)


def test_other_credentials_are_tried_afresh() -> None:
    async def act(play: Play) -> None:
        play.x.fail("client_not_enrolled", "media_analytics")
        await play.poll()
        await apply(play, config_text(media=1).replace("token-of-brand", "another-token"))
        await play.poll()
        assert [call.status for call in play.x.requests] == [403, 403]

    play(act)


def test_a_reload_that_stops_watching_posts_ends_their_polls() -> None:
    async def act(play: Play) -> None:
        await apply(play, config_text(media=1))
        assert [feed.watch.kind for feed in play.engine.feeds] == [Kind.MEDIA]
        assert post_id(0) not in play.text()
        assert play.endpoint_sample("x_exporter_polls_total", "insights_28hr", outcome="success") is None

    play(act, text=config_text(media=1, posts=1))


def reloader(play: Play, load: Callable[[], Config]) -> Reloader:
    return Reloader(load, play.engine, silent_logger(), play.clock)


def test_a_bad_configuration_keeps_the_old_one_and_says_every_fault() -> None:
    def bad() -> Config:
        raise ConfigError([Fault("c.yaml", 1, 2, "a.b", "is wrong"), Fault("c.yaml", 3, 4, "c", "is too")])

    async def act(play: Play) -> None:
        await play.poll()
        before = play.text()
        faults = await reloader(play, bad).reload()
        assert faults == ["c.yaml:1:2: a.b: is wrong", "c.yaml:3:4: c: is too"]
        assert play.sample("x_exporter_config_last_reload_successful") == 0
        assert play.text() == before

    play(act)


def test_a_good_configuration_is_noted_with_its_time() -> None:
    async def act(play: Play) -> None:
        await asyncio.sleep(HOUR)
        assert await reloader(play, lambda: parsed(config_text(media=2))).reload() == []
        assert play.sample("x_exporter_config_last_reload_successful") == 1
        assert play.sample("x_exporter_config_last_reload_success_timestamp_seconds") == play.clock()
        assert play.sample("x_exporter_watched_items", account="brand", kind="media") == 2

    play(act)


async def change_until_reloaded(file: Path, change: Callable[[int], None]) -> None:
    """Watch `file` for real and `change` it, again and again until that has led to a reload.

    The watcher does not say when it has begun to watch, and a change before that is none.
    """
    loaded = asyncio.Event()
    loop = asyncio.get_running_loop()

    def load() -> Config:
        loop.call_soon_threadsafe(loaded.set)
        raise ConfigError([Fault("c.yaml", 0, 0, "", "only counted")])

    watcher = asyncio.create_task(Reloader(load, idle_engine(), silent_logger(), lambda: 0.0).watch(file))
    try:
        async with asyncio.timeout(30):
            for number in count():
                change(number)
                with suppress(TimeoutError):
                    await asyncio.wait_for(loaded.wait(), 1)
                    return
    finally:
        watcher.cancel()


def test_a_file_written_anew_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("before")

    def change(number: int) -> None:
        file.write_text(f"after {number}")

    asyncio.run(change_until_reloaded(file, change))


def test_a_file_put_in_place_by_a_rename_is_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("before")

    def change(number: int) -> None:
        (tmp_path / ".config.yaml.swp").write_text(f"after {number}")
        (tmp_path / ".config.yaml.swp").replace(file)

    asyncio.run(change_until_reloaded(file, change))


def test_a_config_map_whose_link_is_swapped_is_loaded_again(tmp_path: Path) -> None:
    def publish(name: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(name)
        (tmp_path / "..data_tmp").symlink_to(name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    publish("..before")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    asyncio.run(change_until_reloaded(tmp_path / "config.yaml", lambda number: publish(f"..after_{number}")))


def test_the_same_content_written_again_is_not_loaded_again(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("same")
    loads: list[int] = []

    def change(number: int) -> None:
        # Every change but the third is none.
        file.write_text("other" if number == 3 else "same" if number < 3 else f"other {number}")
        loads.append(number)

    asyncio.run(change_until_reloaded(file, change))
    assert len(loads) >= 4

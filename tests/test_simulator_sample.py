"""The sample brand of the demo."""

from __future__ import annotations

from typing import Any

from exporter.simulator import SimRequest, Simulator
from exporter.simulator.sample import SAMPLE_TOKEN, sample_config_yaml, sample_items, sample_world
from exporter.simulator.snowflake import born_seconds
from tests.simulator_support import (
    HOUR,
    MEDIA_PATH,
    NOW,
    THIS_HOUR,
    Clock,
    media_query,
)


def test_the_brand_has_named_videos_and_posts_as_old_as_they_should_be() -> None:
    items = sample_items(NOW)
    videos = [item for item in items if "_" in item.id]
    assert (len(videos), len(items) - len(videos)) == (12, 20)
    ages = [(NOW - born_seconds(item.id)) / HOUR for item in items]
    assert 2 < min(ages) < 4
    assert 55 * 24 < max(ages) < 60 * 24
    assert {item.id.partition("_")[0] for item in videos} == {"7", "13"}
    assert len({item.id for item in items}) == 32
    assert items == sample_items(THIS_HOUR + HOUR - 1)


def test_the_brand_is_watched_by_more_people_where_the_sample_says_so() -> None:
    simulator = Simulator(sample_world(NOW), clock=Clock())
    items = {item.name: item.id for item in sample_items(NOW)}
    reveal, poll = items["Aurora E2 is here"], items["Poll: bell or no bell?"]
    audience = [simulator.truth(each, "impressions", THIS_HOUR) or 0 for each in (reveal, poll)]
    assert audience[0] > 10 * audience[1]


def test_the_brands_token_reads_all_of_it_and_nothing_else_exists() -> None:
    world = sample_world(NOW)
    simulator = Simulator(world, clock=Clock())
    keys = [item_id for item_id in world.item_ids if "_" in item_id]

    def found(*media_keys: str) -> dict[str, Any]:
        query = "&".join(f"{name}={value}" for name, value in media_query(*media_keys).items())
        headers = {"authorization": f"Bearer {SAMPLE_TOKEN}"}
        body: dict[str, Any] = simulator.respond(SimRequest("GET", MEDIA_PATH, query, headers)).json()
        return body

    assert [item["media_key"] for item in found(*keys)["data"]] == keys
    assert "data" not in found("13_1880028106020515840")
    world.any_id = True
    assert "data" in found("13_1880028106020515840")


def test_the_sample_configuration_names_every_item() -> None:
    text = sample_config_yaml("http://127.0.0.1:1", NOW, state_dir='a "b"')
    assert 'state_dir: "a \\"b\\""' in text
    for item in sample_items(NOW):
        assert f'{{id: "{item.id}", name: "{item.name}", labels: {{campaign: {item.campaign}}}}}' in text
    assert "state_dir" not in sample_config_yaml("http://127.0.0.1:1", NOW)

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from exporter.figures.state import ItemState
from exporter.model import ItemErrorType, ItemProblem, Kind
from exporter.simulator import Limit
from exporter.status.api import VERSION, json_parts
from exporter.status.history import HistoryView
from exporter.status.status import Status, observe
from tests.simulated import FIVE_PAST_EIGHT, HOUR, TOKEN, Play, config_text, media_key, play
from tests.status_support import HISTORY, NEWEST, fetch, item_status, quiet_status, run, with_items


def read(status: Status) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(b"".join(json_parts(status)))
    return document


def read_from(play: Play) -> dict[str, Any]:
    return read(observe(play.engine, play.clock()))


@pytest.fixture(scope="module")
def schema(repo_root: Path) -> dict[str, Any]:
    text = (repo_root / "docs" / "status-api.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    documented: dict[str, Any] = json.loads(block)
    return documented


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every key required that it describes, and no other allowed."""
    shut = {key: closed(value) if isinstance(value, dict) else value for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        assert schema["required"] == list(schema["properties"])
        shut["additionalProperties"] = False
    return shut


def assert_documented(document: dict[str, Any], schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(closed(schema)).validate(document)


def test_the_documented_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["version"] == {"const": VERSION, "description": "Version of this format."}


def test_before_the_first_poll_the_answer_is_as_documented(schema: dict[str, Any]) -> None:
    assert_documented(read(quiet_status(config_text(1, 1))), schema)


def test_an_answer_in_good_times_is_as_documented(schema: dict[str, Any]) -> None:
    def act(play: Play) -> None:
        document = read_from(play)
        assert_documented(document, schema)
        (account,) = document["accounts"]
        assert [watch["kind"] for watch in account["watches"]] == ["media", "post"]
        assert document["notices"] == []

    run(act, config_text(media=2, posts=2))


@pytest.mark.parametrize("row", ["row06", "row08", "row10", "row13", "row15", "row17", "row18", "row20"])
def test_an_answer_in_trouble_is_as_documented(schema: dict[str, Any], row: str) -> None:
    async def act(play: Play) -> None:
        play.x.fail(row, "*")
        for kind in Kind:
            await play.poll(kind, within=60)
        document = read_from(play)
        assert_documented(document, schema)
        assert document["notices"]

    play(act, text=config_text(media=2, posts=2), limits={"media_analytics": Limit(2)})


def test_the_history_is_as_documented(schema: dict[str, Any]) -> None:
    for history in (HISTORY, HistoryView(86400.0), replace(HISTORY, remote_write=None)):
        assert_documented(read(replace(quiet_status(), history=history)), schema)
    told = read(replace(quiet_status(), history=HISTORY))["history"]
    assert [each["endpoint"] for each in told["settling"]] == ["media_analytics", "insights_28hr"]
    assert told["settling"][0]["p90_seconds"] == 1510
    assert told["remote_write"]["oldest_hour_start_timestamp_seconds"] == (NEWEST - 30) * HOUR


def test_without_history_the_answer_says_so() -> None:
    assert read(quiet_status())["history"] is None


def test_the_history_is_looked_at_for_each_answer() -> None:
    async def act(play: Play) -> None:
        document = (await fetch(play.engine, play.clock, "/api/v1/status", HISTORY)).json()
        assert document["history"]["remote_write"]["pending"] == 1234

    play(act)


def test_what_went_wrong_is_told_with_how_often() -> None:
    async def act(play: Play) -> None:
        play.x.fail("row20", "media_analytics")
        await play.poll(within=60)
        (endpoint,) = read_from(play)["accounts"][0]["watches"][0]["endpoints"]
        assert endpoint["failing_since_timestamp_seconds"] == FIVE_PAST_EIGHT
        (trouble,) = endpoint["recent_failures"]
        assert (trouble["count"], trouble["reason"]) == (len(play.x.requests), "server_error")

    play(act)


def test_the_figures_are_x_s_own() -> None:
    def act(play: Play) -> None:
        ((watch,),) = (account["watches"] for account in read_from(play)["accounts"])
        (item,) = watch["items"]
        hour = int(FIVE_PAST_EIGHT // HOUR * HOUR - HOUR)
        assert (item["id"], item["hour_start_timestamp_seconds"]) == (media_key(0), hour)
        assert watch["hour_start_timestamp_seconds"] == hour
        starts = range(int(item["curve_start_timestamp_seconds"]), hour + 1, int(HOUR))
        assert item["curve"] == [play.x.truth(media_key(0), "video_views", start) for start in starts]
        assert item["value"] == item["curve"][-1]
        assert item["change"] == item["curve"][-1] - item["curve"][-2]
        assert (item["sum_28h"], item["hours_28h"]) == (sum(item["curve"]), 28)
        assert item["created_timestamp_seconds"] == pytest.approx(FIVE_PAST_EIGHT - 50 * HOUR, abs=1)

    run(act)


def test_what_x_complains_of_is_told_without_ids_of_accounts(schema: dict[str, Any]) -> None:
    problem = ItemProblem("7_1", ItemErrorType.OTHER, "Account 123456789 may not see \x1b[31m<b>7_1</b>.")
    status = with_items(quiet_status(), item_status(0, state=ItemState(up=False, problems=(problem,))))
    document = read(status)
    assert_documented(document, schema)
    (told,) = document["accounts"][0]["watches"][0]["items"][0]["problems"]
    assert told["type"] == "other"
    assert "123456789" not in json.dumps(document)
    assert "<b>7_1</b>" in told["detail"]


def test_no_secret_is_told() -> None:
    def act(play: Play) -> None:
        assert TOKEN not in json.dumps(read_from(play))

    run(act)


def test_the_answer_is_json_and_not_kept() -> None:
    async def act(play: Play) -> None:
        response = await fetch(play.engine, play.clock, "/api/v1/status?sort=nonsense")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        assert response.json()["timestamp_seconds"] == FIVE_PAST_EIGHT

    play(act)


def test_all_items_come_in_the_configurations_order() -> None:
    ids = [
        item["id"]
        for item in read(quiet_status(config_text(media=250)))["accounts"][0]["watches"][0]["items"]
    ]
    assert ids == [media_key(number) for number in range(250)]

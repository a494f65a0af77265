"""How the play on the simulated X is directed from outside."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from exporter.simulator import SimRequest, Simulator
from exporter.simulator.admin import administer
from exporter.simulator.serving import Served
from tests.simulator_support import (
    HOUR,
    MEDIA_PATH,
    NOW,
    THIS_HOUR,
    TOKEN,
    VIDEO,
    Clock,
    make,
    media_query,
)

BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(make(clock=Clock())) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.base_url, headers=BEARER, timeout=5) as opened:
        yield opened


def play(simulator: Simulator, script: str, client: str = "127.0.0.1") -> int:
    request = SimRequest("POST", "/_simulator/knobs", body=script.encode())
    return administer(simulator, request, client).status


def test_the_play_is_directed_over_http(served: Served, client: httpx.Client) -> None:
    before = served.simulator.truth(VIDEO, "video_views", THIS_HOUR)
    script = {
        "knobs": {"string_ratio": 1.0},
        "items": {VIDEO: {"drop_at": "now", "factor": 0.0}, "13_77": {"owner": "brand"}},
        "faults": [{"name": "row10", "endpoint": "insights_28hr", "ids": ["1"]}],
        "limits": {"media_analytics": {"requests": 7}},
        "any_id": True,
        "clear_faults": True,
        "expire_access": True,
    }
    told = client.post("/_simulator/knobs", json=script)
    assert told.json()["knobs"]["string_ratio"] == 1.0
    assert served.simulator.truth(VIDEO, "video_views", THIS_HOUR + HOUR) == 0
    assert (served.simulator.truth(VIDEO, "video_views", THIS_HOUR) or 0) < (before or 0)
    response = client.get(MEDIA_PATH, params=media_query())
    assert response.headers["x-rate-limit-limit"] == "7"
    (log,) = client.get("/_simulator/requests").json()
    assert (log["endpoint"], log["account"], log["status"]) == ("media_analytics", "brand", 200)


def test_the_truth_is_told_over_http(served: Served, client: httpx.Client) -> None:
    asked = {"id": VIDEO, "metric": "video_views", "start": str(THIS_HOUR - 3 * HOUR + 5), "hours": "3"}
    found = client.get("/_simulator/truth", params=asked).json()["values"]
    hours = range(THIS_HOUR - 3 * HOUR, THIS_HOUR, HOUR)
    assert found == {str(hour): served.simulator.truth(VIDEO, "video_views", hour) for hour in hours}


def test_tokens_are_issued_and_their_use_is_told_over_http(client: httpx.Client) -> None:
    pair = client.post("/_simulator/issue", json={"account": "other", "client_id": "native"}).json()
    headers = {"authorization": f"Bearer {pair['access_token']}"}
    assert client.get("/2/users/me", headers=headers).json()["data"]["username"] == "other"
    form = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": pair["refresh_token"]}
    client.post("/2/oauth2/token", data=form, headers={"authorization": ""})
    (event,) = client.get("/_simulator/tokens").json()
    assert (event["grant_type"], event["outcome"], event["account"]) == ("refresh_token", "ok", "other")


@pytest.mark.parametrize(
    "script",
    [
        "{",
        '{"knob": {}}',
        '{"knobs": {"strings": 1}}',
        '{"items": {"13_1": {"drops_at": "now"}}}',
        '{"items": {"13_1": {"drop_at": "now"}}}',
        '{"items": {"13_1": {"drop_at": "soon", "factor": 0}}}',
        '{"items": {"x": {"status": "not_found"}}}',
        '{"items": {"13_1": {"status": "gone"}}}',
        '{"faults": [{"name": "row27"}]}',
    ],
)
def test_a_direction_nobody_understands_is_refused(script: str) -> None:
    assert play(make(), script) == 400


def test_directions_are_taken_from_this_machine_alone() -> None:
    assert play(make(), "{}") == 200
    assert play(make(), "{}", "::1") == 200
    assert play(make(), "{}", "192.0.2.1") == 403
    assert play(make(), "{}", "") == 403
    assert administer(make(), SimRequest("GET", "/_simulator/else"), "127.0.0.1").status == 404


def test_an_item_may_be_deleted_and_spiked_by_direction() -> None:
    simulator = make()
    hour = THIS_HOUR - 5 * HOUR
    before = simulator.truth(VIDEO, "playback_start", hour) or 0
    script = f'{{"items": {{"{VIDEO}": {{"spike_at": {hour}, "factor": 2, "until": {hour + HOUR}}}}}}}'
    assert play(simulator, script) == 200
    assert simulator.truth(VIDEO, "playback_start", hour) == 2 * before
    assert play(simulator, f'{{"items": {{"{VIDEO}": {{"deleted_at": "now"}}}}}}') == 200
    assert simulator.world.status(VIDEO, "brand", NOW) == "not_found"

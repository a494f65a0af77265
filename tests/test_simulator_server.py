"""The simulated X behind real sockets, its stage directions, and the official SDK as its reader."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator, MutableMapping
from datetime import datetime
from typing import Any

import httpx
import pytest
from xdk import Client

from exporter.simulator import SimRequest, Simulator, asgi
from exporter.simulator.admin import administer
from exporter.simulator.metrics import ANALYTICS_METRICS, MEDIA_METRICS
from exporter.simulator.sample import SAMPLE_TOKEN, sample_config_yaml, sample_items, sample_world
from exporter.simulator.serving import Served
from exporter.simulator.snowflake import born_seconds
from exporter.simulator.transport import SimulatorTransport
from tests.simulator_support import (
    HOUR,
    MEDIA_PATH,
    NOW,
    POST,
    THIS_HOUR,
    TOKEN,
    VIDEO,
    YOUNG_VIDEO,
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


# The official SDK


def test_the_official_sdk_reads_media_analytics_as_they_are(served: Served) -> None:
    query = media_query(VIDEO, YOUNG_VIDEO)
    found = Client(base_url=served.base_url, access_token=TOKEN).media.get_analytics(
        media_keys=[VIDEO, YOUNG_VIDEO],
        start_time=query["start_time"],
        end_time=query["end_time"],
        granularity="hourly",
        media_analytics_fields=[*MEDIA_METRICS, "media_key", "timestamp", "timestamped_metrics"],
    )
    items = [item if isinstance(item, dict) else item.model_dump() for item in found.data]
    assert [item["media_key"] for item in items] == [VIDEO, YOUNG_VIDEO]
    assert hours_told(served.simulator, items[0], VIDEO, MEDIA_METRICS) == 28
    assert hours_told(served.simulator, items[1], YOUNG_VIDEO, MEDIA_METRICS) == 6


def test_the_official_sdk_reads_post_analytics_as_they_are(served: Served) -> None:
    query = media_query()
    found = Client(base_url=served.base_url, access_token=TOKEN).posts.get_analytics(
        ids=[POST],
        start_time=query["start_time"],
        end_time=query["end_time"],
        granularity="hourly",
        analytics_fields=[*ANALYTICS_METRICS, "id", "timestamped_metrics"],
    )
    (item,) = [item if isinstance(item, dict) else item.model_dump() for item in found.data]
    assert hours_told(served.simulator, item, POST, ANALYTICS_METRICS) == 28


def hours_told(simulator: Simulator, item: dict[str, Any], item_id: str, metrics: tuple[str, ...]) -> int:
    """How many hours the SDK read, each of whose figures must be the truth."""
    for bucket in item["timestamped_metrics"]:
        hour = int(datetime.fromisoformat(bucket["timestamp"]).timestamp())
        assert bucket["metrics"] == {name: simulator.truth(item_id, name, hour) for name in metrics}
    return len(item["timestamped_metrics"])


# Sockets


def test_long_answers_are_packed_in_one_member_for_those_who_ask(client: httpx.Client) -> None:
    plain = client.get(MEDIA_PATH, params=media_query(), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", MEDIA_PATH, params=media_query()) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    short = client.get("/2/users/me")
    assert "content-encoding" not in short.headers


def test_there_is_one_date_and_it_is_the_simulators(client: httpx.Client) -> None:
    assert client.get("/2/users/me").headers.get_list("date") == ["Mon, 30 Nov 2026 01:10:00 GMT"]


def test_a_lost_answer_is_a_broken_connection(served: Served, client: httpx.Client) -> None:
    served.simulator.fail("lost_response", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/2/users/me")
    assert client.get("/2/users/me").status_code == 200


def test_a_silent_server_is_a_timeout(served: Served, client: httpx.Client) -> None:
    served.simulator.fail("hang", times=1)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/2/users/me", timeout=0.2)


def test_a_huge_body_arrives_whole(served: Served, client: httpx.Client) -> None:
    served.simulator.fail("huge_body", times=1, options={"megabytes": 3})
    assert len(client.get("/2/users/me").content) == 3 << 20


def test_an_endless_body_does_not_end(served: Served, client: httpx.Client) -> None:
    served.simulator.fail("slow_body", times=1, options={"drip_seconds": 0.001})
    with client.stream("GET", "/2/users/me") as response:
        parts = response.iter_raw()
        assert b"".join(next(parts) for _ in range(20)).strip() == b""


def test_junk_headers_and_false_packing_arrive(served: Served, client: httpx.Client) -> None:
    served.simulator.fail("header_junk", times=1)
    assert client.get("/2/users/me").headers["x-rate-limit-reset"] == "99999999999999999999"
    served.simulator.fail("bad_gzip", times=1)
    with pytest.raises(httpx.DecodingError):
        client.get("/2/users/me")


def test_forms_arrive_at_the_token_endpoint(served: Served, client: httpx.Client) -> None:
    pair = served.simulator.tokens.issue("brand", "native", frozenset({"tweet.read", "offline.access"}))
    form = {"grant_type": "refresh_token", "client_id": "native", "refresh_token": pair.refresh_token or ""}
    response = client.post("/2/oauth2/token", data=form, headers={"authorization": ""})
    assert response.json()["token_type"] == "bearer"


def test_a_server_may_start_and_stop_the_application_and_send_a_body_in_parts() -> None:
    simulator = make()
    sent: list[dict[str, Any]] = []
    parts = iter(
        [
            {"type": "lifespan.startup"},
            {"type": "lifespan.shutdown"},
            {"type": "http.request", "body": b"client_id=native&", "more_body": True},
            {"type": "http.request", "body": b"token=x"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(parts)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    async def run() -> None:
        application = asgi(simulator)
        await application({"type": "lifespan"}, receive, send)
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/2/oauth2/revoke",
            "query_string": b"",
            "scheme": "http",
            "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        }
        await application(scope, receive, send)

    asyncio.run(run())
    assert [message["type"] for message in sent[:2]] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert sent[-1]["body"] == b'{"revoked":true}'


# Stage directions


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


# Without sockets


def ask(simulator: Simulator, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
    async def run() -> httpx.Response:
        transport = SimulatorTransport(simulator)
        async with httpx.AsyncClient(transport=transport, base_url="https://api.x.com") as client:
            return await client.get(path, headers=BEARER, **options)

    return asyncio.run(run())


def test_the_transport_answers_as_the_sockets_do() -> None:
    response = ask(make(), MEDIA_PATH, params=media_query())
    assert response.json()["data"][0]["media_key"] == VIDEO
    assert response.headers["x-access-level"] == "read-write"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("cut", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
        ("slow_body", httpx.ReadTimeout),
        ("bad_gzip", httpx.DecodingError),
    ],
)
def test_the_transport_fails_without_waiting(name: str, error: type[Exception]) -> None:
    simulator = make()
    simulator.fail(name)
    with pytest.raises(error):
        ask(simulator, "/2/users/me")


def test_the_transport_does_not_wait_for_what_a_client_would() -> None:
    simulator = make()
    simulator.turn(latency_seconds=2.0)
    assert ask(simulator, "/2/users/me").status_code == 200
    simulator.turn(latency_seconds=0.0)
    simulator.fail("huge_body", options={"megabytes": 2})
    assert len(ask(simulator, "/2/users/me").content) == 2 << 20


# The sample


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

"""The simulated X behind real sockets and without any, and the official SDK as its reader."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator, MutableMapping
from datetime import datetime
from typing import Any

import httpx
import pytest
from xdk import Client

from exporter.simulator import Simulator, asgi
from exporter.simulator.metrics import ANALYTICS_METRICS, MEDIA_METRICS
from exporter.simulator.serving import Served
from exporter.simulator.transport import SimulatorTransport
from tests.simulator_support import (
    MEDIA_PATH,
    POST,
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
    parts: Iterator[dict[str, Any]] = iter(
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

"""A small simulated X and short ways to ask it, for the tests of the simulator itself."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from exporter.simulator import (
    Account,
    App,
    Knobs,
    Limit,
    OAuth1Keys,
    SimRequest,
    SimResponse,
    Simulator,
    World,
)
from exporter.simulator.metrics import INSIGHT_METRICS, MEDIA_METRICS
from exporter.simulator.snowflake import mint
from exporter.simulator.times import iso

HOUR = 3600
# Ten minutes past an hour, and not on a full second.
NOW = 1_796_000_400.25 // HOUR * HOUR + 600.25
THIS_HOUR = int(NOW // HOUR) * HOUR
TOKEN = "token-of-brand"
MEDIA_PATH = "/2/media/analytics"
INSIGHTS_PATH = "/2/insights/28hr"
ANALYTICS_PATH = "/2/tweets/analytics"
OLD_FIELDS = (*MEDIA_METRICS, "media_key", "timestamp")
KEYS = OAuth1Keys("consumer", "secret&%", "access", "access secret+ü")
VIDEO = f"13_{mint(NOW - 50.5 * HOUR, 1)}"
YOUNG_VIDEO = f"7_{mint(NOW - 5.5 * HOUR, 2)}"
POST = str(mint(NOW - 40.2 * HOUR, 3))
YOUNG_POST = str(mint(NOW - 3.2 * HOUR, 4))
GONE = "1880000000000000000"


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, seconds: float = NOW) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def make(
    *,
    knobs: Knobs | None = None,
    clock: Clock | None = None,
    any_id: bool = False,
    seed: int = 1,
    limits: dict[str, Limit] | None = None,
) -> Simulator:
    """Two accounts, a confidential and a public app, two videos and two posts of whoever asks."""
    accounts = (
        Account("brand", "1", "brand", (TOKEN,), KEYS),
        Account("other", "2", "other", ("token-of-other",)),
        Account("narrow", "3", "narrow", ("token-of-narrow",), scopes=frozenset({"users.read"})),
    )
    apps = (App("web", "app secret:"), App("native"))
    items = (VIDEO, YOUNG_VIDEO, POST, YOUNG_POST)
    world = World(accounts, apps=apps, items=items, app_only_tokens=("app-only",), any_id=any_id)
    return Simulator(world, clock=clock or Clock(), seed=seed, knobs=knobs, limits=limits)


def get(simulator: Simulator, path: str, query: dict[str, str] | str = "", token: str = TOKEN) -> SimResponse:
    """GET with a bearer token."""
    text = query if isinstance(query, str) else urlencode(query)
    return simulator.respond(SimRequest("GET", path, text, {"authorization": f"Bearer {token}"}))


def post(simulator: Simulator, path: str, form: dict[str, str], authorization: str = "") -> SimResponse:
    """POST a form."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if authorization:
        headers["authorization"] = authorization
    return simulator.respond(SimRequest("POST", path, "", headers, urlencode(form).encode()))


def media_query(*keys: str, **changes: str) -> dict[str, str]:
    """A full hourly request for the 28 complete hours before now."""
    return {
        "media_keys": ",".join(keys or (VIDEO,)),
        "start_time": iso(THIS_HOUR - 28 * HOUR),
        "end_time": iso(THIS_HOUR),
        "granularity": "hourly",
        "media_analytics.fields": ",".join((*OLD_FIELDS, "timestamped_metrics")),
    } | changes


def insights_query(*posts: str, **changes: str) -> dict[str, str]:
    """A full hourly request for the last 28 hours."""
    return {
        "tweet_ids": ",".join(posts or (POST,)),
        "granularity": "Hourly",
        "requested_metrics": ",".join(INSIGHT_METRICS),
        "engagement.fields": "errors,measurement",
    } | changes


def analytics_query(*posts: str, **changes: str) -> dict[str, str]:
    """A full hourly request of the sibling for the 28 complete hours before now."""
    return {
        "ids": ",".join(posts or (POST,)),
        "start_time": iso(THIS_HOUR - 28 * HOUR),
        "end_time": iso(THIS_HOUR),
        "granularity": "hourly",
        "analytics.fields": "id,timestamped_metrics,impressions,likes,bookmarks,engagements",
    } | changes


def openapi(reference: Path, version: str) -> dict[str, Any]:
    """X's OpenAPI excerpt of that version."""
    text = (reference / f"openapi-{version}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def seconds(stamp: str) -> int:
    """An ISO 8601 time in Unix seconds."""
    return int(datetime.fromisoformat(stamp).timestamp())


def body(response: SimResponse) -> dict[str, Any]:
    """The JSON of a good answer."""
    assert response.status == 200, response.body
    found: dict[str, Any] = response.json()
    return found

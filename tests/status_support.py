"""What the tests of the status page share: the page and its JSON as a client gets them."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan

import html5lib
import httpx
from starlette.applications import Starlette

from exporter.engine import Engine
from exporter.figures.hours import Hours
from exporter.figures.state import ItemState
from exporter.journal import Settling
from exporter.model import Item, Kind
from exporter.status.history import HistoryView, RemoteWriteView
from exporter.status.items import ItemStatus, headline
from exporter.status.order import Order
from exporter.status.page import StatusPage
from exporter.status.routes import status_routes
from exporter.status.status import Status, WatchStatus, observe
from exporter.vocabulary import MEDIA_METRICS
from tests.simulated import FIVE_PAST_EIGHT, HOUR, Play, config_text, play

NEWEST = int(FIVE_PAST_EIGHT // HOUR) - 1


SETTLING = {
    "media_analytics": Settling(310, 1510, 7505, 14705, 58_000, 212),
    "insights_28hr": Settling(325, 3920, 11105, 90_000, 12_345, 1),
}
# What is known of the history where all of it goes wrong.
HISTORY = HistoryView(
    35 * 86400.0,
    trouble="The journal cannot be written: the disk is full. Make room in `state_dir`.",
    settling=SETTLING,
    remote_write=RemoteWriteView(
        7200, 1234, NEWEST - 30, FIVE_PAST_EIGHT - 7200, "The sink answers 404.", FIVE_PAST_EIGHT - 60
    ),
)


async def fetch(
    engine: Engine, clock: Callable[[], float], path: str, history: HistoryView | None = None
) -> httpx.Response:
    """What a client gets at `path`."""
    app = Starlette(routes=status_routes(engine, clock, lambda: history))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://exporter:9877"
    ) as client:
        return await client.get(path)


def quiet_status(text: str = "") -> Status:
    """The status of an engine that has not polled yet."""

    async def act(play: Play) -> Status:
        return observe(play.engine, play.clock())

    return play(act, text=text or config_text(media=1))


def item_status(
    number: int = 0,
    values: Sequence[float] = (),
    *,
    last: int = NEWEST,
    item_id: str = "",
    name: str = "",
    labels: tuple[tuple[str, str], ...] = (),
    stale: bool = False,
    state: ItemState | None = None,
) -> ItemStatus:
    """A video whose views in the hours up to `last` are `values`, oldest first."""
    metrics = MEDIA_METRICS[:2]
    rows = array("d", [cell for value in values for cell in (value, nan)])
    hours = Hours(last - len(values) + 1, 2, rows) if values else None
    known = ItemState(up=bool(values), answered_at=FIVE_PAST_EIGHT) if state is None else state
    item_id = item_id or f"7_{number + 1}"
    item = Item(item_id, Kind.MEDIA, "brand", name or item_id, labels)
    return ItemStatus(item, replace(known, hours=hours), headline(Kind.MEDIA, metrics), stale)


def with_items(status: Status, *items: ItemStatus) -> Status:
    """`status`, whose only list holds `items` instead."""
    (account,) = status.accounts
    (watch,) = account.watches
    changed = replace(account, watches=(replace(watch, items=items, hour=NEWEST),))
    return replace(status, accounts=(changed,), ready=True)


def only_watch(status: Status) -> WatchStatus:
    """The only list there is."""
    (watch,) = status.watches
    return watch


def page_of(status: Status, *, order: Order | None = None, show_all: bool = False) -> str:
    """The page as HTML, refused where a browser would have to guess what is meant."""
    html = "".join(StatusPage().parts(status, order or Order(), show_all=show_all))
    html5lib.HTMLParser(strict=True).parse(html)
    return html


def run(act: Callable[[Play], object], text: str = "") -> None:
    """Run the synchronous `act` in a play that has polled everything once."""

    async def scene(play: Play) -> None:
        for feed in play.engine.feeds:
            await play.poll(feed.watch.kind)
        act(play)
        await asyncio.sleep(0)

    play(scene, text=text)

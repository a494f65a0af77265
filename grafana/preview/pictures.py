"""Draws the dashboards over made-up figures: `python -m grafana.preview.pictures FOLDER`.

It takes Prometheus, Chromium and what `npm install` and `npm run build` leave in `grafana/preview/draw`. The
figures are the demo's; one video's views break off some hours ago, so that there is a drop to be seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from exporter.simulator import Effect, Simulator
from exporter.simulator.sample import SAMPLE_SEED, sample_items, sample_world
from grafana.generate import FOLDER
from grafana.preview.history import HOUR, STEP, Span, history
from grafana.preview.page import page
from grafana.preview.reading import Chosen, Json, Option, Prometheus, options, variables
from grafana.preview.reading import Span as Range
from grafana.preview.stack import JOB, demo, prometheus

_DROPPED = "Aurora E2: first ride with Mika"
_DROPPED_HOURS_AGO = 4
_HISTORY_HOURS = 78
_SHOWN_HOURS = 48
_RANGE_STEP = 300
_WIDTH = 1512


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the dashboard's file, how much of it from the top in pixels, and what is chosen."""

    name: str
    dashboard: str
    height: int
    chosen: Mapping[str, str]


PICTURES = (
    Picture("dashboard-overview", "overview", 1476, {"label": "campaign"}),
    Picture("dashboard-item", "item", 1312, {"id": f"{_DROPPED} · video"}),
    Picture("dashboard-exporter", "exporter", 2480, {}),
)


def main(folder: Path) -> None:
    """Write a PNG for each of `PICTURES` into `folder`."""
    now = int(time.time()) // STEP * STEP
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        lines = made_up(work, now)
        with prometheus(work, lines) as url, httpx.Client(trust_env=False, timeout=60) as http:
            for picture in PICTURES:
                draw(picture, Prometheus(url, http), now, work, folder)


def made_up(work: Path, now: int) -> Iterator[str]:
    """The history that the pictures show."""
    with demo(work) as address:
        scrape = httpx.get(f"http://{address}/metrics", trust_env=False).text
    x = Simulator(sample_world(now), clock=lambda: now, seed=SAMPLE_SEED)
    dropped = next(item.id for item in sample_items(now) if item.name == _DROPPED)
    fell = now // HOUR * HOUR - _DROPPED_HOURS_AGO * HOUR
    x.world.affect(dropped, Effect(fell, 0.05))
    span = Span(now - _HISTORY_HOURS * HOUR, now + STEP)
    *lines, end = history(scrape, x, span, {"job": JOB, "instance": "exporter:9877"})
    yield from lines
    labels = (
        f'alertname="XMediaViewsDropped",severity="critical",account="brand",name="{_DROPPED}",id="{dropped}"'
    )
    for moment in span.times():
        # The rule waits for a second low hour, so it fires two hours and some minutes after the fall.
        if moment > fell + 2.25 * HOUR:
            yield f'ALERTS{{{labels},alertstate="firing"}} 1 {moment}\n'
    yield end


def draw(picture: Picture, asked: Prometheus, now: int, work: Path, folder: Path) -> None:
    """Write one picture into `folder`, by way of a page in `work`."""
    dashboard: Json = json.loads((FOLDER / f"{picture.dashboard}.json").read_text(encoding="utf-8"))
    span = Range(now - _SHOWN_HOURS * HOUR, now, _RANGE_STEP)
    html = work / f"{picture.name}.html"
    html.write_text(page(dashboard, choices(dashboard, picture.chosen, asked, span), asked, span), "utf-8")
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    chromium += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    chromium += [f"--user-data-dir={work / 'chromium'}", "--virtual-time-budget=15000"]
    chromium += [f"--window-size={_WIDTH},{picture.height}", f"--screenshot={folder / picture.name}.png"]
    subprocess.run([*chromium, html.as_uri()], check=True, capture_output=True)  # noqa: S603 - see above


def choices(dashboard: Json, wanted: Mapping[str, str], asked: Prometheus, span: Range) -> dict[str, Chosen]:
    """What the variables are set to: `wanted` by the text shown, else all, else the first."""
    chosen: dict[str, Chosen] = {}
    for variable in variables(dashboard):
        name = variable["name"]
        if variable["type"] != "query":
            continue
        listed = options(variable, chosen, asked, span)
        if name in wanted:
            chosen[name] = Chosen((next(option for option in listed if option.text == wanted[name]),))
        elif variable["includeAll"]:
            chosen[name] = Chosen((Option("All", variable["allValue"]),), multi=True)
        else:
            chosen[name] = Chosen(tuple(listed[:1]))
    return chosen


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The page at `/`, plain: what is watched, how polling fares, where the rest is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from exporter import __version__
from exporter.engine import Engine
from exporter.polling.feed import Feed

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>x-analytics-exporter</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
</style>
</head>
"""


def landing_page(engine: Engine) -> str:
    """The page as HTML; everything that comes from outside is escaped."""
    rows = "\n".join(_row(feed, engine) for feed in engine.feeds)
    return f"""{_HEAD}<body>
<h1>x-analytics-exporter</h1>
<p>Version {escape(__version__)}.
<a href="/metrics">Metrics</a>, <a href="/-/healthy">health</a>, <a href="/-/ready">readiness</a>.</p>
<table>
<thead>
<tr><th>Account</th><th>Watched</th><th>With data</th><th>Next poll (UTC)</th><th>State</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(feed: Feed, engine: Engine) -> str:
    watch = feed.watch
    with_data = sum(engine.board.state(item.id).up is True for item in watch.items)
    cells = [
        watch.account,
        f"{len(watch.items)} {watch.kind}",
        str(with_data),
        _time(engine.next_poll_of(feed)),
        " ".join(_state(feed)),
    ]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _state(feed: Feed) -> Iterator[str]:
    if feed.last_result is None:
        yield "Not polled yet."
    else:
        yield f"Last poll: {feed.last_result.outcome}."
    for channel in feed.channels:
        if channel.failure is not None:
            yield f"{channel.endpoint}: {channel.failure.sentence}"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")

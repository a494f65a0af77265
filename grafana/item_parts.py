"""The panels of the Item dashboard that take its figures apart."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, table, timeseries
from grafana_foundation_sdk.models import common

from grafana import panels
from grafana.names import FUNNEL, MEDIA_ENGAGEMENT, NAMES, POST_ENGAGEMENT
from grafana.panels import About, Column, Query
from grafana.queries import ITEM, MEDIA, POST, either

_NO_VIDEO = "X reports no playback for this item"


def funnel() -> bargauge.Panel:
    """How far into the video playbacks of the last 28 hours got."""
    about = About(
        "Retention, last 28 hours",
        "Of all playbacks that started, the share that reached each part of the video.",
        "percentunit",
        8,
        9,
        empty=_NO_VIDEO,
        decimals=0,
    )
    (_, media_start, post_start), *_ = FUNNEL
    queries = (
        Query(
            f"({either(MEDIA.sum_28h(media, of=ITEM), POST.sum_28h(post, of=ITEM))})"
            f" / (({either(MEDIA.sum_28h(media_start, of=ITEM), POST.sum_28h(post_start, of=ITEM))}) > 0)",
            shown,
        )
        for shown, media, post in FUNNEL
    )
    return panels.in_colour(panels.bars(about, *queries), panels.BLUE).min(0).max(1)


def retention() -> timeseries.Panel:
    """The same hour by hour."""
    about = About(
        "Retention per hour",
        "Of the playbacks that started in an hour, the share that reached each part of the video.",
        "percentunit",
        8,
        9,
        empty=_NO_VIDEO,
        decimals=0,
    )
    (_, media_start, post_start), *further = FUNNEL
    queries = (
        Query(
            f"({either(MEDIA.hour(media, of=ITEM), POST.hour(post, of=ITEM))})"
            f" / (({either(MEDIA.hour(media_start, of=ITEM), POST.hour(post_start, of=ITEM))}) > 0)",
            shown,
        )
        for shown, media, post in further
    )
    return panels.curves(about, *queries).max(1)


def watch_time_per_view() -> timeseries.Panel:
    """How long a view lasts, hour by hour."""
    about = About(
        "Watch time per view",
        "Time watched in an hour, divided by the hour's video views.",
        "ms",
        8,
        9,
        empty="X reports watch time for videos, not for posts",
        decimals=1,
    )
    query = Query(
        f"{MEDIA.hour('watch_time_ms', of=ITEM)} / ({MEDIA.hour('video_views', of=ITEM)} > 0)", "per view"
    )
    return panels.in_colour(panels.curves(about, query, legend=False), panels.BLUE)


def _parts(suffix: str) -> str:
    """The parts of engagement, one series per metric, from the families that end in `suffix`."""
    media, post = (
        f'max by (metric) ({subject.values}{suffix}{{{ITEM},metric=~"{"|".join(names)}"}})'
        for subject, names in ((MEDIA, MEDIA_ENGAGEMENT), (POST, POST_ENGAGEMENT))
    )
    return either(media, post)


def engagement_curve() -> timeseries.Panel:
    """The parts of engagement, hour by hour."""
    about = About(
        "Engagement per hour, by part",
        "What people did with the post; for a video, plays by tap and clicks on its call to action.",
        "short",
        16,
        10,
    )
    panel = panels.curves(about, Query(f"{_parts('')} > 0", "{{metric}}"), stacked=True)
    for name in (*MEDIA_ENGAGEMENT, *POST_ENGAGEMENT):
        panels.override(panel, name, displayName=NAMES[name])
    return panel


def engagement_parts() -> bargauge.Panel:
    """The parts of engagement over 28 hours."""
    about = About(
        "Engagement, last 28 hours",
        "The same summed over the last 28 hours, the largest on top.",
        "short",
        8,
        10,
        empty="No engagement in 28 hours",
    )
    panel = panels.bars(about, Query(f"sort_desc({_parts('_28h')} > 0)", "{{metric}}"))
    for name in (*MEDIA_ENGAGEMENT, *POST_ENGAGEMENT):
        panels.override(panel, name, displayName=NAMES[name])
    return panels.in_colour(panel, panels.PURPLE).min(0)


def hours() -> timeseries.Panel:
    """The hours as remote write brings them, one sample for each."""
    about = About(
        "Each hour at its own time",
        "Video views, for a post impressions, as the exporter sends them by remote write: a bar stands where "
        "its hour was, also one that came late. Dashed: a day before. Empty without remote_write in the "
        "exporter's configuration.",
        "short",
        24,
        9,
        empty="Needs remote_write in the exporter's configuration",
    )
    panel = panels.curves(about, Query(_sent(), "per hour"), Query(_sent(" offset 24h"), "a day before"))
    # One sample an hour, stamped at its end: finer steps would show each more than once.
    panel.interval("1h").draw_style(common.GraphDrawStyle.BARS).bar_alignment(common.BarAlignment.BEFORE)
    panels.override(panel, "per hour", color=panels.fixed(panels.BLUE), custom_fillOpacity=60)
    return panels.override(
        panels.dashed(panel, "a day before"), "a day before", custom_drawStyle=common.GraphDrawStyle.LINE
    )


def _sent(when: str = "") -> str:
    media, post = (
        f'max by (id) (last_over_time({subject.values}_hourly{{{ITEM},metric="{subject.lead}"}}[1h]{when}))'
        for subject in (MEDIA, POST)
    )
    return either(media, post)


def metrics() -> table.Panel:
    """All metrics there are of the item."""
    about = About(
        "Every metric",
        "All metrics that X reports for this item: the newest complete hour, the one before, the same "
        "hour yesterday and the last 28 hours.",
        "short",
        24,
        12,
    )
    columns = (
        Column(Query(_by_metric("")), "Last hour"),
        Column(Query(_by_metric("", " offset 1h")), "Hour before"),
        Column(Query(_by_metric("", " offset 24h")), "Same hour yesterday"),
        Column(Query(_by_metric("_28h")), "28 h"),
    )
    panel = panels.rows(about, columns, labels={"metric": "Metric"}, sort="28 h")
    spoken = {name: (shown, panels.PLAIN) for name, shown in NAMES.items()}
    return panels.override(panel, "Metric", mappings=panels.words(spoken))


def _by_metric(suffix: str, when: str = "") -> str:
    media, post = (f"max by (metric) ({subject.values}{suffix}{{{ITEM}}}{when})" for subject in (MEDIA, POST))
    return either(media, post)

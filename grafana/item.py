"""The Item dashboard: one video or post."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, stat, statetimeline, table, timeseries

from grafana import item_parts, panels, variables
from grafana.layout import page, row
from grafana.panels import About, Column, Query
from grafana.queries import ITEM, MEDIA, POST, either, if_known_now, lead_of_item, sum_of_item

# Labels that Prometheus adds to what it scrapes.
_TARGET_LABELS = "instance, job, namespace, pod, container, service, endpoint, node, prometheus, replica"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    made = page(
        variables.ITEM_UID,
        "One video or post: its curve against yesterday, retention, watch time, engagement and alerts.",
        variables.datasource(),
        variables.account(),
        variables.item(),
    )
    row(made, "${id:text}", *_now(), _identity())
    row(made, "Hour by hour", _curve(), _sums(), _alert_state())
    row(made, "Watching", item_parts.funnel(), item_parts.retention(), item_parts.watch_time_per_view())
    row(made, "Engagement", item_parts.engagement_curve(), item_parts.engagement_parts())
    row(made, "Hours at their own time", item_parts.hours())
    row(made, "Every metric", item_parts.metrics())
    return made


def _state(suffix: str) -> str:
    return either(MEDIA.state(suffix, of=ITEM), POST.state(suffix, of=ITEM))


def _now() -> tuple[stat.Panel, ...]:
    now, yesterday = lead_of_item(), lead_of_item("offset 24h")
    hour = panels.number(
        About(
            "Last hour", "Video views, for a post impressions, in the newest complete hour.", "short", 4, 5
        ),
        Query(if_known_now(lead_of_item)),
        trend=True,
    )
    about = About(
        "Against yesterday",
        "The same compared with the same hour yesterday.",
        "percentunit",
        4,
        5,
        empty="No yesterday yet",
        decimals=0,
    )
    against = panels.coloured(
        panels.number(about, Query(f"({now}) / (({yesterday}) > 0) - 1")), panels.AGAINST_YESTERDAY
    )
    sums = panels.number(
        About("Last 28 hours", "Video views, for a post impressions, of the last 28 hours.", "short", 4, 5),
        Query(if_known_now(sum_of_item)),
        trend=True,
    )
    return (
        panels.in_colour(hour, panels.BLUE),
        against,
        panels.in_colour(sums, panels.BLUE),
        _covered(),
        _age(),
        _reported(),
    )


def _covered() -> stat.Panel:
    about = About(
        "Hours in that sum",
        "How many of the last 28 hours are complete and known. Fewer for a young item, or where X left "
        "hours out.",
        "none",
        4,
        5,
    )
    return panels.in_colour(panels.number(about, Query(_state("28h_buckets"))), panels.PLAIN)


def _age() -> stat.Panel:
    about = About(
        "Age",
        "Time since the video was uploaded or the post was written, as its id tells.",
        "s",
        4,
        5,
        empty="Older than ids tell",
    )
    query = Query(f"time() - ({_state('created_timestamp_seconds')})")
    return panels.in_colour(panels.number(about, query), panels.PLAIN)


def _reported() -> stat.Panel:
    about = About(
        "Reported by X",
        "Whether X's last answer about this item carried figures. Deleted and withheld items have none.",
        "none",
        4,
        5,
        empty="X has not answered yet",
    )
    panel = panels.number(about, Query(_state("up")))
    return panel.mappings(panels.words({"1": ("Yes", panels.GREEN), "0": ("No", panels.RED)}))


def _identity() -> table.Panel:
    about = About(
        "What it is",
        "Account, id and the labels that the configuration gives this item.",
        "none",
        24,
        3,
        empty="No item is chosen",
    )
    infos = either(f"x_media_info{{{ITEM}}}", f"x_post_info{{{ITEM}}}")
    column = Column(Query(f"max without ({_TARGET_LABELS}) ({infos})"), "")
    titles = {"name": "Name", "account": "Account", "id": "Id"}
    return panels.rows(about, (column,), labels=titles, without=("__name__",))


def _curve() -> timeseries.Panel:
    about = About(
        "Per hour, against the day before",
        "Video views, for a post impressions. Each step is one whole hour, drawn from when it was read "
        "until the next. The red line is what the alert rules expect, where Prometheus has them.",
        "short",
        16,
        10,
    )
    expected = either(f"x:media_views:expected{{{ITEM}}}", f"x:post_impressions:expected{{{ITEM}}}")
    panel = panels.curves(
        about,
        Query(lead_of_item(), "per hour"),
        Query(lead_of_item("offset 24h"), "a day before"),
        Query(expected, "expected"),
    )
    panels.override(panel, "per hour", color=panels.fixed(panels.BLUE), custom_fillOpacity=18)
    panels.dashed(panel, "a day before")
    return panels.dashed(panel, "expected", panels.RED)


def _sums() -> timeseries.Panel:
    about = About(
        "Sum of 28 hours",
        "Video views, for a post impressions, of the 28 hours before. For posts also X's own figure, "
        "which counts the running hour as well.",
        "short",
        8,
        10,
    )
    own = f'max by (id) (x_post_insights_28h_reported{{{ITEM},metric="impressions"}})'
    panel = panels.curves(
        about,
        Query(sum_of_item(), "sum of hours"),
        Query(own, "reported by X"),
    )
    panels.override(panel, "sum of hours", color=panels.fixed(panels.BLUE))
    return panels.dashed(panel, "reported by X")


def _alert_state() -> statetimeline.Panel:
    about = About(
        "Alerts",
        "When alerts about this item were pending or firing.",
        "none",
        24,
        3,
        empty="No alert in this time range",
    )
    state = {"firing": 2, "pending": 1}
    query = " or ".join(
        f'max by (alertname) (ALERTS{{{ITEM},alertstate="{name}"}}) * {value}'
        for name, value in state.items()
    )
    panel = panels.states(about, Query(query, "{{alertname}}"))
    return panel.mappings(panels.words({"1": ("Pending", panels.ORANGE), "2": ("Firing", panels.RED)}))

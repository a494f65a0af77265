"""The tables of the Overview dashboard."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table

from grafana import panels, variables
from grafana.panels import About, Column, Query
from grafana.queries import FIRING, MEDIA, POST, Subject, among_chosen, chosen_with_group

# A fall is told from chance where an item had more than this many an hour.
_FLOOR = 50
_LEFT = ((None, panels.RED), (0.25, panels.ORANGE), (0.5, panels.GREEN))


def drops(subject: Subject) -> table.Panel:
    """The sharpest falls from one hour to the next."""
    about = About(
        f"Sharpest drops of {subject.many}, last 6 h",
        f"What an hour left of the hour before, at its worst within six hours, for {subject.many} that "
        f"had more than {_FLOOR} {subject.counted} then. Decay and night leave three quarters or more of "
        "an hour; less than half is worth a look.",
        "short",
        8,
        8,
        empty=f"No {subject.one} had more than {_FLOOR} {subject.counted} an hour",
    )
    worst = f"min_over_time(({subject.hour()} / ({subject.hour(when='offset 1h')} > {_FLOOR}))[6h:15m])"
    looks = {
        "decimals": 0,
        "min": 0,
        "max": 1,
        "custom_cellOptions": panels.cell("gauge"),
        "color": {"mode": "thresholds"},
        "thresholds": panels.steps(_LEFT),
    }
    columns = (
        Column(
            Query(among_chosen(f"bottomk(10, {worst})", subject, "name")), "Left", "percentunit", 190, looks
        ),
    )
    panel = panels.rows(about, columns, labels={"name": "Name", "id": "id"}, sort="Left", descending=False)
    return _linked(panel)


def alerts() -> table.Panel:
    """What fires now."""
    about = About(
        "Alerts firing",
        "Alerts that fire now, and for which video, post or account.",
        "none",
        8,
        8,
        empty="No alert fires",
    )
    column = Column(Query(f"max by (alertname, account, name, id) ({FIRING})"), "")
    titles = {"alertname": "Alert", "name": "Name", "account": "Account", "id": "id"}
    panel = _linked(panels.rows(about, (column,), labels=titles))
    panels.override(panel, "Account", custom_width=75)
    return panels.override(panel, "Alert", custom_width=180)


def all_media() -> table.Panel:
    """Every chosen video."""
    ended = f"{MEDIA.sum_28h('playback_complete')} / ({MEDIA.sum_28h('playback_start')} > 0)"
    watched = f"{MEDIA.sum_28h('watch_time_ms')} / ({MEDIA.sum_28h()} > 0)"
    return _all(
        MEDIA,
        Column(Query(MEDIA.sum_28h("watch_time_ms")), "Watch time, 28 h", "ms", 140),
        Column(Query(watched), "Per view", "ms", 90),
        Column(Query(ended), "To the end", "percentunit", 100, {"decimals": 0}),
    )


def all_posts() -> table.Panel:
    """Every chosen post."""
    rate = f"{POST.sum_28h('engagements')} / ({POST.sum_28h()} > 0)"
    return _all(
        POST,
        Column(Query(POST.sum_28h("engagements")), "Engagements, 28 h", "short", 150),
        Column(Query(rate), "Engagement rate", "percentunit", 140, {"decimals": 1}),
        Column(Query(POST.sum_28h("likes")), "Likes, 28 h", "short", 100),
    )


def _all(subject: Subject, *further: Column) -> table.Panel:
    about = About(
        f"All {subject.many}",
        f"Every one of the {subject.many} chosen above; one without figures has empty columns. A name opens "
        "the Item dashboard.",
        "short",
        24,
        12,
        empty=f"The configuration watches no {subject.many}",
    )
    now, yesterday = subject.hour(), subject.hour(when="offset 24h")
    looks = {
        "decimals": 0,
        "custom_cellOptions": panels.cell("color-text"),
        "color": {"mode": "thresholds"},
        "thresholds": panels.steps(panels.AGAINST_YESTERDAY),
    }
    columns = (
        Column(Query(chosen_with_group(subject)), ""),
        Column(Query(f"time() - {subject.state('created_timestamp_seconds')}"), "Age", "s", 110),
        Column(Query(now), "Last hour", "short", 100),
        Column(Query(f"{now} / ({yesterday} > 0) - 1"), "Against yesterday", "percentunit", 150, looks),
        Column(Query(subject.sum_28h()), f"{subject.counted.capitalize()}, 28 h", "short", 140),
        *further,
    )
    titles = {"name": "Name", "group": "Group", "id": "id"}
    panel = _linked(panels.rows(about, columns, labels=titles, sort="Last hour"))
    return panels.override(panel, "Group", displayName="$label", custom_width=160)


def _linked(panel: table.Panel) -> table.Panel:
    """`panel` whose names open the Item dashboard; the id is there for the link alone."""
    panels.override(panel, "id", custom_hidden=True)
    return panels.override(panel, "Name", links=panels.link("Open this item", variables.ROW_TO_ITEM))

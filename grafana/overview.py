"""The Overview dashboard: how all videos and posts fare, side by side."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, timeseries

from grafana import panels, variables
from grafana.layout import page, row
from grafana.overview_tables import alerts, all_media, all_posts, drops
from grafana.panels import About, Query
from grafana.queries import AT_END, FIRING, MEDIA, POST, Subject, among_chosen, by_label, if_known_now, total

_TOP = 8
_COLOURS = {MEDIA: panels.BLUE, POST: panels.PURPLE}
_OPEN = "Open ${__field.labels.name}"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    made = page(
        variables.OVERVIEW_UID,
        "All videos and posts: totals, movers and drops, by account or by the configuration's own labels.",
        variables.datasource(),
        variables.account(),
        variables.label(),
        variables.value(),
    )
    row(made, "Now", *_totals(MEDIA), _watch_time(), *_totals(POST), _engagement_rate(), *_health())
    row(made, "Hour by hour", _curves(MEDIA), _curves(POST), _leaders(MEDIA), _leaders(POST))
    row(made, "Drops", drops(MEDIA), drops(POST), alerts())
    row(made, "Movers", _rising(MEDIA), _rising(POST), _falling(MEDIA), _falling(POST))
    row(made, "Every video and post", all_media(), all_posts())
    return made


def _totals(subject: Subject) -> tuple[stat.Panel, stat.Panel, stat.Panel]:
    counted, many = subject.counted.capitalize(), subject.many
    now, yesterday = total(subject.hour(), subject), total(subject.hour(when="offset 24h"), subject)
    hour = panels.number(
        About(
            f"{counted}, last hour", f"{counted} of all {many} in the newest complete hour.", "short", 3, 5
        ),
        Query(if_known_now(lambda when: total(subject.hour(when=when), subject))),
        trend=True,
    )
    against = panels.number(
        About(
            "Against yesterday",
            f"The same compared with the same hour yesterday. {many.capitalize()} that are new count in "
            "full.",
            "percentunit",
            3,
            5,
            empty="No yesterday yet",
            decimals=0,
        ),
        Query(f"{now} / ({yesterday} > 0) - 1"),
    )
    sums = panels.number(
        About(f"{counted}, 28 h", f"{counted} of all {many} in their last 28 hours.", "short", 3, 5),
        Query(if_known_now(lambda when: total(subject.sum_28h(when=when), subject))),
        trend=True,
    )
    colour = _COLOURS[subject]
    return (
        panels.in_colour(hour, colour),
        panels.coloured(against, panels.AGAINST_YESTERDAY),
        panels.in_colour(sums, colour),
    )


def _watch_time() -> stat.Panel:
    about = About("Watch time, 28 h", "Time that all viewers together watched, last 28 hours.", "ms", 3, 5)
    query = Query(if_known_now(lambda when: total(MEDIA.sum_28h("watch_time_ms", when=when), MEDIA)))
    return panels.in_colour(panels.number(about, query, trend=True), panels.BLUE)


def _engagement_rate() -> stat.Panel:
    about = About(
        "Engagement rate",
        "Engagements per impression over the last 28 hours, all posts together.",
        "percentunit",
        3,
        5,
        decimals=1,
    )

    def rate(when: str) -> str:
        engagements = total(POST.sum_28h("engagements", when=when), POST)
        return f"{engagements} / ({total(POST.sum_28h(when=when), POST)} > 0)"

    query = Query(if_known_now(rate))
    return panels.in_colour(panels.number(about, query, trend=True), panels.PURPLE)


def _health() -> tuple[stat.Panel, ...]:
    return _silent(MEDIA), _silent(POST), _age(), _firing()


def _silent(subject: Subject) -> stat.Panel:
    about = About(
        f"{subject.many.capitalize()} without figures",
        f"{subject.many.capitalize()} of the configuration that show no figure: X does not report them, "
        "or what it reported is too old to be shown.",
        "none",
        6,
        3,
        empty=f"No {subject.many} are watched",
    )
    query = Query(
        f"count({subject.chosen()} unless on (id) {subject.values}) or count({subject.chosen()}) * 0"
    )
    return panels.coloured(panels.number(about, query), ((None, panels.GREEN), (1, panels.ORANGE)))


def _age() -> stat.Panel:
    about = About(
        "Age of the oldest figures",
        "Time since the end of the newest hour that is known, for the item where that is longest ago. X "
        "is asked once an hour, so up to two hours are normal.",
        "s",
        6,
        3,
    )
    starts = " or ".join(
        among_chosen(subject.state("bucket_start_timestamp_seconds"), subject) for subject in (MEDIA, POST)
    )
    query = Query(f"time() - 3600 - min({starts})")
    levels = ((None, panels.GREEN), (2 * 3600, panels.ORANGE), (4 * 3600, panels.RED))
    return panels.coloured(panels.number(about, query), levels)


def _firing() -> stat.Panel:
    about = About("Alerts firing", "Alerts of deploy/prometheus/rules.yaml that fire now.", "none", 6, 3)
    query = Query(f"count({FIRING}) or vector(0)")
    return panels.coloured(panels.number(about, query), ((None, panels.GREEN), (1, panels.RED)))


def _curves(subject: Subject) -> timeseries.Panel:
    about = About(
        f"{subject.counted.capitalize()} per hour, by $label",
        f"Each step is one whole hour of all {subject.many}, drawn from when it was read until the next. "
        "Dashed: the total a day before.",
        "short",
        12,
        9,
    )
    panel = panels.curves(
        about,
        Query(by_label(subject.hour(), subject), "{{$label}}"),
        Query(total(subject.hour(when="offset 24h"), subject), "yesterday"),
        stacked=True,
    )
    return panels.dashed(panel, "yesterday")


def _leaders(subject: Subject) -> timeseries.Panel:
    about = About(
        f"The {_TOP} {subject.many} with most {subject.counted} now",
        f"{subject.counted.capitalize()} per hour of the {subject.many} that lead at the end of the time "
        "range.",
        "short",
        12,
        9,
    )
    named = among_chosen(subject.hour(), subject, "name")
    leaders = f"topk({_TOP}, {among_chosen(subject.hour(when=AT_END), subject)})"
    panel = panels.curves(about, Query(f"{named} and on (id) {leaders}", "{{name}}"))
    return panels.override_numbers(panel, links=panels.link(_OPEN, variables.SERIES_TO_ITEM))


def _change(subject: Subject) -> str:
    """How many more, or fewer, each chosen item had than in the hour before, with its name."""
    return among_chosen(f"{subject.hour()} - {subject.hour(when='offset 1h')}", subject, "name")


def _rising(subject: Subject) -> bargauge.Panel:
    about = About(
        f"Rising {subject.many}",
        f"{subject.many.capitalize()} that gained most {subject.counted} over the hour before.",
        "short",
        12,
        7,
        empty="Nothing rose over the hour before",
    )
    return _movers(about, f"topk({_TOP}, {_change(subject)} > 0)", panels.GREEN)


def _falling(subject: Subject) -> bargauge.Panel:
    about = About(
        f"Falling {subject.many}",
        f"{subject.many.capitalize()} that lost most {subject.counted} against the hour before; ageing "
        "and night included.",
        "short",
        12,
        7,
        empty="Nothing fell against the hour before",
    )
    return _movers(about, f"topk({_TOP}, -({_change(subject)}) > 0)", panels.ORANGE)


def _movers(about: About, expression: str, colour: str) -> bargauge.Panel:
    panel = panels.in_colour(panels.bars(about, Query(expression, "{{name}}")), colour)
    return panels.override_numbers(panel.min(0), links=panels.link(_OPEN, variables.SERIES_TO_ITEM))

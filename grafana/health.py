"""The Exporter dashboard: whether the exporter, its polls and its sign-ins are well."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, stat, statetimeline, table, timeseries

from grafana import keeping, panels, traffic, variables
from grafana.layout import page, row
from grafana.panels import About, Column, Query
from grafana.queries import MEDIA, POST, Subject
from grafana.traffic import ACCOUNTS, INSTANCES

_BAD_FROM_1 = ((None, panels.GREEN), (1, panels.RED))


def build() -> dashboard.Dashboard:
    """The dashboard."""
    made = page(
        variables.EXPORTER_UID,
        "Polls, freshness, limits, sign-ins and cost of the exporter itself.",
        variables.datasource(),
        variables.instance(),
        variables.account(f"x_exporter_watched_items{{{INSTANCES}}}"),
    )
    row(made, "Now", _polls_well(), _parked(), _signed_in(), _configuration(), _silent(), _spent())
    row(made, "Polls", _poll_table(), _poll_history())
    row(made, "Freshness", _freshness(), _silent_items())
    row(
        made,
        "Requests to X",
        traffic.requests(),
        traffic.errors(),
        traffic.answer_time(),
        traffic.limits(),
        traffic.resources(),
    )
    row(
        made,
        "Hours kept and sent on",
        keeping.journal(),
        keeping.delay(),
        keeping.revisions(),
        keeping.sent(),
        keeping.waiting(),
        keeping.lag(),
        keeping.refusals(),
    )
    row(made, "Sign-in", traffic.token_expiry(), traffic.refreshes())
    row(
        made,
        "Process",
        traffic.scrape_time(),
        traffic.scrape_size(),
        traffic.memory(),
        traffic.cpu(),
        traffic.versions(),
    )
    return made


def _polls_well() -> stat.Panel:
    about = About(
        "Last polls",
        "Whether every batch of the last poll of every account and endpoint succeeded.",
        "none",
        4,
        4,
        empty="No poll yet",
    )
    panel = panels.number(about, Query(f"min(x_exporter_poll_success{{{ACCOUNTS}}})"))
    return panel.mappings(panels.words({"1": ("OK", panels.GREEN), "0": ("Failing", panels.RED)}))


def _parked() -> stat.Panel:
    about = About(
        "Parked endpoints",
        "Endpoints that X refuses for good or for long, and that are therefore only probed rarely. The "
        "table below names the reason.",
        "none",
        4,
        4,
    )
    query = Query(f"sum(max by (account, endpoint) (x_exporter_endpoint_parked{{{ACCOUNTS}}}))")
    return panels.coloured(panels.number(about, query), _BAD_FROM_1)


def _signed_in() -> stat.Panel:
    about = About(
        "Sign-in",
        "Whether every account is signed in. Where a person has to sign in again, run "
        "x-analytics-exporter login.",
        "none",
        4,
        4,
    )
    panel = panels.number(about, Query(f"max(x_exporter_login_required{{{ACCOUNTS}}})"))
    return panel.mappings(panels.words({"0": ("OK", panels.GREEN), "1": ("Log in again", panels.RED)}))


def _configuration() -> stat.Panel:
    about = About(
        "Configuration",
        "Whether the last attempt to load the configuration succeeded. After a failed one the old "
        "configuration stays in use, and the log says what is wrong.",
        "none",
        4,
        4,
    )
    panel = panels.number(about, Query(f"min(x_exporter_config_last_reload_successful{{{INSTANCES}}})"))
    return panel.mappings(panels.words({"1": ("Loaded", panels.GREEN), "0": ("Rejected", panels.RED)}))


def _silent() -> stat.Panel:
    about = About(
        "Items X does not report",
        "Videos and posts for which X's last answer carried no figures. The table below names them.",
        "none",
        4,
        4,
    )
    down = " + ".join(f"({_down_count(subject)} or vector(0))" for subject in (MEDIA, POST))
    return panels.coloured(panels.number(about, Query(down)), ((None, panels.GREEN), (1, panels.ORANGE)))


def _down(subject: Subject) -> str:
    up = f"{subject.prefix}_up{{{INSTANCES}}}"
    names = f"topk by (id) (1, max by (id, account, name) ({subject.prefix}_info{{{ACCOUNTS}}}))"
    return f"(max by (id) ({up}) == 0) * on (id) group_left (account, name) {names}"


def _down_count(subject: Subject) -> str:
    return f"count({_down(subject)})"


def _spent() -> stat.Panel:
    about = About(
        "Least limit left",
        "Share of X's request limit that is left, of the endpoint and window where least is. Without a "
        "figure no window is open: nothing is spent.",
        "percentunit",
        4,
        4,
        empty="Nothing spent",
        decimals=0,
    )
    levels = ((None, panels.RED), (0.1, panels.ORANGE), (0.3, panels.GREEN))
    return panels.coloured(panels.number(about, Query(f"min({traffic.limit_left()})")), levels)


def _poll_table() -> table.Panel:
    about = About(
        "Polls by account and endpoint",
        "One row per account and endpoint: how the last poll went, how long ago the last good one was, "
        "how long it took, when the next is due, and why an endpoint is parked, if it is.",
        "none",
        16,
        7,
        empty="No poll yet",
    )
    by = "instance, account, endpoint"
    verdict = {
        "mappings": panels.words({"1": ("OK", panels.GREEN), "0": ("Failing", panels.RED)}),
        "custom_cellOptions": panels.cell("color-text"),
    }
    success = f"max by ({by}) (x_exporter_poll_success{{{ACCOUNTS}}})"
    columns = (
        Column(Query(success), "Last poll", None, 85, verdict),
        Column(
            Query(f"time() - max by ({by}) (x_exporter_poll_last_success_timestamp_seconds{{{ACCOUNTS}}})"),
            "Last success ago",
            "s",
            150,
        ),
        Column(
            Query(f"max by ({by}) (x_exporter_poll_last_duration_seconds{{{ACCOUNTS}}})"), "Took", "s", 85
        ),
        Column(
            Query(f"max by ({by}) (x_exporter_poll_next_timestamp_seconds{{{ACCOUNTS}}}) - time()"),
            "Next in",
            "s",
            95,
        ),
        Column(Query(f"max by ({by}, reason) (x_exporter_endpoint_parked{{{ACCOUNTS}}}) == 1"), ""),
    )
    labels = {
        "account": "Account",
        "endpoint": "Endpoint",
        "instance": "Exporter",
        "reason": "Parked because",
    }
    return panels.rows(about, columns, labels=labels, sort="Last success ago")


def _poll_history() -> statetimeline.Panel:
    about = About(
        "Poll results",
        "Green where every batch of the last poll succeeded, red where one did not.",
        "none",
        8,
        7,
        empty="No poll yet",
    )
    query = Query(
        f"min by (account, endpoint) (x_exporter_poll_success{{{ACCOUNTS}}})", "{{account}} {{endpoint}}"
    )
    panel = panels.states(about, query)
    return panel.mappings(panels.words({"1": ("OK", panels.GREEN), "0": ("Failing", panels.RED)}))


def _freshness() -> timeseries.Panel:
    about = About(
        "Age of figures",
        "Time since the end of the newest hour that is known, for the item where that is longest ago and "
        "for the item in the middle. X is asked once an hour, so it climbs to about an hour and falls back.",
        "s",
        14,
        9,
    )
    ages = {
        subject: f"time() - 3600 - {subject.state('bucket_start_timestamp_seconds', of=INSTANCES)}"
        for subject in (MEDIA, POST)
    }
    queries = [
        query
        for subject, age in ages.items()
        for query in (
            Query(f"max({age})", f"{subject.many}, oldest"),
            Query(f"quantile(0.5, {age})", f"{subject.many}, median"),
        )
    ]
    panel = panels.curves(about, *queries)
    for subject, colour in ((MEDIA, panels.BLUE), (POST, panels.PURPLE)):
        panels.override(panel, f"{subject.many}, oldest", color=panels.fixed(colour))
        panels.dashed(panel, f"{subject.many}, median", colour)
    return panel


def _silent_items() -> table.Panel:
    about = About(
        "Items X does not report",
        "Videos and posts for which X's last answer carried no figures: deleted, withheld, private, or "
        "of somebody else. A name opens the Item dashboard.",
        "none",
        10,
        9,
        empty="X reports every item it has answered about",
    )
    column = Column(Query(f"{_down(MEDIA)} or {_down(POST)}"), "")
    panel = panels.rows(about, (column,), labels={"name": "Name", "account": "Account", "id": "Id"})
    return panels.override(panel, "Name", links=panels.link("Open this item", variables.ROW_TO_ITEM))

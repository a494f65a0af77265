"""What all dashboards have in common, and the rows they are made of."""

from __future__ import annotations

from typing import TypeAlias

from grafana_foundation_sdk.builders import (
    bargauge,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import (
    dashboard as builder,
)
from grafana_foundation_sdk.models import dashboard

from grafana.variables import EXPORTER_UID, ITEM_UID, OVERVIEW_UID, TAG, dashboard_link

Panel: TypeAlias = bargauge.Panel | stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel

_TITLES = {
    OVERVIEW_UID: "X analytics: Overview",
    ITEM_UID: "X analytics: Item",
    EXPORTER_UID: "X analytics: Exporter",
}
_WIDTH = 24


def page(
    uid: str, description: str, *variables: builder.QueryVariable | builder.DatasourceVariable
) -> builder.Dashboard:
    """An empty dashboard with its variables, and links to the others."""
    made = builder.Dashboard(_TITLES[uid]).uid(uid).description(description).tags([TAG]).editable()
    made.timezone("browser").refresh("1m").time("now-48h", "now").tooltip(
        dashboard.DashboardCursorSync.CROSSHAIR
    )
    for variable in variables:
        made.with_variable(variable)
    for other, title in _TITLES.items():
        if other != uid:
            made.link(dashboard_link(title.partition(": ")[2], other))
    return made


def row(made: builder.Dashboard, title: str, *members: Panel) -> None:
    """Put a row of panels below what is there; its lines are 24 columns wide."""
    made.with_row(builder.Row(title))
    for panel in members:
        made.with_panel(panel)

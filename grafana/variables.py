"""The variables at the top of the dashboards, and the links between them.

A variable's query is stored as Grafana stores what its own editor makes: an object with the query's text.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.models import dashboard

from grafana.panels import DATASOURCE

OVERVIEW_UID, ITEM_UID, EXPORTER_UID = "x-analytics-overview", "x-analytics-item", "x-analytics-exporter"
TAG = "x-analytics"

_BOTH_INFOS = '{__name__=~"x_media_info|x_post_info"}'
# Labels of the info metrics that group nothing: one value per item, or put there by Prometheus.
_NO_GROUPS = (
    "__name__",
    "id",
    "name",
    "instance",
    "job",
    "namespace",
    "pod",
    "container",
    "service",
    "endpoint",
    "node",
    "prometheus",
    "prometheus_replica",
    "replica",
)
_EVERYTHING = dashboard.VariableOption(text="All", value="$__all")


def datasource() -> builder.DatasourceVariable:
    """Which Prometheus is asked."""
    return builder.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def account(within: str = _BOTH_INFOS) -> builder.QueryVariable:
    """Accounts of the configuration, of those that the selector `within` finds."""
    return _many("account", "Account", f"label_values({within}, account)")


def label() -> builder.QueryVariable:
    """What figures are summed by: the account, or a label that the configuration gives its items."""
    variable = _queried("label", "Group by", "label_names(x_(media|post)_info)")
    variable.regex(f"/^(?!(?:{'|'.join(_NO_GROUPS)})$).+/").sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    return variable.current(dashboard.VariableOption(text="account", value="account"))


def value() -> builder.QueryVariable:
    """Values of that label to look at."""
    return _many("value", "Only", f"label_values({_BOTH_INFOS}, $label)")


def item() -> builder.QueryVariable:
    """A video or post: shown by name and kind, its value is the id."""
    shown = " or ".join(
        f'label_join(label_replace({family}{{account=~"$account"}}, "kind", "{kind}", "", ""),'
        ' "shown", " · ", "name", "kind")'
        for family, kind in (("x_media_info", "video"), ("x_post_info", "post"))
    )
    variable = _queried("id", "Video or post", f"query_result(max by (id, shown) ({shown}))")
    # Prometheus orders labels by name, and Grafana quotes values without escaping: the text ends at the `"}`.
    variable.regex('/id="(?<value>[^"]+)",shown="(?<text>.+)"} /')
    return variable.sort(dashboard.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)


def instance() -> builder.QueryVariable:
    """Exporters, by the address that Prometheus scrapes."""
    return _many("instance", "Exporter", "label_values(x_exporter_build_info, instance)")


def _queried(name: str, shown: str, query: str) -> builder.QueryVariable:
    stored = {"qryType": 5, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    variable = builder.QueryVariable(name).label(shown).datasource(DATASOURCE).query(stored)
    return variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)


def _many(name: str, shown: str, query: str) -> builder.QueryVariable:
    """A variable of which several values, or all, may be chosen; all includes those without a value."""
    variable = _queried(name, shown, query).sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(multi=True).include_all(include_all=True).all_value(".*").current(_EVERYTHING)


def dashboard_link(title: str, uid: str) -> builder.DashboardLink:
    """A link at the top of a dashboard, which takes the time range and the choices along."""
    return (
        builder.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{uid}")
        .keep_time(keep_time=True)
        .include_vars(include_vars=True)
    )


def item_url(item_id: str) -> str:
    """The Item dashboard on `item_id`, an expression of Grafana's data links such as ``__data.fields.id``."""
    kept = "var-datasource=${datasource}&${__url_time_range}"
    return f"/d/{ITEM_UID}?var-id=${{{item_id}}}&{kept}"


# Data links of a series whose labels hold the id, and of a table's row.
SERIES_TO_ITEM = item_url("__field.labels.id")
ROW_TO_ITEM = item_url("__data.fields.id")

"""Panels as the dashboards use them: the SDK's builders with this project's looks already chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import (
    common as common_builder,
)
from grafana_foundation_sdk.builders import (
    dashboard as dashboard_builder,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Figures change once an hour: no panel asks for finer steps than a scrape.
INTERVAL = "1m"

BLUE, PURPLE, GREY = "blue", "purple", "#8e8e99"
RED, ORANGE, GREEN, PLAIN = "red", "orange", "green", "text"

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on which colour; None for the lowest."""

# How a change against the same hour yesterday is judged. Halving in a day is how things age.
AGAINST_YESTERDAY: Steps = ((None, RED), (-0.75, ORANGE), (-0.5, PLAIN), (0.25, GREEN))


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `legend` names its series, as in ``{{name}}``."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says of itself, and its place: `width` of 24 columns, `height` of 30 pixels each.

    `unit` is one of Grafana's unit ids; `empty` is shown where there is no data.
    """

    title: str
    description: str
    unit: str
    width: int
    height: int
    empty: str = "No figures yet"
    decimals: int | None = None


class _Panel(Protocol):
    """What the SDK's panel builders have in common, as far as it is needed here."""

    def title(self, title: str, /) -> Self: ...
    def description(self, description: str, /) -> Self: ...
    def datasource(self, datasource: dashboard.DataSourceRef, /) -> Self: ...
    def span(self, w: int, /) -> Self: ...
    def height(self, h: int, /) -> Self: ...
    def unit(self, unit: str, /) -> Self: ...
    def decimals(self, decimals: float, /) -> Self: ...
    def no_value(self, no_value: str, /) -> Self: ...
    def interval(self, interval: str, /) -> Self: ...
    def with_target(self, target: Builder[Dataquery], /) -> Self: ...
    def thresholds(self, thresholds: Builder[dashboard.ThresholdsConfig], /) -> Self: ...
    def color_scheme(self, color: Builder[dashboard.FieldColor], /) -> Self: ...
    def override_by_name(self, name: str, properties: list[dashboard.DynamicConfigValue], /) -> Self: ...
    def override_by_field_type(
        self, field_type: str, properties: list[dashboard.DynamicConfigValue], /
    ) -> Self: ...


P = TypeVar("P", bound=_Panel)


def _target(query: Query, ref_id: str, *, instant: bool, as_table: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(ref_id).expr(query.expression).editor_mode(QueryEditorMode.CODE)
    target = target.legend_format(query.legend) if query.legend else target
    target = target.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
    return target.instant() if instant else target.range()


def _dressed(
    panel: P, about: About, queries: Iterable[Query], *, instant: bool = False, as_table: bool = False
) -> P:
    panel.title(about.title).description(about.description).datasource(DATASOURCE)
    panel.span(about.width).height(about.height).unit(about.unit).no_value(about.empty).interval(INTERVAL)
    if about.decimals is not None:
        panel.decimals(about.decimals)
    for place, query in enumerate(queries):
        panel.with_target(_target(query, chr(ord("A") + place), instant=instant, as_table=as_table))
    return panel


def coloured(panel: P, steps: Steps) -> P:
    """`panel` coloured by thresholds."""
    thresholds = dashboard_builder.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    panel.thresholds(thresholds.steps([dashboard.Threshold(value, colour) for value, colour in steps]))
    return panel.color_scheme(dashboard_builder.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))


def in_colour(panel: P, colour: str) -> P:
    """`panel` in one colour."""
    fixed = dashboard_builder.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(colour)
    return panel.color_scheme(fixed)


def override(panel: P, name: str, **properties: object) -> P:
    """The field or series `name` with properties of its own; ``custom_x`` stands for ``custom.x``."""
    return panel.override_by_name(name, _properties(properties))


def override_numbers(panel: P, **properties: object) -> P:
    """Every series with these properties."""
    return panel.override_by_field_type("number", _properties(properties))


def _properties(properties: Mapping[str, object]) -> list[dashboard.DynamicConfigValue]:
    return [
        dashboard.DynamicConfigValue(key.replace("custom_", "custom.", 1), value)
        for key, value in properties.items()
    ]


def fixed(colour: str) -> dict[str, str]:
    """The value of a `color` property: always `colour`."""
    return {"mode": "fixed", "fixedColor": colour}


def link(title: str, url: str) -> list[dict[str, object]]:
    """The value of a `links` property: one link, opened in the same tab."""
    return [{"title": title, "url": url, "targetBlank": False}]


def words(texts: Mapping[str, tuple[str, str]]) -> list[dashboard.ValueMapping]:
    """Values shown as a text in a colour, such as ``{"1": ("OK", "green")}``."""
    results = {
        value: dashboard.ValueMappingResult(text=text, color=colour, index=place)
        for place, (value, (text, colour)) in enumerate(texts.items())
    }
    return [dashboard.ValueMap(options=results)]


def _last() -> common_builder.ReduceDataOptions:
    return common_builder.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)


def number(about: About, *queries: Query, trend: bool = False) -> stat.Panel:
    """A large number; with `trend` the line of the dashboard's time range behind it."""
    panel = _dressed(stat.Panel(), about, queries, instant=not trend)
    graph = common.BigValueGraphMode.AREA if trend else common.BigValueGraphMode.NONE
    panel.graph_mode(graph).color_mode(common.BigValueColorMode.VALUE)
    panel.text_mode(common.BigValueTextMode.VALUE).justify_mode(common.BigValueJustifyMode.AUTO)
    return panel.reduce_options(_last())


def curves(about: About, *queries: Query, stacked: bool = False, legend: bool = True) -> timeseries.Panel:
    """Lines over time. Figures stand for an hour, so lines are steps, and gaps stay gaps."""
    panel = _dressed(timeseries.Panel(), about, queries)
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER).line_width(1 if stacked else 2)
    panel.show_points(common.VisibilityMode.NEVER).span_nulls(span_nulls=False)
    panel.fill_opacity(35 if stacked else 8).axis_soft_min(0)
    panel.color_scheme(dashboard_builder.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    if stacked:
        normal = common.StackingMode.NORMAL
        panel.stacking(common_builder.StackingConfig().mode(normal).group("A"))
    panel.tooltip(
        common_builder.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )
    return panel.legend(
        common_builder.VizLegendOptions()
        .show_legend(show_legend=legend)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs([])
    )


def dashed(panel: timeseries.Panel, name: str, colour: str = GREY) -> timeseries.Panel:
    """The series `name` as a thin dashed line that neither fills nor stacks: a comparison."""
    return override(
        panel,
        name,
        color=fixed(colour),
        custom_lineStyle={"fill": "dash", "dash": [6, 6]},
        custom_lineWidth=1,
        custom_fillOpacity=0,
        custom_stacking={"mode": "none", "group": "A"},
    )


def bars(about: About, *queries: Query) -> bargauge.Panel:
    """One horizontal bar per series, at this moment."""
    panel = _dressed(bargauge.Panel(), about, queries, instant=True)
    panel.orientation(common.VizOrientation.HORIZONTAL).display_mode(common.BarGaugeDisplayMode.GRADIENT)
    panel.value_mode(common.BarGaugeValueMode.TEXT).show_unfilled(show_unfilled=True)
    panel.sizing(common.BarGaugeSizing.MANUAL).min_viz_height(16).max_viz_height(28)
    panel.name_placement(common.BarGaugeNamePlacement.LEFT)
    panel.text(common_builder.VizTextDisplayOptions().title_size(13).value_size(13))
    return panel.reduce_options(_last())


def states(about: About, *queries: Query) -> statetimeline.Panel:
    """One band per series that changes its colour with its value."""
    panel = _dressed(statetimeline.Panel(), about, queries)
    panel.show_value(common.VisibilityMode.NEVER).merge_values(merge_values=True).row_height(0.8)
    panel.fill_opacity(80).line_width(0)
    hidden = common_builder.VizLegendOptions().show_legend(show_legend=False)
    return panel.legend(
        hidden.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM).calcs([])
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that a query fills; the first query's label columns come before it."""

    query: Query
    title: str
    unit: str | None = None
    width: int | None = None
    looks: Mapping[str, object] | None = None


def rows(
    about: About,
    columns: Sequence[Column],
    *,
    labels: Mapping[str, str],
    without: Sequence[str] = (),
    sort: str | None = None,
    descending: bool = True,
) -> table.Panel:
    """A table with a row for everything that has the same labels in its columns' queries.

    `labels` are the titles of the label columns, in their order. A column without a title and the labels
    `without` are left out. `sort` is the title of the column that orders the rows.
    """
    panel = _dressed(table.Panel(), about, [column.query for column in columns], instant=True, as_table=True)
    # A value column is called `Value #A`, or plainly `Value` where it is the only one.
    names = [f"Value #{chr(ord('A') + place)}" for place in range(len(columns))]
    names = names if len(names) > 1 else ["Value"]
    shown = {name: column for name, column in zip(names, columns, strict=True) if column.title}
    left_out = ["Time", *without, *(name for name in names if name not in shown)]
    titles = {**labels, **{name: column.title for name, column in shown.items()}}
    panel.with_transformation(dashboard.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": dict.fromkeys(left_out, True),
                "indexByName": {name: place for place, name in enumerate((*labels, *shown))},
                "renameByName": titles,
            },
        )
    )
    for column in shown.values():
        _dress_column(panel, column)
    if sort is not None:
        panel.sort_by([common_builder.TableSortByFieldState().display_name(sort).desc(desc=descending)])
    return panel.cell_height(common.TableCellHeight.SM)


def _dress_column(panel: table.Panel, column: Column) -> None:
    properties = dict(column.looks or {})
    if column.unit is not None:
        properties["unit"] = column.unit
    if column.width is not None:
        properties["custom_width"] = column.width
    if properties:
        override(panel, column.title, **properties)


def cell(mode: Literal["color-text", "color-background", "gauge"]) -> dict[str, object]:
    """The value of a `custom.cellOptions` property."""
    looks: dict[str, object] = {"type": mode}
    return {**looks, "mode": "basic"} if mode == "gauge" else looks


def steps(levels: Steps) -> dict[str, object]:
    """The value of a `thresholds` property."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in levels]}

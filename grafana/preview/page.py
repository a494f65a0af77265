"""A dashboard and the answers to its queries as one HTML page, drawn in the browser by `draw/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grafana.preview.reading import (
    Chosen,
    Json,
    Prometheus,
    Series,
    Span,
    fill,
    legend,
    panels,
)

DRAW = Path(__file__).parent / "draw"


def page(dashboard: Json, chosen: Mapping[str, Chosen], prometheus: Prometheus, span: Span) -> str:
    """The page. Needs the bundle that `npm run build` makes in `draw/`."""
    shown = [
        (variable.get("label") or variable["name"], chosen[variable["name"]].text())
        for variable in dashboard["templating"]["list"]
        if variable["name"] in chosen
    ]
    content = {
        "dashboard": dashboard,
        "answers": {panel["id"]: _frames(panel, chosen, prometheus, span) for panel in panels(dashboard)},
        "range": {"from": span.start * 1000, "to": span.end * 1000},
        "variables": {name: choice.text() for name, choice in chosen.items()},
        "choices": shown,
        "title": dashboard["title"],
    }
    style = (DRAW / "dist" / "draw.css").read_text(encoding="utf-8")
    script = (DRAW / "dist" / "draw.js").read_text(encoding="utf-8")
    return (
        '<!doctype html><meta charset="utf-8">'
        f"<style>body {{ margin: 0 }} {style}</style>"
        f'<div id="root"></div><script>window.PAGE = {_inline(json.dumps(content))}</script>'
        f'<script type="module">{_inline(script)}</script>'
    )


def _inline(script: str) -> str:
    return script.replace("</script", "<\\/script")


def _frames(panel: Json, chosen: Mapping[str, Chosen], prometheus: Prometheus, span: Span) -> list[Json]:
    """The data frames of a panel, in the shape of @grafana/data."""
    frames: list[Json] = []
    for target in panel["targets"]:
        expression = fill(target["expr"], chosen)
        instant = bool(target.get("instant"))
        answer = prometheus.instant(expression, span.end) if instant else prometheus.over(expression, span)
        if target.get("format") == "table":
            alone = len(panel["targets"]) == 1
            frames.append(_table(target["refId"], answer, "Value" if alone else f"Value #{target['refId']}"))
        else:
            frames += [_series(target, series, chosen, span) for series in answer]
    return frames


def _series(target: Json, series: Series, chosen: Mapping[str, Chosen], span: Span) -> Json:
    name = legend(target, chosen, series.labels)
    times, values = zip(*series.points, strict=True)
    return {
        "refId": target["refId"],
        "fields": [
            _field("Time", "time", [time * 1000 for time in times], {"interval": span.step * 1000}),
            {
                **_field("Value", "number", list(values), {"displayNameFromDS": name}),
                "labels": dict(series.labels),
            },
        ],
    }


def _table(ref_id: str, answer: list[Series], value: str) -> Json:
    names = dict.fromkeys(name for series in answer for name in series.labels)
    fields = [_field("Time", "time", [series.points[0][0] * 1000 for series in answer])]
    fields += [_field(name, "string", [series.labels.get(name, "") for series in answer]) for name in names]
    fields.append(_field(value, "number", [series.points[0][1] for series in answer]))
    return {"refId": ref_id, "fields": fields}


def _field(name: str, kind: str, values: list[object], config: Json | None = None) -> Json:
    return {"name": name, "type": kind, "values": values, "config": config or {}}

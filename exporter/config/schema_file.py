"""Writes what is derived from the model: ``python -m exporter.config.schema_file .`` in a checkout.

Two files: the JSON Schema that editors complete from, and the reference page. `make test` finds out when
one of them is not current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from exporter.config.schema import MODELS, json_schema
from exporter.model import Kind
from exporter.vocabulary import metrics_of

SCHEMA_FILE: Final = Path("exporter/config/config.schema.json")
REFERENCE_FILE: Final = Path("docs/configuration.md")

_LISTS: Final = frozenset({"accounts", "media", "posts"})
_INTRODUCTION: Final = """\
# Configuration

<!-- Written by `python -m exporter.config.schema_file .` from the model; do not edit. -->

One YAML file. [config.example.yaml](../config.example.yaml) shows every key with its default;
[config.schema.json](../exporter/config/config.schema.json) lets editors complete and check it.
`x-analytics-exporter check-config --config.file F` lists everything that is wrong with a file.

- Values are read as they are written: `1.10`, `yes` and `13_1880028106020515840` need no quotes.
- Durations are whole numbers of days, hours, minutes and seconds, in this order: `30s`, `5m`, `1h30m`,
  `7d`.
- `${NAME}` in a value is replaced by the environment variable `NAME`, which must be set; `$$` is a dollar
  sign.
- A relative path starts in the folder of the configuration file.
- A secret is given in the file, or in a file of its own through the key that ends in `_file`, not both.
  One line break at the end of such a file is ignored.
- Unknown keys, keys or ids that stand twice, and YAML tags are errors. Anchors, aliases and merge keys work.
- Errors name file, line, column and key, and never repeat a value below `auth`, what `remote_write` signs in
  with, its headers, a proxy's address, or what came from the environment.
"""


def schema_text() -> str:
    """The JSON Schema as its file holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference_text() -> str:
    """The reference page, in Markdown: one table per mapping of the file."""
    definitions = json_schema()
    sections = [_section(place, definitions) for place in MODELS]
    return "\n".join([_INTRODUCTION, *sections, _metric_names()])


def _metric_names() -> str:
    lists = [f"- `{kind}_metrics`: {_spellings(kind)}" for kind in Kind]
    return "\n".join(["## Metric names", "", "X's own spelling works as well.", "", *lists, ""])


def _spellings(kind: Kind) -> str:
    return ", ".join(f"`{metric.name}`" for metric in metrics_of(kind))


def _section(place: tuple[str, ...], schema: dict[str, Any]) -> str:
    model = MODELS[place]
    properties = _properties(model.__name__, schema)
    rows = [_row(key, field, properties[key]) for key, field in model.model_fields.items()]
    title = f"`{_title(place)}`" if place else "Top level"
    head = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", model.__doc__ or "", "", *head, *rows, ""])


def _properties(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = schema["$defs"].get(name, schema)["properties"]
    return properties


def _title(place: tuple[str, ...]) -> str:
    return ".".join(f"{key}[]" if key in _LISTS else key for key in place)


def _row(key: str, field: FieldInfo, entry: dict[str, Any]) -> str:
    return f"| `{key}` | {_takes(entry)} | {_default(field)} | {field.description} |"


def _takes(entry: dict[str, Any]) -> str:
    if "enum" in entry:
        return ", ".join(f"`{word}`" for word in entry["enum"])
    if entry.get("type") == "array":
        return "list"
    return str(entry.get("title", "mapping"))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, str | int):
        return f"`{field.default}`"
    return "all" if isinstance(field.default, tuple) and field.default else ""


def write(checkout: Path) -> None:
    """Write both files below `checkout`."""
    for file, text in ((SCHEMA_FILE, schema_text()), (REFERENCE_FILE, reference_text())):
        (checkout / file).parent.mkdir(parents=True, exist_ok=True)
        (checkout / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

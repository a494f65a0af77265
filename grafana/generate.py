"""Writes `grafana/dashboards/*.json`. Run it from the repository's root as `python -m grafana.generate`.

With `--check` it writes nothing, and fails where a file is not what the code makes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import health, item, overview

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS: MappingProxyType[str, Callable[[], Dashboard]] = MappingProxyType(
    {"overview.json": overview.build, "item.json": item.build, "exporter.json": health.build}
)


def text(build: Callable[[], Dashboard]) -> str:
    """The file of a dashboard. Panels are numbered in their order, so that links to one of them last."""
    made = build().build()
    for number, panel in enumerate(made.panels or (), start=1):
        panel.id_val = number
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files or, with ``--check``, compare them; 1 where one differs."""
    files = {FOLDER / name: text(build) for name, build in DASHBOARDS.items()}
    if arguments == ["--check"]:
        old = [path for path, made in files.items() if not path.exists() or path.read_text("utf-8") != made]
        for path in old:
            sys.stderr.write(f"{path.name} is out of date: run `python -m grafana.generate`\n")
        return int(bool(old))
    FOLDER.mkdir(exist_ok=True)
    for path, made in files.items():
        path.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

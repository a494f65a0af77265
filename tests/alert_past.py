"""A past for a Prometheus: scraped samples, and every recording rule as it would have been recorded.

promtool makes blocks of both. A rule reads what others recorded, so the rules are worked out level by level,
each by the Prometheus that holds the levels before.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.processes import free_port, started

Rule = Mapping[str, Any]

_STEP_SECONDS = 120
_ANSWER_SECONDS = 60.0
# One block for everything: fewer files, sooner made.
_BLOCK = "48h"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the real programs are."""

    prometheus: str
    promtool: str


@dataclass(frozen=True, slots=True)
class Past:
    """What a Prometheus shall remember, from `start` to `end` in Unix seconds.

    `samples` are lines of OpenMetrics with times. `rules` are those of a rule file, alerts among them.
    """

    samples: Iterable[str]
    rules: Sequence[Rule]
    start: float
    end: float


def levels(rules: Iterable[Rule]) -> list[list[Rule]]:
    """The recording rules, first those that read no other; each level reads only levels before it."""
    recording = {rule["record"]: rule for rule in rules if "record" in rule}
    found: list[list[Rule]] = []
    done: set[str] = set()
    while len(done) < len(recording):
        ripe = {name for name in recording.keys() - done if _read(recording[name]) & recording.keys() <= done}
        if not ripe:
            raise ValueError(f"these rules read each other: {sorted(recording.keys() - done)}")
        found.append([recording[name] for name in sorted(ripe)])
        done |= ripe
    return found


def _read(rule: Rule) -> set[str]:
    return set(re.findall(r"\bx:[\w:]+", rule["expr"]))


def remember(past: Past, programs: Programs, folder: Path) -> Path:
    """A data folder for a Prometheus with that past, below `folder`."""
    data = folder / "data"
    _add_blocks(past.samples, programs, folder, data)
    empty = folder / "nothing.yml"
    empty.write_text("{}", encoding="utf-8")
    for number, rules in enumerate(levels(past.rules)):
        address = f"127.0.0.1:{free_port()}"
        command = [
            programs.prometheus,
            f"--config.file={empty}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={address}",
        ]
        with started(command, folder / f"level-{number}") as running:
            running.answers(f"http://{address}/-/ready")
            recorded = [line for rule in rules for line in _recorded(rule, f"http://{address}", past)]
            _add_blocks([*recorded, "# EOF\n"], programs, folder, data)
            running.stop()
    return data


def _recorded(rule: Rule, url: str, past: Past) -> Iterator[str]:
    query = {"query": rule["expr"], "start": past.start, "end": past.end, "step": _STEP_SECONDS}
    answer = httpx.post(f"{url}/api/v1/query_range", data=query, timeout=_ANSWER_SECONDS, trust_env=False)
    samples = [
        (at, series["metric"], value)
        for series in answer.raise_for_status().json()["data"]["result"]
        for at, value in series["values"]
    ]
    # A rule whose answer comes now from one metric, now from another, records one series of both.
    for at, labels, value in sorted(samples, key=lambda sample: sample[0]):
        inside = ",".join(f'{name}="{text}"' for name, text in labels.items() if name != "__name__")
        yield f"{rule['record']}{{{inside}}} {value} {at}\n"


def _add_blocks(lines: Iterable[str], programs: Programs, folder: Path, data: Path) -> None:
    text = folder / "samples.txt"
    with text.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    make = ["tsdb", "create-blocks-from", "--quiet", f"--max-block-duration={_BLOCK}", "openmetrics"]
    done = subprocess.run(
        [programs.promtool, *make, str(text), str(data)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""How often the drop alert is wrong: random items of every kind, put through the real rules by promtool.

Run it as ``python -m bench.alert_study --items 100``; promtool must be installed. 100 items of each kind
take about ten minutes. It prints one line per kind: how many silent ones paged, how many drops were missed.
An item has a random level, decay, night, age and noise of ±35 %; some begin with a burst, and three polls in
ten are late, by up to 45 minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.alert_curves import (
    GRID_MINUTES,
    Curve,
    Item,
    born,
    decay,
    drop,
    figures,
    first_burst,
    flat,
    night,
    scraped,
    spike,
    without,
)

RULES = Path(__file__).parent.parent / "deploy" / "prometheus" / "rules.yaml"
GROUPS = ["x-thresholds", "x-media"]
HOURS = 84
# From hour 31 on there is a whole yesterday to compare with, and an alert from before is over 14 hours later.
SECOND_DAY = 45
BATCH = 50
FIRING = 'ALERTS{alertname="XMediaViewsDropped", alertstate="firing"}'

Maker = Callable[[str, random.Random], Item]


@dataclass(frozen=True, slots=True)
class Weather:
    """What may happen to an item of one kind; `fold` is how far day and night are apart at most."""

    fold: float = 1.0
    half_life: tuple[float, float] | None = None
    steep: bool = False
    spike_hours: tuple[int, int] | None = None
    missing: float = 0.0
    outage: bool = False


@dataclass(frozen=True, slots=True)
class Fall:
    """From `begin` on an item has only a share of its figures, drawn from `share`."""

    begin: float
    share: tuple[float, float]
    young: bool = False

    @property
    def deadline_hour(self) -> int:
        """Two hours after the end of the first wholly low hour."""
        return int(self.begin) + 4


SILENT = {
    "decay, 6 h to 96 h": Weather(half_life=(6, 96)),
    "decay, 6 h": Weather(half_life=(6, 6)),
    "night, tenfold": Weather(10),
    "night, tenfold, within an hour": Weather(10, steep=True),
    "night, thirtyfold": Weather(30),
    "decay and night, tenfold": Weather(10, (6, 96)),
    "decay and night, thirtyfold": Weather(30, (6, 96)),
    "the same, an hour in 25 missing": Weather(30, (6, 96), missing=0.04),
    "the same, blind for 2 to 9 hours": Weather(30, (6, 96), outage=True),
    "spike of 1 or 2 hours, night": Weather(10, (24, 96), spike_hours=(1, 2)),
    "spike of 3 to 6 hours, night": Weather(10, (24, 96), spike_hours=(3, 6)),
}
LATER = (50.4, False)
FIRST_DAY = (15.4, True)
DROPS = {
    f"{name}, {when}, to {share}": (weather, Fall(begin, bounds, young))
    for name, weather in (
        ("level", Weather()),
        ("decay, 6 h to 96 h", Weather(half_life=(6, 96))),
        ("decay and night, tenfold", Weather(10, (24, 96))),
    )
    for when, (begin, young) in (("later", LATER), ("first day", FIRST_DAY))
    for share, bounds in (("0-5 %", (0.0, 0.05)), ("10 %", (0.1, 0.1)))
}


def item(name: str, weather: Weather, rng: random.Random, fall: Fall | None = None) -> Item:
    """One random item. Those that are to fall keep at least 100 an hour until the deadline."""
    created = (
        rng.uniform(0, 3) if fall and fall.young else rng.choice((rng.uniform(0, 8), -rng.uniform(0, 240)))
    )
    curves = [*_shape(weather, created, rng)]
    lowest = min((_product(curves, hour) for hour in range(8, fall.deadline_hour)), default=1) if fall else 1
    level = max(10 ** rng.uniform(1.8, 5.3), 100 / lowest)
    if fall:
        curves.append(drop(fall.begin, rng.uniform(*fall.share)))
    amounts = born(figures(HOURS, flat(level), *curves, rng=rng), created)
    return Item(name, _thinned(amounts, weather, rng), created, late_minutes=_late(rng))


def _shape(weather: Weather, created: float, rng: random.Random) -> Iterator[Curve]:
    if weather.half_life:
        shortest, longest = weather.half_life
        yield decay(shortest * (longest / shortest) ** rng.random(), max(created, 0))
    if weather.fold > 1:
        yield night(weather.fold ** rng.uniform(0.5, 1), rng.uniform(0, 24), steep=weather.steep)
    if rng.random() < 0.4:
        yield first_burst(created)
    if weather.spike_hours:
        shortest_spike, longest_spike = weather.spike_hours
        yield spike(
            rng.randrange(10, HOURS - 20), rng.randint(shortest_spike, longest_spike), rng.uniform(3, 30)
        )


def _product(curves: list[Curve], hour: int) -> float:
    product = 1.0
    for curve in curves:
        product *= curve(hour)
    return product


def _thinned(
    amounts: tuple[float | None, ...], weather: Weather, rng: random.Random
) -> tuple[float | None, ...]:
    kept = tuple(None if rng.random() < weather.missing else amount for amount in amounts)
    if not weather.outage:
        return kept
    begin = rng.randrange(8, HOURS - 12)
    return without(kept, begin, begin + rng.randint(2, 9))


def _late(rng: random.Random) -> dict[int, int]:
    return {hour: rng.choices((0, 5, 10, 30, 45), (70, 20, 6, 3, 1))[0] for hour in range(HOURS)}


def ids(items: list[Item], questions: list[tuple[str, int]]) -> list[set[str]]:
    """Which of `items` each question, an expression and the hour it is asked at, has an answer for."""
    found: list[set[str]] = [set() for _ in questions]
    for begin in range(0, len(items), BATCH):
        for place, answer in enumerate(_asked(items[begin : begin + BATCH], questions)):
            found[place] |= answer
    return found


def _asked(items: list[Item], questions: list[tuple[str, int]]) -> list[set[str]]:
    tests = {
        "interval": f"{GRID_MINUTES}m",
        "input_series": [
            {"series": name, "values": values} for each in items for name, values in scraped(each)
        ],
        # No answer is ever right, so that promtool prints every one.
        "promql_expr_test": [
            {"expr": expr, "eval_time": f"{hour}h", "exp_samples": [{"labels": f'{{question="{place}"}}'}]}
            for place, (expr, hour) in enumerate(questions)
        ],
    }
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{GRID_MINUTES}m",
        "group_eval_order": GROUPS,
        "tests": [tests],
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.yaml").write_text(json.dumps(_media_rules()), encoding="utf-8")
        path = Path(folder) / "study.yaml"
        path.write_text(json.dumps(document), encoding="utf-8")
        said = subprocess.run(
            ["promtool", "test", "rules", path], check=False, capture_output=True, text=True
        )
    answers = re.findall(r"question=\\?\"(\d+).*?got:(.*?)(?=expr:|\Z)", said.stdout + said.stderr, re.DOTALL)
    if len(answers) != len(questions):
        sys.exit(
            f"promtool answered {len(answers)} of {len(questions)} questions:\n{said.stdout}{said.stderr}"
        )
    return [set(re.findall(r'id="([^"]+)"', text)) for _, text in answers]


def _media_rules() -> dict[str, list[object]]:
    """The rules about media alone: those about posts are the same, and would be evaluated for nothing."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {"groups": [group for group in groups if group["name"] in GROUPS]}


def study_silent(name: str, weather: Weather, count: int, rng: random.Random) -> str:
    """How many of `count` items that nothing happened to paged."""
    items = [item(f"i{number}", weather, rng) for number in range(count)]
    young = {each.id for each in items if (each.created_hour or 0) > 0}
    ever, later = ids(
        items,
        [
            (f"sum by (id) (count_over_time({FIRING}[{HOURS}h]))", HOURS),
            (f"sum by (id) (count_over_time({FIRING}[{HOURS - SECOND_DAY}h]))", HOURS),
        ],
    )
    return f"{name:48} {len(ever):5} paged ever, {len(ever & young):3} of them new; {len(later):3} later on"


def study_drops(name: str, weather: Weather, fall: Fall, count: int, rng: random.Random) -> str:
    """How many of `count` drops were missed, and how many alerts ended within six hours."""
    items = [item(f"i{number}", weather, rng, fall) for number in range(count)]
    low = int(fall.begin) + 2
    early, paged, held = ids(
        items,
        [
            (f"sum by (id) (count_over_time({FIRING}[{low}h]))", low),
            (f"sum by (id) ({FIRING})", fall.deadline_hour),
            (
                f"sum by (id) (count_over_time({FIRING}[6h])) >= {360 // GRID_MINUTES + 1}",
                fall.deadline_hour + 6,
            ),
        ],
    )
    missed, ended = count - len(paged), len(paged - held)
    return f"{name:48} {missed:5} missed, {ended:3} ended within 6 h, {len(early):3} paged before"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=100, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    arguments = parser.parse_args()
    if shutil.which("promtool") is None:
        sys.exit("promtool is not installed; on Debian it comes with the package prometheus")
    rng = random.Random(arguments.seed)
    print(f"{arguments.items} items of each kind; nothing happens to these:")
    for name, weather in SILENT.items():
        if arguments.only in name:
            print(study_silent(name, weather, arguments.items, rng), flush=True)
    print("and these fall:")
    for name, (weather, fall) in DROPS.items():
        if arguments.only in name:
            print(study_drops(name, weather, fall, arguments.items, rng), flush=True)


if __name__ == "__main__":
    main()

"""A sample brand for the demo: a maker of bicycles, its videos and its posts of the last two months."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.simulator.figures import Figures
from exporter.simulator.snowflake import mint
from exporter.simulator.world import Account, App, OAuth1Keys, World

SAMPLE_TOKEN = "demo-token"  # noqa: S105 - opens nothing but the simulated API
SAMPLE_SEED = 1
_HOUR = 3600
# Of so many possible ids the one whose audience comes closest to what is wanted is taken.
_CANDIDATES = 48


@dataclass(frozen=True, slots=True)
class SampleItem:
    """One video or post of the brand; `id` is a media key where it has an underscore."""

    id: str
    name: str
    campaign: str


# Kind (prefix of the media key, none for a post), age in hours, views in its best hour, name, campaign.
_STOCK: tuple[tuple[str, float, int, str, str], ...] = (
    ("13_", 2.3, 9000, "Aurora E2: the reveal", "aurora_launch"),
    ("13_", 9.6, 5200, "Aurora E2: one charge, 140 km", "aurora_launch"),
    ("13_", 27.4, 6400, "Aurora E2: first ride with Mika", "aurora_launch"),
    ("7_", 31.1, 1500, "Workshop: true a wheel in four minutes", "workshop"),
    ("7_", 52.7, 2100, "Harbour loop at dawn", "city_rides"),
    ("13_", 76.2, 4300, "Teaser: something quiet is coming", "aurora_launch"),
    ("7_", 121.8, 1700, "Workshop: wax your chain", "workshop"),
    ("13_", 199.3, 7800, "Winter city film", "city_rides"),
    ("7_", 322.5, 1200, "Meet the welders", "people"),
    ("13_", 510.4, 6900, "Gran Fondo aftermovie", "gran_fondo"),
    ("7_", 799.6, 1400, "Workshop: tubeless without tears", "workshop"),
    ("13_", 1394.2, 8800, "The long way home", "brand"),
    ("", 2.1, 6100, "Aurora E2 is here", "aurora_launch"),
    ("", 5.4, 2600, "Thread: why we dropped the display", "aurora_launch"),
    ("", 10.2, 1900, "Order book opens at noon", "aurora_launch"),
    ("", 22.8, 3400, "Mika's first 100 km", "aurora_launch"),
    ("", 26.3, 900, "Poll: bell or no bell?", "community"),
    ("", 33.7, 1600, "Photo: prototypes 1 to 14", "aurora_launch"),
    ("", 47.5, 1100, "Reply to the range question", "community"),
    ("", 57.9, 2300, "Harbour loop, Sunday 7:30", "city_rides"),
    ("", 74.6, 4700, "Something quiet is coming", "aurora_launch"),
    ("", 98.4, 800, "We are hiring a paint lead", "people"),
    ("", 119.2, 1500, "Chain wax: the recipe", "workshop"),
    ("", 167.8, 1300, "Repair cafe dates", "community"),
    ("", 198.1, 3900, "Winter city film is out", "city_rides"),
    ("", 263.5, 1000, "Photo: first frost", "city_rides"),
    ("", 320.9, 1200, "Portrait: Ines, welder since 2011", "people"),
    ("", 437.3, 900, "Lost glove, size M", "community"),
    ("", 508.6, 5600, "Gran Fondo: thank you, 2,314 riders", "gran_fondo"),
    ("", 641.7, 1700, "Gran Fondo: the route", "gran_fondo"),
    ("", 934.4, 1100, "Spare parts until 2040", "brand"),
    ("", 1391.8, 6200, "The long way home", "brand"),
)


def sample_items(now: float, seed: int = SAMPLE_SEED) -> tuple[SampleItem, ...]:
    """The brand's 12 videos, then its 20 posts, as old at `now` (Unix seconds) as the stock says.

    The same for all of one hour, so that two processes started together agree.
    """
    hour = now // _HOUR * _HOUR
    figures = Figures(seed)
    return tuple(
        SampleItem(_sized_id(figures, prefix, hour - age * _HOUR, views), name, campaign)
        for prefix, age, views, name, campaign in _STOCK
    )


def sample_world(now: float, seed: int = SAMPLE_SEED, *, any_id: bool = False) -> World:
    """A world in which the brand's items exist and `SAMPLE_TOKEN` reads them.

    With `any_id` every other well-formed id exists too.
    """
    keys = OAuth1Keys("demo-consumer", "demo-consumer-secret", "demo-access", "demo-access-secret")
    brand = Account("brand", "1880028106020515", "northbike", (SAMPLE_TOKEN,), keys)
    apps = (App("demo-app", "demo-app-secret"), App("demo-native-app"))
    items = (item.id for item in sample_items(now, seed))
    return World((brand,), apps=apps, items=items, app_only_tokens=("demo-app-only",), any_id=any_id)


def sample_config_yaml(
    base_url: str, now: float, seed: int = SAMPLE_SEED, *, state_dir: str | None = None
) -> str:
    """A configuration of the exporter that watches the brand at the simulated API of `base_url`.

    `now` and `seed` are those of its world; without `state_dir` the key is left out.
    """
    items = sample_items(now, seed)
    lines = ["api:", f"  base_url: {base_url}"]
    if state_dir is not None:
        lines.append(f"state_dir: {_quoted(state_dir)}")
    lines += ["accounts:", "  - name: brand", "    auth:", f"      bearer_token: {SAMPLE_TOKEN}"]
    lines.append("    media:")
    lines += _watched(item for item in items if "_" in item.id)
    lines.append("    posts:")
    lines += _watched(item for item in items if "_" not in item.id)
    return "\n".join(lines) + "\n"


def _sized_id(figures: Figures, prefix: str, born: float, views: int) -> str:
    candidates = (f"{prefix}{mint(born, sequence)}" for sequence in range(_CANDIDATES))
    return min(candidates, key=lambda item_id: abs(figures.profile(item_id).audience / views - 1))


def _watched(items: Iterator[SampleItem]) -> Iterator[str]:
    for item in items:
        name = _quoted(item.name)
        yield f'      - {{id: "{item.id}", name: {name}, labels: {{campaign: {item.campaign}}}}}'


def _quoted(text: str) -> str:
    """`text` as a double-quoted YAML scalar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""What the simulated audience does: a pure function of (seed, id, metric, hour).

An item is born at the time in its id, bursts, decays with a half-life of some hours, keeps a long thin
tail, sleeps at night in its audience's time zone and has better and worse days of the week. Everything
else about an hour follows from the one number of people who saw the item in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from struct import unpack

from exporter.simulator.metrics import POST_INDEX
from exporter.simulator.snowflake import born_seconds
from exporter.simulator.times import HOUR

_UNIT = 1 / 65536
# Where the audiences live, in hours from UTC: New York, Sao Paulo, London, Berlin, Delhi, Tokyo.
_TIME_ZONES = (-5, -3, 0, 1, 5.5, 9)
_EVENING = 20.5
_EPOCH_WEEKDAY = 3
_SATURDAY = 5
# At most this many hours are remembered: enough for one full answer to be given again for nothing.
_REMEMBERED_HOURS = 8192
_REMEMBERED_ITEMS = 16384

Row = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is particular about one item; all of it follows from the seed and the id.

    `audience` is the views of its best hour, before the time of day. `half_life` is in hours,
    `utc_offset` in hours, `weekend` a factor. `traits` are numbers in [0, 1) that set its rates.
    """

    born: float
    audience: float
    half_life: float
    utc_offset: float
    weekend: float
    duration_ms: int
    has_video: bool
    traits: tuple[float, ...]


class Figures:
    """Figures of every id there could be, for one `seed`."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.profile: Callable[[str], Profile] = lru_cache(_REMEMBERED_ITEMS)(self._profile)
        self._row: Callable[[str, int], Row] = lru_cache(_REMEMBERED_HOURS)(self._fresh_row)

    def row(self, item_id: str, hour: int) -> Row | None:
        """All metrics of that hour in table order, None where the hour ended before the item was born."""
        if hour + HOUR <= self.profile(item_id).born:
            return None
        return self._row(item_id, hour)

    def _fresh_row(self, item_id: str, hour: int) -> Row:
        profile = self.profile(item_id)
        noise = self._noise(item_id, hour)
        people = _people(profile, hour, noise)
        if "_" in item_id:
            return _media_row(profile, people, noise)
        return _post_row(profile, people, noise)

    def _profile(self, item_id: str) -> Profile:
        draw = self._noise(item_id, -1)
        bell = (draw[0] + draw[1] + draw[2] - 1.5) * 2
        return Profile(
            born=born_seconds(item_id),
            audience=2600 * math.exp(1.1 * bell),
            half_life=4 + 11 * draw[3],
            utc_offset=_TIME_ZONES[int(draw[4] * len(_TIME_ZONES))],
            weekend=0.72 + 0.6 * draw[5],
            duration_ms=int(9_000 + 82_000 * draw[6] * draw[6]),
            has_video=draw[7] < 0.6,  # noqa: PLR2004 - the share of posts that carry a video
            traits=draw[8:],
        )

    def _noise(self, item_id: str, hour: int) -> tuple[float, ...]:
        digest = blake2b(f"{self._seed}|{item_id}|{hour}".encode()).digest()
        return tuple(word * _UNIT for word in unpack("<32H", digest))


def _people(profile: Profile, hour: int, noise: tuple[float, ...]) -> float:
    """How many saw the item in this hour: its size, age, time of day, day of week and luck."""
    start = max(float(hour), profile.born)
    share = (hour + HOUR - start) / HOUR
    age = (start - profile.born) / HOUR + share / 2
    burst = 0.75 * math.exp2(-age / profile.half_life)
    tail = 0.25 * math.pow(1 + age / 14, -1.05) + 0.0012
    local = hour / HOUR + profile.utc_offset + 0.5
    daylight = 0.34 + 0.66 * (0.5 + 0.5 * math.cos((local - _EVENING) * math.tau / 24))
    weekday = (int(local // 24) + _EPOCH_WEEKDAY) % 7
    week = profile.weekend if weekday >= _SATURDAY else 1.0
    luck = 0.85 + 0.15 * (noise[0] + noise[1])
    return profile.audience * (burst + tail) * share * daylight * week * luck


def _count(expected: float, chance: float) -> int:
    """`expected` as a whole number; the fraction becomes one with its own probability."""
    return int(expected + chance)


def _funnel(started: int, traits: tuple[float, ...], noise: tuple[float, ...]) -> tuple[int, int, int, int]:
    """How many of `started` got to a quarter, a half, three quarters and the end."""
    quarter = _count(started * (0.42 + 0.2 * traits[0]), noise[0])
    half = _count(quarter * (0.62 + 0.2 * traits[1]), noise[1])
    three = _count(half * (0.68 + 0.2 * traits[2]), noise[2])
    return quarter, half, three, _count(three * (0.6 + 0.3 * traits[3]), noise[3])


def _media_row(profile: Profile, people: float, noise: tuple[float, ...]) -> Row:
    traits = profile.traits
    started = _count(people, noise[2])
    quarter, half, three, complete = _funnel(started, traits, noise[3:7])
    # Each viewer who left did so midway between two marks, those before the first one mostly at once.
    quarters = 4.0 * complete + 3.5 * (three - complete) + 2.5 * (half - three) + 1.5 * (quarter - half)
    watched = profile.duration_ms * (quarters / 4 + 0.09 * (0.7 + 0.6 * noise[7]) * (started - quarter))
    return (
        _count(started * (0.68 + 0.14 * traits[4]), noise[8]),
        started,
        quarter,
        half,
        three,
        complete,
        _count(started * (0.03 + 0.08 * traits[5]), noise[9]),
        _count(started * 0.012 * traits[6], noise[10]),
        _count(started * 0.006 * traits[7], noise[11]),
        int(watched),
    )


# Engagements of a post by the share of its impressions that leads to one, at most.
_ENGAGEMENT_SHARES = {
    "app_install_attempts": 0.0001,
    "app_opens": 0.0003,
    "detail_expands": 0.022,
    "email_tweet": 0.0001,
    "follows": 0.0008,
    "hashtag_clicks": 0.0015,
    "likes": 0.024,
    "permalink_clicks": 0.004,
    "quote_tweets": 0.0009,
    "replies": 0.0028,
    "retweets": 0.0045,
    "bookmarks": 0.0025,
    "shares": 0.0018,
    "unfollows": 0.00008,
    "unlikes": 0.0002,
    "url_clicks": 0.012,
    "user_profile_clicks": 0.006,
}
# Those that X counts as engagements; taking something back is none.
_NO_ENGAGEMENT = ("unfollows", "unlikes")


def _post_row(profile: Profile, people: float, noise: tuple[float, ...]) -> Row:
    traits = profile.traits
    seen = _count(people, noise[2])
    figures = dict.fromkeys(POST_INDEX, 0)
    figures["impressions"] = seen
    for place, (name, most) in enumerate(_ENGAGEMENT_SHARES.items()):
        figures[name] = _count(seen * most * (0.4 + 0.6 * traits[place]), noise[3 + place])
    figures["link_clicks"] = _count(figures["url_clicks"] * 0.8, noise[20])
    figures["profile_visits"] = _count(figures["user_profile_clicks"] * 0.7, noise[21])
    _add_media(figures, profile, seen, noise)
    parts = sum(figures[name] for name in _ENGAGEMENT_SHARES if name not in _NO_ENGAGEMENT)
    # X counts kinds of engagement here that it reports nowhere else.
    figures["engagements"] = _count((parts + figures["media_engagements"]) * 1.03, noise[22])
    return tuple(figures.values())


def _add_media(figures: dict[str, int], profile: Profile, seen: int, noise: tuple[float, ...]) -> None:
    if not profile.has_video:
        figures["media_views"] = _count(seen * 0.55, noise[23])
        figures["media_engagements"] = _count(seen * 0.009, noise[24])
        return
    started = _count(seen * 0.82, noise[23])
    quarter, half, three, complete = _funnel(started, profile.traits, noise[24:28])
    views = _count(started * (0.68 + 0.14 * profile.traits[4]), noise[28])
    figures["media_views"] = started
    figures["media_engagements"] = _count(started * 0.02, noise[29])
    figures["video_starts"] = started
    figures["video_views"] = views
    figures["unique_video_views"] = _count(views * 0.91, noise[30])
    figures["video_played_25_percent"] = quarter
    figures["video_played_50_percent"] = half
    figures["video_played_75_percent"] = three
    figures["video_completions"] = complete

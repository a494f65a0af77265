"""A canned X API in a process of its own: full answers for whatever is asked, from text made beforehand.

Run as ``python -m bench.canned``; it prints its port and serves until it is ended. Nothing in it is measured,
so it is only made quick enough not to be waited for. It compresses for clients that accept gzip, as X does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from exporter.model import HOUR_SECONDS
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS

MEDIA_PATH = "/2/media/analytics"
INSIGHTS_PATH = "/2/insights/28hr"
HOURS = 28

# How many items differ from one another; more would only cost time to make.
_POOL = 60
# X tells the newest two hours otherwise each time, in one of so many ways. So a poll an hour later changes
# three hours of every item: a new one, and the two before it.
_VARIANTS = 3
_RESTATED_HOURS = 2
_MOST_CACHED = 400
_SETTLED = -1


class Answers:
    """Bodies for lists of ids: the same shape, size and kind of numbers as X's."""

    def __init__(self, now: float) -> None:
        # A sliding answer ends with the running hour.
        self._sliding_end = int(now // HOUR_SECONDS) * HOUR_SECONDS + HOUR_SECONDS
        self._asked: dict[tuple[str, bool], _Asked] = {}
        self._cached: dict[_Asked, bytes] = {}

    def body(self, path: str, query: Mapping[str, str], *, packed: bool) -> bytes:
        """The answer to one request, as gzip if `packed`."""
        ids = query["media_keys"] if path == MEDIA_PATH else query["tweet_ids"]
        end = _unix_seconds(query["end_time"]) if path == MEDIA_PATH else self._sliding_end
        before = self._asked.get((ids, packed), _Asked(path, ids, end, -1, again=True, packed=packed))
        asked = self._asked[ids, packed] = before.next(end)
        return self._body(asked)

    def make_ready(self) -> None:
        """Make the answers of an hour later, where the last ones were an hour later than those before."""
        for asked in self._asked.values():
            if not asked.again:
                self._body(asked.next(asked.end + HOUR_SECONDS))

    def _body(self, asked: _Asked) -> bytes:
        if asked not in self._cached:
            if len(self._cached) >= _MOST_CACHED:
                self._cached.clear()
            text = _text(asked).encode()
            self._cached[asked] = gzip.compress(text, 1) if asked.packed else text
        return self._cached[asked]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for `ids`, joined: the `turn`th of them, for hours before `end`, the same `again` or not."""

    path: str
    ids: str
    end: int
    turn: int
    again: bool
    packed: bool

    def next(self, end: int) -> _Asked:
        """The request after this one."""
        turn = (self.turn + 1) % _VARIANTS
        return dataclasses.replace(self, end=end, turn=turn, again=end == self.end)


def _text(asked: _Asked) -> str:
    ids = asked.ids.split(",")
    pool = [_entries(asked, place) for place in range(min(len(ids), _POOL))]
    entries = ",".join(pool[place % _POOL].replace("@", item) for place, item in enumerate(ids))
    if asked.path == MEDIA_PATH:
        return f'{{"data":[{entries}]}}'
    return f'{{"data":[{{"measurement":{{"metrics_time_series":[{entries}]}}}}]}}'


def _entries(asked: _Asked, place: int) -> str:
    """What is told of one item; its id is left open."""
    variants = [_SETTLED] * (HOURS - _RESTATED_HOURS) + [asked.turn] * _RESTATED_HOURS
    starts = range(asked.end - HOURS * HOUR_SECONDS, asked.end, HOUR_SECONDS)
    bucket = _media_bucket if asked.path == MEDIA_PATH else _post_bucket
    buckets = ",".join(map(bucket, [place] * HOURS, starts, variants))
    if asked.path == MEDIA_PATH:
        return f'{{"media_key":"@","timestamped_metrics":[{buckets}]}}'
    return buckets


@lru_cache(maxsize=20_000)
def _media_bucket(place: int, start: int, variant: int) -> str:
    chance = random.Random(f"{place} {start} {variant}")
    fields = ",".join(f'"{metric.wire}":{_amount(chance)}' for metric in MEDIA_METRICS)
    return f'{{"timestamp":"{_rfc3339(start)}","metrics":{{{fields}}}}}'


@lru_cache(maxsize=20_000)
def _post_bucket(place: int, start: int, variant: int) -> str:
    chance = random.Random(f"{place} {start} {variant}")
    figures = ",".join(
        f'{{"metric_type":"{metric.wire}","metric_value":{_amount(chance)}}}' for metric in POST_METRICS
    )
    return (
        f'{{"tweet_id":"@","value":{{"metric_values":[{figures}],'
        f'"timestamp":{{"iso8601_time":"{_rfc3339(start)}"}}}}}}'
    )


def _amount(chance: random.Random) -> int:
    return int(10 ** chance.uniform(0, 5))


def _unix_seconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Connection(asyncio.Protocol):
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.writelines(self._answer(head.decode("latin-1")))
        # While the asker is busy with the answer; what waits long finds its data no longer in caches.
        asyncio.get_running_loop().call_soon(self._answers.make_ready)

    def _answer(self, head: str) -> Iterator[bytes]:
        first, *fields = head.split("\r\n")
        target = urlsplit(first.split(" ")[1])
        accepted = next((field for field in fields if field.lower().startswith("accept-encoding:")), "")
        packed = "gzip" in accepted
        body = self._answers.body(target.path, dict(parse_qsl(target.query)), packed=packed)
        encoding = "content-encoding: gzip\r\n" if packed else ""
        yield (
            # No date: the exporter of some rows lives ahead of it.
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            f"{encoding}content-length: {len(body)}\r\n\r\n"
        ).encode()
        yield body


async def _serve() -> None:
    answers = Answers(time.time())
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())

"""A canned X API in a process of its own: full answers for whatever is asked, from text made beforehand.

Run as ``python -m bench.canned``; it prints its port and serves until it is ended. Nothing in it is measured,
so it is only made quick enough not to be waited for. It compresses for clients that accept gzip, as X does.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from exporter.model import HOUR_SECONDS
from exporter.vocabulary import MEDIA_METRICS, POST_METRICS

MEDIA_PATH = "/2/media/analytics"
INSIGHTS_PATH = "/2/insights/28hr"
HOURS = 28

# How many items differ from one another; more would only cost time to make.
_POOL = 60
# A batch asked again gets the next of so many answers. They differ in the newest hours, as X's do, so that
# every poll changes every item.
_VARIANTS = 3
_REVISED_HOURS = 3
_MOST_CACHED = 400


class Answers:
    """Bodies for lists of ids: the same shape, size and kind of numbers as X's."""

    def __init__(self, now: float, seed: int) -> None:
        chance = random.Random(seed)
        end = int(now // HOUR_SECONDS) * HOUR_SECONDS
        labels = [_rfc3339(end - (HOURS - hour) * HOUR_SECONDS) for hour in range(HOURS)]
        # A sliding answer ends with the running hour.
        sliding = [*labels[1:], _rfc3339(end)]
        self._media = [_media_entry(labels, chance) for _ in range(_POOL)]
        self._posts = [_post_entries(sliding, chance) for _ in range(_POOL)]
        self._asked: dict[str, int] = {}
        self._cached: dict[tuple[str, int, bool], bytes] = {}

    def body(self, path: str, query: Mapping[str, str], *, packed: bool) -> bytes:
        """The answer to one request, as gzip if `packed`."""
        joined = query["media_keys"] if path == MEDIA_PATH else query["tweet_ids"]
        turn = self._asked[joined] = (self._asked.get(joined, -1) + 1) % _VARIANTS
        key = (joined, turn, packed)
        if key not in self._cached:
            if len(self._cached) >= _MOST_CACHED:
                self._cached.clear()
            text = self._text(path, joined.split(","), turn).encode()
            self._cached[key] = gzip.compress(text, 1) if packed else text
        return self._cached[key]

    def _text(self, path: str, ids: Sequence[str], turn: int) -> str:
        pool = self._media if path == MEDIA_PATH else self._posts
        entries = ",".join(pool[place % _POOL][turn].replace("@", item) for place, item in enumerate(ids))
        if path == MEDIA_PATH:
            return f'{{"data":[{entries}]}}'
        return f'{{"data":[{{"measurement":{{"metrics_time_series":[{entries}]}}}}]}}'


def _media_entry(labels: Sequence[str], chance: random.Random) -> list[str]:
    """One media's entry, in every variant."""

    def bucket(at: str) -> str:
        fields = ",".join(f'"{metric.wire}":{_amount(chance)}' for metric in MEDIA_METRICS)
        return f'{{"timestamp":"{at}","metrics":{{{fields}}}}}'

    return [f'{{"media_key":"@","timestamped_metrics":[{buckets}]}}' for buckets in _variants(labels, bucket)]


def _post_entries(labels: Sequence[str], chance: random.Random) -> list[str]:
    """One post's entries, in every variant."""

    def bucket(at: str) -> str:
        figures = ",".join(
            f'{{"metric_type":"{metric.wire}","metric_value":{_amount(chance)}}}' for metric in POST_METRICS
        )
        return (
            f'{{"tweet_id":"@","value":{{"metric_values":[{figures}],'
            f'"timestamp":{{"iso8601_time":"{at}"}}}}}}'
        )

    return list(_variants(labels, bucket))


def _variants(labels: Sequence[str], bucket: Callable[[str], str]) -> Iterator[str]:
    settled = [bucket(at) for at in labels[:-_REVISED_HOURS]]
    for _ in range(_VARIANTS):
        yield ",".join([*settled, *(bucket(at) for at in labels[-_REVISED_HOURS:])])


def _amount(chance: random.Random) -> int:
    return int(10 ** chance.uniform(0, 5))


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

    def _answer(self, head: str) -> Iterator[bytes]:
        first, *fields = head.split("\r\n")
        target = urlsplit(first.split(" ")[1])
        accepted = next((field for field in fields if field.lower().startswith("accept-encoding:")), "")
        packed = "gzip" in accepted
        body = self._answers.body(target.path, dict(parse_qsl(target.query)), packed=packed)
        encoding = "content-encoding: gzip\r\n" if packed else ""
        yield (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: {formatdate(usegmt=True)}\r\n"
            f"{encoding}content-length: {len(body)}\r\n\r\n"
        ).encode()
        yield body


async def _serve() -> None:
    answers = Answers(time.time(), seed=28)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())

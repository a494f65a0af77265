"""Scraping as Prometheus does it, over one kept connection, without unpacking what comes."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Scraper:
    """Scrapes the server at a port of this machine; closed when the context is left."""

    def __init__(self, port: int, encoding: str = "gzip") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Accept-Encoding": encoding}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def size(self) -> int:
        """Scrape once; the size of the body."""
        self._connection.request("GET", "/metrics", headers=self._headers)
        return len(self._connection.getresponse().read())

    def seconds(self, times: int) -> list[float]:
        """How long each of `times` scrapes takes."""
        # The server may have closed the connection while others had their turn.
        self._connection.close()
        self._connection.connect()
        return [self._timed() for _ in range(times)]

    def _timed(self) -> float:
        start = time.perf_counter()
        self.size()
        return time.perf_counter() - start


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of `values` do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

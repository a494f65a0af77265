"""Credentials renewed once for all requests that X refused together."""

from __future__ import annotations

import asyncio

from exporter.xapi.client import Credentials


class Renewal:
    """Turns a wave of 401s into one call of `Credentials.rejected`.

    `count` is how many renewals there were; a request notes it before it is signed.
    """

    def __init__(self) -> None:
        self.count = 0
        self._lock = asyncio.Lock()
        self._helped = False

    async def renewed(self, credentials: Credentials, noted: int) -> bool:
        """Renew what signed a refused request, unless that was done since it `noted` the count.

        True when asking once more makes sense.
        """
        async with self._lock:
            if noted == self.count:
                self._helped = await credentials.rejected()
                self.count += 1
            return self._helped

"""How an endpoint wants its query spelled, found out by what it refuses."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.model import Endpoint
from exporter.xapi.requests import Dialect


class Spelling:
    """The dialect in use for one endpoint; another one is tried once, and the outcome remembered."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.dialect = Dialect()
        self._endpoint = endpoint
        self._refused: set[Dialect] = set()

    def instead_of(self, refused: Dialect, parameters: Sequence[str]) -> Dialect | None:
        """What to try once X complained of `parameters` (by name) of a request in dialect `refused`.

        None when there is nothing else to try.
        """
        if refused == self.dialect:
            fallback = self.dialect.fallback(self._endpoint, parameters)
            if fallback is None or fallback in self._refused:
                return None
            self.dialect = fallback
        # Else another request has meanwhile found out more.
        return self.dialect

    def was_not_it(self, dialect: Dialect) -> None:
        """The other dialect was refused as well, so that the spelling is not what is wrong."""
        self._refused.add(dialect)
        self.dialect = Dialect()

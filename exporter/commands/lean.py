"""How the daemon's process is set up to stay small and to answer scrapes while answers are decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


def run_lean(main: Coroutine[object, object, None]) -> None:
    """Run `main` to its end as `asyncio.run` does."""
    asyncio.run(main)

"""Standard output as commands print tables on it."""

from __future__ import annotations

import sys

from rich.console import Console

# A pipe has no width; wide enough that nothing is cut.
PIPE_WIDTH = 240


def plain_console() -> Console:
    """Prints text as it stands: a name with brackets or colons in it is no markup."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)

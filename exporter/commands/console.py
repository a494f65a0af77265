"""What commands print on standard output: tables as they stand, and addresses to click on."""

from __future__ import annotations

import sys

from rich.console import Console

# A pipe has no width; wide enough that nothing is cut.
PIPE_WIDTH = 240


def plain_console() -> Console:
    """Prints text as it stands: a name with brackets or colons in it is no markup."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def local_url(host: str, port: int) -> str:
    """Where this machine finds what listens on `host` and `port`; an empty host is all interfaces."""
    name = f"[{host}]" if ":" in host else host or "127.0.0.1"
    return f"http://{name}:{port}"

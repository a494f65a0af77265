"""Entry of ``x-analytics-exporter`` and ``python -m exporter``."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType

# Instead of Python's 700. What is imported stays, so that looking for garbage after every few modules takes a
# twentieth of a start for nothing.
_COLLECT_AFTER = 50_000


def main() -> None:
    """Run the command line and exit with its code."""
    # Before anything slow is imported: to be stopped while starting is no failure, and a process that is
    # the first of its container would not be stopped at all.
    signal.signal(signal.SIGTERM, _stop)
    gc.set_threshold(_COLLECT_AFTER)
    from exporter.cli import main as cli_main  # noqa: PLC0415 - see above

    sys.exit(cli_main())


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()

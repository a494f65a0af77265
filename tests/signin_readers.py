"""Reads the token file at the path in the first argument in many threads at once, for the first time."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from exporter.signin.document import decode

_THREADS = 8


def main() -> None:
    """End with 0 once every thread has read the same tokens."""
    sys.setswitchinterval(1e-6)
    body = Path(sys.argv[1]).read_bytes()
    together = threading.Barrier(_THREADS)
    read = []

    def take() -> None:
        together.wait()
        read.append(decode(body, sys.argv[1], sys.argv[2]))

    threads = [threading.Thread(target=take) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(len(read) != _THREADS or any(tokens != read[0] for tokens in read))


if __name__ == "__main__":
    main()

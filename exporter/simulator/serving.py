"""The simulated X API on a port of this machine, in a thread of its own, for tests that want sockets."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from exporter.simulator.asgi import asgi
from exporter.simulator.core import Simulator

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0


class Served:
    """Serves `simulator` on 127.0.0.1 while the ``with`` block lasts; port 0 takes any that is free.

    Raises OSError where the port is taken and TimeoutError where the server does not come up.
    """

    def __init__(self, simulator: Simulator, port: int = 0) -> None:
        self.simulator = simulator
        self._socket = socket.create_server(("127.0.0.1", port))
        config = uvicorn.Config(
            asgi(simulator),
            lifespan="off",
            date_header=False,
            server_header=False,
            log_config=None,
            # A connection cut on purpose is nothing to report.
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="simulated-x", daemon=True)

    @property
    def base_url(self) -> str:
        """Such as ``http://127.0.0.1:40321``."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Start; the socket already listens, so that a client may connect at once."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and drop what is still being answered."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

"""prometheus_client's own ASGI application under uvicorn, with made-up series and nothing else.

``python -m bench.stock SERIES`` says its port and serves until it is ended.
"""

from __future__ import annotations

import sys

import uvicorn
from prometheus_client import CollectorRegistry, Gauge, make_asgi_app

from bench.series import FAMILY, made_up_series
from exporter.web.addresses import bind

if __name__ == "__main__":
    registry = CollectorRegistry()
    gauge = Gauge(FAMILY, "Made-up figures.", ["id", "metric"], registry=registry)
    for item, metric, value in made_up_series(int(sys.argv[1])):
        gauge.labels(item, metric).set(value)
    listener = bind("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(make_asgi_app(registry), log_level="warning", access_log=False)).run(
        [listener]
    )

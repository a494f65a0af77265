"""A simulated X API for the demo and the tests.

It shares no code with the rest of the package: what reads X's answers is tested against something that
was written from the documents alone.
"""

from __future__ import annotations

from exporter.simulator.asgi import asgi
from exporter.simulator.core import SimCall, Simulator
from exporter.simulator.faults import Fault
from exporter.simulator.http import Delivery, SimRequest, SimResponse
from exporter.simulator.knobs import Knobs
from exporter.simulator.limits import Limit
from exporter.simulator.world import Account, App, Effect, Item, ItemStatus, OAuth1Keys, World

__all__ = [
    "Account",
    "App",
    "Delivery",
    "Effect",
    "Fault",
    "Item",
    "ItemStatus",
    "Knobs",
    "Limit",
    "OAuth1Keys",
    "SimCall",
    "SimRequest",
    "SimResponse",
    "Simulator",
    "World",
    "asgi",
]

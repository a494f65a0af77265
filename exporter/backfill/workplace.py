"""What a backfill asks X with: each account's sign-in, and channels with limits and retries as in polling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from prometheus_client.registry import CollectorRegistry

from exporter.accounts import World
from exporter.backfill.wanted import Wanted
from exporter.config.settings import Config
from exporter.logs import silent_logger
from exporter.model import Endpoint
from exporter.polling.channel import Channel
from exporter.polling.exchange import Surroundings
from exporter.selfmetrics.instruments import SelfMetrics
from exporter.signin.scheme import Signer, Unobserved
from exporter.xapi.client import XClient
from exporter.xapi.limits import Ledger

# A refresh of tokens in flight may take this long at the end, so that no token is lost; nothing else may.
REFRESH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Desk:
    """One account's channels, and what they share."""

    channels: Mapping[Endpoint, Channel]
    surroundings: Surroundings


@asynccontextmanager
async def workplace(config: Config, world: World, wanted: Iterable[Wanted]) -> AsyncIterator[dict[str, Desk]]:
    """A desk for each account of `wanted`, by its name, as long as the context lasts."""
    metrics = SelfMetrics(CollectorRegistry(), version="", revision="")
    endpoints: dict[str, list[Endpoint]] = {}
    for each in wanted:
        endpoints.setdefault(each.account, []).extend(each.endpoints)
    async with world.open_http(config.api) as http:
        accounts = {account.name: account for account in config.accounts}
        signers = {name: world.sign_in(accounts[name], config, http, Unobserved()) for name in endpoints}
        try:
            yield {
                name: _desk(name, endpoints[name], _surroundings(config, world, http, metrics, signer))
                for name, signer in signers.items()
            }
        finally:
            await asyncio.gather(*(signer.aclose(REFRESH_SECONDS) for signer in signers.values()))


def _desk(account: str, endpoints: Iterable[Endpoint], surroundings: Surroundings) -> Desk:
    # So long after a reset it is asked again, so that it and a daemon do not come back at once.
    jitter_seconds = 1 + 2 * surroundings.random()
    channels = {
        endpoint: Channel(account, endpoint, surroundings, Ledger(jitter_seconds)) for endpoint in endpoints
    }
    return Desk(channels, surroundings)


def _surroundings(
    config: Config, world: World, http: httpx.AsyncClient, metrics: SelfMetrics, signer: Signer
) -> Surroundings:
    api = config.api
    return Surroundings(
        client=XClient(http, api.base_url, api.timeout_seconds, clock=world.clock, monotonic=world.monotonic),
        credentials=signer,
        in_flight=asyncio.Semaphore(api.max_concurrency),
        metrics=metrics,
        log=silent_logger(),
        clock=world.clock,
        sleep=world.sleep,
        random=world.random,
        settle_seconds=config.poll.settle_seconds,
    )

"""This machine's clock, chance, network and memory, for the parts that are handed theirs."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from urllib.parse import urlsplit

import httpx

from exporter import __version__
from exporter.accounts import World
from exporter.config.settings import AccountConfig, ApiSettings, Config
from exporter.config.values import is_loopback
from exporter.heap import give_back
from exporter.signin.scheme import RefreshObserver, Signer, Surroundings
from exporter.signin.schemes import open_signer

USER_AGENT = f"x-analytics-exporter/{__version__}"


def open_http(api: ApiSettings) -> httpx.AsyncClient:
    """The HTTP client for all requests to X, as `api` asks: timeout, proxy, certificate authorities."""
    verify = ssl.create_default_context(cafile=str(api.ca_file)) if api.ca_file else True
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        timeout=api.timeout_seconds,
        proxy=api.proxy_url.reveal() if api.proxy_url else None,
        verify=verify,
        # The environment's proxies serve the way to X, not the way to this machine itself.
        trust_env=not is_loopback(urlsplit(api.base_url).hostname or ""),
        follow_redirects=False,
    )


def sign_in(
    account: AccountConfig, config: Config, http: httpx.AsyncClient, observer: RefreshObserver
) -> Signer:
    """The sign-in of `account`, as its `auth` asks, by this machine's clock."""
    surroundings = Surroundings(http, time.time, asyncio.sleep, random.random)
    return open_signer(account, config.api, config.state_dir, surroundings, observer)


def real_world() -> World:
    """This machine's clock, chance, network and memory."""
    return World(
        clock=time.time,
        monotonic=time.monotonic,
        sleep=asyncio.sleep,
        random=random.random,
        open_http=open_http,
        sign_in=sign_in,
        tidy=give_back,
    )

"""A poller as a process of its own, for tests that kill it: polls as fast as it can until it may not.

Arguments: base URL, state directory, pause between polls in seconds. Prints one word per event:
`ready`, then `ok` after each poll with a token, or `login_required` once and ends. SIGTERM stops as the
daemon does: it waits for a refresh in flight, prints `stopped` and ends with 0.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from pathlib import Path

import httpx

from exporter.config.settings import AccountConfig, ApiSettings, OAuth2Auth, Secret
from exporter.errors import CredentialsError
from exporter.signin.scheme import Signer, Surroundings, Unobserved
from exporter.signin.schemes import open_signer


def tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def poll(signer: Signer, pause_seconds: float) -> None:
    while True:
        served = True
        try:
            await signer.headers("GET", "https://api.x.com/2/users/me")
        except CredentialsError:
            served = False
        # Said while the last access token still lives, too.
        if signer.status().login_required:
            tell("login_required")
            return
        if served:
            tell("ok")
        await asyncio.sleep(pause_seconds)


async def main(base_url: str, state_dir: Path, pause_seconds: float) -> None:
    auth = OAuth2Auth("client-1", Secret("client-secret"), "confidential")
    account = AccountConfig("brand", auth, (), (), (), "auto")
    async with httpx.AsyncClient() as http:
        surroundings = Surroundings(http, time.time, asyncio.sleep, random.random)
        api = ApiSettings(base_url, 30.0, 4, None, None)
        signer = open_signer(account, api, state_dir, surroundings, Unobserved())
        polling = asyncio.ensure_future(poll(signer, pause_seconds))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, polling.cancel)
        tell("ready")
        try:
            await polling
        except asyncio.CancelledError:
            tell("stopped")
        finally:
            await signer.aclose(30.0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))

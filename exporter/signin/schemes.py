"""Opens the sign-in an account is configured with, and loads nothing of the others."""

# ruff: noqa: PLC0415 - see above: most accounts need a small part of all this.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.config.settings import AccountConfig, ApiSettings, BearerAuth, OAuth1Auth, OAuth2Auth
from exporter.signin.scheme import RefreshObserver, Signer, Surroundings

if TYPE_CHECKING:
    from exporter.signin.introduction import XAccess
    from exporter.signin.keeper import TokenKeeper
    from exporter.signin.token_endpoint import TokenEndpoint

# A stop waits 30 s for a refresh in flight: the exchange ends before, with time left to store the pair.
EXCHANGE_TIMEOUT_SECONDS = 25.0
# Another process holds the lock for one exchange at most.
LOCK_PATIENCE_SECONDS = 60.0


def open_signer(
    account: AccountConfig,
    api: ApiSettings,
    state_dir: Path,
    surroundings: Surroundings,
    observer: RefreshObserver,
) -> Signer:
    """The signer of `account`. Does nothing yet: the first `headers` or `look` reads files."""
    auth = account.auth
    if isinstance(auth, BearerAuth):
        from exporter.signin.bearer import BearerSigner

        return BearerSigner(account.name, auth)
    if isinstance(auth, OAuth1Auth):
        from exporter.signin.oauth1 import OAuth1Signer

        return OAuth1Signer(account.name, auth, clock=surroundings.clock)
    from exporter.signin.oauth2 import OAuth2Signer

    return OAuth2Signer(
        open_keeper(account.name, auth, state_dir, surroundings, observer),
        open_endpoint(auth, api, surroundings),
        clock=surroundings.clock,
        sleep=surroundings.sleep,
        random=surroundings.random,
        observer=observer,
    )


def open_keeper(
    account: str, auth: OAuth2Auth, state_dir: Path, surroundings: Surroundings, observer: RefreshObserver
) -> TokenKeeper:
    """The stored tokens of an account, in `<state_dir>/tokens/<account>.json`."""
    from exporter.signin.disk import Disk
    from exporter.signin.keeper import TokenKeeper
    from exporter.signin.lock import AccountLock
    from exporter.signin.store import TokenStore

    disk = Disk(state_dir / "tokens")
    return TokenKeeper(
        account,
        auth.client_id,
        TokenStore(disk, account),
        lambda: AccountLock(disk, account, surroundings.sleep, LOCK_PATIENCE_SECONDS),
        clock=surroundings.clock,
        sleep=surroundings.sleep,
        observer=observer,
    )


def open_endpoint(auth: OAuth2Auth, api: ApiSettings, surroundings: Surroundings) -> TokenEndpoint:
    """The token endpoint below `api.base_url`, for this client."""
    from exporter.signin.token_endpoint import TokenEndpoint

    timeout_seconds = min(api.timeout_seconds, EXCHANGE_TIMEOUT_SECONDS)
    return TokenEndpoint(surroundings.http, api.base_url, auth, timeout_seconds)


def open_access(auth: OAuth2Auth, api: ApiSettings, surroundings: Surroundings) -> XAccess:
    """What `login` and `import_refresh_token` ask of X."""
    from exporter.signin.introduction import XAccess
    from exporter.xapi.client import XClient

    # Nobody reads how long `/2/users/me` took, so the wall clock will do for both.
    clock = surroundings.clock
    client = XClient(surroundings.http, api.base_url, api.timeout_seconds, clock=clock, monotonic=clock)
    return XAccess(open_endpoint(auth, api, surroundings), client)

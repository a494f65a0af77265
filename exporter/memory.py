"""What outlives the process: figures, limits and troubles, and how the last starts went."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping

from exporter.accounts import Account
from exporter.board import Board, Watch
from exporter.config.settings import Auth, BearerAuth, Config, OAuth1Auth
from exporter.figures.state import ItemState
from exporter.model import Endpoint
from exporter.polling.channel import Channel
from exporter.polling.feed import Feed
from exporter.polling.starts import Starts
from exporter.recording.entries import Heard
from exporter.recording.recorder import Recorder, Standing

_SALT = "salt"


class Memory:
    """Keeps what the engine knows in the journal of `recorder`, without one nowhere; a `Record` of polling.

    `clock` gives Unix seconds.
    """

    def __init__(self, recorder: Recorder | None, clock: Callable[[], float]) -> None:
        self._recorder = recorder
        self._clock = clock
        self._starts: dict[str, Starts] = {}
        self._channels: dict[str, Channel] = {}
        self._salt = ""

    @property
    def recorder(self) -> Recorder | None:
        """Who keeps the journal, None where none is kept."""
        return self._recorder

    async def adopt(
        self, config: Config, states: Callable[[], Iterable[tuple[Watch, Mapping[str, ItemState]]]]
    ) -> None:
        """Keep the journal as `config` asks; `states` gives what stands of every item."""
        if self._recorder is not None:
            standing = Standing(states, self._marks)
            await self._recorder.adopt(config.state_dir, config.history.keep_seconds, standing)

    async def recall_channels(self, accounts: Mapping[str, Account]) -> None:
        """Let channels that are new go on where those of the process before ended; know all from now on."""
        if self._recorder is None:
            return
        kept = await self._recorder.marks("")
        self._salt = self._salt or kept.get(_SALT) or secrets.token_hex(16)
        channels = {
            _channel_name(account, endpoint, self._salt): channel
            for account in accounts.values()
            for endpoint, channel in account.channels.items()
        }
        known = {id(channel) for channel in self._channels.values()}
        for name, channel in channels.items():
            if id(channel) not in known and name in kept:
                channel.restore(kept[name])
        self._channels = channels
        for account in accounts.values():
            for feed in account.feeds.values():
                name = _starts_name(feed)
                self._starts.setdefault(name, Starts.restored(kept.get(name)))

    async def recall_states(self, board: Board, watches: Iterable[Watch]) -> dict[str, ItemState]:
        """The states of the items that `board` does not know yet, as far as they are kept."""
        states: dict[str, ItemState] = {}
        if self._recorder is None:
            return states
        for watch in watches:
            known = board.states_of(watch)
            new = tuple(item for item in watch.items if item.id not in known)
            if new:
                states |= await self._recorder.restore(Watch(watch.account, watch.kind, new, watch.metrics))
        return states

    def pause_seconds(self, feed: Feed) -> float:
        """How long a start leaves X alone before it polls `feed`."""
        return self._of(feed).pause_seconds(self._clock())

    def last_successes(self, feed: Feed) -> Mapping[Endpoint, float]:
        """When polls of `feed` last succeeded in every batch, Unix seconds, by what was asked."""
        return self._of(feed).succeeded

    def begun(self, feed: Feed) -> None:
        """A start polls `feed` now."""
        self._starts[_starts_name(feed)] = self._of(feed).begun(self._clock())
        self.touched()

    def succeeded(self, feed: Feed, endpoint: Endpoint) -> None:
        """A poll of `feed` succeeded in every batch."""
        self._starts[_starts_name(feed)] = self._of(feed).succeeded_at(endpoint, self._clock())
        self.touched()

    def heard(self, heard: Heard) -> None:
        """An answer has been shown."""
        name = f"starts/{heard.account}/{heard.kind}"
        self._starts[name] = self._starts.get(name, Starts()).answered()
        if self._recorder is not None:
            self._recorder.heard(heard)

    def forgotten(self, item_ids: Iterable[str], first_hour: int) -> None:
        """What was known of items from `first_hour` on turned out to be wrong."""
        if self._recorder is not None:
            self._recorder.forgotten(item_ids, first_hour)

    def touched(self) -> None:
        """Something to be kept over a restart has changed."""
        if self._recorder is not None:
            self._recorder.touched()

    async def room(self) -> None:
        """Wait while much that was heard is still to be put down."""
        if self._recorder is not None:
            await self._recorder.room()

    async def aclose(self) -> None:
        """Write what is left and close the journal."""
        if self._recorder is not None:
            await self._recorder.aclose()

    def _of(self, feed: Feed) -> Starts:
        return self._starts.get(_starts_name(feed), Starts())

    def _marks(self) -> dict[str, str]:
        channels = {name: channel.saved() for name, channel in self._channels.items()}
        starts = {name: starts.saved() for name, starts in self._starts.items()}
        return {_SALT: self._salt, **channels, **starts}


def _starts_name(feed: Feed) -> str:
    return f"starts/{feed.watch.account}/{feed.watch.kind}"


def _channel_name(account: Account, endpoint: Endpoint, salt: str) -> str:
    """What limits and troubles are kept under: those of other credentials say nothing of these."""
    told = f"{account.whole.api.base_url} {_credentials(account.config.auth)}".encode(
        "utf-8", "surrogatepass"
    )
    # Four salted bytes tell two sets of credentials apart and say nothing about either.
    mark = hashlib.blake2b(told, digest_size=4, key=salt.encode()).hexdigest()
    return f"channel/{account.config.name}/{endpoint}/{mark}"


def _credentials(auth: Auth) -> str:
    if isinstance(auth, BearerAuth):
        return auth.token.reveal() if auth.token is not None else str(auth.token_file)
    if isinstance(auth, OAuth1Auth):
        return f"{auth.consumer_key.reveal()} {auth.access_token.reveal()}"
    return auth.client_id

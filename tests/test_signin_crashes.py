"""Crashes and power cuts between any two steps of a refresh, in any order with everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.config.settings import Secret
from exporter.errors import CredentialsError
from exporter.signin.disk import Stamp
from exporter.signin.document import decode
from exporter.signin.keeper import TokenKeeper
from exporter.signin.oauth2 import OAuth2Signer
from exporter.signin.store import TokenStore
from exporter.signin.token_endpoint import Grant, read_grant
from exporter.signin.tokens import AccountTokens
from exporter.xapi.failure_token import TokenFailure, classify_token
from tests.signin_support import Clock, Outcomes, TokenServer

NAME = "brand.json"
MOST_STEPS = 24


class CrashError(BaseException):
    """The process is gone; nothing in it may catch this."""


class Fate:
    """Lets `left` more steps happen, then ends the process."""

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self) -> None:
        if self.left is None:
            return
        if self.left == 0:
            raise CrashError
        self.left -= 1


class FragileDisk:
    """Files in memory: what the kernel shows, and what a power cut leaves of it."""

    def __init__(self, fate: Fate) -> None:
        self.directory = Path("tokens")
        self.shown: dict[str, bytes] = {}
        self.kept: dict[str, bytes] = {}
        self._fate = fate
        self._stamps: dict[str, int] = {}
        self._changes = 0

    def stamp(self, name: str) -> Stamp | None:
        return (self._stamps[name],) if name in self.shown else None

    def read(self, name: str) -> bytes | None:
        self._fate.step()
        return self.shown.get(name)

    def write(self, name: str, content: bytes) -> None:
        self._fate.step()
        self._put(name, content[: len(content) // 2])
        self._fate.step()
        self._put(name, content)
        self._fate.step()

    def rename(self, name: str, new_name: str) -> None:
        self._put(new_name, self.shown.pop(name))
        self._fate.step()
        self.kept = dict(self.shown)
        self._fate.step()

    def remove(self, name: str) -> None:
        self.shown.pop(name, None)

    def lose_power(self, *, lucky: bool) -> None:
        """Forget what was not made durable; with luck the kernel had written it all the same."""
        if not lucky:
            self.shown = dict(self.kept)
        self.kept = dict(self.shown)
        self._changes += 1
        self._stamps = dict.fromkeys(self.shown, self._changes)

    def _put(self, name: str, content: bytes) -> None:
        self._changes += 1
        self._stamps[name] = self._changes
        self.shown[name] = content


class Wire:
    """The token endpoint with the network between: what may break, and a step on each side of X's part."""

    def __init__(self, server: TokenServer, fate: Fate) -> None:
        self.server = server
        self.down = False
        self.lose_next_answer = False
        self._fate = fate

    async def refresh(self, token: Secret) -> Grant | TokenFailure:
        self._fate.step()
        if self.down:
            return classify_token(503, {}, b"upstream connect error")
        status, body = self.server.refresh(token.reveal())
        self._fate.step()
        if self.lose_next_answer:
            self.lose_next_answer = False
            return classify_token(502, {}, b"")
        grant = read_grant(str(body).replace("'", '"').encode()) if status == 200 else None
        return grant or classify_token(status, {}, str(body).replace("'", '"').encode())


class Crashes(RuleBasedStateMachine):
    """Two processes, taking turns, on one store."""

    def __init__(self) -> None:
        super().__init__()
        self.fate = Fate()
        self.disk = FragileDisk(self.fate)
        self.clock = Clock()
        self.server = TokenServer()
        self.server.inspect = self.check_what_is_sent
        self.wire = Wire(self.server, self.fate)
        self.outcomes = Outcomes()
        self.signers = [self.new_signer(), self.new_signer()]
        self.replaced: set[str] = set()
        self.excused = 0
        self.log_in()

    def new_keeper(self) -> TokenKeeper:
        return TokenKeeper(
            "brand",
            "client-1",
            TokenStore(self.disk, "brand"),
            nullcontext,
            clock=self.clock,
            sleep=self.clock.sleep,
            observer=self.outcomes,
        )

    def new_signer(self) -> OAuth2Signer:
        return OAuth2Signer(
            self.new_keeper(),
            self.wire,
            clock=self.clock,
            sleep=self.clock.sleep,
            random=lambda: 0.5,
            observer=self.outcomes,
        )

    @property
    def stored(self) -> AccountTokens | None:
        body = self.disk.kept.get(NAME)
        return None if body is None else decode(body, NAME, "brand")

    def check_what_is_sent(self, token: str) -> None:
        assert token not in self.replaced, "a token that was replaced on disk came back"
        assert self.stored is not None
        assert self.stored.attempt(Secret(token)) is not None, "sent without a durable mark"

    def note_replaced(self, before: AccountTokens | None) -> None:
        after = self.stored
        if before is not None and after is not None and before.refresh_token != after.refresh_token:
            assert before.refresh_token is not None
            self.replaced.add(before.refresh_token.reveal())

    def log_in(self) -> None:
        before = self.stored
        asyncio.run(self.new_keeper().adopt(self.server.grant(), self.clock.now))
        self.note_replaced(before)

    def poll(self, who: int) -> str | None:
        """Why there is no token; None when there is one."""
        try:
            asyncio.run(self.signers[who].headers("GET", "https://api.x.com/2/users/me"))
        except CredentialsError as error:
            return str(error)
        return None

    @contextmanager
    def lossy(self) -> Iterator[None]:
        """A crash, or an answer that got lost, after X's part and before the disk's, excuses one loss."""
        rotations, doomed, died = self.server.rotations, self.wire.lose_next_answer, False
        before = self.stored
        try:
            yield
        except CrashError:
            died = True
            self.signers = [self.new_signer(), self.new_signer()]
        self.fate.left = None
        if died:
            # What the kernel shows is what the next process finds; it starts by mending that.
            self.disk.kept = dict(self.disk.shown)
            TokenStore(self.disk, "brand").recover()
        self.note_replaced(before)
        stored = self.stored.refresh_token if self.stored else None
        behind = self.server.rotations > rotations and stored != Secret(str(self.server.current))
        self.excused += behind and (died or (doomed and not self.wire.lose_next_answer))

    @rule(seconds=st.sampled_from([1.0, 30.0, 900.0, 6900.0, 7200.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(who=st.integers(0, 1))
    def a_process_polls(self, who: int) -> None:
        with self.lossy():
            problem = self.poll(who)
            status = self.signers[who].status()
            # Every start works, says `login_required`, or has an outage to name.
            waits = status.retry_timestamp_seconds is not None
            assert problem is None or status.login_required or waits or "clear answer" in problem

    @rule(who=st.integers(0, 1))
    def x_answers_401(self, who: int) -> None:
        with self.lossy():
            asyncio.run(self.signers[who].rejected())

    @rule(who=st.integers(0, 1), steps=st.integers(0, MOST_STEPS), late=st.booleans())
    def a_process_dies_in_a_poll(self, who: int, steps: int, *, late: bool) -> None:
        self.clock.now += 7200 if late else 0
        with self.lossy():
            self.fate.left = steps
            self.poll(who)

    @rule(who=st.integers(0, 1), steps=st.integers(0, MOST_STEPS), lucky=st.booleans())
    def the_power_goes_in_a_poll(self, who: int, steps: int, *, lucky: bool) -> None:
        self.clock.now += 7200
        with self.lossy():
            self.fate.left = steps
            try:
                self.poll(who)
            except CrashError:
                self.disk.lose_power(lucky=lucky)
                raise

    @rule(down=st.booleans())
    def x_goes_down_or_up(self, *, down: bool) -> None:
        self.wire.down = down

    @rule()
    def the_next_answer_is_lost(self) -> None:
        self.wire.lose_next_answer = True

    @precondition(lambda self: any(signer.status().login_required for signer in self.signers))
    @rule()
    def a_person_logs_in(self) -> None:
        self.log_in()

    @invariant()
    def a_sign_in_is_lost_only_between_the_answer_and_the_disk(self) -> None:
        assert len(self.server.replayed) <= self.excused
        if self.server.current is not None and self.excused == 0:
            assert self.stored is not None
            assert self.stored.refresh_token == Secret(self.server.current)

    @invariant()
    def nobody_is_asked_to_log_in_without_a_loss(self) -> None:
        assert self.excused > 0 or not any(signer.status().login_required for signer in self.signers)


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(stateful_step_count=20)

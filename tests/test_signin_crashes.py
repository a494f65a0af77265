"""Crashes and power cuts between any two steps of a refresh, in any order with everything else."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
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
        before = self.stored
        try:
            asyncio.run(self.signers[who].headers("GET", "https://api.x.com/2/users/me"))
        except CredentialsError as error:
            return str(error)
        finally:
            self.note_replaced(before)
        return None

    def excuse(self, rotations: int) -> None:
        """The server moved on and the disk did not follow: that pair is lost, and may be."""
        stored = self.stored.refresh_token if self.stored else None
        if self.server.rotations > rotations and stored != Secret(str(self.server.current)):
            self.excused += 1

    @rule(seconds=st.sampled_from([1.0, 30.0, 900.0, 6900.0, 7200.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(who=st.integers(0, 1))
    def a_process_polls(self, who: int) -> None:
        rotations = self.server.rotations
        problem = self.poll(who)
        status = self.signers[who].status()
        if problem is not None:
            # Every start works, says `login_required`, or has an outage to name.
            waits = status.retry_timestamp_seconds is not None
            assert status.login_required or waits or "clear answer" in problem
        self.excuse(rotations)

    @rule(who=st.integers(0, 1))
    def x_answers_401(self, who: int) -> None:
        before, rotations = self.stored, self.server.rotations
        asyncio.run(self.signers[who].rejected())
        self.note_replaced(before)
        self.excuse(rotations)

    @rule(
        who=st.integers(0, 1),
        steps=st.integers(0, MOST_STEPS),
        power=st.booleans(),
        lucky=st.booleans(),
        late=st.booleans(),
    )
    def a_process_dies_in_a_poll(self, who: int, steps: int, *, power: bool, lucky: bool, late: bool) -> None:
        if late:
            self.clock.now += 7200
        before, rotations = self.stored, self.server.rotations
        self.fate.left = steps
        try:
            self.poll(who)
        except CrashError:
            self.signers[who] = self.new_signer()
            if power:
                self.disk.lose_power(lucky=lucky)
                self.signers = [self.new_signer(), self.new_signer()]
        finally:
            self.fate.left = None
        # What the kernel shows to the next process counts as stored, unless the power went.
        self.disk.kept = dict(self.disk.shown)
        self.recover_as_the_next_start_does()
        self.note_replaced(before)
        self.excuse(rotations)

    def recover_as_the_next_start_does(self) -> None:
        TokenStore(self.disk, "brand").recover()

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


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(stateful_step_count=20)

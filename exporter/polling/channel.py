"""One account's way to one endpoint: its limits, its quirks, its troubles, and one batch at a time.

A channel outlives polls and reloads, so that what X said once (a limit, a missing plan, a spelling it
wants) is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from exporter.errors import CredentialsError, WireError
from exporter.figures.window import AnswerWindow, labels_name_ends
from exporter.model import Answer, Endpoint
from exporter.polling.conversation import MAX_TRIES, Conversation
from exporter.polling.delays import Delays
from exporter.polling.exchange import Answered, Surroundings
from exporter.polling.kept import Kept
from exporter.polling.patience import Patience
from exporter.polling.renewal import Renewal
from exporter.polling.spelling import Spelling
from exporter.polling.troubles import Troubles
from exporter.vocabulary import Metric
from exporter.xapi.backoff import full_jitter_seconds
from exporter.xapi.client import Reply
from exporter.xapi.failure_headers import transaction_id
from exporter.xapi.failures import (
    PARK_REASONS,
    Failure,
    Verdict,
    classify,
    limit_spent,
    signed_out,
    unreadable,
)
from exporter.xapi.limits import UNTOLD_WAIT_SECONDS, Ledger
from exporter.xapi.requests import Bounds, PollRequest, poll_request
from exporter.xapi.server_clock import ServerClock
from exporter.xapi.wire import decoding


class Channel:
    """Sends the poll requests of one account to one endpoint, one batch per call of `ask`."""

    def __init__(self, account: str, endpoint: Endpoint, surroundings: Surroundings, ledger: Ledger) -> None:
        self.account = account
        self.endpoint = endpoint
        self.ledger = ledger
        self.failure: Failure | None = None
        self.probe_at: float | None = None
        self._with = surroundings
        self._log = surroundings.log.bind(endpoint=endpoint.value)
        self._server_clock = ServerClock(surroundings.clock)
        self.patience = Patience()
        self.delays = Delays()
        self.troubles = Troubles()
        self._spelling = Spelling(endpoint)
        self._renewal = Renewal()
        self._labels_name_ends = False

    @property
    def parked(self) -> Failure | None:
        """Why the endpoint is only probed rarely, None while it is in service."""
        return self.failure if self.probe_at is not None else None

    def now(self) -> float:
        """The time by X's clock, Unix seconds."""
        return self._server_clock.now()

    def seconds_until_probe(self) -> float | None:
        """Until a parked endpoint is looked at again, not positive when that is due; None in service."""
        return None if self.probe_at is None else self.probe_at - self._server_clock.now()

    def saved(self) -> str:
        """All that X has taught, as text to be kept over a restart."""
        patience = self.patience.state()
        return Kept(self.ledger.state(), self.failure, self.probe_at, self._labels_name_ends, patience).text()

    def restore(self, saved: str) -> None:
        """Go on from what `saved` gave before. A text that cannot be read is as good as none.

        A parked endpoint may be looked at again at once: whoever starts the exporter may have mended what
        was wrong.
        """
        state = Kept.read(saved)
        if state is None:
            return
        now = self._server_clock.now()
        self.ledger.restore(state.ledger, now)
        self.patience.restore(state.patience)
        self._labels_name_ends = state.labels_name_ends
        if state.failure is not None and state.probe_at is not None:
            self.failure, self.probe_at = state.failure, min(state.probe_at, now)
            self._show_parked(state.failure)

    def adopt(self, surroundings: Surroundings) -> None:
        """Go on with other surroundings after a reload, keeping all that X has taught."""
        self._with = surroundings
        self._log = surroundings.log.bind(endpoint=self.endpoint.value)

    async def ask(
        self,
        ids: Sequence[str],
        metrics: Sequence[Metric],
        *,
        due: Callable[[], int],
        deadline: float,
        waiting: Callable[[bool], None],
        bounds: Bounds | None = None,
        most_tries: int = MAX_TRIES,
    ) -> Answered | Failure:
        """Ask X about one batch until it answers, refuses for good, or `deadline` (Unix seconds) is near.

        Asks for the hours within `bounds`, by default for the newest ones.
        `due` tells how many requests the poll still has to send, this one included. `waiting` is called
        before every wait, with True when it is for a limit, which holds back all other batches as well.
        """
        conversation = Conversation(self._spelling.dialect, most_tries)
        retries = self._with.metrics.retries
        while True:
            failure = await self._admission(due, deadline, waiting)
            if failure is not None:
                return failure
            if conversation.retried is not None:
                retries.labels(self.account, self.endpoint.value, conversation.retried.value).inc()
            outcome = await self._attempt(ids, metrics, bounds, conversation)
            if isinstance(outcome, Answered):
                self._recovered()
                return outcome
            self._note(outcome)
            self._with.record.touched()
            waiting(False)  # noqa: FBT003 - the callback takes nothing else
            if not await self._goes_on(outcome, conversation, deadline):
                return outcome
            conversation.retried = outcome.reason

    async def _admission(
        self, due: Callable[[], int], deadline: float, waiting: Callable[[bool], None]
    ) -> Failure | None:
        """Wait until a request may be sent; the failure that forbids it before the deadline."""
        while True:
            now = self._server_clock.now()
            if self.probe_at is not None and now < self.probe_at:
                return self.failure
            wait = self.ledger.decide(now, due())
            if wait <= 0:
                self.ledger.sent(now)
                return None
            if now + wait > deadline:
                return limit_spent(now + wait)
            if not self.ledger.awaits_answer(now):
                waiting(True)  # noqa: FBT003 - the callback takes nothing else
            await self._with.sleep(wait)

    async def _attempt(
        self,
        ids: Sequence[str],
        metrics: Sequence[Metric],
        bounds: Bounds | None,
        conversation: Conversation,
    ) -> Answered | Failure:
        left = False
        try:
            async with self._with.in_flight:
                conversation.dialect, conversation.renewals = self._spelling.dialect, self._renewal.count
                now = self._server_clock.now()
                dialect = conversation.dialect
                request = poll_request(self.endpoint, ids, metrics, now, dialect, bounds)
                left = True
                reply = await self._with.client.get(self.endpoint.path, request.query, self._with.credentials)
        except CredentialsError as error:
            left = False
            return signed_out(str(error))
        finally:
            # Here too when the poll is cancelled, in the queue or under way.
            self.ledger.settled(self._server_clock.now(), taken=left)
        if isinstance(reply, Reply):
            return await self._read(reply, request, metrics)
        self._count(reply.code)
        return reply

    async def _read(
        self, reply: Reply, request: PollRequest, metrics: Sequence[Metric]
    ) -> Answered | Failure:
        self._server_clock.observe(reply.headers.get("date"), reply.sent_at, reply.received_at)
        now = self._server_clock.now()
        self.ledger.observe(reply.headers, now)
        durations = self._with.metrics.request_duration_seconds.labels(self.endpoint.value)
        durations.observe(reply.duration_seconds)
        if reply.status != HTTPStatus.OK:
            self._count(str(reply.status))
            return classify(reply.status, reply.headers, reply.body, now)
        steps = decoding(
            self.endpoint, reply.body, metrics, lambda item_id: self._with.hours(item_id, metrics)
        )
        try:
            answer = await self._with.turns.run(steps)
        except WireError as error:
            self._count("decode")
            return unreadable(error, reply.headers.get("x-transaction-id"))
        self._count(str(reply.status))
        return self._placed(answer, reply, request)

    def _placed(self, answer: Answer, reply: Reply, request: PollRequest) -> Answered:
        offset = self._server_clock.offset_seconds
        relabelled = False
        if self.endpoint is Endpoint.INSIGHTS_28HR and not self._labels_name_ends:
            labels = [label for report in answer.reports for label in report.starts]
            relabelled = labels_name_ends(labels, reply.received_at + offset)
            self._labels_name_ends = relabelled
        window = AnswerWindow(
            reply.sent_at + offset,
            reply.received_at + offset,
            self._with.settle_seconds,
            request.start,
            request.end,
            self._labels_name_ends,
        )
        return Answered(answer, window, relabelled, transaction_id(reply.headers))

    async def _goes_on(self, failure: Failure, conversation: Conversation, deadline: float) -> bool:
        """Do what `failure` asks for; whether the batch is to be asked again at once."""
        match failure.verdict:
            case Verdict.RETRY if failure.probe_after_seconds is not None:
                return False  # a slow retry: the poll's next round
            case Verdict.RETRY:
                return await self._backed_off(failure, conversation, deadline)
            case Verdict.WAIT:
                now = self._server_clock.now()
                self.ledger.rate_limited(failure.wait_until_seconds or now + UNTOLD_WAIT_SECONDS, now)
                return True
            case Verdict.SIGN_IN if not conversation.renewed:
                conversation.renewed = True
                if await self._renewal.renewed(self._with.credentials, conversation.renewals):
                    return True
            case Verdict.REFUSED:
                return self._tries_other_dialect(failure, conversation)
            case _:
                pass
        self._park(failure)
        return False

    async def _backed_off(self, failure: Failure, conversation: Conversation, deadline: float) -> bool:
        if not conversation.failed(failure.reason):
            return False
        now = self._server_clock.now()
        delay = full_jitter_seconds(conversation.failures, self._with.random)
        delay = max(delay, (failure.wait_until_seconds or now) - now)
        if now + delay > deadline:
            return False
        await self._with.sleep(delay)
        return True

    def _tries_other_dialect(self, failure: Failure, conversation: Conversation) -> bool:
        if conversation.tried_fallback:
            self._spelling.was_not_it(conversation.dialect)
            return False
        other = self._spelling.instead_of(conversation.dialect, failure.parameter)
        if other is None:
            return False
        self._log.info("trying another spelling of the request", parameter=",".join(failure.parameter))
        conversation.tried_fallback = True
        return True

    def _park(self, failure: Failure) -> None:
        self.probe_at = self._server_clock.now() + (failure.probe_after_seconds or UNTOLD_WAIT_SECONDS)
        self._show_parked(failure)

    def _recovered(self) -> None:
        self.troubles.over()
        if self.failure is not None:
            self._log.info("answering again")
        self.failure = None
        if self.probe_at is not None:
            self.probe_at = None
            self._show_parked(None)

    def _show_parked(self, failure: Failure | None) -> None:
        labels, parked = (self.account, self.endpoint.value), self._with.metrics.endpoint_parked
        for reason in PARK_REASONS:
            parked.labels(*labels, reason.value).set(failure is not None and failure.reason is reason)

    def _note(self, failure: Failure) -> None:
        """Remember a failure, and log it once, and again only when it changes."""
        self.troubles.note(failure, self._with.clock())
        if self.failure is None or self.failure.reason is not failure.reason:
            self._log.warning(
                failure.sentence,
                reason=failure.reason.value,
                code=failure.code,
                detail=failure.detail or None,
                transaction_id=failure.transaction_id,
            )
        self.failure = failure

    def _count(self, code: str) -> None:
        self._with.metrics.requests.labels(self.account, self.endpoint.value, code).inc()

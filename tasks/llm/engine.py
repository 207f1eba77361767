"""Makes calls: journal first, then budget, pace, a slot, the endpoint, and the journal again before anyone sees it.

One engine a run, process and model; every shard of the run goes through it, so they share one connection pool, one
concurrency controller and one budget.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial

from datasynth.schemas.calls import CallResult, Prompt, Reply, Request, Shard, ShardReceipt
from datasynth.schemas.errors import DataSynthError, RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.asking import Prospects, deadline_of, is_final, planned_request, static_part, too_late
from datasynth.tasks.llm.budget import Budget, Reservation
from datasynth.tasks.llm.clients import ModelClient
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure
from datasynth.tasks.llm.headers import pause_asked
from datasynth.tasks.llm.journal import reply_key
from datasynth.tasks.llm.limits import Pace
from datasynth.tasks.llm.share_journal import CallLog
from datasynth.tasks.llm.tokens import most_tokens
from datasynth.tasks.rounds.progress import ProgressBoard

Gate = Callable[[], AbstractAsyncContextManager[None]]

FIRST_REFUSAL_WAIT = 0.25
"""Seconds before a refused call asks again where the server names no time; doubles each time."""
BEGUN_AT_ONCE = 32
"""Calls of a shard that are prepared before the first of them is sent on its way: preparing takes CPU, which a large
shard's first calls need not wait for."""
LAST_CALLS = 60.0
"""Seconds that calls in flight get where the run ends by an error: they are paid for, but one may hang."""
LONGEST_WAIT = 60.0
"""Seconds: the cap of every back-off that we choose."""


class Engine:
    """Everything that calls of one run share in this process. All coroutines run on one event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        client: ModelClient,
        journal: CallLog,
        budget: Budget,
        settings: SynthesisSettings,
        board: ProgressBoard,
        *,
        readable: Callable[[Reply], bool],
        gate: Gate | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`readable` says whether a reply holds any record; one that does not is asked for again.

        `gate`, if given, is held during each request (a global limit that several runs share). `pace` is that of
        another engine for the same endpoint and key.
        """
        self.endpoint = endpoint
        self.client = client
        self.journal = journal
        self.budget = budget
        self.settings = settings
        self.board = board
        self.pace = pace or Pace(
            settings.concurrency,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
        )
        self.limit = self.pace.limit
        self.stopping = False
        self._readable = readable
        self._gate = gate
        self._deadline = deadline_of(settings)
        self._settled = asyncio.Event()
        self._calls: set[asyncio.Task[CallResult]] = set()
        self._prospects = Prospects(endpoint)
        # Only how long to wait is drawn from it, never what is asked.
        self._jitter = random.Random()  # noqa: S311

    async def run_shard(self, shard: Shard) -> ShardReceipt:
        """All calls of a shard, in plan order.

        Raises:
            DataSynthError: the run cannot go on (key refused, storage lost); paid replies are in the journal.
        """
        digest, overhead = static_part(shard)
        if not self._calls:
            self._prospects.look_again()
        before = self._prospects.answers
        calls: list[asyncio.Task[CallResult]] = []
        try:
            for first in range(0, len(shard.prompts), BEGUN_AT_ONCE):
                prompts = shard.prompts[first : first + BEGUN_AT_ONCE]
                begun = [asyncio.create_task(self._call(shard, p, digest, overhead)) for p in prompts]
                self._calls.update(begun)
                calls += begun
                await asyncio.sleep(0)
            results = await self._all(calls)
        except BaseException:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await self.journal.flush()
            raise
        finally:
            self._calls.difference_update(calls)
        if self.stopping and any(result.miss == "stopped" for result in results):
            # No receipt, which would be cached: whoever goes on has to make these calls.
            raise RunError("The run was stopped.")
        return ShardReceipt(tuple(results), self._prospects.answers - before)

    async def drain(self, seconds: float) -> None:
        """Starts no further call, waits up to `seconds` for those in flight, so that what is paid for is kept, and
        abandons the rest; each shard then ends as cancelled.
        """
        self.stopping = True
        await self._come_to_rest(seconds)
        for call in tuple(self._calls):
            call.cancel()
        await self.journal.flush()

    async def _all(self, calls: list[asyncio.Task[CallResult]]) -> list[CallResult]:
        """What became of `calls`; where one ends the run, the others that are in flight are answered first, for they
        are paid for.
        """
        try:
            return await asyncio.gather(*calls)
        except DataSynthError as error:
            self._prospects.fatal = self._prospects.fatal or error
            await self._come_to_rest(min(self.settings.request_timeout, LAST_CALLS))
            raise

    async def _come_to_rest(self, seconds: float) -> None:
        """Returns when no call is in flight, or after `seconds`; none may start by now."""
        self._settled.set()
        give_up = time.monotonic() + seconds
        while self.limit.in_flight and time.monotonic() < give_up:
            self._settled.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), give_up - time.monotonic())

    async def _call(self, shard: Shard, prompt: Prompt, digest: str, overhead: int) -> CallResult:
        """One planned call to its end: asked again while its reply cannot be read, up to the retries allowed."""
        result = CallResult(prompt.call.index, None, "stopped")
        for attempt in range(self.settings.max_retries + 1):
            request = planned_request(shard, prompt, attempt, model=self.endpoint.model, settings=self.settings)
            key = reply_key(request, index=prompt.call.index, attempt=attempt, digest_of_static=digest)
            reply = self.journal.get(key)
            if reply is not None:
                self.board.add(replayed=1)
            else:
                outcome = await self._paid(request, key, shard.round, overhead + most_tokens(request.user))
                if isinstance(outcome, CallFailure):
                    # An earlier attempt's reply, unreadable as it is, still says more than this failure.
                    if result.reply is None:
                        result = CallResult(prompt.call.index, None, outcome.miss, outcome.detail)
                    break
                reply = outcome
            result = CallResult(prompt.call.index, key)
            if is_final(reply) or self._readable(reply):
                break
            self.board.add(retries=attempt < self.settings.max_retries)
        if result.miss not in ("budget", "stopped"):
            self.board.add(calls_done=1)
        return result

    async def _paid(self, request: Request, key: str, round: int, most_input: int) -> Reply | CallFailure:
        """A reply from the endpoint, durable; or the failure that ended the call."""
        failures, refusals, refused_since = 0, 0, 0.0
        while True:
            outcome = await self._attempt(request, key, round, most_input, again=failures + refusals > 0)
            if isinstance(outcome, Reply):
                return outcome
            if outcome.remedy == "adapt" and outcome.parameter:
                self.client.dropped.add(outcome.parameter)
                continue
            if outcome.remedy == "wait":
                refused_since = refused_since or time.monotonic()
                if time.monotonic() - refused_since > self.settings.request_timeout:
                    return outcome
                delay = outcome.retry_after or self._backoff(FIRST_REFUSAL_WAIT, refusals)
                refusals += 1
            elif outcome.remedy == "retry" and failures < self.settings.max_retries:
                delay = outcome.retry_after or self._backoff(self.settings.retry_delay, failures)
                failures += 1
            else:
                return outcome
            self.board.add(retries=1)
            if time.monotonic() + delay > self._deadline:
                return outcome
            await asyncio.sleep(delay)

    def _backoff(self, first: float, times: int) -> float:
        return min(first * 2**times, LONGEST_WAIT) * self._jitter.uniform(0.5, 1.0)

    async def _attempt(
        self, request: Request, key: str, round: int, most_input: int, *, again: bool
    ) -> Reply | CallFailure:
        """One request, from waiting for its turn to its reply being durable."""
        async with contextlib.AsyncExitStack() as turn:
            acquired = await self._slot(turn, request, again=again)
            return await self._in_turn(request, key, round, most_input, acquired=acquired)

    async def _slot(self, turn: contextlib.AsyncExitStack, request: Request, *, again: bool) -> float:
        """Waits for a slot here and in the gate, which `turn` holds; returns when it was given.

        Under a rate ceiling one call at a time comes so far: places would else be saved up while all slots are taken,
        and used at once.
        """
        async with self.pace.queue if self.pace.requests or self.pace.tokens else contextlib.nullcontext():
            if not self._may_not_start():
                await self._pace(request)
            if self._gate is not None:
                await turn.enter_async_context(self._gate())
            return await self.limit.acquire(first=again)

    async def _in_turn(
        self, request: Request, key: str, round: int, most_input: int, *, acquired: float
    ) -> Reply | CallFailure:
        give_slot_back = self.limit.failed
        try:
            held = await self._reserve(request, most_input)
            if isinstance(held, CallFailure):
                return held
            self.board.add(calls_in_flight=1)
            try:
                outcome = await self._exchange(request, key, round, held)
            finally:
                self.board.add(calls_in_flight=-1)
            if isinstance(outcome, Reply):
                give_slot_back = self.limit.succeeded
            elif outcome.remedy == "wait":
                give_slot_back = partial(self.limit.refused, acquired, outcome.retry_after)
                self.board.add(refusals=1)
            return outcome
        finally:
            give_slot_back()
            # Also after a call that never left: whoever waits for all slots to be free has to hear of each.
            self._settled.set()

    def _may_not_start(self) -> CallFailure | None:
        if self._prospects.fatal is not None:
            raise self._prospects.fatal
        return too_late(stopping=self.stopping, deadline=self._deadline)

    async def _pace(self, request: Request) -> None:
        waits = [self.pace.requests.wait_for(1)] if self.pace.requests else []
        if self.pace.tokens:
            waits.append(self.pace.tokens.wait_for(self._expected_tokens(request)))
        if waits and (longest := max(waits)) > 0:
            await asyncio.sleep(longest)

    def _expected_tokens(self, request: Request) -> float:
        # A quarter of the bytes is a fair guess in any script; the difference is given back with the reply.
        return (len(request.system) + len(request.user)) / 3 + request.max_tokens / 4

    async def _reserve(self, request: Request, most_input: int) -> Reservation | CallFailure:
        while True:
            if stopped := self._may_not_start():
                return stopped
            self._settled.clear()
            held = self.budget.reserve(most_input, request.max_tokens)
            if isinstance(held, Reservation):
                return held
            if not self.budget.waiting_may_help:
                return CallFailure("budget", "give_up", held)
            # What is in flight holds its worst case; when it settles, there may be room again.
            await self._settled.wait()

    async def _exchange(self, request: Request, key: str, round: int, held: Reservation) -> Reply | CallFailure:
        token = ""
        if self.budget.limited:
            token = secrets.token_hex(8)
            try:
                await self.journal.append_intent(token, held, round=round)
            except BaseException as error:
                # It never left; whoever waits for its room would else wait for ever.
                self.budget.release(held)
                if isinstance(error, asyncio.CancelledError):
                    await asyncio.shield(self.journal.append_refusal(round=round, closes=token))
                raise
        try:
            async with asyncio.timeout(self.settings.request_timeout):
                reply, headers = await self.client.send(request)
        except TimeoutError:
            return await self._lost(
                CallFailure("timeout", "retry", "no answer in time", maybe_billed=True), held, round, token
            )
        except CallFailure as failure:
            return await self._lost(failure, held, round, token)
        except BaseException:
            # Stopped while in flight, or broken in a way that nobody foresaw: the provider may bill it. Shielded, for
            # this task may not wait any more.
            await asyncio.shield(
                self._lost(CallFailure("stopped", "give_up", "", maybe_billed=True), held, round, token)
            )
            raise
        if seconds := pause_asked(headers):
            self.limit.pause(seconds)
        if self.pace.tokens:
            self.pace.tokens.give_back(self._expected_tokens(request) - reply.usage.total)
        cost, unmetered = self.budget.settle_reply(held, reply)
        await self._durable(self.journal.append(key, reply, round=round, cost=cost, unmetered=unmetered, closes=token))
        self._prospects.answers += 1
        if self.budget.cannot_hold(reply):
            self._prospects.unpriced(reply.service_tier)
        self.board.set(tokens=self.budget.tokens, cost_usd=self.budget.spent_usd)
        return reply

    async def _lost(self, failure: CallFailure, held: Reservation, round: int, token: str) -> CallFailure:
        """Settles a call that brought no reply."""
        if failure.maybe_billed:
            await self._durable(self.journal.append_loss(self.budget.write_off(held), round=round, closes=token))
        else:
            self.budget.release(held)
            if token:
                await self._durable(self.journal.append_refusal(round=round, closes=token))
        self._prospects.failed(failure)
        return failure

    async def _durable(self, writing: Coroutine[None, None, None]) -> None:
        # No shield, which would cost a task for each reply: the journal has the entry before it first waits, and writes
        # it whoever goes on waiting.
        try:
            await writing
        except DataSynthError as error:
            self._prospects.fatal = self._prospects.fatal or error
            raise

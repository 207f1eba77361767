"""Makes a shard's calls through the provider's batch endpoint, at half price and in its own time.

Journal first, as ever: what it holds is taken from there, what an earlier process sent is collected and not sent
again. The rest is reserved against the budget and sent as one batch, which is recorded before anyone waits for it.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from datasynth.schemas.calls import CallResult, Prompt, Reply, Request, Shard, ShardReceipt
from datasynth.schemas.errors import DataSynthError, RunError
from datasynth.schemas.record import content_digest
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.asking import Judge, planned_request
from datasynth.tasks.llm.batch_clients import RESULTS_GONE, BatchClient, Ended, UnknownBatchError
from datasynth.tasks.llm.budget import Budget, Reservation
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import ADAPTABLE, CallFailure
from datasynth.tasks.llm.journal import BatchedRequest, BatchEntry, Journal, reply_key
from datasynth.tasks.llm.tokens import most_tokens
from datasynth.tasks.rounds.progress import ProgressBoard

FIRST_WAIT = 1.0
"""Seconds before a batch is looked at for the first time; doubles each time."""
LONGEST_WAIT = 60.0
MOST_REFUSALS = 60
"""Times in a row that a batch is refused for load, or looked at without an answer, before it counts as failed: with
the longest wait between them, about an hour."""
WAITING = "waiting for the batch"
"""The phase that a watcher sees."""

Outcomes = dict[str, Reply | CallFailure]
"""By reply key."""


@dataclass
class _Ask:
    """One planned call on its way to a reply."""

    prompt: Prompt
    request: Request
    key: str
    most_input: int
    attempt: int = 0
    """Replies that could not be read."""
    failures: int = 0
    refusals: int = 0
    result: CallResult | None = None


@dataclass
class _Sent:
    """A batch under way."""

    entry: BatchEntry
    held: dict[str, Reservation]
    """By reply key, which is its custom id too."""
    optional: frozenset[str]


class BatchEngine:
    """What `Engine` is for single calls. All coroutines run on one event loop.

    Limits of requests and tokens a minute, and limits that several runs share, are for single calls; providers count
    batches apart.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client: BatchClient,
        journal: Journal,
        budget: Budget,
        settings: SynthesisSettings,
        board: ProgressBoard,
        *,
        readable: Callable[[Reply], bool],
        first_wait: float = FIRST_WAIT,
        longest_wait: float = LONGEST_WAIT,
    ) -> None:
        """`readable` says whether a reply holds any record; one that does not is asked for again."""
        self.endpoint = endpoint
        self.client = client
        self.journal = journal
        self.budget = budget
        self.settings = settings
        self.board = board
        self.stopping = False
        self._readable = readable
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._deadline = time.monotonic() + settings.max_minutes * 60 if settings.max_minutes else float("inf")
        self._judge = Judge(endpoint)
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()
        self._creating: set[asyncio.Task[Outcomes]] = set()
        self._collecting: dict[str, asyncio.Task[Outcomes]] = {}
        """What will be known of a request that is under way, by reply key."""
        self._under_way = 0
        for entry in journal.open_batches():
            self._watch(_Sent(entry, _held_again(budget, entry), frozenset(ADAPTABLE)), first_wait=0.0)

    async def run_shard(self, shard: Shard) -> ShardReceipt:
        """All calls of a shard, in plan order.

        Raises:
            DataSynthError: the run cannot go on (key refused, storage lost), or was stopped; batches under way are
                recorded and collected by whoever resumes it.
        """
        digest = content_digest([shard.static, shard.json_schema])
        overhead = most_tokens(shard.static, orjson.dumps(shard.json_schema).decode())
        asks = [self._ask(shard, prompt, digest, overhead) for prompt in shard.prompts]
        open_, paid = asks, 0
        while open_:
            found: Outcomes = dict(self.journal.read(ask.key for ask in open_))
            self.board.add(replayed=len(found))
            fetched = await self._fetched(shard.round, [ask for ask in open_ if ask.key not in found])
            paid += sum(isinstance(outcome, Reply) for outcome in fetched.values())
            waits = {id(ask): self._again(ask, (found | fetched)[ask.key]) for ask in open_}
            open_ = [ask for ask in open_ if waits[id(ask)] is not None]
            for ask in open_:
                self._rephrase(shard, ask, digest)
            if (wait := max((waits[id(ask)] or 0.0 for ask in open_), default=0.0)) > 0:
                await self._rest(wait)
        results = tuple(ask.result for ask in asks if ask.result)
        if self.stopping and any(result.miss == "stopped" for result in results):
            # No receipt, which would be cached: whoever goes on has to make these calls.
            raise RunError("The run was stopped.")
        return ShardReceipt(results, paid)

    def _ask(self, shard: Shard, prompt: Prompt, digest: str, overhead: int) -> _Ask:
        request = planned_request(shard, prompt, 0, model=self.endpoint.model, settings=self.settings)
        key = reply_key(request, index=prompt.call.index, attempt=0, digest_of_static=digest)
        return _Ask(prompt, request, key, overhead + most_tokens(request.user))

    def _rephrase(self, shard: Shard, ask: _Ask, digest: str) -> None:
        model, index = self.endpoint.model, ask.prompt.call.index
        ask.request = planned_request(shard, ask.prompt, ask.attempt, model=model, settings=self.settings)
        ask.key = reply_key(ask.request, index=index, attempt=ask.attempt, digest_of_static=digest)

    def _again(self, ask: _Ask, outcome: Reply | CallFailure) -> float | None:
        """Seconds after which a call is asked again, None where it has its result."""
        index, retries = ask.prompt.call.index, self.settings.max_retries
        if isinstance(outcome, Reply):
            ask.result = CallResult(index, ask.key)
            if outcome.stop != "refusal" and not self._readable(outcome) and ask.attempt < retries:
                ask.attempt += 1
                self.board.add(retries=1)
                return 0.0
        else:
            self._judge_failure(outcome)
            if outcome.remedy == "adapt" and outcome.parameter:
                self.client.dropped.add(outcome.parameter)
                return 0.0
            if outcome.remedy == "wait" and ask.refusals < MOST_REFUSALS:
                ask.refusals += 1
                self.board.add(retries=1, refusals=1)
                return outcome.retry_after or self._doubled(ask.refusals)
            if outcome.remedy == "retry" and ask.failures < retries:
                ask.failures += 1
                self.board.add(retries=1)
                return outcome.retry_after or self._doubled(ask.failures)
            # An earlier attempt's reply, unreadable as it is, still says more than this failure.
            ask.result = ask.result or CallResult(index, None, outcome.miss, outcome.detail)
        self.board.add(calls_done=1)
        return None

    def _doubled(self, times: int) -> float:
        return min(self._first_wait * 2 ** (times - 1), self._longest_wait)

    def _judge_failure(self, failure: CallFailure) -> None:
        try:
            self._judge.failed(failure)
        except DataSynthError:
            self._wake()
            raise

    async def _fetched(self, round: int, asks: list[_Ask]) -> Outcomes:
        """What becomes of requests that the journal has no reply to: under way already, or sent now.

        What the budget has no room for now waits for batches under way, which hold their worst case, to end.
        """
        outcomes: Outcomes = {}
        unsent = [ask for ask in asks if ask.key not in self._collecting]
        while len(outcomes) < len(asks):
            sent, refused = await self._send(round, unsent)
            outcomes |= refused
            unsent = [ask for ask in unsent[sent:] if ask.key not in outcomes]
            mine = {ask.key: task for ask in asks if (task := self._collecting.get(ask.key))}
            for task in dict.fromkeys(mine.values()):
                await asyncio.shield(task)
            for key, task in mine.items():
                outcomes[key] = task.result()[key]
                del self._collecting[key]
            if unsent and not sent:
                await self._settled.wait()
        return outcomes

    async def _send(self, round: int, asks: Sequence[_Ask]) -> tuple[int, Outcomes]:
        """Sends the first of `asks`, as many as the budget has room for; returns how many, and what was refused."""
        if self._judge.fatal is not None:
            raise self._judge.fatal
        if not asks:
            return 0, {}
        if self.stopping or time.monotonic() > self._deadline:
            late = CallFailure(
                "stopped", "give_up", "the run was stopped" if self.stopping else "the time limit was reached"
            )
            return 0, dict.fromkeys((ask.key for ask in asks), late)
        self._settled.clear()
        held: dict[str, Reservation] = {}
        limit = None
        for ask in asks:
            room = self.budget.reserve(ask.most_input, ask.request.max_tokens)
            if not isinstance(room, Reservation):
                limit = room
                break
            held[ask.key] = room
        if limit and not self.budget.waiting_may_help:
            return 0, dict.fromkeys((ask.key for ask in asks), CallFailure("budget", "give_up", limit))
        outcomes: Outcomes = {}
        for chunk in self._chunks(asks[: len(held)]):
            creating = asyncio.create_task(self._create(round, chunk, {key: held[key] for key in chunk}))
            self._creating.add(creating)
            creating.add_done_callback(self._creating.discard)
            # Shielded: a batch that was taken is recorded, whatever becomes of the shard.
            outcomes |= await asyncio.shield(creating)
        return len(held), outcomes

    def _chunks(self, asks: Sequence[_Ask]) -> Iterator[dict[str, tuple[_Ask, bytes]]]:
        """Requests with their lines, in as few batches as the provider's limits allow."""
        chunk: dict[str, tuple[_Ask, bytes]] = {}
        size = 0
        for ask in asks:
            line = self.client.line(ask.key, ask.request)
            # The envelope takes a few bytes, and a comma for each.
            if chunk and (len(chunk) >= self.client.most_requests or size + len(line) + 64 > self.client.most_bytes):
                yield chunk
                chunk, size = {}, 0
            chunk[ask.key] = ask, line
            size += len(line) + 1
        if chunk:
            yield chunk

    async def _create(self, round: int, chunk: dict[str, tuple[_Ask, bytes]], held: dict[str, Reservation]) -> Outcomes:
        """Sends one batch and records it; returns what each request met if it was not taken."""
        requests = tuple(
            BatchedRequest(ask.key, ask.most_input, ask.request.max_tokens, secrets.token_hex(8))
            for ask, _ in chunk.values()
        )
        if self.budget.limited:
            intents = (self.journal.append_intent(r.token, held[r.key], round=round) for r in requests)
            await self._durable(asyncio.gather(*intents))
        optional = self.client.optional(next(iter(chunk.values()))[0].request)
        try:
            id_ = await self.client.create([line for _, line in chunk.values()], optional)
        except CallFailure as failure:
            await self._not_taken(failure, round, requests, held)
            return dict.fromkeys(chunk, failure)
        entry = BatchEntry(id_, round, requests)
        await self._durable(self.journal.append_batch(entry))
        self._watch(_Sent(entry, held, optional), first_wait=self._first_wait)
        return {}

    async def _not_taken(
        self, failure: CallFailure, round: int, requests: Sequence[BatchedRequest], held: dict[str, Reservation]
    ) -> None:
        writing: list[Awaitable[None]] = []
        for request in requests:
            token = request.token if self.budget.limited else ""
            if failure.maybe_billed:
                lost = self.budget.write_off(held[request.key])
                writing.append(self.journal.append_loss(lost, round=round, closes=token))
            else:
                self.budget.release(held[request.key])
                if token:
                    writing.append(self.journal.append_refusal(round=round, closes=token))
        self._settled.set()
        await self._durable(asyncio.gather(*writing))

    def _watch(self, sent: _Sent, *, first_wait: float) -> None:
        task = asyncio.create_task(self._collect(sent, first_wait))
        # Looked at here as well, for a shard that was stopped does not.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._collecting |= dict.fromkeys(sent.held, task)

    async def _collect(self, sent: _Sent, first_wait: float) -> Outcomes:
        """Waits for a batch and makes its replies durable."""
        self._show_waiting(len(sent.held), 1)
        try:
            return await self._settle(sent, await self._ended(sent, first_wait))
        finally:
            self._show_waiting(-len(sent.held), -1)
            self._settled.set()

    def _show_waiting(self, calls: int, batches: int) -> None:
        self._under_way += batches
        self.board.add(calls_in_flight=calls)
        self.board.set(phase=WAITING if self._under_way else "generating")

    async def _ended(self, sent: _Sent, wait: float) -> Ended:
        silent = 0
        while True:
            await self._rest(wait)
            try:
                ended = await self.client.collect(sent.entry.id, sent.optional)
                silent = 0
            except UnknownBatchError:
                return self._vanished(sent)
            except CallFailure as failure:
                if failure.remedy == "stop_run":
                    self._judge_failure(failure)
                ended, silent = None, silent + 1
                if silent > MOST_REFUSALS:
                    raise RunError(
                        "{where} does not say what became of batch {batch}: {detail}. It is kept in mind: resume the "
                        "run later.",
                        where=self._where,
                        batch=sent.entry.id,
                        detail=failure.detail,
                    ) from failure
            if ended is not None:
                return ended
            wait = min(max(2 * wait, self._first_wait), self._longest_wait)

    def _vanished(self, sent: _Sent) -> Ended:
        if self.endpoint.provider.free:
            # Gone with the server that had it.
            return Ended(rest=RESULTS_GONE)
        raise RunError(
            "{where} knows no batch {batch}, in which {count} calls of this run were sent. Resume the run with the key "
            "and the address that it was sent with; if the batch was deleted, start a new run.",
            where=self._where,
            batch=sent.entry.id,
            count=len(sent.held),
        )

    @property
    def _where(self) -> str:
        return self.endpoint.base_url or self.endpoint.provider.name

    async def _rest(self, seconds: float) -> None:
        """Waits, unless the run ends meanwhile.

        Raises:
            DataSynthError: it does; batches stay with the provider.
        """
        wait = min(seconds, max(0.0, self._deadline - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), wait)
        if self._judge.fatal is not None:
            raise self._judge.fatal
        if self.stopping:
            raise RunError(
                "The run was stopped while batches are under way at {where}. They go on there: resume the run, and "
                "their replies are collected without being paid for again.",
                where=self._where,
            )
        if time.monotonic() >= self._deadline:
            raise RunError(
                "The time limit (--max-minutes) was reached while batches are under way at {where}. They go on there: "
                "resume the run later, and their replies are collected without being paid for again.",
                where=self._where,
            )

    async def _settle(self, sent: _Sent, ended: Ended) -> Outcomes:
        """Replaces worst cases by what was billed, durably, and closes the batch."""
        outcomes: Outcomes = {key: ended.results.get(key, ended.rest) for key in sent.held}
        writing: list[Awaitable[None]] = []
        for key, outcome in outcomes.items():
            held = sent.held[key]
            if isinstance(outcome, Reply):
                writing.append(self._record(key, outcome, held, sent.entry.round))
            elif outcome.maybe_billed:
                writing.append(self.journal.append_loss(self.budget.write_off(held), round=sent.entry.round))
            else:
                self.budget.release(held)
        await self._durable(asyncio.gather(*writing))
        await self._durable(self.journal.append_collected(sent.entry))
        spent = self.budget.cost if self.budget.price else None
        self.board.set(tokens=self.budget.tokens, cost_usd=None if spent is None else float(spent))
        return outcomes

    async def _record(self, key: str, reply: Reply, held: Reservation, round: int) -> None:
        if reply.metered:
            cost, unmetered = self.budget.settle(held, reply.usage, tier=reply.service_tier), None
        else:
            cost, unmetered = None, self.budget.write_off(held)
        self._judge.answers += 1
        await self.journal.append(key, reply, round=round, cost=cost, unmetered=unmetered)

    async def _durable(self, writing: Awaitable[Any]) -> None:
        try:
            await asyncio.shield(writing)
        except DataSynthError as error:
            self._judge.fatal = self._judge.fatal or error
            self._wake()
            raise

    def _wake(self) -> None:
        self._woken.set()
        self._settled.set()

    async def drain(self, seconds: float) -> None:
        """Starts nothing more and leaves batches with the provider; each shard then ends with a `RunError`.

        Waits up to `seconds` for batches that are just being sent or collected, so that they are recorded.
        """
        self.stopping = True
        self._wake()
        tasks = {*self._creating, *self._collecting.values()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
        await self.journal.flush()


def _held_again(budget: Budget, batch: BatchEntry) -> dict[str, Reservation]:
    """Holds the worst cases of a batch that an earlier process sent.

    Whatever the limits are now: a limit that was lowered since cannot call it back.
    """
    limits = budget.max_cost, budget.max_tokens, budget.max_calls
    budget.max_cost = budget.max_tokens = budget.max_calls = None
    try:
        held = {r.key: budget.reserve(r.most_input, r.most_output) for r in batch.requests}
    finally:
        budget.max_cost, budget.max_tokens, budget.max_calls = limits
    return {key: room for key, room in held.items() if isinstance(room, Reservation)}

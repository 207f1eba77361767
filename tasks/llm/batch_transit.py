"""Batches under way: sent, recorded, looked at now and then, and collected into the journal."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datasynth.schemas.calls import Reply, Request
from datasynth.schemas.errors import DataSynthError, RunError
from datasynth.tasks.llm.asking import Prospects
from datasynth.tasks.llm.batch_clients import RESULTS_GONE, BatchClient, Ended, UnknownBatchError
from datasynth.tasks.llm.budget import Budget, Reservation
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import ADAPTABLE, CallFailure
from datasynth.tasks.llm.journal import BatchedRequest, BatchEntry, Journal
from datasynth.tasks.rounds.progress import ProgressBoard

MOST_SILENCE = 60
"""Times in a row that a batch is looked at without an answer before the run ends; about an hour, with the longest
wait between them."""
ENVELOPE_BYTES = 64
"""More than what stands around a batch's lines."""

Outcomes = dict[str, Reply | CallFailure]
"""By reply key."""


@dataclass(frozen=True)
class Outgoing:
    """A request that the budget has room for."""

    key: str
    """Its reply key, and in a batch its custom id."""
    request: Request
    most_input: int
    held: Reservation


@dataclass(frozen=True)
class Waits:
    """Seconds between two looks at a batch: the first, doubled each time, up to the longest."""

    first: float = 1.0
    longest: float = 60.0

    def doubled(self, times: int) -> float:
        """The wait after `times` others."""
        return min(self.first * 2 ** min(times, 30), self.longest)


@dataclass(frozen=True)
class _Sent:
    entry: BatchEntry
    held: dict[str, Reservation]
    """By reply key."""
    optional: frozenset[str]
    """Optional parameters that the requests carry."""


class Transit:
    """All batches of a run. Those that an earlier process sent are collected from the start."""

    def __init__(
        self,
        endpoint: Endpoint,
        client: BatchClient,
        journal: Journal,
        budget: Budget,
        board: ProgressBoard,
        *,
        deadline: float,
        waits: Waits,
    ) -> None:
        """`deadline` is a moment of `time.monotonic`."""
        self.endpoint = endpoint
        self.client = client
        self.journal = journal
        self.budget = budget
        self.board = board
        self.deadline = deadline
        self.waits = waits
        self.prospects = Prospects(endpoint)
        self.stopping = False
        self.settled = asyncio.Event()
        """Set whenever worst cases were replaced by what was billed, so that there may be room in the budget."""
        self.collecting: dict[str, asyncio.Task[Outcomes]] = {}
        """What will be known of each request under way, by reply key; whoever uses it takes it out."""
        self._tasks: set[asyncio.Task[Outcomes]] = set()
        self._woken = asyncio.Event()
        for entry in journal.open_batches():
            # Whatever the limits are now: one that was lowered since cannot call the batch back.
            held = {r.key: budget.hold(r.most_input, r.most_output) for r in entry.requests}
            self._watch(_Sent(entry, held, frozenset(ADAPTABLE)), resumed=True)

    async def send(self, round: int, requests: Sequence[Outgoing]) -> Outcomes:
        """Sends requests in as few batches as the provider's limits allow, and records each.

        Returns:
            what those met that the provider did not take; the others are in `collecting`.
        """
        outcomes: Outcomes = {}
        for chunk, lines in self._chunks(requests):
            creating = asyncio.create_task(self._create(round, chunk, lines))
            self._keep(creating)
            # Shielded: a batch that was taken is recorded, whatever becomes of the shard.
            outcomes |= await asyncio.shield(creating)
        return outcomes

    def _keep(self, task: asyncio.Task[Outcomes]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Looked at here as well, for a shard that was stopped does not.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _chunks(self, requests: Sequence[Outgoing]) -> Iterator[tuple[list[Outgoing], list[bytes]]]:
        chunk: list[Outgoing] = []
        lines: list[bytes] = []
        size = ENVELOPE_BYTES
        for request in requests:
            line = self.client.line(request.key, request.request)
            full = len(chunk) >= self.client.most_requests or size + len(line) > self.client.most_bytes
            if chunk and full:
                yield chunk, lines
                chunk, lines, size = [], [], ENVELOPE_BYTES
            chunk.append(request)
            lines.append(line)
            size += len(line) + 1
        if chunk:
            yield chunk, lines

    async def _create(self, round: int, chunk: Sequence[Outgoing], lines: Sequence[bytes]) -> Outcomes:
        limited = self.budget.limited
        requests = tuple(
            BatchedRequest(r.key, r.most_input, r.request.max_tokens, secrets.token_hex(8) if limited else "")
            for r in chunk
        )
        held = {r.key: r.held for r in chunk}
        if limited:
            intents = (self.journal.append_intent(r.token, held[r.key], round=round) for r in requests)
            await self._durable(asyncio.gather(*intents))
        optional = self.client.optional(chunk[0].request)
        try:
            id_ = await self.client.create(lines, optional)
        except CallFailure as failure:
            await self._not_taken(failure, round, requests, held)
            return dict.fromkeys(held, failure)
        entry = BatchEntry(id_, round, requests)
        await self._durable(self.journal.append_batch(entry))
        self._watch(_Sent(entry, held, optional), resumed=False)
        return {}

    async def _not_taken(
        self, failure: CallFailure, round: int, requests: Sequence[BatchedRequest], held: dict[str, Reservation]
    ) -> None:
        writing: list[Awaitable[None]] = []
        for request in requests:
            if failure.maybe_billed:
                lost = self.budget.write_off(held[request.key])
                writing.append(self.journal.append_loss(lost, round=round, closes=request.token))
            else:
                self.budget.release(held[request.key])
                if request.token:
                    writing.append(self.journal.append_refusal(round=round, closes=request.token))
        self.settled.set()
        await self._durable(asyncio.gather(*writing))

    def _watch(self, sent: _Sent, *, resumed: bool) -> None:
        task = asyncio.create_task(self._collect(sent, resumed=resumed))
        self._keep(task)
        self.collecting |= dict.fromkeys(sent.held, task)

    async def _collect(self, sent: _Sent, *, resumed: bool) -> Outcomes:
        """Waits for a batch and makes its replies durable."""
        self.board.add(calls_in_flight=len(sent.held))
        self.board.set(phase="waiting")
        try:
            return await self._settle(sent, await self._ended(sent, resumed=resumed))
        finally:
            self.board.add(calls_in_flight=-len(sent.held))
            self.board.set(phase="generating")
            self.settled.set()

    async def _ended(self, sent: _Sent, *, resumed: bool) -> Ended:
        looks = silent = 0
        while True:
            if looks or not resumed:
                await self.rest(self.waits.doubled(looks))
            self._require_going_on()
            try:
                if (ended := await self.client.collect(sent.entry.id, sent.optional)) is not None:
                    return ended
                silent = 0
            except UnknownBatchError:
                return self._vanished(sent)
            except CallFailure as failure:
                silent += 1
                self._end_if_silent(sent, failure, silent)
            looks += 1

    def _end_if_silent(self, sent: _Sent, failure: CallFailure, times: int) -> None:
        if failure.remedy == "stop_run":
            self.take_note(failure)
        if times >= MOST_SILENCE:
            error = RunError(
                "{where} does not say what became of batch {batch}: {detail}. It is remembered: resume the run later.",
                where=self._where,
                batch=sent.entry.id,
                detail=failure.detail,
            )
            raise self._over(error) from failure

    def _vanished(self, sent: _Sent) -> Ended:
        if self.endpoint.provider.free:
            # Gone with the server that had it.
            return Ended(rest=RESULTS_GONE)
        raise self._over(
            RunError(
                "{where} knows no batch {batch}, in which {count} calls of this run were sent. Resume the run with the "
                "key and the address that it was sent with; if the batch was deleted, start a new run.",
                where=self._where,
                batch=sent.entry.id,
                count=len(sent.held),
            )
        )

    def _over(self, error: RunError) -> RunError:
        """`error`, which ends the run for all shards: a batch's worst case stays held, and whoever waits for its room
        would wait for ever.
        """
        self.prospects.fatal = self.prospects.fatal or error
        self._wake()
        return error

    @property
    def _where(self) -> str:
        return self.endpoint.base_url or self.endpoint.provider.name

    async def rest(self, seconds: float) -> None:
        """Waits, but not longer than the run goes on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), min(seconds, max(0.0, self.deadline - time.monotonic())))

    def _require_going_on(self) -> None:
        if self.prospects.fatal is not None:
            raise self.prospects.fatal
        if self.stopping:
            raise RunError(
                "The run was stopped while batches are under way at {where}. They go on there: resume the run, and "
                "their replies are collected without being paid for again.",
                where=self._where,
            )
        if time.monotonic() >= self.deadline:
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
        self.board.set(tokens=self.budget.tokens, cost_usd=self.budget.spent_usd)
        return outcomes

    async def _record(self, key: str, reply: Reply, held: Reservation, round: int) -> None:
        cost, unmetered = self.budget.settle_reply(held, reply)
        self.prospects.answers += 1
        await self.journal.append(key, reply, round=round, cost=cost, unmetered=unmetered)

    async def _durable(self, writing: Awaitable[Any]) -> None:
        try:
            await asyncio.shield(writing)
        except DataSynthError as error:
            self.prospects.fatal = self.prospects.fatal or error
            self._wake()
            raise

    def take_note(self, failure: CallFailure) -> None:
        """Takes note of a failure; if it ends the run, nobody waits for a batch any more.

        Raises:
            DataSynthError: it does.
        """
        try:
            self.prospects.failed(failure)
        except DataSynthError:
            self._wake()
            raise

    def _wake(self) -> None:
        self._woken.set()
        self.settled.set()

    async def drain(self, seconds: float) -> None:
        """Stops waiting; gives batches that are just being sent or collected `seconds` to be recorded."""
        self.stopping = True
        self._wake()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
        await self.journal.flush()

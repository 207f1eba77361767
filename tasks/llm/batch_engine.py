"""Makes a shard's calls through the provider's batch endpoint, at half price and in the provider's own time.

Journal first, as ever: what it holds is taken from there, and what an earlier process sent is collected and not sent
again. The rest is reserved against the budget and sent as one batch, recorded before anyone waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datasynth.schemas.calls import CallResult, Prompt, Reply, Request, Shard, ShardReceipt
from datasynth.schemas.errors import RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.asking import deadline_of, is_final, planned_request, static_part, too_late
from datasynth.tasks.llm.batch_clients import BatchClient
from datasynth.tasks.llm.batch_transit import Outcomes, Outgoing, Transit, Waits
from datasynth.tasks.llm.budget import Budget, Reservation
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure
from datasynth.tasks.llm.journal import Journal, reply_key
from datasynth.tasks.llm.tokens import most_tokens
from datasynth.tasks.rounds.progress import ProgressBoard

MOST_REFUSALS = 60
"""Times that a call is refused for load before it counts as failed: an account may have only so many tokens waiting
in batches, which takes others' ending; about an hour, with the longest wait between them."""


class _Ask:
    """One planned call on its way to a reply."""

    def __init__(self, shard: Shard, prompt: Prompt, overhead: int) -> None:
        self.prompt = prompt
        self.most_input = overhead + most_tokens(prompt.user)
        self.attempt = 0
        """Replies so far that could not be read."""
        self.failures = 0
        self.refusals = 0
        self.result: CallResult | None = None
        self._shard = shard

    def phrase(self, model: str, settings: SynthesisSettings, digest: str) -> None:
        """Writes the request of the present attempt, and its key."""
        self.request: Request = planned_request(self._shard, self.prompt, self.attempt, model=model, settings=settings)
        index = self.prompt.call.index
        self.key = reply_key(self.request, index=index, attempt=self.attempt, digest_of_static=digest)


@dataclass(frozen=True)
class _Verdict:
    """What follows from an outcome: the call is done, or is asked again after some seconds."""

    done: bool = False
    wait: float = 0.0


DONE = _Verdict(done=True)


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
        waits: Waits | None = None,
    ) -> None:
        """`readable` says whether a reply holds any record; one that does not is asked for again."""
        self.client = client
        self.settings = settings
        self.board = board
        self.waits = waits or Waits()
        self.transit = Transit(
            endpoint, client, journal, budget, board, deadline=deadline_of(settings), waits=self.waits
        )
        self._model = endpoint.model
        self._journal = journal
        self._budget = budget
        self._readable = readable

    async def run_shard(self, shard: Shard) -> ShardReceipt:
        """All calls of a shard, in plan order.

        Raises:
            DataSynthError: the run cannot go on (key refused, storage lost), or was stopped; batches under way are
                recorded, and whoever resumes the run collects them.
        """
        digest, overhead = static_part(shard)
        asks = [_Ask(shard, prompt, overhead) for prompt in shard.prompts]
        open_, paid = asks, 0
        while open_:
            for ask in open_:
                ask.phrase(self._model, self.settings, digest)
            outcomes: Outcomes = dict(self._journal.read(ask.key for ask in open_))
            self.board.add(replayed=len(outcomes))
            fetched = await self._fetched(shard.round, [ask for ask in open_ if ask.key not in outcomes])
            paid += sum(isinstance(outcome, Reply) for outcome in fetched.values())
            outcomes |= fetched
            verdicts = [(ask, self._verdict(ask, outcomes[ask.key])) for ask in open_]
            open_ = [ask for ask, verdict in verdicts if not verdict.done]
            if wait := max((verdict.wait for _, verdict in verdicts), default=0.0):
                await self.transit.rest(wait)
        results = tuple(ask.result for ask in asks if ask.result)
        if self.transit.stopping and any(result.miss == "stopped" for result in results):
            # No receipt, which would be cached: whoever goes on has to make these calls.
            raise RunError("The run was stopped.")
        return ShardReceipt(results, paid)

    def _verdict(self, ask: _Ask, outcome: Reply | CallFailure) -> _Verdict:
        verdict = self._of_failure(ask, outcome) if isinstance(outcome, CallFailure) else self._of_reply(ask, outcome)
        self.board.add(**{"calls_done" if verdict.done else "retries": 1})
        return verdict

    def _of_reply(self, ask: _Ask, reply: Reply) -> _Verdict:
        ask.result = CallResult(ask.prompt.call.index, ask.key)
        if is_final(reply) or self._readable(reply) or ask.attempt >= self.settings.max_retries:
            return DONE
        ask.attempt += 1
        return _Verdict()

    def _of_failure(self, ask: _Ask, failure: CallFailure) -> _Verdict:
        self.transit.take_note(failure)
        if failure.remedy == "adapt" and failure.parameter:
            self.client.dropped.add(failure.parameter)
            return _Verdict()
        if failure.remedy == "wait" and ask.refusals < MOST_REFUSALS:
            ask.refusals += 1
            return _Verdict(wait=failure.retry_after or self.waits.doubled(ask.refusals - 1))
        if failure.remedy == "retry" and ask.failures < self.settings.max_retries:
            ask.failures += 1
            return _Verdict(wait=failure.retry_after or self.waits.doubled(ask.failures - 1))
        # An earlier attempt's reply, unreadable as it is, still says more than this failure.
        ask.result = ask.result or CallResult(ask.prompt.call.index, None, failure.miss, failure.detail)
        return DONE

    async def _fetched(self, round: int, asks: list[_Ask]) -> Outcomes:
        """What becomes of requests that the journal has no reply to: under way already, or sent now.

        What the budget has no room for waits for batches under way, which hold their worst case, to end.
        """
        outcomes: Outcomes = {}
        collecting = self.transit.collecting
        unsent = [ask for ask in asks if ask.key not in collecting]
        while len(outcomes) < len(asks):
            sent, refused = await self._send(round, unsent)
            outcomes |= refused
            unsent = [ask for ask in unsent[sent:] if ask.key not in outcomes]
            mine = {ask.key: task for ask in asks if (task := collecting.get(ask.key))}
            for key, task in mine.items():
                # Not awaited itself: a shard that is cancelled leaves the batch to others who wait for it.
                outcomes[key] = (await asyncio.shield(task))[key]
                del collecting[key]
            if unsent and not sent and not mine:
                # With batches of its own there may be room now, and whoever else was woken may have seen the event off.
                await self.transit.settled.wait()
        return outcomes

    async def _send(self, round: int, asks: Sequence[_Ask]) -> tuple[int, Outcomes]:
        """Sends the first of `asks`, as many as the budget has room for.

        Returns:
            how many these were, and what became of those of all that are not under way now.
        """
        transit = self.transit
        if transit.prospects.fatal is not None:
            raise transit.prospects.fatal
        if not asks:
            return 0, {}
        if late := too_late(stopping=transit.stopping, deadline=transit.deadline):
            return 0, dict.fromkeys((ask.key for ask in asks), late)
        transit.settled.clear()
        outgoing: list[Outgoing] = []
        for ask in asks:
            room = self._budget.reserve(ask.most_input, ask.request.max_tokens)
            if not isinstance(room, Reservation):
                if not self._budget.waiting_may_help:
                    return 0, dict.fromkeys((ask.key for ask in asks), CallFailure("budget", "give_up", room))
                break
            outgoing.append(Outgoing(ask.key, ask.request, ask.most_input, room))
        return len(outgoing), await transit.send(round, outgoing)

    async def drain(self, seconds: float) -> None:
        """Starts nothing more and leaves batches with the provider; each shard then ends with a `RunError`.

        Waits up to `seconds` for batches that are just being sent or collected, so that they are recorded.
        """
        await self.transit.drain(seconds)

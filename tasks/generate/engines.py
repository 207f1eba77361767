"""The engines of this process, for each run one that writes and perhaps one that judges: opened by the first shard,
closed by the flow.
"""

import asyncio
import gc
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from datasynth.schemas.calls import Shard, ShardReceipt, Share
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.collect import readable
from datasynth.tasks.generate.elsewhere import Caller, EngineElsewhere
from datasynth.tasks.judge.choice import judge_endpoint, judge_settings
from datasynth.tasks.judge.estimate import generation_limits
from datasynth.tasks.judge.scores import has_scores
from datasynth.tasks.llm.batch_choice import require_batches, require_none_waiting, tier_of
from datasynth.tasks.llm.budget import Budget, Purse
from datasynth.tasks.llm.clients import LateClient
from datasynth.tasks.llm.endpoints import Endpoint, resolve_endpoint
from datasynth.tasks.llm.engine import Engine, Gate
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.limits import Pace
from datasynth.tasks.llm.loop import LoopThread
from datasynth.tasks.llm.prices import Price, price_of
from datasynth.tasks.llm.share_journal import ShareJournal
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.semantic.buying import vector_store
from datasynth.tasks.semantic.embedders import compares_meanings, embedding_price
from datasynth.tasks.storage.lock import FolderLock
from datasynth.tasks.storage.patience import make_haste
from datasynth.tasks.storage.store import Store

if TYPE_CHECKING:
    from datasynth.tasks.llm.batch_engine import BatchEngine

PACE = ("concurrency", "requests_per_minute", "tokens_per_minute", "max_minutes")
"""Settings that stand in a `Share` too."""
GRACE = 3.0
"""Seconds that calls in flight get to finish when a run is stopped; a stop takes under five."""


@dataclass(frozen=True)
class RunPlace:
    """What any process needs to work on a run: its settings (with `run_id`) and where its journal is. No key."""

    settings: SynthesisSettings
    record_schema: RecordSchema
    journal_url: str
    estimate: Estimate | None = None
    """What the run should take; where records are judged, generation leaves the judge its share of the limits."""
    shared: bool = False
    """Whether other processes make calls of the run at the same time, each within shares of its limits."""


class OpenEngine:
    """A run's engines with their loop, journals and, for the simulated provider, their server."""

    lost = False

    def __init__(self, place: RunPlace, gate: Gate | None) -> None:
        settings = place.settings
        endpoint = resolve_endpoint(settings)
        price = price_of(endpoint, settings)
        require_price(price, endpoint, settings)
        require_batches(endpoint, settings)
        judge = judge_endpoint(settings) if settings.judging else None
        self.server: SimulatedServer | None = None
        # Where several processes make calls of a run, each within its shares, none is alone.
        self._lock = None if place.shared else FolderLock(Store(place.journal_url))
        try:
            self._open(endpoint, price, judge, place, gate)
        except BaseException:
            self._unlock()
            raise
        # Prefect and Polars leave some million objects that live on: every full collection would walk over them, which
        # took a tenth of the time of a busy run.
        gc.freeze()

    def _open(
        self,
        endpoint: Endpoint,
        price: Price | None,
        judge: tuple[Endpoint, Price | None] | None,
        place: RunPlace,
        gate: Gate | None,
    ) -> None:
        settings = place.settings
        endpoint = self._reached(endpoint, settings)
        self.journal = Journal(Store(place.journal_url))
        self.judge_journal = Journal(judge_store(place)) if judge else None
        budget, judge_budget = budgets_of(place, self.journal, self.judge_journal)
        self.purse = budget.purse
        self._place, self._gate = place, gate
        self._price = price
        self._of_shares: set[Engine] = set()
        self._loop = LoopThread(f"engine-{settings.run_id}")
        self.engine = self._loop.run(_open(endpoint, self.journal, budget, place, gate))
        self.judge: Engine | None = None
        if judge and self.judge_journal is not None and judge_budget:
            where = self._reached(judge[0], settings)
            pace = self.engine.pace if isinstance(self.engine, Engine) and _same(where, endpoint) else None
            self.judge = self._loop.run(_open_judge(where, self.judge_journal, judge_budget, settings, gate, pace))

    def _reached(self, endpoint: Endpoint, settings: SynthesisSettings) -> Endpoint:
        """`endpoint`, or where it is the simulated one, the run's own server, started by the first who asks for it."""
        if not endpoint.simulated or endpoint.base_url is not None:
            return endpoint
        self.server = self.server or SimulatedServer.start(settings.simulation)
        return Endpoint(endpoint.provider, endpoint.model, self.server.url, "simulated", None)

    def run(self, shard: Shard, *, judging: bool = False) -> ShardReceipt:
        """Makes the calls of `shard`, to the judge if `judging`; blocks the calling thread.

        Raises:
            DataSynthError: the run cannot go on, or was stopped.
        """
        engine = self.judge if judging else self.engine
        if engine is None:
            raise ValueError("records of this run are not judged")
        try:
            if shard.share is not None and isinstance(engine, Engine):
                self.journal.refresh()  # another process may have died at these calls
                return self._loop.run(self._paid_from(shard.share, engine, shard))
            if judging and self._place.shared:
                self._count_others()
            return self._loop.run(engine.run_shard(shard))
        except CancelledError as error:
            raise RunError("The run was stopped.") from error

    def _count_others(self) -> None:
        """Before the judge is asked, while nobody else makes calls: what all processes have spent by now counts."""
        self.journal.refresh()
        _, budget = budgets_of(self._place, self.journal, self.judge_journal)
        if self.judge is not None and budget is not None:
            self.judge.budget = budget

    async def _paid_from(self, share: Share, whole: Engine, shard: Shard) -> ShardReceipt:
        """Makes the calls of `shard` over the connections of the run's engine, but at a pace and a price of its own."""
        settings = self._place.settings
        budget = Budget(
            self._price,
            max_cost=share.max_cost,
            max_tokens=share.max_tokens,
            max_calls=share.max_calls,
            tier=tier_of(settings),
        )
        budget.take_over(self.journal.spent_of(share.id), self.journal.abandoned(share.id))
        engine = Engine(
            whole.endpoint,
            whole.client,
            ShareJournal(self.journal, share.id),
            budget,
            settings.model_copy(update={name: getattr(share, name) for name in PACE}),
            board_of(settings.run_id or ""),
            readable=partial(readable, schema=self._place.record_schema),
            gate=self._gate,
        )
        engine.stopping = whole.stopping
        self._of_shares.add(engine)
        try:
            return await engine.run_shard(shard)
        finally:
            self._of_shares.discard(engine)

    def stop(self, grace: float = GRACE) -> None:
        """Starts nothing more and gives calls in flight `grace` seconds; the waiting shards then end."""
        engines = [engine for engine in (self.engine, self.judge, *self._of_shares) if engine is not None]
        self._loop.run(_drained(engines, grace))

    def close(self) -> None:
        """Abandons what is in flight and frees everything; the journal keeps all that was paid for."""
        try:
            self._loop.run(self.engine.client.close())
            if self.judge is not None:
                self._loop.run(self.judge.client.close())
        finally:
            gc.unfreeze()
            self._loop.close()
            self.journal.close()
            if self.judge_journal is not None:
                self.judge_journal.close()
            if self.server is not None:
                self.server.stop()
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()


async def _open(
    endpoint: Endpoint, journal: Journal, budget: Budget, place: RunPlace, gate: Gate | None
) -> "Engine | BatchEngine":
    settings = place.settings
    board, reads = board_of(settings.run_id or ""), partial(readable, schema=place.record_schema)
    if settings.batch_api:
        # Both SDKs come with it, and they take seconds.
        from datasynth.tasks.llm.batch_clients import connect_batches  # noqa: PLC0415
        from datasynth.tasks.llm.batch_engine import BatchEngine  # noqa: PLC0415

        batches = connect_batches(endpoint, settings)
        return BatchEngine(endpoint, batches, journal, budget, settings, board, readable=reads)
    require_none_waiting(journal)
    return Engine(endpoint, _client(endpoint, settings), journal, budget, settings, board, readable=reads, gate=gate)


def _client(endpoint: Endpoint, settings: SynthesisSettings) -> LateClient:
    return LateClient(endpoint, in_flight=settings.concurrency, structured=settings.structured_output == "on")


async def _drained(engines: "Sequence[Engine | BatchEngine]", grace: float) -> None:
    await asyncio.gather(*(engine.drain(grace) for engine in engines))


async def _open_judge(
    endpoint: Endpoint,
    journal: Journal,
    budget: Budget,
    settings: SynthesisSettings,
    gate: Gate | None,
    pace: Pace | None,
) -> Engine:
    client = _client(endpoint, settings)
    board, own = board_of(settings.run_id or ""), judge_settings(settings)
    return Engine(endpoint, client, journal, budget, own, board, readable=has_scores, gate=gate, pace=pace)


def budgets_of(place: RunPlace, journal: Journal, judge_journal: Journal | None) -> tuple[Budget, Budget | None]:
    """What a run may still pay for generation and, where it has a judge's journal, for judging."""
    settings = place.settings
    limits = {"max_cost": settings.max_cost, "max_tokens": settings.max_tokens, "max_calls": settings.max_calls}
    purse = Purse(**limits)
    judging, judge_price = None, None
    if judge_journal is not None:
        judge_price = judge_endpoint(settings)[1]
        judging = Budget(judge_price, purse=purse)
        judging.take_over(judge_journal.spend(), judge_journal.abandoned())
    if compares_meanings(settings):
        vectors = Journal(vector_store(place.journal_url))
        Budget(embedding_price(settings), purse=purse).take_over(vectors.spend(), vectors.abandoned())
    if place.estimate and (settings.judging or compares_meanings(settings)):
        limits = generation_limits(settings, place.estimate, judge_price)
    price = price_of(resolve_endpoint(settings), settings)
    budget = Budget(price, **limits, tier=tier_of(settings), purse=purse)
    budget.take_over(journal.spend(), journal.abandoned())
    return budget, judging


def purse_of(place: RunPlace) -> Purse:
    """What the run may still spend: as its engine here has it, else as its journals say."""
    with _lock:
        engine = _engines.get(place.journal_url)
    if isinstance(engine, OpenEngine) and not place.shared:
        return engine.purse
    judge_journal = judge_journal_of(place) if place.settings.judging else None
    return budgets_of(place, journal_of(place), judge_journal)[0].purse


def _same(one: Endpoint, other: Endpoint) -> bool:
    """Whether calls to both are held back together: limits are an account's, at one address."""
    return (one.provider, one.base_url, one.key) == (other.provider, other.base_url, other.key)


def require_price(price: Price | None, endpoint: Endpoint, settings: SynthesisSettings) -> None:
    """Refuses a budget in dollars where the price is unknown.

    Raises:
        InputError: `max_cost` is set and nobody knows what a token costs.
    """
    if settings.max_cost is not None and price is None:
        raise InputError(
            "The price of {model} at {provider} is unknown, so --max-cost cannot hold. Give --input-price and "
            "--output-price (USD per million tokens), or limit --max-tokens or --max-calls.",
            model=endpoint.model,
            provider=endpoint.provider.name,
        )


_engines: dict[str, OpenEngine | EngineElsewhere] = {}
"""Of this process' runs, by the address of the journal."""
_callers: dict[str, Caller] = {}
"""By run id."""
_read_journals: dict[str, Journal] = {}
"""Of runs that other processes make calls for, and this one does not."""
_lock = threading.Lock()


def calls_made_by(run_id: str, caller: Caller) -> None:
    """From now on the calls of `run_id` are made by another process, unless that is lost."""
    _callers[run_id] = caller


def called_elsewhere(run_id: str) -> bool:
    """Whether another process makes, or made, calls of the run."""
    return run_id in _callers


def finished_before(run_id: str) -> int | None:
    """Rounds that were finished before the process that makes the calls went ahead; None where there is no such one."""
    caller = _callers.get(run_id)
    return None if caller is None else caller.finished_before


def leave_settling(run_id: str, round: int) -> None:
    """Before `round` is settled here: returns when no other process settles it, or it is settled already."""
    if caller := _callers.get(run_id):
        caller.leave(round)


def engine_of(place: RunPlace, gate: Gate | None = None) -> OpenEngine | EngineElsewhere:
    """This process's engine for the run at `place`, opened by the first call.

    Raises:
        DataSynthError: it cannot be opened.
    """
    with _lock:
        engine = _found(place)
        if engine is None or engine.lost:
            engine = _engines[place.journal_url] = OpenEngine(place, gate)
        return engine


def _found(place: RunPlace) -> OpenEngine | EngineElsewhere | None:
    """The run's engine if there is one by now; the lock is held."""
    caller = _callers.get(place.settings.run_id or "")
    if place.journal_url not in _engines and caller is not None:
        _engines[place.journal_url] = EngineElsewhere(caller, Journal(Store(place.journal_url)))
    return _engines.get(place.journal_url)


def stop_engine(place: RunPlace) -> None:
    """Lets this process's engine for the run, if any, come to rest."""
    with _lock:
        engine = _engines.get(place.journal_url)
    if engine is not None:
        engine.stop()


def stop_engines(grace: float = GRACE) -> None:
    """Lets all engines of this process come to rest: the process was told to end."""
    make_haste()
    with _lock:
        engines = tuple(_engines.values())
    for engine in engines:
        engine.stop(grace)


def close_engine(place: RunPlace) -> None:
    """Closes this process's engine for the run, if it has one."""
    with _lock:
        engine = _engines.pop(place.journal_url, None)
        _read_journals.pop(place.journal_url, None)
        _callers.pop(place.settings.run_id or "", None)
    if engine is not None:
        engine.close()


def journal_of(place: RunPlace) -> Journal:
    """The run's journal: its engine's, or one read from storage where nothing was called in this process.

    Where other processes write to it too, it holds all that they have written by now.
    """
    with _lock:
        engine = _found(place)
        journal = engine.journal if engine is not None else _read_journals.get(place.journal_url)
        if journal is None:
            journal = Journal(Store(place.journal_url))
            if place.shared:
                _read_journals[place.journal_url] = journal
            return journal
    if place.shared:
        journal.refresh()
    return journal


def judge_store(place: RunPlace) -> Store:
    """Where the judge's replies are: beside the run's own, so that a round's spend on either is known."""
    return Store(place.journal_url).at("judge")


def judge_journal_of(place: RunPlace) -> Journal:
    """The journal of the run's judge: the open engine's, or one read from storage."""
    with _lock:
        engine = _engines.get(place.journal_url)
    journal = engine.judge_journal if engine is not None else None
    return journal if journal is not None else Journal(judge_store(place))

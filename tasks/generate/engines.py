"""The engines of this process, for each run one that writes and perhaps one that judges: opened by the first shard,
closed by the flow.
"""

import asyncio
import gc
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from datasynth.schemas.calls import Shard, ShardReceipt
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.collect import readable
from datasynth.tasks.judge.choice import judge_endpoint, judge_settings
from datasynth.tasks.judge.estimate import generation_limits
from datasynth.tasks.judge.scores import has_scores
from datasynth.tasks.llm.batch_choice import require_batches, require_none_waiting, tier_of
from datasynth.tasks.llm.budget import Budget, Purse
from datasynth.tasks.llm.clients import connect
from datasynth.tasks.llm.endpoints import Endpoint, resolve_endpoint
from datasynth.tasks.llm.engine import Engine, Gate
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.limits import Pace
from datasynth.tasks.llm.loop import LoopThread
from datasynth.tasks.llm.prices import Price, price_of
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.storage.store import Store

if TYPE_CHECKING:
    from datasynth.tasks.llm.batch_engine import BatchEngine

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


class OpenEngine:
    """A run's engines with their loop, journals and, for the simulated provider, their server."""

    def __init__(self, place: RunPlace, gate: Gate | None) -> None:
        settings = place.settings
        endpoint = resolve_endpoint(settings)
        price = price_of(endpoint, settings)
        require_price(price, endpoint, settings)
        require_batches(endpoint, settings)
        judge = judge_endpoint(settings) if settings.judging else None
        self.server: SimulatedServer | None = None
        endpoint = self._reached(endpoint, settings)
        self.journal = Journal(Store(place.journal_url))
        limits = {
            "max_cost": settings.max_cost,
            "max_tokens": settings.max_tokens,
            "max_calls": settings.max_calls,
        }
        purse = Purse(**limits)
        if judge and place.estimate:
            limits = generation_limits(settings, place.estimate, judge[1])
        budget = Budget(price, **limits, tier=tier_of(settings), purse=purse)
        budget.take_over(self.journal.spend(), self.journal.abandoned())
        self._loop = LoopThread(f"engine-{settings.run_id}")
        self.engine = self._loop.run(_open(endpoint, self.journal, budget, place, gate))
        self.judge: Engine | None = None
        self.judge_journal: Journal | None = None
        if judge:
            self.judge_journal = Journal(judge_store(place))
            own = Budget(judge[1], purse=purse)
            own.take_over(self.judge_journal.spend(), self.judge_journal.abandoned())
            where = self._reached(judge[0], settings)
            pace = self.engine.pace if isinstance(self.engine, Engine) and _same(where, endpoint) else None
            self.judge = self._loop.run(_open_judge(where, self.judge_journal, own, settings, gate, pace))
        # Prefect, Polars and the SDK leave some million objects that live on: every full collection would walk over
        # them, which took a tenth of the time of a busy run. Last of all, for the SDK is imported with the client.
        gc.freeze()

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
            return self._loop.run(engine.run_shard(shard))
        except CancelledError as error:
            raise RunError("The run was stopped.") from error

    def stop(self, grace: float = GRACE) -> None:
        """Starts nothing more and gives calls in flight `grace` seconds; the waiting shards then end."""
        engines = [engine for engine in (self.engine, self.judge) if engine is not None]
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
    return Engine(
        endpoint,
        connect(
            endpoint,
            timeout=settings.request_timeout,
            in_flight=settings.concurrency,
            structured=settings.structured_output == "on",
        ),
        journal,
        budget,
        settings,
        board,
        readable=reads,
        gate=gate,
    )


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
    client = connect(
        endpoint,
        timeout=settings.request_timeout,
        in_flight=settings.concurrency,
        structured=settings.structured_output == "on",
    )
    board, own = board_of(settings.run_id or ""), judge_settings(settings)
    return Engine(endpoint, client, journal, budget, own, board, readable=has_scores, gate=gate, pace=pace)


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


_open_engines: dict[str, OpenEngine] = {}
_lock = threading.Lock()
_head_starts: dict[str, Callable[[], None]] = {}


def after_head_start(run_id: str, over: Callable[[], None]) -> None:
    """From now on no engine for `run_id` is opened before `over` returned: another process makes its first calls.

    Args:
        run_id: the run.
        over: returns when the other process has made its last call; any thread may call it, any number of times.
    """
    _head_starts[run_id] = over


def engine_of(place: RunPlace, gate: Gate | None = None) -> OpenEngine:
    """This process's engine for the run at `place`, opened by the first call.

    Raises:
        DataSynthError: it cannot be opened, or the endpoint refused the run's head start for good.
    """
    if over := _head_starts.get(place.settings.run_id or ""):
        over()  # not under the lock, which whoever stops the engines needs
    with _lock:
        engine = _open_engines.get(place.journal_url)
        if engine is None:
            engine = _open_engines[place.journal_url] = OpenEngine(place, gate)
        return engine


def stop_engine(place: RunPlace) -> None:
    """Lets this process's engine for the run, if any, come to rest."""
    with _lock:
        engine = _open_engines.get(place.journal_url)
    if engine is not None:
        engine.stop()


def stop_engines(grace: float = GRACE) -> None:
    """Lets all engines of this process come to rest: the process was told to end."""
    with _lock:
        engines = tuple(_open_engines.values())
    for engine in engines:
        engine.stop(grace)


def close_engine(place: RunPlace) -> None:
    """Closes this process's engine for the run, if it has one."""
    with _lock:
        engine = _open_engines.pop(place.journal_url, None)
    _head_starts.pop(place.settings.run_id or "", None)
    if engine is not None:
        engine.close()


def journal_of(place: RunPlace) -> Journal:
    """The run's journal: the open engine's, or one read from storage where nothing was called in this process."""
    with _lock:
        engine = _open_engines.get(place.journal_url)
    return engine.journal if engine is not None else Journal(Store(place.journal_url))


def judge_store(place: RunPlace) -> Store:
    """Where the judge's replies are: beside the run's own, so that a round's spend on either is known."""
    return Store(place.journal_url).at("judge")


def judge_journal_of(place: RunPlace) -> Journal:
    """The journal of the run's judge: the open engine's, or one read from storage."""
    with _lock:
        engine = _open_engines.get(place.journal_url)
    journal = engine.judge_journal if engine is not None else None
    return journal if journal is not None else Journal(judge_store(place))

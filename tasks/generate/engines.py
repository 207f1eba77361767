"""The engines of this process, one for each run: opened by the first shard, closed by the flow."""

import gc
import threading
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from datasynth.schemas.calls import Shard, ShardReceipt
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.collect import readable
from datasynth.tasks.llm.batch_choice import require_batches, require_none_waiting, tier_of
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.clients import connect
from datasynth.tasks.llm.endpoints import Endpoint, resolve_endpoint
from datasynth.tasks.llm.engine import Engine, Gate
from datasynth.tasks.llm.journal import Journal
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


class OpenEngine:
    """An engine with its loop, journal and, for the simulated provider, its server."""

    def __init__(self, place: RunPlace, gate: Gate | None) -> None:
        settings = place.settings
        endpoint = resolve_endpoint(settings)
        price = price_of(endpoint, settings)
        require_price(price, endpoint, settings)
        require_batches(endpoint, settings)
        self.server: SimulatedServer | None = None
        if endpoint.simulated and endpoint.base_url is None:
            self.server = SimulatedServer.start(settings.simulation)
            endpoint = Endpoint(endpoint.provider, endpoint.model, self.server.url, "simulated", None)
        self.journal = Journal(Store(place.journal_url))
        budget = Budget(
            price,
            max_cost=settings.max_cost,
            max_tokens=settings.max_tokens,
            max_calls=settings.max_calls,
            tier=tier_of(settings),
        )
        budget.take_over(self.journal.spend(), self.journal.abandoned())
        self._loop = LoopThread(f"engine-{settings.run_id}")
        self.engine = self._loop.run(_open(endpoint, self.journal, budget, place, gate))
        # Prefect, Polars and the SDK leave some million objects that live on: every full collection would walk over
        # them, which took a tenth of the time of a busy run. Last of all, for the SDK is imported with the client.
        gc.freeze()

    def run(self, shard: Shard) -> ShardReceipt:
        """Makes the calls of `shard`; blocks the calling thread.

        Raises:
            DataSynthError: the run cannot go on, or was stopped.
        """
        try:
            return self._loop.run(self.engine.run_shard(shard))
        except CancelledError as error:
            raise RunError("The run was stopped.") from error

    def stop(self) -> None:
        """Starts nothing more and gives calls in flight a moment; the waiting shards then end."""
        self._loop.run(self.engine.drain(GRACE))

    def close(self) -> None:
        """Abandons what is in flight and frees everything; the journal keeps all that was paid for."""
        try:
            self._loop.run(self.engine.client.close())
        finally:
            gc.unfreeze()
            self._loop.close()
            self.journal.close()
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


def engine_of(place: RunPlace, gate: Gate | None = None) -> OpenEngine:
    """This process's engine for the run at `place`, opened by the first call."""
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


def stop_engines() -> None:
    """Lets all engines of this process come to rest: the process was told to end."""
    with _lock:
        engines = tuple(_open_engines.values())
    for engine in engines:
        engine.stop()


def close_engine(place: RunPlace) -> None:
    """Closes this process's engine for the run, if it has one."""
    with _lock:
        engine = _open_engines.pop(place.journal_url, None)
    if engine is not None:
        engine.close()


def journal_of(place: RunPlace) -> Journal:
    """The run's journal: the open engine's, or one read from storage where nothing was called in this process."""
    with _lock:
        engine = _open_engines.get(place.journal_url)
    return engine.journal if engine is not None else Journal(Store(place.journal_url))

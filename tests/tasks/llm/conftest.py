"""A simulated endpoint for a module, both SDKs' clients of it, and batch engines on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from batch_work import Open, Work, whole

from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.batch_clients import connect_batches
from datasynth.tasks.llm.batch_engine import BatchEngine
from datasynth.tasks.llm.batch_transit import Waits
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.prices import listed_price
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.progress import ProgressBoard
from datasynth.tasks.storage.store import Store

MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-5.4-mini"}
QUICK = Waits(first=0.01, longest=0.05)


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedServer]:
    with SimulatedServer.start() as server:
        yield server


@pytest.fixture
def server(running: SimulatedServer) -> SimulatedServer:
    """The module's server as if just started."""
    running.set(**vars(Knobs()))
    running.reset()
    return running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def claude(running: SimulatedServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    http = anthropic.DefaultAioHttpClient()
    async with anthropic.AsyncAnthropic(api_key="any", base_url=running.url, max_retries=0, http_client=http) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gpt(running: SimulatedServer) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAioHttpClient()
    url = f"{running.url}/v1"
    async with openai.AsyncOpenAI(api_key="any", base_url=url, max_retries=0, http_client=http) as client:
        yield client


@pytest.fixture(params=["anthropic", "openai"])
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def open_work(provider: str, endpoint: SimulatedServer, tmp_path: Path) -> Open:
    """Opens an engine on a journal; another one on the same folder is another process of the run."""

    @asynccontextmanager
    async def opened(
        folder: Path = tmp_path / "journal", *, base: str | None = None, **values: Any
    ) -> AsyncIterator[Work]:
        settings = SynthesisSettings(analysis_dir="-", batch_api=True, provider=provider, **values)
        url = base or (endpoint.url if provider == "anthropic" else f"{endpoint.url}/v1")
        where = Endpoint(PROVIDERS[provider], MODELS[provider], url, "sk-test", "THE_KEY")
        price = listed_price(MODELS[provider], provider)
        assert price is not None
        journal, board = Journal(Store(str(folder))), ProgressBoard()
        budget = Budget(
            price,
            max_cost=settings.max_cost,
            max_tokens=settings.max_tokens,
            max_calls=settings.max_calls,
            tier="batch",
        )
        budget.take_over(journal.spend(), journal.abandoned())
        client = connect_batches(where, settings)
        engine = BatchEngine(where, client, journal, budget, settings, board, readable=whole, waits=QUICK)
        try:
            yield Work(engine, journal, budget, board, price)
        finally:
            await engine.drain(5)
            await client.close()
            journal.close()

    return opened

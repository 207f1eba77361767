"""A simulated endpoint for a module, and both SDKs' clients of it."""

from collections.abc import AsyncIterator, Iterator

import anthropic
import openai
import pytest
import pytest_asyncio

from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.process import SimulatedServer


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

"""Calls that are served at another tier than the standard one."""

from dataclasses import replace
from typing import cast

import httpx2
import pytest
from test_engine import engine_at, new_store, shard

from datasynth.schemas.calls import Reply, Request
from datasynth.schemas.errors import RunError
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.clients import ModelClient
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.prices import listed_price
from datasynth.tasks.llm.simulated.process import SimulatedServer

CLAUDE = listed_price("claude-sonnet-5-5", "anthropic")
GPT = listed_price("gpt-5.4-mini", "openai")


class AtPriority:
    """A client of an account whose calls have priority."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client
        self.dropped = client.dropped

    async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
        reply, headers = await self._client.send(request)
        return replace(reply, service_tier="priority"), headers

    async def close(self) -> None:
        await self._client.close()


async def test_a_limit_in_dollars_ends_the_run_where_nobody_lists_the_tiers_price(endpoint: SimulatedServer) -> None:
    endpoint.set(latency=0.2)
    async with engine_at(endpoint, new_store(), concurrency=8) as engine:
        engine.client, engine.budget = AtPriority(engine.client), Budget(CLAUDE, max_cost=5.0)
        with pytest.raises(RunError, match="at the tier priority, whose price is not listed"):
            await engine.run_shard(shard(20))
        spend = cast(Journal, engine.journal).spend()
        # Those that were in flight were paid for: all of them were waited for and kept.
        assert 1 < spend.calls == endpoint.stats()["replies"] <= 8
        assert spend.possible_calls == 0
        assert spend.cost_usd is None
        assert spend.possible_usd == pytest.approx(float(engine.budget.cost))


async def test_without_such_a_limit_the_cost_is_unknown(endpoint: SimulatedServer) -> None:
    async with engine_at(endpoint, new_store()) as engine:
        engine.client, engine.budget = AtPriority(engine.client), Budget(CLAUDE)
        assert all(result.reply for result in (await engine.run_shard(shard(5))).results)
        assert cast(Journal, engine.journal).spend().cost_usd is None
        assert engine.board.now().cost_usd is None


async def test_a_listed_tier_is_paid_at_its_price(endpoint: SimulatedServer) -> None:
    async with engine_at(endpoint, new_store()) as engine:
        engine.client, engine.budget = AtPriority(engine.client), Budget(GPT, max_cost=5.0)
        assert all(result.reply for result in (await engine.run_shard(shard(5))).results)
        spend = cast(Journal, engine.journal).spend()
        tokens = spend.usage
        full = 1.5 * (tokens.input + tokens.cache_write) + 0.15 * tokens.cache_read + 9 * tokens.output
        assert spend.cost_usd == pytest.approx(full / 1e6)

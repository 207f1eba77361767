"""Shards through both providers' batch endpoints, on a simulated server, with the real SDKs."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from datasynth.schemas.calls import PlannedCall, Prompt, Reply, Shard
from datasynth.schemas.errors import AuthenticationError, InputError, RequestRefusedError, RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm import batch_transit
from datasynth.tasks.llm.batch_choice import require_none_waiting
from datasynth.tasks.llm.batch_clients import connect_batches
from datasynth.tasks.llm.batch_engine import BatchEngine
from datasynth.tasks.llm.batch_transit import Waits
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.prices import Price, listed_price
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.progress import ProgressBoard
from datasynth.tasks.storage.store import Store

MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-5.4-mini"}
CREATE = {"anthropic": "POST /v1/messages/batches", "openai": "POST /v1/batches"}
QUICK = Waits(first=0.01, longest=0.05)
CALLS = 8


@dataclass
class Work:
    """One process's share of a run."""

    engine: BatchEngine
    journal: Journal
    budget: Budget
    board: ProgressBoard
    price: Price


Open = Callable[..., Any]


def shard(calls: int = CALLS, *, words: str = "") -> Shard:
    prompts = [
        Prompt(PlannedCall(n, 2), f"Write exactly 2 new records about subject {n}.{words}") for n in range(calls)
    ]
    return Shard(1, 1, 1, "You write records.", None, tuple(prompts))


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


def whole(reply: Reply) -> bool:
    return reply.stop == "end" and bool(reply.text.strip())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what happens elsewhere sets no event
            await asyncio.sleep(0.01)


def worst(work: Work) -> Decimal:
    """What one call of `shard` holds, a little rounded up."""
    engine, asked = work.engine, shard(1)
    held = work.budget.reserve(3000, asked.prompts[0].call.asked * engine.settings.max_tokens_per_sample)
    assert not isinstance(held, str)
    work.budget.release(held)
    return held.cost


async def test_every_call_of_a_shard_gets_its_reply_from_one_batch(
    open_work: Open, provider: str, endpoint: SimulatedServer
) -> None:
    async with open_work() as work:
        receipt = await work.engine.run_shard(shard())
        replies = work.journal.read(result.reply or "" for result in receipt.results)
    assert [r.index for r in receipt.results] == list(range(CALLS))
    assert all(whole(reply) and reply.simulated and reply.request_id for _, reply in replies)
    assert (len(replies), receipt.calls) == (CALLS, CALLS)
    assert endpoint.stats()["by_endpoint"][CREATE[provider]] == 1


async def test_replies_cost_what_the_batch_tier_costs(open_work: Open, endpoint: SimulatedServer) -> None:
    async with open_work() as work:
        receipt = await work.engine.run_shard(shard())
        spend, price = work.journal.spend(), work.price
        replies = [reply for _, reply in work.journal.read(result.reply or "" for result in receipt.results)]
        billed = endpoint.stats()["tokens"]
        assert {reply.service_tier for reply in replies} == {"batch"}
        assert (spend.usage.input, spend.usage.output) == (billed["input"], billed["output"])
        assert spend.cost_usd == pytest.approx(float(sum(price.cost(r.usage, tier="batch") for r in replies)), rel=1e-9)
        assert spend.cost_usd == pytest.approx(float(sum(price.cost(r.usage) for r in replies)) / 2, rel=1e-9)
        assert float(work.budget.cost) == pytest.approx(spend.cost_usd, rel=1e-9)
        assert not work.budget.waiting_may_help


async def test_a_run_killed_while_its_batch_is_under_way_collects_the_same_batch(
    open_work: Open, provider: str, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as killed:
        waiting = asyncio.create_task(killed.engine.run_shard(shard()))
        await until(lambda: bool(killed.journal.open_batches()))
        # What a process that is killed now leaves behind.
        shutil.copytree(tmp_path / "journal", tmp_path / "left")
        waiting.cancel()
    endpoint.set(batch_seconds=0)
    async with open_work(tmp_path / "left", max_calls=CALLS) as resumed:
        receipt = await resumed.engine.run_shard(shard())
        assert all(result.reply for result in receipt.results)
        assert resumed.journal.open_batches() == []
        assert resumed.budget.calls == CALLS
    stats = endpoint.stats()
    assert stats["by_endpoint"][CREATE[provider]] == 1
    assert (stats["replies"], stats["repeats"]) == (CALLS, 0)


async def test_what_was_collected_is_never_sent_again(open_work: Open, endpoint: SimulatedServer) -> None:
    async with open_work() as work:
        first = await work.engine.run_shard(shard())
    async with open_work() as work:
        again = await work.engine.run_shard(shard())
        assert work.board.now().replayed == CALLS
    assert (again.results, again.calls) == (first.results, 0)
    assert endpoint.stats()["replies"] == CALLS


async def test_a_batch_under_way_counts_against_the_limits_of_whoever_resumes(
    open_work: Open, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work(max_calls=CALLS) as killed:
        waiting = asyncio.create_task(killed.engine.run_shard(shard()))
        await until(lambda: bool(killed.journal.open_batches()))
        shutil.copytree(tmp_path / "journal", tmp_path / "left")
        waiting.cancel()
    endpoint.set(batch_seconds=0)
    async with open_work(tmp_path / "left", max_calls=CALLS) as resumed:
        more = await resumed.engine.run_shard(shard(2, words=" Be brief."))
    assert [(r.miss, r.detail) for r in more.results] == [("budget", "max_calls")] * 2
    assert endpoint.stats()["replies"] == CALLS


async def test_one_by_one_is_refused_while_a_batch_of_the_run_waits(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = asyncio.create_task(work.engine.run_shard(shard()))
        await until(lambda: bool(work.journal.open_batches()))
        with pytest.raises(InputError, match=r"8 calls.*--batch-api"):
            require_none_waiting(work.journal)
        waiting.cancel()


async def test_a_stopped_run_leaves_its_batch_with_the_provider_and_says_so(
    open_work: Open, endpoint: SimulatedServer
) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = asyncio.create_task(work.engine.run_shard(shard()))
        await until(lambda: work.board.now().calls_in_flight == CALLS)
        await work.engine.drain(5)
        with pytest.raises(RunError, match="under way at http"):
            await waiting
        assert len(work.journal.open_batches()) == 1
        assert work.board.now().calls_in_flight == 0
    assert sum("cancel" in path for path in endpoint.stats()["by_endpoint"]) == 0


async def test_the_time_limit_leaves_the_batch_with_the_provider(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = asyncio.create_task(work.engine.run_shard(shard()))
        await until(lambda: bool(work.journal.open_batches()))
        work.engine.transit.deadline = 0.0
        with pytest.raises(RunError, match="--max-minutes"):
            await waiting
        assert len(work.journal.open_batches()) == 1
        late = await work.engine.run_shard(shard(2, words=" Be brief."))
    assert [r.miss for r in late.results] == ["stopped"] * 2


async def test_a_reply_without_a_record_is_asked_for_again_warmer(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_empty=0.5)
    async with open_work() as work:
        receipt = await work.engine.run_shard(shard(20))
        replies = [reply for _, reply in work.journal.read(result.reply or "" for result in receipt.results)]
        retries = work.board.now().retries
    assert sum(map(whole, replies)) > 15
    assert endpoint.stats()["replies"] == receipt.calls == 20 + retries > 20


async def test_failed_requests_are_not_billed_and_are_asked_again(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_500=0.4)
    async with open_work(max_retries=6) as work:
        receipt = await work.engine.run_shard(shard(20))
        assert all(result.reply for result in receipt.results)
        assert work.budget.calls == work.journal.spend().calls == 20
        assert work.journal.spend().possible_calls == 0
    stats = endpoint.stats()
    assert stats["replies"] == 20
    assert stats["faults"]["500"] > 0


async def test_requests_that_always_fail_are_missing_with_what_the_server_said(
    open_work: Open, endpoint: SimulatedServer
) -> None:
    endpoint.set(rate_500=1.0)
    async with open_work(max_retries=1) as work:
        receipt = await work.engine.run_shard(shard(3))
        assert work.budget.calls == 0
        assert not work.budget.waiting_may_help
    assert [(r.reply, r.miss) for r in receipt.results] == [(None, "server_error")] * 3
    assert all("500" in r.detail for r in receipt.results)


async def test_a_batch_cancelled_at_the_provider_is_missing_and_costs_nothing(
    open_work: Open, provider: str, endpoint: SimulatedServer
) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = asyncio.create_task(work.engine.run_shard(shard(3)))
        await until(lambda: bool(work.journal.open_batches()))
        path = f"{CREATE[provider].split()[1]}/{work.journal.open_batches()[0].id}/cancel"
        await asyncio.to_thread(urlopen, UrlRequest(endpoint.url + path, method="POST"))
        receipt = await waiting
        assert work.budget.calls == 0
    assert [(r.miss, "cancelled" in r.detail) for r in receipt.results] == [("server_error", True)] * 3
    assert endpoint.stats()["replies"] == 0


async def test_what_never_fits_the_budget_is_a_budget_miss(open_work: Open, endpoint: SimulatedServer) -> None:
    async with open_work(max_calls=5) as work:
        receipt = await work.engine.run_shard(shard())
    assert [r.miss for r in receipt.results] == [None] * 5 + ["budget"] * 3
    assert {r.detail for r in receipt.results if r.miss} == {"max_calls"}
    assert endpoint.stats()["replies"] == 5


async def test_what_does_not_fit_yet_goes_out_once_the_bill_for_the_rest_is_known(
    open_work: Open, provider: str, endpoint: SimulatedServer
) -> None:
    async with open_work() as work:
        limit = float(worst(work)) * 3
    async with open_work(max_cost=limit) as work:
        receipt = await work.engine.run_shard(shard())
        assert work.budget.cost <= Decimal(str(limit))
    assert all(result.reply for result in receipt.results)
    assert endpoint.stats()["by_endpoint"][CREATE[provider]] > 1
    assert endpoint.stats()["replies"] == CALLS


async def test_shards_that_share_a_tight_budget_wait_for_each_other(open_work: Open) -> None:
    async with open_work() as work:
        limit = float(worst(work)) * 3
    async with open_work(max_cost=limit) as work:
        shards = [replace(shard(4, words=f" Shard {n}."), number=n) for n in range(3)]
        receipts = await asyncio.gather(*map(work.engine.run_shard, shards))
    assert all(result.reply for receipt in receipts for result in receipt.results)


async def test_a_batch_larger_than_the_provider_takes_is_split(
    open_work: Open, provider: str, endpoint: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_work() as work:
        monkeypatch.setattr(work.engine.client, "most_requests", 3)
        receipt = await work.engine.run_shard(shard())
        monkeypatch.setattr(work.engine.client, "most_bytes", 1)
        more = await work.engine.run_shard(shard(2, words=" Be brief."))
    assert all(result.reply for result in (*receipt.results, *more.results))
    assert endpoint.stats()["by_endpoint"][CREATE[provider]] == 3 + 2


async def test_a_refused_key_ends_the_run_and_names_its_variable(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(api_key="sk-another")
    async with open_work() as work:
        with pytest.raises(AuthenticationError, match="THE_KEY"):
            await work.engine.run_shard(shard())
        assert work.budget.calls == 0
    assert endpoint.stats()["requests"] == 1


async def test_requests_refused_as_malformed_end_the_run_with_the_explanation(
    open_work: Open, endpoint: SimulatedServer
) -> None:
    endpoint.set(bad_request=True)
    async with open_work() as work:
        with pytest.raises(RequestRefusedError, match="400"):
            await work.engine.run_shard(shard())


async def test_a_parameter_that_the_model_does_not_take_is_left_out_of_the_next_batch(
    open_work: Open, provider: str, endpoint: SimulatedServer
) -> None:
    endpoint.set(reject_parameters="temperature,thinking")
    async with open_work() as work:
        receipt = await work.engine.run_shard(shard())
    assert all(result.reply for result in receipt.results)
    assert endpoint.stats()["replies"] == CALLS


async def test_a_batch_that_the_endpoint_does_not_know_ends_the_run_before_anything_is_paid_again(
    open_work: Open, provider: str, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = asyncio.create_task(work.engine.run_shard(shard()))
        await until(lambda: bool(work.journal.open_batches()))
        shutil.copytree(tmp_path / "journal", tmp_path / "left")
        waiting.cancel()
    with SimulatedServer.start() as other:
        base = other.url if provider == "anthropic" else f"{other.url}/v1"
        async with open_work(tmp_path / "left", base=base) as resumed:
            with pytest.raises(RunError, match="knows no batch"):
                await resumed.engine.run_shard(shard())
            assert len(resumed.journal.open_batches()) == 1
        assert other.stats()["replies"] == 0


async def test_an_endpoint_that_cannot_be_reached_is_a_connection_miss(open_work: Open) -> None:
    async with open_work(base="http://127.0.0.1:9", max_retries=1) as work:
        receipt = await work.engine.run_shard(shard(2))
        assert work.budget.calls == 0
    assert [r.miss for r in receipt.results] == ["connection"] * 2


async def test_a_batch_of_which_nobody_knows_whether_it_was_taken_counts_in_full(open_work: Open) -> None:
    async def keep(_request: web.Request) -> web.Response:
        return web.json_response({"id": "file-1", "object": "file"})

    async def abort(request: web.Request) -> web.Response:
        assert request.transport is not None
        await request.read()
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/files", keep), web.post("/batches", abort), web.post("/v1/messages/batches", abort)])
    async with TestServer(app) as server:
        async with open_work(base=str(server.make_url("")).rstrip("/"), max_retries=0, max_calls=5) as work:
            receipt = await work.engine.run_shard(shard(2))
            spend = work.journal.spend()
            assert (work.budget.calls, work.journal.abandoned()) == (2, ())
    assert [r.miss for r in receipt.results] == ["connection"] * 2
    assert (spend.calls, spend.possible_calls) == (0, 2)
    assert spend.possible_usd > 0


async def test_an_endpoint_that_falls_silent_ends_the_run_and_the_batch_is_remembered(
    open_work: Open, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_transit, "MOST_SILENCE", 3)
    with SimulatedServer.start({"batch_seconds": 600}) as server:
        async with open_work(base=server.url if provider == "anthropic" else f"{server.url}/v1") as work:
            waiting = asyncio.create_task(work.engine.run_shard(shard()))
            await until(lambda: bool(work.journal.open_batches()))
            server.stop()
            with pytest.raises(RunError, match="resume the run later"):
                await waiting
            assert len(work.journal.open_batches()) == 1


async def test_an_intent_without_a_batch_counts_against_the_limits_of_whoever_resumes(
    open_work: Open, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    async with open_work(max_calls=3) as killed:
        held = killed.budget.reserve(10, 10)
        assert not isinstance(held, str)
        await asyncio.gather(*(killed.journal.append_intent(token, held, round=1) for token in "ab"))
    async with open_work(max_calls=3) as resumed:
        receipt = await resumed.engine.run_shard(shard(2))
    assert [r.miss for r in receipt.results] == [None, "budget"]

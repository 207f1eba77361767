"""Shards through both providers' batch endpoints, on a simulated server, with the real SDKs."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from batch_work import CALLS, CREATE, Open, Work, sent, shard, whole

from datasynth.schemas.errors import AuthenticationError, RequestRefusedError
from datasynth.tasks.llm.simulated.process import SimulatedServer


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
        waiting = await sent(work, shard(3))
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

"""The engine against the simulated endpoint: real SDKs, real sockets, a real journal."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any, cast

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasynth.schemas.calls import CallResult, Prompt, Reply, Request, Shard
from datasynth.schemas.errors import AuthenticationError, RequestRefusedError, RunError, StorageError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.collect import readable
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.clients import ModelClient, connect
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.engine import Engine
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.prices import price_of
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.rounds.progress import ProgressBoard
from datasynth.tasks.storage.store import Store

KEY = "sk-secret-0123456789"
PROTOCOLS = ["anthropic", "openai"]
SCHEMA = RecordSchema(fields=(Field(name="question"), Field(name="answer")))
RECIPE = Recipe(
    name="qa",
    record_schema=SCHEMA,
    seeds=tuple(
        {"question": f"What is {n} and {n}?", "answer": f"It is {2 * n}, as everyone knows."} for n in range(5)
    ),
)
DETECTION = Detection(kind="generic")


def with_(**values: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate(
        {"analysis_dir": "x", "retry_delay": 0.001, "batch_size": 2, "concurrency": 4, "max_tokens_per_sample": 300}
        | values
    )


@cache
def shard(calls: int, *, first: int = 0) -> Shard:
    planned = plan_calls(RECIPE, DETECTION, with_(), round=1, first_index=first, asked=[2] * calls)
    prompts = tuple(Prompt(call, call_prompt(RECIPE, DETECTION, call)) for call in planned)
    return Shard(1, 1, 1, static_prompt(RECIPE, DETECTION, with_()), reply_schema(SCHEMA), prompts)


def new_store() -> Store:
    return Store(f"memory://{uuid.uuid4().hex}")


@asynccontextmanager
async def engine_at(
    server: SimulatedServer, store: Store, protocol: str = "anthropic", **values: Any
) -> AsyncIterator[Engine]:
    provider = PROVIDERS["simulated" if protocol == "anthropic" else "vllm"]
    url = server.url if protocol == "anthropic" else f"{server.url}/v1"
    settings = with_(**values)
    place = Endpoint(provider, "simulated", url, KEY, "KEY")
    client = connect(place, in_flight=settings.concurrency)
    journal = Journal(store)
    budget = Budget(
        price_of(place, settings),
        max_cost=settings.max_cost,
        max_tokens=settings.max_tokens,
        max_calls=settings.max_calls,
    )
    budget.take_over(journal.spend(), journal.abandoned())
    may_read = partial(readable, schema=SCHEMA)
    try:
        yield Engine(place, client, journal, budget, settings, ProgressBoard(), readable=may_read)
    finally:
        await client.close()
        await journal.flush()
        journal.close()


def replies(engine: Engine, results: tuple[CallResult, ...]) -> list[Reply | None]:
    return [engine.journal.get(result.reply) if result.reply else None for result in results]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_every_call_brings_a_reply_in_plan_order(endpoint: SimulatedServer, protocol: str) -> None:
    async with engine_at(endpoint, new_store(), protocol) as engine:
        receipt = await engine.run_shard(shard(6))
        found = replies(engine, receipt.results)
    assert [result.index for result in receipt.results] == list(range(6))
    assert all(reply is not None and readable(reply, SCHEMA) for reply in found)
    assert receipt.calls == endpoint.stats()["replies"] == 6


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_in_the_journal_is_never_asked_again(endpoint: SimulatedServer, protocol: str) -> None:
    store = new_store()
    async with engine_at(endpoint, store, protocol) as engine:
        first = await engine.run_shard(shard(6))
    endpoint.reset()
    async with engine_at(endpoint, store, protocol, concurrency=1, max_calls=1) as engine:
        again = await engine.run_shard(shard(6))
        assert engine.board.now().replayed == 6
    assert again.results == first.results
    assert again.calls == endpoint.stats()["requests"] == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", ["empty", "tool_call"])
async def test_a_reply_that_cannot_be_read_is_asked_for_again_hotter_and_so_often(
    endpoint: SimulatedServer, protocol: str, fault: str
) -> None:
    endpoint.set(**{f"rate_{fault}": 1.0})
    async with engine_at(endpoint, new_store(), protocol, max_retries=2) as engine:
        receipt = await engine.run_shard(shard(1))
    stats = endpoint.stats()
    assert receipt.results[0].reply is not None
    # Distinct requests: each attempt has another temperature.
    assert (stats["replies"], stats["distinct"]) == (3, 3)


async def test_a_reply_cut_off_before_its_first_record_is_not_asked_for_again(endpoint: SimulatedServer) -> None:
    endpoint.set(rate_truncated=1.0)
    async with engine_at(endpoint, new_store(), max_retries=3, batch_size=1) as engine:
        receipt = await engine.run_shard(shard(3))
        assert [result.miss for result in receipt.results] == [None] * 3
        assert engine.board.now().retries == 0
    assert endpoint.stats()["replies"] == 3


async def test_replies_that_could_not_be_read_are_journalled_and_not_paid_again(endpoint: SimulatedServer) -> None:
    endpoint.set(rate_empty=0.5)
    store = new_store()
    async with engine_at(endpoint, store, max_retries=9) as engine:
        first = await engine.run_shard(shard(12))
        assert all(reply is not None and reply.text for reply in replies(engine, first.results))
    assert endpoint.stats()["replies"] > 12
    endpoint.reset()
    async with engine_at(endpoint, store, max_retries=9) as engine:
        again = await engine.run_shard(shard(12))
    assert again.results == first.results
    assert endpoint.stats()["requests"] == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_refusal_is_not_asked_again(endpoint: SimulatedServer, protocol: str) -> None:
    endpoint.set(rate_refusal=1.0)
    async with engine_at(endpoint, new_store(), protocol) as engine:
        receipt = await engine.run_shard(shard(2))
        assert [reply.stop for reply in replies(engine, receipt.results) if reply] == ["refusal"] * 2
    assert endpoint.stats()["replies"] == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", ["500", "503", "529", "reset", "half", "429"])
async def test_what_can_pass_is_tried_again_until_it_does(endpoint: SimulatedServer, protocol: str, fault: str) -> None:
    endpoint.set(**{f"rate_{fault}": 0.3}, retry_after=0.001)
    async with engine_at(endpoint, new_store(), protocol, max_retries=12) as engine:
        receipt = await engine.run_shard(shard(10))
    assert all(result.reply for result in receipt.results)
    assert endpoint.stats()["replies"] == 10


async def test_what_does_not_pass_is_given_up_after_the_retries_and_says_why(endpoint: SimulatedServer) -> None:
    endpoint.set(rate_500=1.0)
    async with engine_at(endpoint, new_store(), max_retries=2) as engine:
        receipt = await engine.run_shard(shard(3))
        assert cast(Journal, engine.journal).spend().possible_calls == 0
    assert [(r.reply, r.miss, r.detail[:4]) for r in receipt.results] == [(None, "server_error", "500:")] * 3
    assert endpoint.stats()["requests"] == 9


async def test_lost_connections_count_as_possibly_billed(endpoint: SimulatedServer) -> None:
    endpoint.set(rate_reset=1.0)
    async with engine_at(endpoint, new_store(), max_retries=1, input_price=1, output_price=1) as engine:
        receipt = await engine.run_shard(shard(2))
        spend = cast(Journal, engine.journal).spend()
        assert spend.possible_calls == engine.budget.calls == 4
        assert spend.possible_usd == pytest.approx(float(engine.budget.cost))
        assert spend.possible_usd > 0
    assert {r.miss for r in receipt.results} == {"connection"}


async def test_a_hanging_call_ends_at_the_time_limit_of_a_call(endpoint: SimulatedServer) -> None:
    endpoint.set(rate_hang=1.0)
    async with engine_at(endpoint, new_store(), request_timeout=0.05, max_retries=0) as engine:
        assert (await engine.run_shard(shard(1))).results[0].miss == "timeout"
        assert cast(Journal, engine.journal).spend().possible_calls == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("parameter", ["temperature", "thinking", "output_config", "response_format", "cache_control"])
async def test_a_parameter_that_the_server_does_not_take_is_left_out(
    endpoint: SimulatedServer, protocol: str, parameter: str
) -> None:
    endpoint.set(reject_parameters=[parameter])
    async with engine_at(endpoint, new_store(), protocol, concurrency=1) as engine:
        receipt = await engine.run_shard(shard(3))
    assert all(result.reply for result in receipt.results)
    assert endpoint.stats()["requests"] <= 4


async def test_requests_that_are_all_malformed_end_the_run_with_the_explanation(endpoint: SimulatedServer) -> None:
    endpoint.set(bad_request=True)
    async with engine_at(endpoint, new_store(), concurrency=1) as engine:
        with pytest.raises(RequestRefusedError, match="400"):
            await engine.run_shard(shard(20))
    assert endpoint.stats()["requests"] <= 4


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_refused_key_ends_the_run_at_once_without_showing_it(endpoint: SimulatedServer, protocol: str) -> None:
    endpoint.set(api_key="another")
    async with engine_at(endpoint, new_store(), protocol, concurrency=1) as engine:
        with pytest.raises(AuthenticationError) as caught:
            await engine.run_shard(shard(20))
        assert KEY not in repr(engine.endpoint) + repr(engine)
    assert endpoint.stats()["requests"] == 1
    assert KEY not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
    assert "KEY" in str(caught.value)


async def test_no_call_starts_beyond_the_calls_allowed(endpoint: SimulatedServer) -> None:
    store = new_store()
    for _ in range(2):
        async with engine_at(endpoint, store, max_calls=3, concurrency=8) as engine:
            receipt = await engine.run_shard(shard(8))
            assert sum(result.miss == "budget" for result in receipt.results) == 5
    assert endpoint.stats()["requests"] == 3


async def until(server: SimulatedServer, figure: str, least: int, running: asyncio.Task[Any]) -> None:
    """Returns once the server counts so many, or nothing runs any more."""
    while server.stats()[figure] < least and not running.done():  # noqa: ASYNC110 - the server is another process
        await asyncio.sleep(0.01)


async def test_a_stopped_engine_keeps_what_is_paid_and_starts_nothing_more(endpoint: SimulatedServer) -> None:
    endpoint.set(latency=0.3)
    store = new_store()
    async with engine_at(endpoint, store, concurrency=2) as engine:
        running = asyncio.create_task(engine.run_shard(shard(20)))
        await until(endpoint, "in_flight", 2, running)
        before = time.monotonic()
        await engine.drain(60)
        # As soon as the calls in flight are answered, and not when the time given has passed.
        assert time.monotonic() - before < 30
        with pytest.raises((RunError, asyncio.CancelledError)):
            await running
    stats = endpoint.stats()
    assert stats["requests"] <= 4
    with contextlib.closing(Journal(store)) as journal:
        assert len(journal) == journal.spend().calls == stats["replies"] > 0
        assert journal.spend().possible_calls == 0


async def test_a_call_that_waits_for_room_in_the_budget_does_not_start_once_stopped(
    endpoint: SimulatedServer,
) -> None:
    endpoint.set(latency=0.3)
    # Room for one call's worst case at a time.
    async with engine_at(endpoint, new_store(), max_tokens=8000, concurrency=4) as engine:
        running = asyncio.create_task(engine.run_shard(shard(4)))
        await until(endpoint, "in_flight", 1, running)
        await engine.drain(20)
        with pytest.raises((RunError, asyncio.CancelledError)):
            await running
    assert endpoint.stats()["requests"] == 1


async def test_a_shard_cancelled_before_its_calls_left_leaves_all_room_to_others(endpoint: SimulatedServer) -> None:
    async with engine_at(endpoint, new_store(), max_calls=4) as engine:
        for turns in range(12):
            running = asyncio.create_task(engine.run_shard(shard(4, first=1000)))
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            assert engine.limit.in_flight == 0
            assert engine.budget.waiting_may_help is False
        spent = engine.budget.calls
        receipt = await asyncio.wait_for(engine.run_shard(shard(8)), 30)
        assert sum(result.reply is not None for result in receipt.results) == 4 - spent
        await engine.journal.flush()
        assert cast(Journal, engine.journal).abandoned() == ()


async def test_the_time_limit_ends_calls_that_have_not_left(endpoint: SimulatedServer) -> None:
    async with engine_at(endpoint, new_store(), max_minutes=1e-9) as engine:
        receipt = await engine.run_shard(shard(4))
    assert [result.miss for result in receipt.results] == ["stopped"] * 4
    assert endpoint.stats()["requests"] == 0


async def test_the_time_limit_does_not_wait_for_a_rate_ceiling(endpoint: SimulatedServer) -> None:
    async with engine_at(endpoint, new_store(), requests_per_minute=1, max_minutes=1e-9) as engine:
        receipt = await asyncio.wait_for(engine.run_shard(shard(30)), 20)
    assert {result.miss for result in receipt.results} == {"stopped"}


async def test_a_rate_ceiling_holds_even_after_a_pause(endpoint: SimulatedServer) -> None:
    # Twenty at once at most, then twenty a second.
    async with engine_at(endpoint, new_store(), requests_per_minute=1200, concurrency=40) as engine:
        engine.limit.pause(0.5)
        started = time.monotonic()
        await engine.run_shard(shard(30))
        seconds = time.monotonic() - started
    # When the pause ends go the one that waited for it and the twenty; the other nine keep their distance.
    assert seconds >= 0.5 + 9 / 20 - 0.01


async def test_a_full_journal_ends_the_run_and_names_it(endpoint: SimulatedServer) -> None:
    class Full(Store):
        def write(self, path: str, data: bytes) -> None:
            raise StorageError("Cannot write {path}", path=path)

    async with engine_at(endpoint, Full(f"memory://{uuid.uuid4().hex}"), concurrency=1) as engine:
        with pytest.raises(StorageError):
            await engine.run_shard(shard(10))
    assert endpoint.stats()["requests"] <= 2


async def test_storage_that_failed_for_a_moment_ends_the_shard_and_not_its_retry(endpoint: SimulatedServer) -> None:
    class Away(Store):
        failures = 1

        def write(self, path: str, data: bytes) -> None:
            if self.failures:
                self.failures -= 1
                raise StorageError("Cannot write {path}", path=path)
            super().write(path, data)

    async with engine_at(endpoint, Away(f"memory://{uuid.uuid4().hex}"), concurrency=2) as engine:
        with pytest.raises(StorageError):
            await engine.run_shard(shard(6))
        receipt = await engine.run_shard(shard(6))
        assert all(result.reply for result in receipt.results)


async def test_a_failure_that_nobody_foresaw_holds_no_room_in_the_budget(endpoint: SimulatedServer) -> None:
    class Broken:
        dropped: set[str] = set()

        async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
            raise IndexError

    async with engine_at(endpoint, new_store(), max_calls=8, concurrency=2) as engine:
        sound, engine.client = engine.client, cast(ModelClient, Broken())
        with pytest.raises(IndexError):
            await engine.run_shard(shard(4))
        assert engine.budget.purse.held == 0
        engine.client = sound
        async with asyncio.timeout(30):
            receipt = await engine.run_shard(shard(4))
        assert all(result.reply for result in receipt.results)
        spend = engine.budget.purse.calls
        assert (
            spend == cast(Journal, engine.journal).spend().calls + cast(Journal, engine.journal).spend().possible_calls
        )


async def test_the_gate_is_held_by_no_more_calls_than_it_lets_in(endpoint: SimulatedServer) -> None:
    inside, most = 0, 0
    door = asyncio.Semaphore(2)

    @asynccontextmanager
    async def gate() -> AsyncIterator[None]:
        nonlocal inside, most
        async with door:
            inside, most = inside + 1, max(most, inside + 1)
            yield
            inside -= 1

    async with engine_at(endpoint, new_store(), concurrency=8) as engine:
        engine._gate = gate
        receipt = await engine.run_shard(shard(8))
    assert all(result.reply for result in receipt.results)
    assert (most, inside) == (2, 0)
    assert endpoint.stats()["max_in_flight"] <= 2


ALL_FAULTS = st.fixed_dictionaries(
    {
        name: st.sampled_from([0.0, 0.05, 0.12])
        for name in (
            "rate_429", "rate_529", "rate_500", "rate_reset", "rate_half", "rate_truncated", "rate_malformed",
            "rate_empty", "rate_refusal", "rate_tool_call", "rate_wrapped",
        )
    }
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    knobs=ALL_FAULTS,
    seed=st.integers(0, 99),
    limit=st.sampled_from([{"max_cost": 0.02}, {"max_cost": 0.1}, {"max_tokens": 30_000}, {"max_calls": 9}, {}]),
    protocol=st.sampled_from(PROTOCOLS),
    kills=st.integers(0, 2),
)
def test_whatever_goes_wrong_the_bill_stays_in_the_limit_and_every_call_ends(
    endpoint: SimulatedServer, knobs: dict[str, float], seed: int, limit: dict[str, Any], protocol: str, kills: int
) -> None:
    endpoint.set(**knobs, seed=seed, retry_after=0.001, latency=0.005)
    endpoint.reset()
    store = new_store()
    values = limit | {"input_price": 5, "output_price": 25, "concurrency": 6}

    async def once(*, kill: bool) -> tuple[CallResult, ...]:
        async with engine_at(endpoint, store, protocol, **values) as engine:
            running = asyncio.create_task(engine.run_shard(shard(20)))
            if kill:
                await until(endpoint, "requests", 4, running)
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
                return ()
            return (await asyncio.wait_for(running, 60)).results

    for _ in range(kills):
        asyncio.run(once(kill=True))
    results = asyncio.run(once(kill=False))
    stats = endpoint.stats()
    tokens = stats["tokens"]
    fresh = tokens["input"] + tokens["cache_read"] + tokens["cache_write"]
    bill = (5 * fresh + 25 * tokens["output"]) / 1e6
    assert bill <= limit.get("max_cost", float("inf"))
    assert fresh + tokens["output"] <= limit.get("max_tokens", float("inf"))
    assert stats["replies"] <= limit.get("max_calls", float("inf"))
    assert len(results) == 20
    with contextlib.closing(Journal(store)) as journal:
        spend = journal.spend()
        assert spend.calls <= stats["replies"] <= spend.calls + spend.possible_calls
        assert journal.abandoned() == ()
    for result in results:
        assert (result.reply is None) == (result.miss is not None)

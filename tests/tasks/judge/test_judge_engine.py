"""Writing and judging from one purse: real engines, a real journal, a simulated endpoint, no Prefect."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from datasynth.schemas.calls import Prompt, Shard, ShardReceipt, Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.engines import OpenEngine, RunPlace, close_engine, engine_of, judge_journal_of
from datasynth.tasks.judge.prompt import judge_message, judge_prompt, scores_schema
from datasynth.tasks.judge.scores import read_scores
from datasynth.tasks.llm.budget import Budget, Purse, Reservation
from datasynth.tasks.llm.engine import Engine
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema

SCHEMA = RecordSchema(fields=(Field(name="question"), Field(name="answer")))
SEEDS = tuple({"question": f"What is {n} and {n}?", "answer": f"It is {2 * n}, as everyone knows."} for n in range(5))
RECIPE = Recipe(name="qa", record_schema=SCHEMA, seeds=SEEDS)
DETECTION = Detection(kind="generic")
PRICE = {"input_price": 1.0, "output_price": 5.0, "judge_input_price": 3.0, "judge_output_price": 15.0}


def with_(server: SimulatedServer, **values: Any) -> SynthesisSettings:
    base = {
        "analysis_dir": "x", "provider": "vllm", "model": "writer", "base_url": f"{server.url}/v1",
        "retry_delay": 0.001, "batch_size": 2, "concurrency": 4, "max_tokens_per_sample": 100, "judge_model": "judge",
        "run_id": uuid.uuid4().hex,
    }  # fmt: skip
    return SynthesisSettings.model_validate(base | PRICE | values)


@contextmanager
def opened(settings: SynthesisSettings, url: str | None = None) -> Iterator[RunPlace]:
    place = RunPlace(settings, SCHEMA, url or f"memory://{uuid.uuid4().hex}")
    try:
        yield place
    finally:
        close_engine(place)


def written(place: RunPlace, calls: int) -> ShardReceipt:
    plan = plan_calls(RECIPE, DETECTION, place.settings, round=1, first_index=0, asked=[2] * calls)
    prompts = tuple(Prompt(call, call_prompt(RECIPE, DETECTION, call)) for call in plan)
    static = static_prompt(RECIPE, DETECTION, place.settings)
    return engine_of(place).run(Shard(1, 1, 1, static, reply_schema(SCHEMA), prompts))


def scored(place: RunPlace, calls: int) -> ShardReceipt:
    plan = plan_calls(RECIPE, DETECTION, place.settings, round=1, first_index=1_000_000, asked=[5] * calls)
    prompts = tuple(Prompt(call, judge_message(SEEDS, "en") + f"\n\n{call.index}") for call in plan)
    shard = Shard(1, 1, 1, judge_prompt(RECIPE, DETECTION), scores_schema("en"), prompts)
    return engine_of(place).run(shard, judging=True)


def own_engine(place: RunPlace) -> OpenEngine:
    """The engine of a run whose calls this process makes."""
    engine = engine_of(place)
    assert isinstance(engine, OpenEngine)
    return engine


def test_the_judge_is_asked_by_its_own_name_and_its_replies_stand_apart(endpoint: SimulatedServer) -> None:
    with opened(with_(endpoint)) as place:
        written(place, 3)
        keys = [result.reply for result in scored(place, 4).results]
        found = [reply for _, reply in judge_journal_of(place).read(key for key in keys if key)]
        assert {reply.model for reply in found} == {"judge"}
        assert all(len(read_scores(reply.text)) == 5 for reply in found)
        assert engine_of(place).journal.spend(1).calls == 3
        assert judge_journal_of(place).spend(1).calls == 4


def test_a_judgement_in_the_journal_is_never_paid_again(endpoint: SimulatedServer) -> None:
    url = f"memory://{uuid.uuid4().hex}"
    settings = with_(endpoint)
    for _ in range(2):
        with opened(settings, url) as place:
            assert [result.miss for result in scored(place, 4).results] == [None] * 4
    assert (endpoint.stats()["replies"], endpoint.stats()["repeats"]) == (4, 0)


def test_each_model_is_billed_at_its_own_price(endpoint: SimulatedServer) -> None:
    with opened(with_(endpoint)) as place:
        scored(place, 3)
        spend = judge_journal_of(place).spend()
        fresh = spend.usage.input + spend.usage.cache_read
        assert spend.cost_usd == pytest.approx((fresh * 3 + spend.usage.output * 15) / 1e6)


@pytest.mark.parametrize("limit", [{"max_calls": 12}, {"max_tokens": 25_000}, {"max_cost": 0.15}])
def test_a_limit_that_writing_alone_would_keep_is_not_passed_by_judging(
    limit: dict[str, Any], endpoint: SimulatedServer
) -> None:
    with opened(with_(endpoint, **limit)) as place:
        assert all(result.reply for result in written(place, 4).results)
        misses = [result.miss for result in scored(place, 40).results]
        assert "budget" in misses
        assert None in misses
        spends = [engine_of(place).journal.spend(), judge_journal_of(place).spend()]
    total = sum(spends, Spend())
    assert total.calls == endpoint.stats()["replies"] <= limit.get("max_calls", 10**9)
    assert total.usage.total <= limit.get("max_tokens", 10**9)
    assert total.cost_usd is not None
    assert total.cost_usd <= limit.get("max_cost", 10**9)


def test_a_resumed_run_counts_what_both_models_have_cost(endpoint: SimulatedServer) -> None:
    url = f"memory://{uuid.uuid4().hex}"
    settings = with_(endpoint, max_calls=7)
    with opened(settings, url) as place:
        written(place, 2)
        scored(place, 3)
    with opened(settings, url) as place:
        engine = own_engine(place)
        assert engine.judge is not None
        assert isinstance(engine.engine, Engine)
        assert engine.engine.budget.calls == 5
        assert engine.judge.budget.calls == 5
        scored(place, 30)
    assert endpoint.stats()["replies"] == 7


def test_calls_to_one_endpoint_with_one_key_are_held_back_together(endpoint: SimulatedServer) -> None:
    with opened(with_(endpoint)) as place:
        engine = own_engine(place)
        assert engine.judge is not None
        assert engine.judge.pace is getattr(engine.engine, "pace", None)
    with opened(with_(endpoint, judge_base_url=f"{endpoint.url}/v1/")) as place:
        engine = own_engine(place)
        assert engine.judge is not None
        assert engine.judge.pace is not getattr(engine.engine, "pace", None)


def test_nothing_is_opened_for_a_judge_that_nobody_asked_for(endpoint: SimulatedServer) -> None:
    with opened(with_(endpoint, judge_model=None)) as place:
        engine = own_engine(place)
        assert (engine.judge, engine.judge_journal) == (None, None)


def test_two_budgets_of_one_purse_hold_its_limit_together() -> None:
    purse = Purse(max_calls=3)
    one = Budget(Price("user", Decimal(1), Decimal(1)), purse=purse)
    two = Budget(Price("user", Decimal(2), Decimal(2)), purse=purse)
    held = [one.reserve(10, 10), two.reserve(10, 10), two.reserve(10, 10)]
    assert one.reserve(1, 1) == two.reserve(1, 1) == "max_calls"
    first = held[0]
    assert isinstance(first, Reservation)
    one.settle(first, Usage(1, 1))
    assert (one.calls, two.calls, one.cost) == (1, 1, two.cost)
    assert (one.waiting_may_help, two.waiting_may_help) == (False, True)


def test_a_budgets_own_limit_holds_beside_that_of_the_purse() -> None:
    purse = Purse(max_calls=5)
    own, other = Budget(None, max_calls=1, purse=purse), Budget(None, purse=purse)
    assert isinstance(own.reserve(1, 1), Reservation)
    assert own.reserve(1, 1) == "max_calls"
    assert isinstance(other.reserve(1, 1), Reservation)


def test_one_unknown_price_makes_the_purse_unpriced() -> None:
    purse = Purse()
    known = Budget(Price("free"), purse=purse)
    assert known.spent_usd == 0
    Budget(None, purse=purse)
    assert known.spent_usd is None

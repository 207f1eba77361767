"""What the shards of a round may take where they work in several processes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasynth.schemas.calls import CallResult, PlannedCall, ShardReceipt
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.engines import close_engine, engine_of
from datasynth.tasks.llm.budget import Reservation
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.job import Job, ShardPlan, Spread
from datasynth.tasks.rounds.opening import open_job
from datasynth.tasks.rounds.prompts import shard_of
from datasynth.tasks.rounds.shares import _asked, _budget, limit_met, spread_shards
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store

Jobs = Callable[..., Job]


@pytest.fixture
def job_of(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, endpoint: SimulatedServer, examples: Path
) -> Iterator[Jobs]:
    """Opens a run that is spread over `slots`, with changed settings."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    opened: list[Job] = []

    def make(slots: int = 2, **changes: Any) -> Job:
        told: dict[str, Any] = {
            "analysis_dir": str(examples / "support_zh"),
            "provider": "openai",
            "model": "m",
            "base_url": f"{endpoint.url}/v1",
            "store": str(tmp_path_factory.mktemp("store")),
            "output": str(tmp_path_factory.mktemp("out") / "out.json"),
            "run_id": "r",
            "input_price": 1.0,
            "output_price": 2.0,
        }
        settings = SynthesisSettings(**told | changes)
        recipe = read_recipe(settings)
        detection = detect_kind(recipe.record_schema, recipe.seeds, "auto")
        opened.append(replace(open_job(settings, recipe, detection, None), spread=Spread(slots)))
        return opened[-1]

    yield make
    for job in opened:
        close_engine(job.place)


def calls(count: int) -> tuple[PlannedCall, ...]:
    return tuple(PlannedCall(index, 1, (0,)) for index in range(count))


def made(job: Job, plan: ShardPlan) -> ShardReceipt:
    """The calls of a shard, made as by a worker process that has just started."""
    close_engine(job.place)
    return engine_of(job.place).run(shard_of(plan, job))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    slots=st.integers(1, 40),
    concurrency=st.integers(1, 40),
    count=st.integers(1, 60),
    max_calls=st.none() | st.integers(1, 80),
    max_tokens=st.none() | st.integers(1, 300_000),
    max_cost=st.none() | st.floats(0, 0.5),
)
def test_all_shares_together_are_no_more_than_what_is_left(
    job_of: Jobs,
    slots: int,
    concurrency: int,
    count: int,
    max_calls: int | None,
    max_tokens: int | None,
    max_cost: float | None,
) -> None:
    job = job_of(slots, concurrency=concurrency, max_calls=max_calls, max_tokens=max_tokens, max_cost=max_cost)
    plans = spread_shards(job, 1, calls(count))
    shares = [plan.share for plan in plans if plan.share]
    assert [call for plan in plans for call in plan.calls] == list(calls(count))
    assert len(shares) == len(plans) <= slots
    assert len({share.id for share in shares}) == len(shares)
    assert sum(share.concurrency for share in shares) <= concurrency
    assert all(share.concurrency >= 1 for share in shares)
    for name, limit in (("max_calls", max_calls), ("max_tokens", max_tokens), ("max_cost", max_cost)):
        given = [getattr(share, name) for share in shares]
        assert given == [None] * len(shares) if limit is None else sum(given) <= Decimal(str(limit))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slots=st.integers(1, 8), count=st.integers(1, 40), max_tokens=st.integers(1, 60_000))
def test_as_long_as_a_call_fits_some_share_has_room_for_one(
    job_of: Jobs, slots: int, count: int, max_tokens: int
) -> None:
    job = job_of(slots, max_tokens=max_tokens)
    plans = spread_shards(job, 1, calls(count))
    worst = {plan.number: min(one.most_input + one.most_output for one in _asked(job, plan)) for plan in plans}
    fits = isinstance(_budget(job).reserve(min(worst.values()), 0), Reservation)
    assert fits == any(plan.share and (plan.share.max_tokens or 0) >= worst[plan.number] for plan in plans)


def test_a_share_is_spent_once_whoever_makes_its_calls_again(job_of: Jobs, endpoint: SimulatedServer) -> None:
    job = job_of(max_calls=6)
    (plan, _) = spread_shards(job, 1, calls(8))
    assert plan.share is not None
    assert plan.share.max_calls == 3
    first, second = made(job, plan), made(job, plan)
    assert [bool(result.reply) for result in first.results].count(True) == 3
    assert second.results == first.results
    assert endpoint.stats()["replies"] == 3


def test_what_a_share_leaves_is_there_for_the_next_round(job_of: Jobs) -> None:
    job = job_of(max_calls=9)
    for plan in spread_shards(job, 1, calls(4)):
        made(job, plan)
    assert [plan.share.max_calls for plan in spread_shards(job, 2, calls(8)) if plan.share] == [2, 3]


def test_a_share_that_is_used_up_does_not_end_the_run_while_a_call_fits(job_of: Jobs) -> None:
    job = job_of(max_calls=6)
    plans = spread_shards(job, 1, calls(8))
    results = list(made(job, plans[0]).results)
    assert limit_met(job, plans, results) is None
    results += made(job, plans[1]).results
    assert limit_met(job, plans, results) == "max_calls"


def test_in_one_process_a_call_that_does_not_fit_ends_the_run(job_of: Jobs) -> None:
    job = replace(job_of(), spread=None)
    results = [CallResult(0, None, "budget", "max_cost"), CallResult(1, "key")]
    assert limit_met(job, [ShardPlan(1, 1, 1, calls(2))], results) == "max_cost"


def test_the_flow_sees_what_workers_wrote_since_it_last_looked(job_of: Jobs) -> None:
    job = job_of()
    seen = Journal(Store(job.place.journal_url))
    for n, plan in enumerate(spread_shards(job, 1, calls(4)), 1):
        engine_of(job.place).run(shard_of(plan, job))
        seen.refresh()
        assert (len(seen), seen.spend(1).calls) == (2 * n, 2 * n)
    seen.refresh()
    assert seen.spend(1).calls == 4


def test_rates_are_divided(job_of: Jobs) -> None:
    job = job_of(4, requests_per_minute=3, tokens_per_minute=90_000)
    shares = [plan.share for plan in spread_shards(job, 1, calls(40)) if plan.share]
    assert [(s.requests_per_minute, s.tokens_per_minute) for s in shares] == [(1, 30_000)] * 3

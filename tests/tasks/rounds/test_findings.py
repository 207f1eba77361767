"""The archive is read back from storage: a resumed run plans exactly as an undisturbed one."""

import uuid
from typing import Any

import orjson
import polars as pl
import pytest
from test_commit import text_of

from datasynth.schemas.calls import PlannedCall, Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.rounds import findings
from datasynth.tasks.rounds.carry import carry_over
from datasynth.tasks.rounds.commit import Harvest, committer_of, forget_committer, stored_schema
from datasynth.tasks.rounds.findings import findings_of
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.planning import next_round
from datasynth.tasks.rounds.runs import open_run

SCHEMA = RecordSchema(
    fields=(
        Field(name="text"),
        Field(name="colour", enum=("red", "green", "blue")),
        Field(name="size", enum=("small", "large")),
    )
)
SEEDS = tuple({"text": f"The seed number {n} stands alone.", "colour": "red", "size": "small"} for n in range(5))
RECIPE = Recipe(name="small", record_schema=SCHEMA, seeds=SEEDS)
DETECTION = Detection(kind="generic")


def new_job(**options: Any) -> Job:
    settings = SynthesisSettings.model_validate(
        {
            "analysis_dir": "x", "store": f"memory://{uuid.uuid4().hex}", "run_id": "r1", "provider": "simulated",
            "target_count": 400, "concurrency": 2, "batch_size": 4,
        } | options
    )  # fmt: skip
    run = open_run(settings, RECIPE)
    return Job(settings, RECIPE, DETECTION, run.root.url(), run.card)


def replies(calls: tuple[PlannedCall, ...]) -> list[dict[str, Any]]:
    """A model that says little of green things, always the same, and breaks a record now and then."""
    rows = []
    for call in calls:
        for position in range(call.asked):
            n = 7 if call.aim.get("colour") == "green" else 4 * call.index + position + 10
            record = {"text": text_of(n), "colour": "red", "size": "small"} | call.aim
            broken = n % 17 == 0
            rows.append(
                {
                    "call": call.index, "position": position, "record": orjson.dumps(record).decode(),
                    "reply": f"k{call.index}", "repairs": 0, "reason": "enum" if broken else None,
                    "field": "size" if broken else None, "detail": None,
                }
            )  # fmt: skip
    return rows


def finish(job: Job, outcomes: list[RoundOutcome]) -> tuple[PlannedCall, ...]:
    """Plans and commits one round; returns its calls."""
    plans = next_round(job, outcomes)
    calls = tuple(call for plan in plans for call in plan.calls)
    types = {"call": pl.Int64, "position": pl.Int64, "repairs": pl.Int64}
    columns = ("call", "position", "record", "reply", "repairs", "reason", "field", "detail")
    judged = pl.DataFrame(replies(calls), schema={name: types.get(name, pl.String) for name in columns})
    keys = [f"k{call.index}" for call in calls]
    answered = pl.DataFrame(
        {"reply": keys, "model": ["m"] * len(keys), "simulated": [True] * len(keys)},
        schema={"reply": pl.String, "model": pl.String, "simulated": pl.Boolean},
    )
    spend = Spend(calls=len(calls), usage=Usage(1, 1))
    harvest = Harvest(
        round=plans[0].round, calls=calls, judged=judged, replies=answered, missing={}, unasked=0, spend=spend
    )
    before = sum(o.counts.accepted for o in outcomes) + job.card.carried_over
    committer = committer_of(job.run, RECIPE, DETECTION, job.settings)
    outcomes.append(committer.commit(harvest, before=before, target=job.card.target))
    return calls


def a_new_process(job: Job) -> None:
    forget_committer(job.run)
    findings._archives.clear()


def plans_of(rounds: int, *, resumed: bool, **options: Any) -> list[tuple[PlannedCall, ...]]:
    job, outcomes, plans = new_job(**options), [], []
    for _ in range(rounds):
        if resumed:
            a_new_process(job)
            outcomes = list(job.run.outcomes())
        plans.append(finish(job, outcomes))
    a_new_process(job)
    return plans


@pytest.mark.parametrize(
    "options", [{}, {"diversity_factor": 1.0}, {"attributes": {"tone": "kind:3,curt:1"}}, {"validate_records": False}]
)
def test_a_run_that_is_resumed_after_every_round_plans_as_an_undisturbed_one(options: dict[str, Any]) -> None:
    assert plans_of(4, resumed=True, **options) == plans_of(4, resumed=False, **options)


def test_a_run_is_steered_by_what_its_rounds_brought() -> None:
    first, second, third = plans_of(3, resumed=False)
    assert not any(call.avoid for call in first)
    green = [[call for call in plan if call.aim.get("colour") == "green"] for plan in (second, third)]
    assert all(any(said.startswith(text_of(7)[:20]) for said in call.avoid[:3]) for call in green[0] + green[1])
    assert 1 <= len(green[1]) < len(third) / 4


def test_a_plan_comes_back_from_its_file_as_it_was_written() -> None:
    job = new_job(diversity_factor=0.9)
    outcomes: list[RoundOutcome] = []
    plans = [finish(job, outcomes) for _ in range(2)]
    assert [job.run.planned(n) for n in (1, 2)] == plans
    assert any(call.avoid and call.unlikely for call in plans[1])
    a_new_process(job)


def test_a_plan_file_from_before_there_was_an_archive_is_read() -> None:
    job = new_job()
    job.run.folder.write("rounds/00001.plan.json", b'[{"index":3,"asked":4,"seeds":[1],"aim":{"colour":"red"}}]')
    assert job.run.planned(1) == (PlannedCall(3, 4, (1,), {"colour": "red"}),)


def test_surplus_was_not_refused() -> None:
    job = new_job(target_count=9)
    outcomes: list[RoundOutcome] = []
    while not any("surplus.beyond_target" in outcome.counts.rejected for outcome in outcomes):
        finish(job, outcomes)
    counts = outcomes[-1].counts
    found = findings_of(job.run, len(outcomes), stored_schema(RECIPE, job.settings))
    assert len(found.made) == counts.accepted
    assert len(found.refused) == sum(n for why, n in counts.rejected.items() if why != "surplus.beyond_target")
    a_new_process(job)


def test_records_taken_over_from_a_file_are_in_the_archive_of_the_first_round() -> None:
    job = new_job()
    run = job.run
    carry_over(run, RECIPE, DETECTION, job.settings, [{"text": text_of(3), "colour": "blue", "size": "large"}] * 1)
    job = Job(job.settings, RECIPE, DETECTION, job.store_url, run.card)
    (plan, *_) = next_round(job, [])
    assert any(text_of(3)[:20] in said for call in plan.calls for said in call.avoid)
    a_new_process(job)

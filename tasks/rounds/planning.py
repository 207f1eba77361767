"""Between rounds: what the next one asks, in which shards, and what the last one taught."""

import math
from collections.abc import Sequence

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.record import content_digest
from datasynth.schemas.report import RoundOutcome
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.rounds.estimate import estimate_after
from datasynth.tasks.rounds.findings import archive_of
from datasynth.tasks.rounds.job import CALLS_A_WORKER, MOST_SHARDS, Job, ShardPlan
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.runs import sums
from datasynth.tasks.rounds.shares import spread_shards
from datasynth.tasks.rounds.sizing import batch_size, round_calls


def next_round(job: Job, outcomes: Sequence[RoundOutcome]) -> list[ShardPlan]:
    """The next round's plan, in shards: as an earlier process wrote it down, or new and written down now."""
    number = len(outcomes) + 1
    run = job.run
    calls = run.planned(number)
    if calls is None:
        done = sums(outcomes)
        remaining = job.card.target - done.counts.accepted - job.card.carried_over
        batch = batch_size(outcomes, job.settings)
        asked = round_calls(outcomes, job.settings, remaining=remaining, batch=batch)
        settings = job.settings.model_copy(update={"random_seed": _plan_seed(job)})
        # Without diversity nothing is steered, so nothing is read back.
        archive = archive_of(job, settings, number - 1) if settings.diversity_factor else None
        calls = plan_calls(
            job.recipe, job.detection, settings, round=number, first_index=done.calls, asked=asked, archive=archive
        )
        run.save_plan(number, calls)
    board_of(job.card.run_id).set(round=number, phase="generating", calls_planned=len(calls), calls_done=0)
    if job.spread is not None:
        return spread_shards(job, number, calls)
    return shards_of(calls, number, job.settings.concurrency)


def _plan_seed(job: Job) -> int:
    """The seed of the plan's draws; a later run of a data set asks other things than the earlier ones did."""
    seed, earlier = job.settings.random_seed, job.card.earlier
    return int(content_digest([seed, earlier])[:12], 16) if earlier else seed


def shards_of(calls: tuple[PlannedCall, ...], number: int, concurrency: int) -> list[ShardPlan]:
    """A round's calls in slices of equal size, few and large enough."""
    shards = min(math.ceil(len(calls) / (CALLS_A_WORKER * concurrency)), MOST_SHARDS)
    size = math.ceil(len(calls) / shards)
    slices = [calls[i : i + size] for i in range(0, len(calls), size)]
    return [ShardPlan(number, n, len(slices), calls) for n, calls in enumerate(slices, 1)]


def take_note(job: Job, outcomes: Sequence[RoundOutcome]) -> None:
    """Shows the finished rounds to whoever watches; after a pilot, estimates the whole run from it."""
    done = sums(outcomes)
    spend = done.spend
    board_of(job.card.run_id).set(
        accepted=done.counts.accepted + job.card.carried_over,
        rejected=done.counts.rejected,
        missing=done.counts.missing,
        tokens=spend.usage.total,
        cost_usd=spend.cost_usd,
    )
    if len(outcomes) == 1 and job.settings.pilot_calls and (better := estimate_after(outcomes, job.card.target)):
        job.run.save_estimate(better)

"""A DataRecipe analysis, or any schema with seeds, becomes a finished data set."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow, unmapped
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from datasynth.flows.announcing import announce_failure, announced
from datasynth.schemas.report import RoundOutcome, RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.engines import close_engine, stop_engine
from datasynth.tasks.rounds.commit import forget_committer
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.opening import start_run
from datasynth.tasks.rounds.planning import next_round, take_note
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.runs import sums
from datasynth.tasks.rounds.sizing import stop_reason
from datasynth.tasks.steps import dedup, detect, generate, load, prompt, report, score, validate

MOST_TASKS = 64
"""Threads for task runs. A round has far fewer shards; they wait for calls, which run on the engine's own loop."""

_THREADS: Any = ThreadPoolTaskRunner(max_workers=MOST_TASKS)  # Any: Prefect's own annotation does not take its runners


def _run_name() -> str:
    parameters: dict[str, Any] = flow_run.parameters["settings"]
    settings = SynthesisSettings.model_validate(parameters)
    source = settings.dataset or settings.analysis_dir or settings.schema_file or "inline schema"
    return f"{source.rstrip('/').rsplit('/', 1)[-1]} · {settings.target_count} · {settings.model or settings.provider}"


@flow(
    name="synthesize",
    flow_run_name=_run_name,
    task_runner=_THREADS,
    on_failure=[announce_failure],
    on_crashed=[announce_failure],
)
def synthesize(settings: SynthesisSettings) -> RunReport:
    """Makes `settings.target_count` new records from a recipe: each valid, none a near-duplicate of any other."""
    started = time.monotonic()
    recipe = load(settings)
    detection = detect(recipe, settings)
    job = start_run(settings, recipe, detection, flow_run.id)
    with _at_work(job):
        outcomes = list(job.run.outcomes())
        resumed = len(outcomes)
        take_note(job, outcomes)
        while (
            stop := stop_reason(outcomes, total=_total(job, outcomes), target=job.card.target, resumed=resumed)
        ) is None:
            plans = next_round(job, outcomes)
            shards = prompt.map(plans, unmapped(job))
            # Its result raises what stopped a shard; a dependency on the futures would say only that one failed.
            receipts = generate.map(shards, unmapped(job)).result()
            judged = validate(receipts, plans, job)
            if job.settings.judging:
                judged = score(judged, job, _total(job, outcomes))
            outcomes.append(dedup(judged, plans, job, _total(job, outcomes)))
            take_note(job, outcomes)
    return announced(report(job, *stop, started))


def _total(job: Job, outcomes: list[RoundOutcome]) -> int:
    """Records in the data set so far."""
    return sums(tuple(outcomes)).counts.accepted + job.card.carried_over


@contextmanager
def _at_work(job: Job) -> Iterator[None]:
    """Keeps what this process holds for the run; stopped in the middle, lets calls in flight finish first."""
    board_of(job.card.run_id).set(target=job.card.target, phase="generating", judges=job.settings.judging)
    try:
        yield
    except BaseException:
        stop_engine(job.place)
        raise
    finally:
        close_engine(job.place)
        forget_committer(job.run)

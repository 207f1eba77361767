"""A DataRecipe analysis, or any schema with seeds, becomes a finished data set."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow, unmapped
from prefect.runtime import flow_run

from datasynth.flows.announcing import announce_failure, announced
from datasynth.flows.approval import approved
from datasynth.flows.artifacts import LiveArtifacts
from datasynth.flows.runners import ChosenRunner, close_engines_of, followed, found_by, spread, stop_engines_of, whole
from datasynth.schemas.report import RoundOutcome, RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.engines import finished_before
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.rounds.commit import forget_committer
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.meanwhile import prepared_meanwhile
from datasynth.tasks.rounds.opening import start_run
from datasynth.tasks.rounds.planning import next_round, take_note
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.runs import sums
from datasynth.tasks.rounds.sizing import stop_reason
from datasynth.tasks.steps import dedup, detect, generate, load, prompt, report, score, validate
from datasynth.tasks.storage.patience import make_haste

_CHOSEN: Any = ChosenRunner()  # Any: Prefect's own annotation does not take its runners


def _run_name() -> str:
    parameters: dict[str, Any] = flow_run.parameters["settings"]
    settings = SynthesisSettings.model_validate(parameters)
    source = settings.dataset or settings.analysis_dir or settings.schema_file or "inline schema"
    provider = PROVIDERS.get(settings.provider)
    default = provider.default_model if provider else None
    model = settings.model or settings.endpoint or default or settings.provider
    return f"{source.rstrip('/').rsplit('/', 1)[-1]} · {settings.target_count} · {model}"


@flow(
    name="synthesize",
    flow_run_name=_run_name,
    task_runner=_CHOSEN,
    on_failure=[announce_failure],
    on_crashed=[announce_failure],
)
def synthesize(settings: SynthesisSettings) -> RunReport:
    """Makes `settings.target_count` new records from a recipe: each valid, none a near-duplicate of any other."""
    started = time.monotonic()
    recipe = load(settings)
    detection = detect(recipe, settings)
    job = spread(start_run(settings, recipe, detection, flow_run.id))
    shown = LiveArtifacts(job)
    with _at_work(job):
        done = list(job.run.outcomes())
        # What the process that makes the calls has settled ahead is gone through again, and found to be done.
        outcomes = done[: finished_before(job.card.run_id)]
        resumed = len(outcomes)
        take_note(job, done)
        shown.show(outcomes)
        while (
            stop := stop_reason(outcomes, total=_total(job, outcomes), target=job.card.target, resumed=resumed)
        ) is None:
            if len(outcomes) == max(resumed, 1):  # once: after the pilot, or where an earlier process has made it
                job = approved(job, outcomes, shown)
            plans = next_round(job, outcomes)
            # Any: Prefect takes what a task waits for to be of the task's own type.
            asked: Any = prompt.map([whole(plan, job) for plan in plans], unmapped(whole(job, job)))
            # `wait_for` draws the lines between task runs that values taken out of their futures have lost.
            made = generate.map(found_by(asked, job), unmapped(whole(job, job)), wait_for=asked)
            made = followed(made, plans, job)
            with prepared_meanwhile(job):
                # All of them: a shard that begins after another one failed would open the closed engine anew.
                made.wait()
            # This raises what stopped a shard; a dependency on the futures would say only that one failed.
            receipts = made.result()
            judged = validate(whole(receipts, job), whole(plans, job), whole(job, job), wait_for=made)
            if job.settings.judging:
                judged = score(judged, whole(job, job), _total(job, outcomes))
            outcomes.append(dedup(judged, whole(plans, job), whole(job, job), _total(job, outcomes)))
            take_note(job, max(outcomes, done, key=len))
            shown.show(outcomes)
    return announced(shown.finish(report(whole(job, job), *stop, started)))


def _total(job: Job, outcomes: list[RoundOutcome]) -> int:
    """Records in the data set so far."""
    return sums(tuple(outcomes)).counts.accepted + job.card.carried_over


@contextmanager
def _at_work(job: Job) -> Iterator[None]:
    """Keeps what this process holds for the run; stopped in the middle, lets calls in flight finish first."""
    board_of(job.card.run_id).set(target=job.card.target, phase="generating", judges=job.settings.judging)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception):
            make_haste()  # a signal, or Prefect's cancel
        stop_engines_of(job.place)
        raise
    finally:
        close_engines_of(job.place)
        forget_committer(job.run)

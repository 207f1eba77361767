"""The steps of an evaluation as Prefect tasks, as `tasks/steps.py` has those of a run, which imports none of these.

Between them go references and figures; records and what was found of each stay in the evaluation's work folder. Nothing
is cached, for what was read may have changed; only what the judge said is kept, in its journal.
"""

from collections.abc import Sequence
from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.concurrency.asyncio import concurrency

from datasynth.schemas.evaluation import Evaluation, EvaluationSettings
from datasynth.tasks.evaluate.checking import SliceReceipt, check_slice
from datasynth.tasks.evaluate.conclusion import concluded
from datasynth.tasks.evaluate.judging import BatchReceipt, judge_batch
from datasynth.tasks.evaluate.opening import open_evaluation
from datasynth.tasks.evaluate.repeats import RepeatsReceipt, find_repeats
from datasynth.tasks.evaluate.sampling import Batch, Sample, draw_sample
from datasynth.tasks.evaluate.subject import Slice, Subject
from datasynth.tasks.steps import RETRIES, may_pass

_step = partial(
    task,
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=2,
    retry_condition_fn=may_pass,
)


@_step(name="open data", task_run_name="open data")
def open_data(settings: EvaluationSettings, flow_run_id: str | None) -> Subject:
    """Finds the data and all that they are held against."""
    return open_evaluation(settings, flow_run_id)


@_step(name="check", task_run_name="check slice {part_of.number}/{part_of.of}")
def check(part_of: Slice, subject: Subject) -> SliceReceipt:
    """Holds a slice of the records against schema, content checks and evaluation sets."""
    return check_slice(part_of, subject)


@_step(name="compare", task_run_name="compare records")
def compare(subject: Subject) -> RepeatsReceipt:
    """Finds the records that repeat an earlier one, or a seed."""
    return find_repeats(subject)


@_step(name="draw", task_run_name="draw sample")
def draw(subject: Subject) -> Sample:
    """Draws the records that the judge is shown."""
    return draw_sample(subject)


@_step(name="judge", task_run_name="judge batch {batch.number}/{batch.of}")
def judge(batch: Batch, sample: Sample, subject: Subject) -> BatchReceipt:
    """Has a batch of the sample scored. A retry pays nothing again: the journal has every judgement."""
    limit = subject.settings.concurrency_limit
    return judge_batch(batch, sample, subject, partial(concurrency, limit, strict=True) if limit else None)


@_step(name="conclude", task_run_name="conclude")
def conclude(subject: Subject, sample: Sample | None, receipts: Sequence[BatchReceipt]) -> Evaluation:
    """Puts together what was found, and writes it."""
    return concluded(subject, sample, receipts)

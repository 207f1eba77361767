"""A data set that exists is measured, and judged where somebody is to judge: what is valid, new, varied and good."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import flow, get_run_logger, unmapped
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from datasynth.flows.announcing import concluded
from datasynth.flows.artifacts import show_markdown
from datasynth.schemas.evaluation import Evaluation, EvaluationSettings
from datasynth.schemas.record import content_digest
from datasynth.tasks.evaluate.announcement import evaluated
from datasynth.tasks.evaluate.judging import place_of
from datasynth.tasks.evaluate.markdown import evaluation_page
from datasynth.tasks.evaluate.sampling import Sample
from datasynth.tasks.evaluate.steps import check, compare, conclude, draw, judge, open_data
from datasynth.tasks.evaluate.subject import Subject
from datasynth.tasks.evaluate.words import verdict_sentence
from datasynth.tasks.generate.engines import close_engine, stop_engine
from datasynth.tasks.report.cells import plain
from datasynth.tasks.report.live import unlinked

AT_ONCE = 4
"""Tasks that work at the same time: each may hold 10,000 records, and a few batches keep all calls in flight."""
_RUNNER: Any = ThreadPoolTaskRunner(max_workers=AT_ONCE)  # Any: Prefect's own annotation does not take its runners


def _run_name() -> str:
    settings = flow_run.parameters["settings"]
    data = settings["data"] if isinstance(settings, dict) else settings.data
    return f"evaluate {data.rstrip('/').rsplit('/', 1)[-1]}"


@flow(name="evaluate", flow_run_name=_run_name, task_runner=_RUNNER)
def evaluate(settings: EvaluationSettings) -> Evaluation:
    """Measures the records of a run, a data set or a file, and says whether they pass; changes none of them.

    Stopped at any moment it leaves no half evaluation; done again it pays for nothing twice.
    """
    subject = open_data(settings, flow_run.id)
    compared = compare.submit(subject)
    check.map(subject.slices, unmapped(subject)).result()
    sample, receipts = None, []
    if settings.judging:
        sample = draw(subject)
        with _judge_at_work(sample, subject):
            receipts = judge.map(sample.batches, unmapped(sample), unmapped(subject)).result()
    compared.result()
    evaluation = _shown(conclude(subject, sample, receipts))
    return concluded(evaluation, evaluated(evaluation), [verdict_sentence(evaluation)])


@contextmanager
def _judge_at_work(sample: Sample, subject: Subject) -> Iterator[None]:
    """Keeps the judge's engine; stopped in the middle, lets calls in flight finish first."""
    place = place_of(sample, subject)
    try:
        yield
    except BaseException:
        stop_engine(place)
        raise
    finally:
        close_engine(place)


def _shown(evaluation: Evaluation) -> Evaluation:
    """`evaluation`, after it was put among the artifacts of the flow run, where that can be."""
    language = evaluation.settings.get("language", "en")
    said = verdict_sentence(evaluation).text(language)
    get_run_logger().info("%s %s", said, evaluation.url)
    show_markdown(
        _key(evaluation),
        evaluation_page(evaluation, language),
        unlinked(plain(f"{said} {evaluation.name} · {evaluation.id}")),
    )
    return evaluation


def _key(evaluation: Evaluation) -> str:
    """Of the data, so that their evaluations are one history: lower-case letters, digits and dashes."""
    name = re.sub("[^a-z0-9]+", "-", evaluation.name.lower()).strip("-")[:40]
    return "-".join(filter(None, ("datasynth", name, content_digest(evaluation.data)[:12], "evaluation")))

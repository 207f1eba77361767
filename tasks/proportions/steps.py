"""The steps of a proportional run as Prefect tasks: a file of their own, which no other flow has to import."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from datasynth.schemas.proportions import ProportionalReport, ProportionalSettings
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import forget_blocks
from datasynth.tasks.proportions.checking import read_parts, require_startable
from datasynth.tasks.proportions.layout import write_mixture
from datasynth.tasks.proportions.mixture import Mixture
from datasynth.tasks.proportions.opening import open_proportional_run
from datasynth.tasks.steps import RETRIES, may_pass


@task(name="open parts", cache_policy=NO_CACHE, persist_result=False, retries=RETRIES, retry_condition_fn=may_pass)
def open_parts(settings: ProportionalSettings, flow_run_id: str | None) -> Mixture:
    """Reads the parts, makes sure that each could start, and opens the run."""
    forget_blocks()
    parts = read_parts(settings)
    require_startable(parts, settings.max_cost)
    return Mixture(settings, open_proportional_run(settings, parts, flow_run_id), parts)


@task(name="draw part", task_run_name="draw {part}", cache_policy=NO_CACHE, persist_result=False)
def draw_part(mixture: Mixture, part: str) -> None:
    """Takes the present part from its existing records, which are in memory."""
    mixture.draw()


@task(
    name="take part",
    task_run_name="take {part}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_condition_fn=may_pass,
)
def take_part(mixture: Mixture, part: str, asked: SynthesisSettings, report: RunReport) -> int | None:
    """Takes the present part from its run; returns what the run should be asked for now, if that was not enough."""
    return mixture.take_run(asked, report)


@task(name="mix parts", cache_policy=NO_CACHE, persist_result=False, retries=RETRIES, retry_condition_fn=may_pass)
def mix_parts(mixture: Mixture) -> ProportionalReport:
    """Writes the data set as a run of its own. A retry writes the same bytes."""
    return write_mixture(mixture)

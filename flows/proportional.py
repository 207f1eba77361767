"""Existing records and new ones, in given proportions, become one data set."""

from typing import Any

from prefect import Flow, flow, get_run_logger
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run

from datasynth.flows.announcing import concluded, tell_failure
from datasynth.flows.artifacts import deployed_run, show_markdown
from datasynth.flows.synthesize import synthesize
from datasynth.schemas.proportions import ProportionalReport, ProportionalSettings
from datasynth.schemas.record import content_digest
from datasynth.tasks.proportions.mixture import Mixture
from datasynth.tasks.proportions.opening import finished_report
from datasynth.tasks.proportions.steps import draw_part, mix_parts, open_parts, take_part
from datasynth.tasks.proportions.telling import parts_markdown, proportions_ended
from datasynth.tasks.report.live import unlinked
from datasynth.tasks.report.summary import cost_sentence


def _run_name() -> str:
    settings = ProportionalSettings.model_validate(flow_run.parameters["settings"])
    return f"{settings.name} · {settings.total} · {' + '.join(part.name for part in settings.parts)}"


def _announce_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """As for any run."""
    tell_failure(flow_run, state, dataset="name")


@flow(
    name="proportional",
    flow_run_name=_run_name,
    on_failure=[_announce_failure],
    on_crashed=[_announce_failure],
)
def proportional(settings: ProportionalSettings) -> ProportionalReport:
    """Puts a data set together: of each part its share, drawn or made, and none that repeats an earlier part's."""
    mixture = open_parts(settings, flow_run.id)
    if (report := finished_report(mixture.run)) is None:
        while len(mixture.taken) < len(mixture.parts):
            _fill(mixture)
            _show(mixture)
        report = mix_parts(mixture)
    return concluded(report, proportions_ended(report), [report.explanation, cost_sentence(report.spend)])


def _fill(mixture: Mixture) -> None:
    """Fills the part whose turn it is. Parts share budgets and engines, so they are made one after the other."""
    one = mixture.current
    if not one.wanted or one.settings is None:
        draw_part(mixture, one.part.name)
        return
    # Kept nowhere: a flow run that is tried again counts its subflows anew, and would be given another part's report.
    made = synthesize.with_options(persist_result=False)
    more: int | None = None
    while True:
        asked = mixture.settings_of_run(more)
        more = take_part(mixture, one.part.name, asked, made(asked))
        if more is None:
            return
        get_run_logger().info("%s: some records repeat an earlier part's; asking for %s", one.part.name, more)


def _show(mixture: Mixture) -> None:
    """The table of the parts in the Prefect UI, for runs of a deployment; never breaks a run."""
    if deployed_run() is None:
        return
    card = mixture.run.card
    show_markdown(
        f"datasynth-parts-{content_digest([card.dataset, card.run_id])[:12]}",
        unlinked(parts_markdown(mixture.reports(), mixture.settings.language)),
    )

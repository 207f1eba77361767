"""A person's yes before a run may cost more than was agreed: it suspends, costs nothing, and goes on where it was."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import Abort
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Cancelled
from pydantic import Field, create_model

from datasynth.flows.announcing import announce_failure
from datasynth.flows.artifacts import LiveArtifacts, deployed_run
from datasynth.schemas.errors import RunError
from datasynth.schemas.messages import Language, say
from datasynth.schemas.report import Estimate, RoundOutcome
from datasynth.schemas.settings import PREVIEWED
from datasynth.tasks.report.question import Question, estimate_sentence, question_text
from datasynth.tasks.report.summary import dollars
from datasynth.tasks.rounds.estimate import estimate_after
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.runs import sums

KEY = "approval"
"""Of the suspension: a flow run asks once, and finds its answer when it is started again."""
MARGIN = 1.2
"""A run without a budget is offered one of its estimate and a fifth."""


class Approval(RunInput):
    """The form in the Prefect UI, but for the words, which are in the run's language."""

    approve: Literal["yes", "no"]


def approved(job: Job, outcomes: Sequence[RoundOutcome], shown: LiveArtifacts) -> Job:
    """`job` as it may go on after its pilot: as it is, or with the budget that a person gave it.

    Where the whole run may cost more than `approve_over`, or nobody can say what it will, a deployment's flow run ends
    here, suspended. It comes back here when somebody has answered.

    Raises:
        RunError: it is no run of a deployment, so nobody can be asked.
        prefect.exceptions.Pause: nobody has answered yet.
        prefect.exceptions.Abort: the answer was no; the flow run is cancelled.
    """
    settings, limit = job.settings, job.settings.approve_over
    if limit is None:
        return job
    estimate = _foretold(outcomes, job.card.target)
    if estimate and estimate.cost_usd is not None and estimate.cost_usd <= limit:
        return job
    flow_run = deployed_run()
    if flow_run is None:
        raise _nobody_to_ask(estimate, job.card.target, limit)
    done, wait = sums(outcomes), timedelta(hours=settings.approval_hours)
    question = Question(
        run_id=job.card.run_id,
        target=job.card.target,
        counts=done.counts,
        spend=done.spend,
        estimate=estimate,
        limit=limit,
        budget=settings.max_cost,
        until=datetime.now(UTC) + wait,
        simulated=any(outcome.simulated for outcome in outcomes),
    )
    if KEY not in (flow_run.empirical_policy.pause_keys or ()):
        shown.ask(question, outcomes, PREVIEWED)
    answer = suspend_flow_run(_form(question, settings.language), timeout=max(1, round(wait.total_seconds())), key=KEY)
    if answer is None or answer.approve != "yes":
        raise _refused(flow_run)
    budget = getattr(answer, "max_cost", settings.max_cost)
    return replace(job, settings=settings.model_copy(update={"max_cost": budget}))


def _foretold(outcomes: Sequence[RoundOutcome], target: int) -> Estimate | None:
    """What the pilot foretells: of the first rounds, as many as it takes for one record to be accepted.

    Not of all rounds, so that a run asks the same whenever it is gone on with.
    """
    found = (estimate_after(outcomes[:rounds], target) for rounds in range(1, len(outcomes) + 1))
    return next((estimate for estimate in found if estimate), None)


def _nobody_to_ask(estimate: Estimate | None, target: int, limit: float) -> RunError:
    told = {"estimate": estimate_sentence(estimate, target), "limit": dollars(limit)}
    if estimate is None or estimate.cost_usd is None:
        return RunError(
            "{estimate} So the run ends after its pilot, for only a deployed run can ask whether that is more than "
            "--approve-over allows ({limit}). Its records are kept: give --input-price and --output-price where the "
            "price is unknown, or go on with --resume and without --approve-over.",
            **told,
        )
    return RunError(
        "{estimate} That is more than --approve-over allows ({limit}), and only a deployed run can ask a person. The "
        "records of the pilot are kept: go on with --resume and a higher --approve-over, or with a lower count.",
        **told,
    )


def _form(question: Question, language: Language) -> type[Approval]:
    """The form with its words, prefilled with a budget, but where none could hold because the price is unknown."""
    cost = question.estimate.cost_usd if question.estimate else None
    fields: dict[str, Any] = {
        "approve": (
            Literal["yes", "no"],
            Field(
                title=say("May the run go on?").text(language),
                description=say("After a no it ends, and nothing more is spent.").text(language),
            ),
        )
    }
    if question.budget is not None or question.spend.cost_usd is not None:
        offered = question.budget if question.budget is not None or cost is None else round(cost * MARGIN + 0.005, 2)
        fields["max_cost"] = (
            float if offered is not None else float | None,
            Field(
                offered,
                ge=0,
                title=say("Budget for the whole run, USD").text(language),
                description=say("The run stops before it costs more; what was spent so far counts.").text(language),
            ),
        )
    form: type[Approval] = create_model("Approval", __base__=Approval, **fields)
    return form.with_initial_data(description=question_text(question, language))


def _refused(flow_run: FlowRun) -> Abort:
    """Ends the flow run as cancelled, which is no failure, and says why."""
    words = say("A person said no: nothing more was spent, and the records of the pilot are kept.").text()
    state = Cancelled(name="Refused", message=words)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, state, force=True)
    context = FlowRunContext.get()
    if context and context.flow:
        announce_failure(context.flow, flow_run, state)
    return Abort(words)

"""What a run shows of itself in the Prefect UI while it goes on and when it has ended: its artifacts.

Only flow runs of a deployment have them: who starts a run at a terminal or from Python sees it there, mostly with a
server that ends with the run, where each would cost time for nothing. They never break a run.
"""

import json
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import content_digest
from datasynth.schemas.report import RoundOutcome, RunReport
from datasynth.tasks.report import live
from datasynth.tasks.report.cells import plain
from datasynth.tasks.report.question import Question, question_markdown
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.runs import part_path, sums

NEWEST = 5
"""Records shown while the run goes on."""
PATIENCE_SECONDS = 10
"""For one answer of the API, asked once: what is lost is shown after the next round."""

Shown = dict[str, ArtifactUpdate | None]
"""Artifacts by kind; None where there is nothing to show."""
TYPES = {"progress": "progress", "counts": "table"}
"""Of the artifacts that are not Markdown."""


def deployed_run() -> FlowRun | None:
    """The present flow run if it is a deployment's; so there is a Prefect UI in which somebody watches it."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run if run and run.deployment_id else None


def show_markdown(key: str, markdown: str, description: str | None = None) -> None:
    """Puts a page among the artifacts of the flow run; what it shows is kept elsewhere, so failing breaks nothing."""
    try:
        # Asked once and without Prefect's retries, which take a minute.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            create_markdown_artifact(markdown, key=key, description=description)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is worth more than its picture
        get_run_logger().warning("The run goes on, but its artifact %s could not be shown: %r", key, error)


class LiveArtifacts:
    """The artifacts of a run: one of each kind for a flow run, changed in place.

    Their keys are the run's, so those of a flow run that goes on with it continue the same history.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._flow_run = deployed_run()
        self._known: dict[str, UUID] | None = None
        self._complained = False

    def key(self, kind: str) -> str:
        """Lower-case letters, digits and dashes, as Prefect wants it; two runs never share one."""
        card = self._job.card
        name = re.sub("[^a-z0-9]+", "-", card.dataset.lower()).strip("-")[:40]
        digest = content_digest([self._job.store_url, card.dataset, card.run_id])[:12]
        return "-".join(filter(None, ("datasynth", name, digest, kind)))

    def show(self, outcomes: Sequence[RoundOutcome]) -> None:
        """Shows how far the run is after these rounds."""
        self._try(self._progress, outcomes)

    def ask(self, question: Question, outcomes: Sequence[RoundOutcome], most: int) -> None:
        """Shows what a person is asked, with `most` records to judge by."""
        self._try(self._question, question, outcomes, most)

    def finish(self, report: RunReport) -> RunReport:
        """Shows the end of the run; returns the report."""
        self._try(self._end, report)
        return report

    def _progress(self, outcomes: Sequence[RoundOutcome]) -> Shown:
        done, card, settings = sums(outcomes), self._job.card, self._job.settings
        total = done.counts.accepted + card.carried_over
        line = live.progress_line(total, card.target, done.rounds, done.spend, settings.max_cost)
        rows = live.count_rows(done.counts, done.spend, settings.language)
        simulated = any(outcome.simulated for outcome in outcomes)
        records = live.records_markdown(self._newest(outcomes, NEWEST), settings.language, simulated=simulated)
        get_run_logger().info("%s", line.text(settings.language))
        return {
            "progress": self._update(round(100 * min(1, total / card.target), 1), line),
            "counts": self._update(json.dumps(rows, ensure_ascii=False), line),
            "newest": self._update(records, say("The newest records.")),
        }

    def _question(self, question: Question, outcomes: Sequence[RoundOutcome], most: int) -> Shown:
        records = self._newest(outcomes, most)
        words = question_markdown(question, records, self._job.settings.language)
        return {"approval": self._update(words, say("May this run go on?"))}

    def _end(self, report: RunReport) -> Shown:
        language = self._job.settings.language
        coverage = live.coverage_markdown(report, language)
        return {
            "report": self._update(live.report_markdown(report, language), say("What was made, lost and spent.")),
            "files": self._update(live.places_markdown(report, language), say("Where data and reports are.")),
            "coverage": self._update(coverage, say("How evenly the space is filled.")) if coverage else None,
        }

    def _newest(self, outcomes: Sequence[RoundOutcome], most: int) -> list[dict[str, Any]]:
        parts = [part_path("data", outcome.round) for outcome in outcomes if outcome.counts.accepted]
        schema = stored_schema(self._job.recipe, self._job.settings)
        return live.newest_records(self._job.run.folder, parts, schema, most)

    def _update(self, data: Any, line: Message) -> ArtifactUpdate:
        """An artifact's content; its description is Markdown too, and its cards show the beginning."""
        run = f"{self._job.card.dataset} · {self._job.card.run_id}"
        words = f"{line.text(self._job.settings.language)} {run}"
        return ArtifactUpdate(data=data, description=live.unlinked(plain(words)))

    def _try(self, made: Any, *facts: Any) -> None:
        """Shows what `made` makes of `facts`, where somebody may look; says once that it could not."""
        if self._flow_run is None:
            return
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                self._send(self._flow_run, made(*facts))
        except Exception as error:  # noqa: BLE001 - whatever it is, the records are worth more than their picture
            if not self._complained:
                get_run_logger().warning("The run goes on, but its artifacts could not be shown: %r", error)
            self._complained = True

    def _send(self, flow_run: FlowRun, shown: Shown) -> None:
        with get_client({"timeout": PATIENCE_SECONDS}, sync_client=True) as client:
            if self._known is None:
                mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
                found = client.read_artifacts(
                    artifact_filter=ArtifactFilter(key=ArtifactFilterKey(like_=self.key(""))), flow_run_filter=mine
                )
                self._known = {artifact.key or "": artifact.id for artifact in found}
            for kind, update in shown.items():
                key = self.key(kind)
                if update is None:
                    continue
                if key in self._known:
                    client.update_artifact(self._known[key], update)
                    continue
                made = ArtifactCreate(
                    key=key,
                    type=TYPES.get(kind, "markdown"),
                    description=update.description,
                    data=update.data,
                    flow_run_id=flow_run.id,
                )
                self._known[key] = client.create_artifact(made).id

"""The end of a run: its report, the files that sibling tools read, and the manifest that makes it whole."""

import posixpath
import secrets
import time
from datetime import UTC, datetime
from importlib.metadata import version

import orjson

from datasynth.schemas.errors import StorageError
from datasynth.schemas.messages import Message
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import RoundOutcome, RunReport, StopReason
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.measure.observation import Observation
from datasynth.tasks.report.export import (
    export_records,
    records_of,
    statistics_path,
    synthetic_metadata,
    write_statistics,
)
from datasynth.tasks.report.files import report_files
from datasynth.tasks.report.hook import run_post_hook
from datasynth.tasks.report.parts import read_part
from datasynth.tasks.report.statistics import field_statistics
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.rounds.meaning import stored_vectors
from datasynth.tasks.rounds.removing import removals_of
from datasynth.tasks.rounds.runs import Run, sums
from datasynth.tasks.rounds.unknown_meanings import unknown_to
from datasynth.tasks.storage.store import Store

SIBLING_FOLDER = "11_合成数据"
"""Where DataRecipe's siblings look for synthetic data inside an analysis."""


def output_of(settings: SynthesisSettings, recipe: Recipe) -> str | None:
    """The file that sibling tools read: as given, or in the analysis folder; None where there is neither."""
    if settings.output:
        return settings.output
    if not recipe.analysis_dir:
        return None
    return posixpath.join(recipe.analysis_dir.rstrip("/"), SIBLING_FOLDER, f"synthetic.{settings.output_format}")


def require_writable(target: str) -> None:
    """Makes sure, before any money is spent, that the output can be written: puts a file beside it and removes it.

    Raises:
        StorageError: it cannot.
    """
    folder, name = posixpath.split(target)
    store = Store(folder or ".")
    if store.local and store.fs.isdir(store.url(name)):
        raise StorageError("{path} is a folder. Give a file for the output.", path=target)
    probe = f".datasynth-{secrets.token_hex(4)}"
    store.write(probe, b"")
    store.remove(probe)


def finish_run(
    run: Run,
    recipe: Recipe,
    detection: Detection,
    settings: SynthesisSettings,
    stopped_by: StopReason,
    explanation: Message,
    started: float,
) -> RunReport:
    """Writes everything that follows from the finished rounds; the manifest comes last.

    Args:
        run: All its rounds are finished.
        recipe: What it was made from.
        detection: The kind of data.
        settings: As this process has them.
        stopped_by: Why the rounds ended.
        explanation: The same as a sentence.
        started: `time.monotonic()` at the start of this process's work.
    """
    outcomes = run.outcomes()
    output = output_of(settings, recipe)
    report = _report(run, recipe, detection, settings, outcomes)
    stored = stored_schema(recipe, settings)
    observation = Observation(recipe, detection, settings, stored, report.total)
    statistics = field_statistics(observation.watch(map(read_part, run.parts("data"))), stored)
    diversity = observation.report(
        map(read_part, run.parts("rejected")), cost_usd=report.spend.cost_usd, embed=stored_vectors(run, settings)
    )
    if not report.total:
        output = None  # what may stand there from an earlier run is better than an empty file
    report = report.model_copy(
        update={
            "stopped_by": stopped_by,
            "explanation": explanation,
            "fields": statistics["fields"],
            "diversity": diversity,
            "output": output,
            "duration_seconds": round(time.monotonic() - started, 3),
        }
    )
    if output:
        _export(output, run, report, recipe, settings)
        if settings.stats:
            write_statistics(output, statistics)
        else:
            Store(statistics_path(output)).remove("")  # an earlier run's would describe other records
    for name, content in report_files(report, settings.language).items():
        run.folder.write(name, content)
    run.folder.remove("work")
    if not report.fell_short:
        _complete(run, report, recipe, settings)
    return report


def _complete(run: Run, report: RunReport, recipe: Recipe, settings: SynthesisSettings) -> None:
    """Writes the manifest, which says that all is there, and only then lets the user's own command work on it."""
    manifest = run.manifest(records=report.total, simulated=report.simulated)
    run.folder.write("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    if settings.post_hook and report.output:
        run_post_hook(
            settings.post_hook,
            analysis_dir=recipe.analysis_dir,
            output_path=report.output,
            count=report.total,
            language=settings.language,
        )


def _export(output: str, run: Run, report: RunReport, recipe: Recipe, settings: SynthesisSettings) -> None:
    """Writes the file that sibling tools read."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    export_records(
        output,
        records_of(run.parts("data"), stored_schema(recipe, settings)),
        output_format=settings.output_format,
        metadata=synthetic_metadata(report, generated_at=now, version=version("datasynth")),
        schema_document=recipe.schema_document or recipe.record_schema.json_schema(),
    )


def _report(
    run: Run,
    recipe: Recipe,
    detection: Detection,
    settings: SynthesisSettings,
    outcomes: tuple[RoundOutcome, ...],
) -> RunReport:
    total = sums(outcomes)
    return RunReport(
        run_id=run.card.run_id,
        dataset=run.card.dataset,
        target=run.card.target,
        stopped_by="done",
        explanation=Message(""),
        simulated=any(o.simulated for o in outcomes),
        kind=detection.kind,
        kind_reasons=detection.reasons,
        language=recipe.language,
        provider=settings.provider,
        model=settings.model or PROVIDERS[settings.provider].default_model or "",
        recipe_fingerprint=recipe.fingerprint,
        source=recipe.source,
        seeds_used=len(recipe.seeds),
        seed_problems=recipe.seed_problems,
        seed_notes=recipe.seed_notes,
        guidelines_left_out=recipe.guidelines_left_out,
        counts=total.counts,
        carried_over=run.card.carried_over,
        removed=len(removals_of(run.folder).records),
        spend=total.spend,
        judging=total.judging,
        embedding=total.embedding,
        semantically_unknown=unknown_to(run.card, run.root, settings),
        estimate=run.estimate(),
        rounds=outcomes,
        started_at=run.card.started_at,
        duration_seconds=0.0,
        run_url=run.folder.url(),
        data_url=run.folder.url("data"),
        settings=settings.model_dump(mode="json", exclude_defaults=True, exclude={"record_schema", "seeds"}),
    )

"""A run out of its store, as one file."""

from importlib.metadata import version
from typing import Any, NamedTuple

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import RunReport
from datasynth.tasks.report.export import synthetic_metadata
from datasynth.tasks.report.formats import Contents, Exported, ExportFormat, export_file
from datasynth.tasks.report.training import TRAINING_FORMATS
from datasynth.tasks.rounds.listing import RunFacts, RunPlace, RunState
from datasynth.tasks.rounds.stored import first_records, part_names, read_frames, recipe_of

EXAMPLES = 50
"""Records by which a training format finds out what the fields hold: as many as there commonly are seeds."""


class ExportedRun(NamedTuple):
    """What was written, and of what."""

    state: RunState
    facts: RunFacts
    exported: Exported


def export_run(
    place: RunPlace, target: str, output_format: ExportFormat, *, with_lineage: bool, unfinished: bool
) -> ExportedRun:
    """Writes the records of a run as `target`, whole or not at all; the same run gives the same bytes.

    Args:
        place: The run.
        target: See `export_file`.
        output_format: See `export_file`.
        with_lineage: See `export_file`.
        unfinished: Whether a run that has not ended may be written, as far as it is.

    Raises:
        InputError: the run has not ended; nothing was accepted; the format does not fit the records.
        StorageError: a part cannot be read, or the file cannot be written.
    """
    state, facts = place.facts()
    if state == "unfinished" and not unfinished:
        raise InputError(
            "Run {run} is not finished ({records} of {wanted} records). Finish it with datasynth generate --resume, or "
            "take what there is with --unfinished.",
            run=place.card.run_id,
            records=f"{facts.total:,}",
            wanted=f"{place.card.target:,}",
        )
    if not facts.total:
        raise InputError(
            "Run {run}: no record was accepted, so there is nothing to export. See why with datasynth preview "
            "--rejected.",
            run=place.card.run_id,
        )
    recipe = recipe_of(place)
    schema = recipe.record_schema
    contents = Contents(
        frames=read_frames(place, part_names(place, "data")),
        schema=schema,
        count=facts.total,
        metadata=_metadata(place, state, facts),
        document=recipe.schema_document or schema.json_schema(),
        examples=_examples(place, schema) if output_format in TRAINING_FORMATS else [],
    )
    return ExportedRun(state, facts, export_file(target, output_format, contents, with_lineage=with_lineage))


def _examples(place: RunPlace, schema: RecordSchema) -> list[dict[str, Any]]:
    return [stored.record for stored in first_records(place, schema, EXAMPLES)]


def _metadata(place: RunPlace, state: RunState, facts: RunFacts) -> dict[str, Any]:
    # An unfinished run has no report, but all that is asked of it here.
    report = RunReport.model_construct(
        model=facts.model,
        provider=facts.provider,
        settings=facts.settings,
        seeds_used=facts.seeds_used,
        counts=facts.counts,
        carried_over=facts.carried_over,
        removed=facts.removed,
        spend=facts.spend,
        simulated=facts.simulated,
    )
    # The time of the run, not of its export: a second export is the same file.
    metadata = synthetic_metadata(report, generated_at=place.card.started_at, version=version("datasynth"))
    return metadata if state == "finished" else metadata | {"state": state, "wanted_count": place.card.target}

"""A run's records as one file, in a format of somebody's choice; whole or not at all."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import IO, Any, Literal, cast, get_args

import polars as pl

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import OutputFormat
from datasynth.tasks.report.conversations import UnfitError
from datasynth.tasks.report.export import export_records, require_stated, whole_file
from datasynth.tasks.report.parts import LINEAGE_COLUMN
from datasynth.tasks.report.tables import CsvTable, write_parquet
from datasynth.tasks.report.training import TRAINING_FORMATS, TrainingForm, TrainingFormat
from datasynth.tasks.rounds.stored import StoredRecord, stored_records, with_whole_lineage
from datasynth.tasks.sources.documents import names_json_lines

ExportFormat = Literal[OutputFormat, "csv", "parquet", TrainingFormat]
"""`json` is DataRecipe's synthetic.json; `jsonl` the bare records; the last four are those of `training.py`."""
FORMATS: tuple[str, ...] = get_args(ExportFormat)


def format_called(name: str) -> ExportFormat:
    """The format of this name.

    Raises:
        InputError: there is none.
    """
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, 1)
        raise InputError(
            "--to: there is no format {name}. {hint}Choose {known}.",
            name=name,
            hint=say("Did you mean {nearest}? ", nearest=near[0]) if near else "",
            known=", ".join(FORMATS),
        )
    return cast("ExportFormat", name)


@dataclass
class Exported:
    """What was written, and what was changed for it."""

    written: int = 0
    left_out: set[str] = field(default_factory=set)
    """Fields of the records that the format has no place for."""
    escaped: int = 0
    """Cells of a CSV file that got an apostrophe, so that no spreadsheet computes them."""


@dataclass(frozen=True)
class Contents:
    """What is to be written."""

    frames: Iterable[pl.DataFrame]
    """The data parts, in order; read once."""
    schema: RecordSchema
    """By which the parts are read."""
    count: int
    """Records that the run's ledger says there are."""
    metadata: dict[str, Any]
    """See `synthetic_metadata`."""
    document: Any
    """The schema as its source wrote it."""
    examples: list[dict[str, Any]]
    """Some of the records, by which a training format finds out what the fields hold."""


def export_file(target: str, output_format: ExportFormat, contents: Contents, *, with_lineage: bool) -> Exported:
    """Writes `target` (a path or fsspec address), whole or not at all.

    Args:
        target: The file; what stood there before is replaced. The formats of `training.py` are JSON Lines where its
            name ends in `.jsonl` or `.ndjson`, else a JSON list.
        output_format: The format.
        contents: The records.
        with_lineage: Every record gets a field `_lineage` that says where it came from (see `frames.LINEAGE`).

    Raises:
        InputError: the format does not fit the records.
        RunError: the parts hold more or fewer records than the ledger says.
        StorageError: a part cannot be read, or the file cannot be written.
    """
    records = stored_records(contents.frames, contents.schema)
    if output_format in ("json", "jsonl"):
        identified = ((str(r.lineage["id"]), _shown(r, with_lineage=with_lineage)) for r in records)
        metadata = contents.metadata | {"generated_count": contents.count}
        written = export_records(
            target,
            identified,
            output_format=output_format,
            metadata=metadata,
            schema_document=contents.document,
        )
        return Exported(written)
    form = None
    if output_format in TRAINING_FORMATS:
        form = TrainingForm(cast("TrainingFormat", output_format), contents.schema, contents.examples)
    with whole_file(target) as file:
        if form:
            lines = names_json_lines(target)
            written = _write_objects(file, _formed(records, form, with_lineage=with_lineage), lines=lines)
            exported = Exported(written, form.left_out)
        elif output_format == "csv":
            exported = _write_csv(file, records, contents.schema, with_lineage=with_lineage)
        else:
            frames = map(with_whole_lineage, contents.frames)
            exported = Exported(write_parquet(file, frames, with_lineage=with_lineage))
        require_stated(target, exported.written, contents.count)
    return exported


def _shown(stored: StoredRecord, *, with_lineage: bool) -> dict[str, Any]:
    return {**stored.record, LINEAGE_COLUMN: stored.lineage} if with_lineage else stored.record


def _formed(records: Iterable[StoredRecord], form: TrainingForm, *, with_lineage: bool) -> Iterator[dict[str, Any]]:
    for stored in records:
        try:
            formed = form.of(stored.record)
        except UnfitError as unfit:
            raise InputError(
                "Record {id} does not fit the format {format}: {found}. Choose json, jsonl, csv or parquet, which hold "
                "any record.",
                id=stored.lineage["id"],
                format=form.form,
                found=unfit.found,
            ) from unfit
        yield _shown(StoredRecord(formed, stored.lineage), with_lineage=with_lineage)


def _write_objects(file: IO[bytes], objects: Iterable[dict[str, Any]], *, lines: bool) -> int:
    """JSON Lines, or a JSON list with one object on a line."""
    written = 0
    for one in objects:
        if not lines:
            file.write(b",\n" if written else b"[\n")
        file.write(json.dumps(one, ensure_ascii=False).encode() + (b"\n" if lines else b""))
        written += 1
    if not lines:
        file.write(b"\n]\n" if written else b"[]\n")
    return written


def _write_csv(
    file: IO[bytes], records: Iterable[StoredRecord], schema: RecordSchema, *, with_lineage: bool
) -> Exported:
    table = CsvTable(file, schema, with_lineage=with_lineage)
    written = 0
    for stored in records:
        table.write(stored.record, stored.lineage)
        written += 1
    return Exported(written, escaped=table.escaped)

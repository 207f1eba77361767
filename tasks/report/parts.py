"""Parquet parts: accepted records with their lineage, and what was refused. How a field is stored: `columns.py`."""

import io
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.frames import LINEAGE, Rejected
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.columns import (
    OTHER,
    OTHER_COLUMN,
    Column,
    MisfitError,
    columns_of,
    restored_object,
    stored_object,
)

LINEAGE_COLUMN = "_lineage"
ZSTD_LEVEL = 3
"""Fixed, so that equal frames are equal bytes whatever a later Polars takes for its default."""


def part_schema(schema: RecordSchema) -> pl.Schema:
    """Names and types of a data part's columns: `id` first, the other fields in schema order, `_lineage` last.

    Cheap; called before a run's first call, it finds a schema that cannot be stored before anything is paid.

    Raises:
        InputError: a field is called `_lineage`, or `id` is neither text nor a number.
    """
    columns = {name: column.dtype for name, column in _layout(schema)[1].items()}
    return pl.Schema({**columns, LINEAGE_COLUMN: LINEAGE})


CATCH_ALL = Field(name=OTHER, type="any", required=False, description="Fields that the schema does not know, by name.")


def unchecked(schema: RecordSchema) -> RecordSchema:
    """The schema to store records by that nobody validated: it loses nothing of any JSON object.

    The same fields, each holding any JSON value, and a column `_other` for the fields that the schema does not know.
    """
    free = [Field(name=f.name, type="any", required=False) for f in schema.fields if f.name != OTHER]
    return schema.only((*free, CATCH_ALL))


def record_frame(records: Sequence[dict[str, Any]], schema: RecordSchema) -> pl.DataFrame:
    """Records as typed columns, without lineage; an `id` is stored as the record has it.

    Raises:
        RunError: a value does not fit its column, or a record has a field that the schema lacks.
    """
    fields, columns = _layout(schema)
    rows = []
    for i, record in enumerate(records):
        try:
            rows.append(stored_object(record, fields, columns))
        except MisfitError as misfit:
            raise RunError(
                "Record {number} of a part: {field} holds {found}, which its column cannot hold unchanged. Validation "
                "should have refused it; please report this.",
                number=i + 1,
                field=misfit.path.removeprefix("."),
                found=misfit.found,
            ) from misfit
    # Row by row: from columns, Polars makes a series in Python of every list and struct.
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in columns.items()}, orient="row")


def unstorable(records: Sequence[dict[str, Any]], schema: RecordSchema) -> list[tuple[str, str] | None]:
    """For each record, path and description of the first value that a part could not hold unchanged, or None.

    In a record that fits its schema: an integer beyond 64 bits, a number with more digits than a 64-bit float,
    NaN, half a surrogate pair.
    """
    fields, columns = _layout(schema)
    found: list[tuple[str, str] | None] = []
    for record in records:
        try:
            stored_object(record, fields, columns)
        except MisfitError as misfit:
            found.append((misfit.path.removeprefix("."), misfit.found))
        else:
            found.append(None)
    return found


def record_parquet(records: Sequence[dict[str, Any]], lineage: Sequence[dict[str, Any]], schema: RecordSchema) -> bytes:
    """One data part: the records, each with its lineage, as Parquet (zstd); equal input gives equal bytes.

    Args:
        records: Only with fields of the schema (see `unchecked` for records that were not validated). A field `id`
            is filled from the lineage, whatever the record has.
        lineage: One per record, as `frames.LINEAGE`.
        schema: Decides the columns alone, so that all parts of a data set have the same.

    Raises:
        InputError: the schema cannot be stored (see `part_schema`).
        RunError: a value does not fit its column.
    """
    identity = schema.identity
    if identity is not None:
        given = [_identifier(row["id"], identity) for row in lineage]
        records = [{**record, "id": value} for record, value in zip(records, given, strict=True)]
    frame = record_frame(records, schema)
    origins = pl.DataFrame(list(lineage), schema=LINEAGE.to_schema(), orient="row").to_struct(LINEAGE_COLUMN)
    return part_parquet(frame.with_columns(origins))


def rejected_parquet(rows: pl.DataFrame) -> bytes:
    """One part of refused records (`frames.Rejected`) as Parquet; equal input gives equal bytes."""
    return part_parquet(Rejected.validate(rows))


def read_part(part: bytes | pl.DataFrame) -> pl.DataFrame:
    """The frame of a part."""
    return part if isinstance(part, pl.DataFrame) else pl.read_parquet(io.BytesIO(part))


def read_records(part: bytes | pl.DataFrame, schema: RecordSchema) -> list[dict[str, Any]]:
    """The records of a part, as they were given to `record_parquet`; keys in the schema's order.

    Absent fields are absent again and JSON text is parsed. The limits (an explicit null in an optional nullable
    field comes back absent, `12.0` as `12`) are explained in `columns.py`.
    """
    fields, columns = _layout(schema)
    # Not `select`: it would take a field called "*" or "^a$" for a pattern.
    rows = read_part(part).drop(LINEAGE_COLUMN, strict=False).iter_rows(named=True)
    return [restored_object(row, fields, columns) for row in rows]


def record_ids(part: pl.DataFrame) -> list[str]:
    """The ids of a part's records, from their lineage."""
    return part[LINEAGE_COLUMN].struct.field("id").to_list()


def _layout(schema: RecordSchema) -> tuple[tuple[Field, ...], dict[str, Column]]:
    """The fields with columns of their own, `id` first, and all columns but the lineage."""
    if schema.field(LINEAGE_COLUMN) is not None:
        raise InputError(
            'The schema has a field called "{name}", which is the column that says where a record came from. '
            "Give the field another name.",
            name=LINEAGE_COLUMN,
        )
    identity = schema.identity
    if identity is not None and not identity.any_of and identity.type in ("boolean", "array", "object"):
        raise InputError(
            'The schema\'s field "id" has the type {type}. Ids are given by DataSynth and are text or integers: '
            "change the type, or give the field another name.",
            type=identity.type,
        )
    fields = tuple(sorted((f for f in schema.fields if f != CATCH_ALL), key=lambda f: f.name != "id"))
    columns = columns_of(fields)
    return fields, columns | {OTHER: OTHER_COLUMN} if CATCH_ALL in schema.fields else columns


def _identifier(text: str, field: Field) -> Any:
    if field.any_of or field.type not in ("integer", "number"):
        return text
    digits = re.search(r"\d+$", text)
    if digits is None:
        raise RunError('The record id "{id}" does not end in a number, as the schema\'s integer ids need.', id=text)
    return int(digits.group())


def part_parquet(frame: pl.DataFrame) -> bytes:
    """A part as Parquet (zstd); equal frames give equal bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=ZSTD_LEVEL)
    return buffer.getvalue()

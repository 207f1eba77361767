"""Records in a file: read, and copied into parts of the evaluation's own, as those of a run are."""

import io
import json
import math
from typing import Any

import polars as pl

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.evaluate.subject import unchecked_schema
from datasynth.tasks.report.parts import LINEAGE_COLUMN, part_schema, read_records, record_ids, record_parquet
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.sources.documents import unreadable
from datasynth.tasks.sources.records import named_records
from datasynth.tasks.storage.store import Store

PART = 5_000
"""Records in a part."""
PARQUET = (".parquet", ".pq")

Named = tuple[str, dict[str, Any]]
NOWHERE: dict[str, Any] = {"run": "", "round": 0, "call": 0, "aim": "{}", "simulated": False}
"""Lineage of a record of which nobody knows where it is from."""


def records_in_file(url: str, recipe: Recipe) -> list[Named]:
    """The records of the file at `url` with their names, in its order: Parquet by its name, else JSON or JSON Lines.

    Raises:
        InputError: nothing is there, it cannot be read, or it holds no record.
    """
    fields = [field.name for field in recipe.record_schema.fields]
    found = _in_parquet(url, recipe) if url.lower().endswith(PARQUET) else named_records(url, fields)
    if not found:
        raise InputError("{path}: no record in it. Give a file with records.", path=url)
    for _, record in found:
        # What `export --with-lineage` adds is no field of a record.
        record.pop(LINEAGE_COLUMN, None)
    return found


def copy_into_parts(records: list[Named], folder: Store, recipe: Recipe) -> tuple[str, ...]:
    """Writes `records` as parts below `folder`, each typed so that it holds whatever they are; returns their paths."""
    schema = unchecked_schema(recipe)
    paths = []
    for first in range(0, len(records), PART):
        some = records[first : first + PART]
        path = f"work/part-{first // PART + 1:05d}.parquet"
        lineage = [NOWHERE | {"id": name, "position": first + n} for n, (name, _) in enumerate(some)]
        folder.write(path, record_parquet([record for _, record in some], lineage, schema))
        paths.append(path)
    return tuple(paths)


def _in_parquet(url: str, recipe: Recipe) -> list[Named]:
    frame = _frame(url)
    ids = record_ids(frame) if _has_lineage(frame) else []
    records = _records(frame, recipe)
    names = [str(record.get("id") or f"#{number}") for number, record in enumerate(records, start=1)]
    return list(zip(ids or names, records, strict=True))


def _frame(url: str) -> pl.DataFrame:
    store = Store(url)
    try:
        return pl.read_parquet(io.BytesIO(store.read("")))
    except FileNotFoundError as error:
        raise InputError("{path}: no such file. Check the path.", path=store.url()) from error
    except StorageError as error:
        raise unreadable(store.url(), error) from error
    except pl.exceptions.PolarsError as error:
        raise InputError(
            "{path}: no whole Parquet file ({error}). If writing or copying it broke off, do it again; a file of JSON "
            "needs another name.",
            path=store.url(),
            error=" ".join(str(error).split())[:200],
        ) from error


def _has_lineage(frame: pl.DataFrame) -> bool:
    dtype = frame.schema.get(LINEAGE_COLUMN)
    return isinstance(dtype, pl.Struct) and "id" in {field.name for field in dtype.fields}


def _records(frame: pl.DataFrame, recipe: Recipe) -> list[dict[str, Any]]:
    """Records of a frame: as a run stores them if it is typed so, else as its own types say."""
    told = SynthesisSettings.model_construct(validate_records=True)
    for schema in (stored_schema(recipe, told), unchecked_schema(recipe)):
        typed = {name: dtype for name, dtype in part_schema(schema).items() if name != LINEAGE_COLUMN}
        if typed == {name: dtype for name, dtype in frame.schema.items() if name != LINEAGE_COLUMN}:
            return read_records(frame, schema)
    rows = frame.drop(LINEAGE_COLUMN, strict=False).iter_rows(named=True)
    # A column has a value in every row: null is how it says that a record lacks the field.
    return [{name: _plain(value) for name, value in row.items() if value is not None} for row in rows]


def _plain(value: Any) -> Any:
    """`value` as JSON has it; what JSON has no form for (dates, decimals, NaN) as text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.loads(json.dumps(value, default=str))

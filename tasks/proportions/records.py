"""The existing records that a part draws from: a finished run, a data set's finished runs, or a file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl
from pydantic import ValidationError

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.proportions.infer import schema_of_records
from datasynth.tasks.report.parts import LINEAGE_COLUMN, read_records
from datasynth.tasks.rounds.listing import RunPlace, find_run
from datasynth.tasks.rounds.stored import part_names, read_frames, recipe_of, schema_of_columns, stored_records
from datasynth.tasks.sources.records import named_records
from datasynth.tasks.storage.store import Store

FILES = (".json", ".jsonl", ".ndjson", ".parquet")


class Sourced(NamedTuple):
    """A record with where it came from."""

    record: dict[str, Any]
    source: str
    """Address of its run or file."""
    reference: str
    """Which record of the source it is: its id there, or its place such as `#3`."""
    lineage: dict[str, Any] | None
    """As `frames.LINEAGE`, where a run made it."""


@dataclass(frozen=True)
class Existing:
    """Records that stand somewhere."""

    records: list[Sourced]
    url: str
    schema: RecordSchema
    """Of the runs where all have the same, else found from the records."""
    typed: bool
    """Whether the runs' own schema says what the records are, and not their values."""
    simulated: bool = False
    left_out: tuple[str, ...] = ()
    """Runs of the data set that are not finished."""


def read_existing(address: str) -> Existing:
    """The records at `address`.

    Raises:
        InputError: nothing is there, a run that is not finished, a data set without a finished run, a file that holds
            no records.
    """
    url = Store(address).url()
    if address.split("?", 1)[0].lower().endswith(FILES):
        return _of_file(address, url)
    root = Store(address)
    names = root.names() if not root.local or root.fs.isdir(root.root) else []
    if "run.json" in names:
        return _of_runs([_ended(find_run(address))], url)
    if "runs" in names:
        return _of_dataset(root, url)
    raise InputError(
        "{url}: there is no finished run, data set or file of records. Give a run's folder or a data set's folder in a "
        "store (see datasynth runs), or a file that ends in .json, .jsonl or .parquet.",
        url=url,
    )


def _of_dataset(root: Store, url: str) -> Existing:
    places, left_out = [], []
    for run_id in root.names("runs"):
        try:
            place = RunPlace(root.at(f"runs/{run_id}"))
        except (FileNotFoundError, ValidationError):
            continue
        if "manifest.json" in place.names:
            places.append(place)
        else:
            left_out.append(run_id)
    if not places:
        raise InputError("{url}: this data set has no finished run. See datasynth runs.", url=url)
    places.sort(key=lambda place: (place.card.started_at, place.card.run_id))
    return _of_runs(places, url, tuple(left_out))


def _ended(place: RunPlace) -> RunPlace:
    if place.facts()[0] == "unfinished":
        raise InputError(
            "Run {run} is not finished, so its records may still change. Finish it first, or choose another run.",
            run=place.card.run_id,
        )
    return place


def _of_runs(places: Sequence[RunPlace], url: str, left_out: tuple[str, ...] = ()) -> Existing:
    found: list[Sourced] = []
    schemas: list[RecordSchema] = []
    simulated = False
    for place in places:
        schema = recipe_of(place).record_schema
        source = place.folder.url()
        for stored in stored_records(read_frames(place, part_names(place, "data")), schema):
            found.append(Sourced(stored.record, source, str(stored.lineage["id"]), stored.lineage))
            simulated = simulated or bool(stored.lineage["simulated"])
        schemas.append(schema)
    same = all(schema.fields == schemas[0].fields for schema in schemas)
    schema = schemas[0] if same else schema_of_records(one.record for one in found)
    return Existing(found, url, schema, typed=same, simulated=simulated, left_out=left_out)


def _of_file(address: str, url: str) -> Existing:
    if address.split("?", 1)[0].lower().endswith(".parquet"):
        named = [(f"#{n}", record) for n, record in enumerate(_parquet_records(address, url), start=1)]
    else:
        named = named_records(address)
    if not named:
        raise InputError("{path}: no record in it. Give a file with records.", path=url)
    unique = len({name for name, _ in named}) == len(named)
    found = [
        Sourced(_bare(record), url, name if unique else f"#{n}", None)
        for n, (name, record) in enumerate(named, start=1)
    ]
    return Existing(found, url, schema_of_records(one.record for one in found), typed=False)


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    """`record` without the column that says where it came from: it gets another."""
    return {name: value for name, value in record.items() if name != LINEAGE_COLUMN}


def _parquet_records(address: str, url: str) -> list[dict[str, Any]]:
    try:
        frame = pl.read_parquet(io.BytesIO(Store(address).read("")))
    except FileNotFoundError as error:
        raise InputError("{path}: no such file. Check the path.", path=url) from error
    except (pl.exceptions.PolarsError, StorageError) as error:
        raise InputError(
            "{path}: this cannot be read as Parquet ({error}). Give a whole Parquet file.",
            path=url,
            error=type(error).__name__,
        ) from error
    frame = frame.drop(LINEAGE_COLUMN, strict=False)
    plain = pl.DataFrame([_plain_column(column, url) for column in frame.get_columns()])
    return read_records(plain, schema_of_columns([plain]))


def _plain_column(column: pl.Series, url: str) -> pl.Series:
    """`column` in a type that JSON has: dates and times as texts, numbers of any width as the widest."""
    wanted = _plain_type(column.dtype)
    if wanted is None:
        raise InputError(
            "{path}: the column {column} holds {type}, which JSON cannot say. Leave it out, or write it as text.",
            path=url,
            column=column.name,
            type=str(column.dtype),
        )
    return column if wanted == column.dtype else column.cast(wanted)


def _plain_type(dtype: pl.DataType) -> pl.DataType | None:
    if isinstance(dtype, pl.List | pl.Array):
        inner = _plain_type(_instance(dtype.inner))
        return None if inner is None else pl.List(inner)
    if isinstance(dtype, pl.Struct):
        fields = {field.name: _plain_type(_instance(field.dtype)) for field in dtype.fields}
        return None if None in fields.values() else pl.Struct({name: one for name, one in fields.items() if one})
    if isinstance(dtype, pl.String | pl.Boolean):
        return dtype
    if dtype.is_integer():
        return pl.Int64()
    if dtype.is_numeric():
        return pl.Float64()
    texts = isinstance(dtype, pl.Categorical | pl.Enum | pl.Null) or dtype.is_temporal()
    return pl.String() if texts and not isinstance(dtype, pl.Duration) else None


def _instance(dtype: Any) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()

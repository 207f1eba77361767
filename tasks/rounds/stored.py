"""The records of a run as it stands in a store, read back by whoever has nothing but the store.

How a column becomes values is said by the recipe's schema, which a run keeps in `recipe.json`. Of a run without one,
the columns' types say it, and the values of text columns: see `schema_of_columns`.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

import orjson
import polars as pl

from datasynth.schemas.errors import StorageError
from datasynth.schemas.frames import LINEAGE
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.columns import OTHER
from datasynth.tasks.report.parts import CATCH_ALL, LINEAGE_COLUMN, read_part, read_records
from datasynth.tasks.rounds.listing import RunPlace
from datasynth.tasks.rounds.removing import without_removed
from datasynth.tasks.rounds.runs import round_names

AHEAD = 8
"""Parts fetched while one is being written: few, for each may hold 10,000 records."""


class StoredRecord(NamedTuple):
    """A record with where it came from, as `frames.LINEAGE`; of a mixed one also `part`, `source` and `record`."""

    record: dict[str, Any]
    lineage: dict[str, Any]


def part_names(place: RunPlace, kind: str) -> list[str]:
    """Paths of the parts `data` or `rejected` that count, in order.

    They are those of finished rounds, and of what was taken over. What a round wrote before it ended, or died, is not
    among them: it will be written again.
    """
    if "manifest.json" in place.names:
        return orjson.loads(place.folder.read("manifest.json"))[kind]
    rounds = {name.removesuffix(".json") for name in round_names(place.folder)} | {"00000"}
    names = place.folder.names(kind, ".parquet")
    return [f"{kind}/{name}" for name in names if name.removeprefix("part-").removesuffix(".parquet") in rounds]


def read_frames(place: RunPlace, paths: Iterable[str], *, ahead: int = AHEAD) -> Iterator[pl.DataFrame]:
    """The parts at `paths`, in order, with at most `ahead` others in memory.

    Raises:
        StorageError: a part is missing or no part.
    """
    with ThreadPoolExecutor(max(1, ahead)) as pool:
        waiting: deque[Future[pl.DataFrame]] = deque()
        for path in paths:
            waiting.append(pool.submit(_frame, place, path))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _frame(place: RunPlace, path: str) -> pl.DataFrame:
    try:
        frame = read_part(place.folder.read(path))
    except (FileNotFoundError, pl.exceptions.PolarsError) as error:
        raise StorageError(
            "{path}: this part of the run is missing or damaged ({error}). Restore it, or make the run again.",
            path=place.folder.url(path),
            error=type(error).__name__,
        ) from error
    # Only of a part whose writing anew was interrupted: of the others nothing is left.
    return without_removed(frame, place.removals().records) if path in place.removals().pending else frame


def with_whole_lineage(frame: pl.DataFrame) -> pl.DataFrame:
    """A data part whose lineage has every field there is now, null where it was written before there was one.

    What a mixed record's lineage says besides, of its part and source, stays.
    """
    # Not `select`: it would take a field called "*" or "^a$" for a pattern.
    origins = frame[LINEAGE_COLUMN].struct.unnest()
    columns = [
        origins[name] if name in origins.columns else pl.Series(name, [None] * len(origins), dtype=dtype)
        for name, dtype in LINEAGE.to_schema().items()
    ]
    columns += [column for column in origins.get_columns() if column.name not in LINEAGE.to_schema()]
    return frame.with_columns(pl.DataFrame(columns).to_struct(LINEAGE_COLUMN))


def stored_records(frames: Iterable[pl.DataFrame], schema: RecordSchema) -> Iterator[StoredRecord]:
    """The records of data parts, in order."""
    for frame in frames:
        origins = with_whole_lineage(frame)[LINEAGE_COLUMN].to_list()
        yield from map(StoredRecord, read_records(frame, schema), origins)


def recipe_of(place: RunPlace, *, most: int | None = None) -> Recipe:
    """What a run was made from, without seeds; its schema is the one that the parts are typed by.

    Args:
        place: The run.
        most: Where the columns must say what the values are, only so many parts are looked at.
    """
    from datasynth.tasks.rounds.commit import stored_schema  # noqa: PLC0415 - brings the near-duplicate index

    try:
        recipe = Recipe.model_validate_json(place.folder.read("recipe.json"))
    except FileNotFoundError:
        schema = schema_of_columns(read_frames(place, part_names(place, "data")[:most]), place.card.dataset)
        return Recipe(name=place.card.dataset, record_schema=schema)
    told = SynthesisSettings.model_construct(validate_records=place.told().get("validate_records", True))
    return recipe.model_copy(update={"record_schema": stored_schema(recipe, told)})


def schema_of_columns(frames: Iterable[pl.DataFrame], name: str = "") -> RecordSchema:
    """A schema by which the records of data parts can be read, as far as the parts say it.

    A text column may hold texts, or JSON text of values that had no column type. It is taken for JSON text where all of
    its values are JSON and one at least is a list, an object or a quoted text: a column of texts like "3" stays texts.
    """
    found = _JsonText(set(), set())
    columns: dict[str, pl.DataType] = {}
    for frame in frames:
        for column in frame.get_columns():
            if column.name != LINEAGE_COLUMN:
                columns.setdefault(column.name, column.dtype)
                found.look(column, column.name)
    known = found.nested - found.texts
    fields = [_field(name, dtype, name, known) for name, dtype in columns.items() if name != OTHER]
    return RecordSchema(name=name, fields=(*fields, *([CATCH_ALL] if OTHER in columns else [])))


class _JsonText(NamedTuple):
    """What was seen in text columns, by path."""

    texts: set[str]
    """A value was no JSON."""
    nested: set[str]
    """A value was a list, an object or a quoted text."""

    def look(self, column: pl.Series, path: str) -> None:
        """Notes what the text columns in `column` hold."""
        match column.dtype:
            case pl.String():
                if path not in self.texts:
                    self._look_at(column.drop_nulls().to_list(), path)
            case pl.List():
                self.look(column.explode(), f"{path}[]")
            case pl.Struct():
                for inner in column.struct.unnest().get_columns():
                    self.look(inner, f"{path}.{inner.name}")
            case _:
                pass

    def _look_at(self, values: list[str], path: str) -> None:
        try:
            # The first is enough for nearly every text: prose is no JSON.
            found = [orjson.loads(value) for value in values]
        except orjson.JSONDecodeError:
            self.texts.add(path)
            return
        if any(isinstance(value, str | list | dict) for value in found):
            self.nested.add(path)


def _field(name: str, dtype: pl.DataType, path: str, known: set[str]) -> Field:
    match dtype:
        case pl.String():
            return Field(name=name, type="any" if path in known else "string", required=False)
        case pl.List():
            items = _field("item", _instance(dtype.inner), f"{path}[]", known).model_copy(update={"nullable": True})
            return Field(name=name, type="array", items=items, required=False)
        case pl.Struct():
            inner = {field.name: _instance(field.dtype) for field in dtype.fields}
            fields = tuple(_field(n, t, f"{path}.{n}", known) for n, t in inner.items() if n != OTHER)
            return Field(name=name, type="object", fields=fields, additional=OTHER in inner, required=False)
        case pl.Int64():
            return Field(name=name, type="integer", required=False)
        case pl.Float64():
            return Field(name=name, type="number", required=False)
        case _:
            return Field(name=name, type="boolean", required=False)


def _instance(dtype: Any) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def first_records(place: RunPlace, schema: RecordSchema, most: int) -> list[StoredRecord]:
    """The first `most` records of a run; no part is read that they do not need."""
    found: list[StoredRecord] = []
    for path in part_names(place, "data"):
        found += stored_records([_frame(place, path)], schema)
        if len(found) >= most:
            break
    return found[:most]


def first_rejected(place: RunPlace, most: int) -> list[dict[str, Any]]:
    """The first `most` refused candidates of a run, as `frames.Rejected`."""
    found = chain.from_iterable(_frame(place, path).iter_rows(named=True) for path in part_names(place, "rejected"))
    return [row for row, _ in zip(found, range(most), strict=False)]

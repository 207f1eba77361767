"""How a field of a record schema is stored in a Parquet column: a type that the values never change.

| field | column |
|---|---|
| string | String |
| integer | Int64 |
| number | Float64 |
| boolean | Boolean |
| array whose items have a column type | List of it |
| object with fields | Struct of them; of an open object also `_other`: its further fields, as JSON text |
| any other: `any`, a union, an object without fields, an array of these or without `items` | String, JSON text |
| integer whose stated bounds or values exceed 64 bits | String, JSON text |

A column of JSON text keeps every JSON value, null too. In the other columns a null stands for an absent field, or for
an explicit null where the field is required and nullable; so an explicit null in an *optional* nullable field comes
back as absent, the one thing that is not restored. Numbers come back as integers where they are whole (`12.0` as `12`,
the same JSON number), because that is how models and people write them.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from datasynth.schemas.record import Field

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
OTHER = "_other"
"""Column for the fields of an open object that its schema does not name."""
EXACT_INTEGERS = 2**53
"""Up to here every integer is a 64-bit float of its own (IEEE 754 binary64)."""


class MisfitError(Exception):
    """A value that its column cannot hold without changing it; `path` is relative to the column."""

    def __init__(self, found: str, path: str = "") -> None:
        super().__init__(found, path)
        self.found = found
        self.path = path

    def below(self, step: str) -> "MisfitError":
        """The same misfit, seen from one level up."""
        return MisfitError(self.found, step + self.path)


@dataclass(frozen=True)
class Column:
    """A column's type, and the way of one value (never None, unless `is_json`) into it and back."""

    dtype: pl.DataType
    store: Callable[[Any], Any]
    restore: Callable[[Any], Any]
    is_json: bool = False


def column_of(field: Field) -> Column:
    """The column of `field`: a function of the schema alone, so that all parts of a data set have the same."""
    if is_opaque(field):
        return Column(pl.String(), _store_json, json.loads, is_json=True)
    if field.type == "array" and field.items is not None:
        return _list_column(field.items)
    if field.type == "object":
        return _struct_column(field.fields, is_open=field.additional)
    return _SCALARS[field.type]


def is_opaque(field: Field) -> bool:
    """Whether the schema says too little about the field's values to give them a column type."""
    if field.any_of or field.type == "any":
        return True
    if field.type == "array":
        return field.items is None or is_opaque(field.items)
    if field.type == "object":
        # A field of its own called `_other` leaves no name for the others.
        return not field.fields or (field.additional and any(f.name == OTHER for f in field.fields))
    return field.type == "integer" and _is_wide(field)


def _is_wide(field: Field) -> bool:
    stated = [field.minimum, field.maximum, field.exclusive_minimum, field.exclusive_maximum, *(field.enum or ())]
    return any(isinstance(v, int | float) and not INT64_MIN <= v <= INT64_MAX for v in stated)


def columns_of(fields: Iterable[Field]) -> dict[str, Column]:
    """The columns of an object's fields by name, in the same order."""
    return {field.name: column_of(field) for field in fields}


def stored_object(value: dict[str, Any], fields: tuple[Field, ...], columns: dict[str, Column]) -> dict[str, Any]:
    """The cells of an object by column; None for what it lacks. `columns` are those of `fields`, and `_other` or not.

    Raises:
        MisfitError: a column cannot hold its value, or a key is unknown and there is no `_other`.
    """
    cells: dict[str, Any] = {}
    for field in fields:
        try:
            cells[field.name] = _stored_field(value, field, columns[field.name])
        except MisfitError as misfit:
            raise misfit.below(f".{field.name}") from misfit
    if len(columns) == len(fields):
        for name in value:
            if name not in columns:
                raise MisfitError("a field that the schema does not know", f".{name}")
    else:
        others = {name: inner for name, inner in value.items() if name not in cells}
        cells[OTHER] = _store_json(others) if others else None
    return cells


def restored_object(cells: dict[str, Any], fields: tuple[Field, ...], columns: dict[str, Column]) -> dict[str, Any]:
    """The object that `stored_object` was given; keys in the schema's order, then the others."""
    value: dict[str, Any] = {}
    for field in fields:
        cell, column = cells[field.name], columns[field.name]
        if cell is not None:
            value[field.name] = column.restore(cell)
        elif field.required and field.nullable and not column.is_json:
            value[field.name] = None
    if len(columns) != len(fields) and cells[OTHER] is not None:
        value |= json.loads(cells[OTHER])
    return value


def _stored_field(value: dict[str, Any], field: Field, column: Column) -> Any:
    if field.name not in value:
        return None
    inner = value[field.name]
    if inner is None and not column.is_json:
        if field.nullable:
            return None
        raise MisfitError("null")
    return column.store(inner)


def described(value: Any) -> str:
    """A value as its JSON type and its beginning, for messages."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:59] + '…'}"


def _store_json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise MisfitError(described(value)) from error
    return _store_text(text)


def _store_text(value: Any) -> str:
    if not isinstance(value, str):
        raise MisfitError(described(value))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MisfitError(ascii(value[error.start])) from error
    return value


def _store_integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not INT64_MIN <= value <= INT64_MAX:
        raise MisfitError(described(value))
    return value


def _store_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MisfitError(described(value))
    try:
        number = float(value)
    except OverflowError as error:
        raise MisfitError(described(value)) from error
    if not math.isfinite(number) or number != value:
        raise MisfitError(described(value))
    return number


def as_written(value: float) -> int | float:
    """A stored number as people and models write it: whole ones without a decimal point."""
    return int(value) if value.is_integer() and abs(value) <= EXACT_INTEGERS else value


def _store_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MisfitError(described(value))
    return value


def _same(value: Any) -> Any:
    return value


_SCALARS: dict[str, Column] = {
    "string": Column(pl.String(), _store_text, _same),
    "integer": Column(pl.Int64(), _store_integer, _same),
    "number": Column(pl.Float64(), _store_number, as_written),
    "boolean": Column(pl.Boolean(), _store_boolean, _same),
}


OTHER_COLUMN = Column(pl.String(), _store_json, json.loads, is_json=True)


def _list_column(item: Field) -> Column:
    inner = column_of(item)

    def store(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise MisfitError(described(value))
        cells = []
        for i, entry in enumerate(value):
            try:
                if entry is None and not item.nullable:
                    raise MisfitError("null")
                cells.append(None if entry is None else inner.store(entry))
            except MisfitError as misfit:
                raise misfit.below(f"[{i}]") from misfit
        return cells

    def restore(cells: list[Any]) -> list[Any]:
        return [None if cell is None else inner.restore(cell) for cell in cells]

    return Column(pl.List(inner.dtype), store, restore)


def _struct_column(fields: tuple[Field, ...], *, is_open: bool) -> Column:
    columns = columns_of(fields)
    if is_open:
        columns[OTHER] = OTHER_COLUMN

    def store(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise MisfitError(described(value))
        return stored_object(value, fields, columns)

    def restore(cells: dict[str, Any]) -> dict[str, Any]:
        return restored_object(cells, fields, columns)

    return Column(pl.Struct({name: column.dtype for name, column in columns.items()}), store, restore)

"""A record schema as tables: an object's fields are a table, an array's items another.

So nesting costs a table, not a loop over records.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import Field
from datasynth.tasks.validate.checks import Part, array_checks, one_of_json
from datasynth.tasks.validate.columns import Column, ScalarColumn, Site, Table
from datasynth.tasks.validate.findings import DROP, Findings, Rows
from datasynth.tasks.validate.judging import Judge
from datasynth.tasks.validate.scalars import canonical, fault_of, fault_sentence

CHUNK: Final = 512
"""Objects taken apart at a time: so few stay in the cache while each of their fields is fetched."""


Extra = Literal["keep", "refuse", "drop"]
"""What becomes of keys outside the schema: left as they are; a problem, repaired by leaving them out; left out."""


class NestedColumn(Column):
    """Objects or arrays: their insides go to a table of their own."""

    python_type: type

    def fitting(self, values: list[Any], site: Site) -> list[int] | None:
        """Rows whose value has the right type, or None for all; the others are reported."""
        if {self.python_type}.issuperset(map(type, values)):
            return None
        fit = []
        for i, value in enumerate(values):
            if isinstance(value, self.python_type):
                fit.append(i)
            elif value is None:
                self.absent(site, i)
            else:
                self.misfit(site, i, value, "type")
        return fit

    def rows_of(self, fit: list[int] | None, site: Site) -> Rows:
        return Rows(site.rows, None if fit is None else np.array(fit, dtype=np.int64), self.key, self.ordinal)

    def whole(self, fit: list[int] | None, values: list[Any], site: Site) -> None:
        """Reports values that the schema leaves open and that JSON text cannot carry."""
        for i in range(len(values)) if fit is None else fit:
            if fault := fault_of(values[i]):
                self.report(site, i, "type" if fault == "unicode" else fault, values[i], _open_value(fault))


def _open_value(fault: str) -> Callable[[str, str], Message]:
    return lambda field, value: fault_sentence(fault, "any", field, value)


def canonical_series(values: list[Any], fit: list[int] | None) -> pl.Series:
    """Canonical JSON text of the values in rows `fit`, null in the others and where there is none."""
    texts: list[str | None] = [None] * len(values)
    for i in range(len(values)) if fit is None else fit:
        if fault_of(values[i]) is None:
            texts[i] = canonical(values[i])
    return pl.Series(values=texts, dtype=pl.String)


class ObjectColumn(NestedColumn):
    """Objects: their fields are a table; the column itself has a series only for `enum`."""

    python_type = dict

    def __init__(self, field: Field, key: str | None, ordinal: int, path: str, extra: "Extra | None" = None) -> None:
        super().__init__(field, key, ordinal, path)
        extra = extra or ("keep" if field.additional else "refuse")
        self.table = ObjectTable(field.fields, extra, path) if field.fields or extra == "drop" else None
        if field.enum is not None:
            self.parts = [Part(pl.String, (one_of_json(field.enum),))]

    def read(self, values: list[Any], site: Site) -> list[pl.Series]:
        fit = self.fitting(values, site)
        if self.table is None:
            self.whole(fit, values, site)
        else:
            objects = values if fit is None else [values[i] for i in fit]
            self.table.check(objects, self.rows_of(fit, site), site.findings)
        return [canonical_series(values, fit)] if self.parts else []


class ArrayColumn(NestedColumn):
    """Arrays: the items are a table; the column's series are item counts, and whether the items differ."""

    python_type = list

    def __init__(self, field: Field, key: str | None, ordinal: int, path: str) -> None:
        super().__init__(field, key, ordinal, path)
        items = field.items
        self.table = None if items is None or _open(items) else Table([column_for(items, None, 0, f"{path}[]")])
        counts, unique = array_checks(field)
        self.counted, self.unique = bool(counts), bool(unique)
        enum = () if field.enum is None else (one_of_json(field.enum),)
        parts = ((pl.Int64, tuple(counts)), (pl.Boolean, tuple(unique)), (pl.String, enum))
        self.parts = [Part(dtype, checks) for dtype, checks in parts if checks]

    def read(self, values: list[Any], site: Site) -> list[pl.Series]:
        fit = self.fitting(values, site)
        arrays = values if fit is None else [values[i] for i in fit]
        if self.table is None:
            self.whole(fit, values, site)
        else:
            _read_items(self.table, arrays, self.rows_of(fit, site), site.findings)
        series = []
        if self.counted:
            series.append(_spread(list(map(len, arrays)), fit, len(values), pl.Int64))
        if self.unique:
            series.append(_spread([_all_differ(array) for array in arrays], fit, len(values), pl.Boolean))
        if self.field.enum is not None:
            series.append(canonical_series(values, fit))
        return series


def _read_items(table: Table, arrays: list[list[Any]], at: Rows, findings: Findings) -> None:
    """Checks the items of `arrays`, which stand `at`, against the one column of `table`."""
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    index = np.repeat(np.arange(len(arrays)), lengths)
    position = np.arange(len(index)) - np.repeat(lengths.cumsum() - lengths, lengths)
    above = index if at.index is None else at.index[index]
    rows = Rows(at.parent, above, at.key, at.ordinal, position)
    table.check([list(chain.from_iterable(arrays))], Site(rows, findings))


def _spread(values: list[Any], fit: list[int] | None, height: int, dtype: type[pl.DataType]) -> pl.Series:
    if fit is not None:
        spread: list[Any] = [None] * height
        for i, value in zip(fit, values, strict=True):
            spread[i] = value
        values = spread
    return pl.Series(values=values, dtype=dtype)


def _all_differ(array: list[Any]) -> bool | None:
    if len(array) < 2:
        return True
    if {str}.issuperset(map(type, array)):
        return len(set(array)) == len(array)
    if fault_of(array):
        return None
    return len(set(map(canonical, array))) == len(array)


def _open(field: Field) -> bool:
    """Whether the field accepts every JSON value."""
    return field.type == "any" and not (field.any_of or field.enum is not None or _facets(field))


class AnyColumn(Column):
    """Values of any type, or of one of several alternatives. Constraints hold for the types they speak of."""

    def __init__(self, field: Field, key: str | None, ordinal: int, path: str) -> None:
        super().__init__(field, key, ordinal, path)
        self.alternatives = [Judge(column_for(option, None, 0, path)) for option in field.any_of]
        self.facets = [column_for(facet, key, ordinal, path) for facet in _facets(field)]
        enum = [] if field.enum is None else [Part(pl.String, (one_of_json(field.enum),))]
        self.parts = enum + [part for facet in self.facets for part in facet.parts]

    def read(self, values: list[Any], site: Site) -> list[pl.Series]:
        present = [i for i, value in enumerate(values) if value is not None or not self.missing(site, i)]
        sound = []
        for i in present:
            if fault := fault_of(values[i]):
                self.misfit(site, i, values[i], fault)
            else:
                sound.append(i)
        if self.alternatives:
            self._choose(sound, values, site)
        # A facet's repairs are left out where an alternative may replace the value as a whole.
        inner = Site(site.rows, Findings(site.findings.problems, [] if self.alternatives else site.findings.fixes))
        series = [] if self.field.enum is None else [canonical_series(values, sound)]
        for facet in self.facets:
            spoken_of: list[Any] = [None] * len(values)
            for i in sound:
                if _has_type(values[i], facet.field):
                    spoken_of[i] = values[i]
            series += facet.read(spoken_of, inner)
        return series

    def _choose(self, sound: list[int], values: list[Any], site: Site) -> None:
        """Reports the rows that fit no alternative, and repairs those that fit one once repaired."""
        left = [i for i in sound if values[i] is not None or not self.field.nullable]
        for option in self.alternatives:
            problems = option.judge([values[i] for i in left], repair=False).problems
            left = [i for n, i in enumerate(left) if n in problems]
        unrepaired = left
        for option in self.alternatives:
            judged = option.judge([values[i] for i in unrepaired], repair=True)
            for n, i in enumerate(unrepaired):
                if n not in judged.problems:
                    self.fix(site, i, judged.values[n], judged.repairs[n])
            unrepaired = [i for n, i in enumerate(unrepaired) if n in judged.problems]
        for i in left:
            if values[i] is None:
                self.null(site, i)
            else:
                self.report(site, i, "any_of", values[i], _fits_none)


def _fits_none(field: str, value: str) -> Message:
    return say("{field} fits none of the forms that the schema allows: {value}.", field=field, value=value)


def _has_type(value: Any, field: Field) -> bool:
    match field.type:
        case "string":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _facets(field: Field) -> list[Field]:
    """What the constraints of a field of any type say of strings, of numbers, of arrays and of objects."""
    kept: dict[str, Any] = {"any_of": (), "enum": None, "nullable": True, "required": False}
    numeric = (field.minimum, field.maximum, field.exclusive_minimum, field.exclusive_maximum, field.multiple_of)
    sized = (field.items, field.min_items, field.max_items)
    facets = []
    if any(limit is not None for limit in (field.min_length, field.max_length, field.pattern, field.format)):
        facets.append(field.model_copy(update={**kept, "type": "string"}))
    if any(limit is not None for limit in numeric):
        facets.append(field.model_copy(update={**kept, "type": "number"}))
    if field.unique_items or any(limit is not None for limit in sized):
        facets.append(field.model_copy(update={**kept, "type": "array"}))
    if field.type == "object" and field.fields:
        facets.append(field.model_copy(update=kept))
    return facets


def column_for(field: Field, key: str | None, ordinal: int, path: str) -> Column:
    """The column that reads `field`.

    Raises:
        InputError: a constraint makes no sense; `path` says where.
    """
    if field.any_of or field.type == "any":
        return AnyColumn(field, key, ordinal, path)
    if field.type == "object":
        return ObjectColumn(field, key, ordinal, path)
    if field.type == "array":
        return ArrayColumn(field, key, ordinal, path)
    return ScalarColumn(field, key, ordinal, path)


class ObjectTable:
    """The fields of objects, one row for each object."""

    def __init__(self, fields: Sequence[Field], extra: Extra, path: str) -> None:
        self.names = [field.name for field in fields]
        self.known = frozenset(self.names)
        self.extra = extra
        prefix = f"{path}." if path else ""
        self.table = Table([column_for(f, f.name, n, f"{prefix}{f.name}") for n, f in enumerate(fields)])
        self.picks = [itemgetter(name) for name in self.names]

    def check(self, objects: list[dict[str, Any]], rows: Rows, findings: Findings) -> None:
        columns, odd = self._columns(objects)
        self.table.check(columns, Site(rows, findings, objects))
        for i in odd:
            self._judge_extra(i, objects[i], rows, findings)

    def _columns(self, objects: list[dict[str, Any]]) -> tuple[list[list[Any]], list[int]]:
        """Values by field (None where missing), and the rows with keys outside the schema."""
        columns: list[list[Any]] = [[] for _ in self.names]
        odd: list[int] = []
        for start in range(0, len(objects), CHUNK):
            chunk = objects[start : start + CHUNK]
            try:
                picked = [list(map(pick, chunk)) for pick in self.picks]
                regular = {len(self.known)}.issuperset(map(len, chunk))
            except KeyError:
                picked = [[item.get(name) for item in chunk] for name in self.names]
                regular = False
            for column, values in zip(columns, picked, strict=True):
                column.extend(values)
            if not regular:
                odd += [start + n for n, item in enumerate(chunk) if not self.known.issuperset(item)]
        return columns, odd

    def _judge_extra(self, i: int, item: dict[str, Any], rows: Rows, findings: Findings) -> None:
        for n, (key, value) in enumerate(item.items()):
            if key in self.known:
                continue
            place = Column(Field(name=str(key), type="any"), key, len(self.names) + n, "")
            site = Site(rows, findings)
            if self.extra == "refuse":
                place.report(site, i, "additional", value, _not_in_schema)
            elif self.extra == "keep" and (fault := fault_of({key: value})):
                place.misfit(site, i, value, fault)
            if self.extra != "keep":
                place.fix(site, i, DROP)


def _not_in_schema(field: str, _: str) -> Message:
    return say("{field} is not in the schema.", field=field)

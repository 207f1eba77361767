"""Columns of one table: reading one sorts out JSON types in Python; what is left to check of its values are pandera
checks on the table's frame, a whole batch at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import Field
from datasynth.tasks.validate.checks import (
    Check,
    Part,
    failures,
    frame_schema,
    number_checks,
    one_of,
    string_checks,
)
from datasynth.tasks.validate.findings import (
    DROP,
    QUOTED_CHARACTERS,
    Findings,
    Fix,
    Problem,
    Rows,
    json_text,
    path_text,
    shortened,
)
from datasynth.tasks.validate.scalars import NOTHING, SCALARS, fault_sentence


@dataclass(frozen=True)
class Site:
    """The table a column stands in while it is read."""

    rows: Rows
    findings: Findings
    holders: list[dict[str, Any]] | None = None
    """The objects that the column's values were taken from; None where they are items of an array."""


class Column:
    """One field of a table, or the items of an array."""

    def __init__(self, field: Field, key: str | None, ordinal: int, path: str) -> None:
        self.field = field
        self.key = key
        self.ordinal = ordinal
        self.path = path
        self.parts: list[Part] = []

    def read(self, values: list[Any], site: Site) -> list[pl.Series]:
        """The series of `parts`, one row for each value; what has the wrong type is reported and null in them.

        Args:
            values: the field's values, None for null and for a missing key.
            site: where they stand.
        """
        raise NotImplementedError

    def report(self, site: Site, i: int, check: str, value: Any, sentence: Callable[[str, str], Message]) -> None:
        """Notes that row `i` fails `check`; `value` is NOTHING where there is none."""
        keys, order = site.rows.keys(i), site.rows.order(i)
        if self.key is not None:
            keys, order = (*keys, self.key), (*order, self.ordinal)
        shown = None if value is NOTHING else json_text(value)
        # What was cut to more characters comes out the same when it is cut again.
        quoted = "" if shown is None else shortened(shown, QUOTED_CHARACTERS)
        message = sentence(path_text(keys), quoted)
        site.findings.problems.append(Problem(site.rows.record(i), order, keys, check, shown, message))

    def fix(self, site: Site, i: int, value: Any, changes: int = 1) -> None:
        keys = site.rows.keys(i) if self.key is None else (*site.rows.keys(i), self.key)
        site.findings.fixes.append(Fix(site.rows.record(i), keys, value, changes))

    def misfit(self, site: Site, i: int, value: Any, fault: str) -> None:
        check = "type" if fault == "unicode" else fault
        expected = "any" if self.field.any_of else self.field.type
        self.report(site, i, check, value, lambda field, shown: fault_sentence(fault, expected, field, shown))

    def missing(self, site: Site, i: int) -> bool:
        """Whether row `i` lacks the field, which is reported if it is required."""
        if site.holders is None or self.key in site.holders[i]:
            return False
        if self.field.required:
            self.report(site, i, "required", NOTHING, lambda field, _: say("{field} is missing.", field=field))
        return True

    def absent(self, site: Site, i: int) -> None:
        """Judges row `i`, whose value is None: missing or null."""
        if self.missing(site, i):
            return
        enum = self.field.enum
        if self.field.nullable:
            if enum is not None and None not in enum:
                self.report(site, i, "enum", None, one_of(enum, [], pl.String).sentence)
            return
        self.null(site, i)

    def null(self, site: Site, i: int) -> None:
        """Reports null where none may stand. For an optional field it means the same as no key: providers that
        demand every key of a structured answer get null for what is left out."""
        if self.key is None and not site.rows.keys(i):
            self.misfit(site, i, None, "type")
            return
        self.report(site, i, "null", None, lambda field, _: say("{field} must not be null.", field=field))
        if not self.field.required and site.holders is not None:
            self.fix(site, i, DROP)


class ScalarColumn(Column):
    """Text, numbers or booleans: one series of the values themselves."""

    def __init__(self, field: Field, key: str | None, ordinal: int, path: str) -> None:
        super().__init__(field, key, ordinal, path)
        self.scalar = SCALARS[field.type]
        self.parts = [Part(self.scalar.dtype, tuple(self._checks()))]

    def _checks(self) -> Sequence[Check]:
        if self.field.type == "string":
            return list(string_checks(self.field, self.path))
        if self.field.type == "boolean":
            enum = self.field.enum
            return [] if enum is None else [one_of(enum, [v for v in enum if isinstance(v, bool)], pl.Boolean)]
        return list(number_checks(self.field, self.path, whole=self.field.type == "integer"))

    def read(self, values: list[Any], site: Site) -> list[pl.Series]:
        series = self.scalar.column(values)
        if series is None:
            return [self._one_by_one(values, site)]
        if series.null_count():
            for i in series.is_null().arg_true():
                self.absent(site, i)
        return [series]

    def _one_by_one(self, values: list[Any], site: Site) -> pl.Series:
        clean: list[Any] = [None] * len(values)
        for i, value in enumerate(values):
            if value is None:
                self.absent(site, i)
                continue
            reading = self.scalar.read(value)
            clean[i] = reading.value
            if reading.fault:
                self.misfit(site, i, value, reading.fault)
            if reading.fix is not NOTHING:
                self.fix(site, i, reading.fix)
        return pl.Series(values=clean, dtype=self.scalar.dtype, strict=True)


class Table:
    """Columns of equal height, checked together."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        parts = [(column, part) for column in columns for part in column.parts if part.checks]
        self.checked = parts
        self.schema = frame_schema([part for _, part in parts])

    def check(self, values: Sequence[list[Any]], site: Site) -> None:
        """Checks one list of values for each column, all of one length."""
        frame: list[pl.Series] = []
        places: list[list[Any]] = []
        for column, column_values in zip(self.columns, values, strict=True):
            for part, series in zip(column.parts, column.read(column_values, site), strict=True):
                if part.checks:
                    frame.append(series.alias(str(len(frame))))
                    places.append(column_values)
        if not frame:
            return
        for n, which, i in failures(self.schema, pl.DataFrame(frame)):
            column, part = self.checked[n]
            check = part.checks[which]
            value = places[n][i]
            column.report(site, i, check.name, value, check.sentence_for(value))

"""Value checks: the constraints of a field as pandera checks on Polars columns, each with its sentence."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData
from pandera.config import ValidationDepth, config_context

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import Field
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text
from datasynth.tasks.validate.formats import FORMATS
from datasynth.tasks.validate.patterns import Pattern
from datasynth.tasks.validate.scalars import LARGEST_INTEGER, canonical, fault_of, is_unicode

Sentence = Callable[[str, str], Message]
"""What is wrong, from the field's path and its value as text."""


@dataclass(frozen=True)
class Check:
    """One constraint on one column."""

    name: str
    holds: Callable[[pl.Expr], pl.Expr]
    """True where the value (not null) fits."""
    sentence: Sentence
    exception: tuple[Callable[[Any], bool], Sentence] | None = None
    """For which of the values that do not fit another sentence is to be said, and which."""

    def sentence_for(self, value: Any) -> Sentence:
        """What is wrong with `value`, which does not fit."""
        if self.exception is not None and self.exception[0](value):
            return self.exception[1]
        return self.sentence


@dataclass(frozen=True)
class Part:
    """One column of a table's frame and what is checked of it."""

    dtype: type[pl.DataType]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class FrameSchema:
    """The checks on a frame, compiled."""

    pandera: pa.DataFrameSchema
    """Judges frames: the types of the columns, and one check that takes all of the checks together. pandera takes a
    millisecond for each of its checks, as long as Polars needs for all of them on 10,000 rows."""
    fits: pl.Expr
    """The same check, row by row."""
    checks: tuple[tuple[int, int, pl.Expr], ...]
    """Ordinals of column and check, and where the column's value fits: names what is wrong with a refused row."""


def frame_schema(parts: Sequence[Part]) -> FrameSchema:
    """The schema of a frame whose columns are named "0", "1", ... in the order of `parts`."""
    checks = tuple(
        (n, which, check.holds(pl.col(str(n))) | pl.col(str(n)).is_null())
        for n, part in enumerate(parts)
        for which, check in enumerate(part.checks)
    )

    together = pl.all_horizontal([pl.lit(value=True), *(fitting for _, _, fitting in checks)])

    def fits(data: PolarsData) -> bool:
        # One answer for the frame: of one for each row pandera makes frames of its own, several times over.
        return data.lazyframe.select(together.all()).collect().item()

    columns = {str(n): pa.Column(part.dtype, nullable=True) for n, part in enumerate(parts)}
    return FrameSchema(pa.DataFrameSchema(columns, checks=[pa.Check(fits)]), together, checks)


def failures(schema: FrameSchema, frame: pl.DataFrame) -> Iterator[tuple[int, int, int]]:
    """Column, check (ordinals) and row of every value in `frame` that fails."""
    refused = _refused(schema, frame)
    if refused.is_empty():
        return
    verdicts = frame[refused].select(fitting.alias(str(k)) for k, (_, _, fitting) in enumerate(schema.checks))
    rows = refused.to_list()
    for (n, which, _), verdict in zip(schema.checks, verdicts, strict=True):
        yield from ((n, which, row) for row, fits in zip(rows, verdict.to_list(), strict=True) if fits is False)


def _refused(schema: FrameSchema, frame: pl.DataFrame) -> pl.Series:
    """The rows of `frame` that fail, ascending."""
    # Whatever PANDERA_VALIDATION_ENABLED and _DEPTH say: a run that was asked to validate validates.
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            # Lazy, because pandera would collect an eager frame three times to hand it back.
            schema.pandera.validate(frame.lazy())
        except pa.errors.SchemaError as error:
            if error.check_output is None:
                # A check that raised, not a value that failed: nothing may pass for checked.
                raise
            return frame.select(~schema.fits).to_series().arg_true()
    return pl.Series(dtype=pl.UInt32)


def string_checks(field: Field, path: str) -> Iterator[Check]:
    """Checks on a column of text.

    Raises:
        InputError: the pattern is no regular expression.
    """
    if field.enum is not None:
        yield one_of(field.enum, [v for v in field.enum if isinstance(v, str) and is_unicode(v)], pl.String)
    if field.min_length is not None:
        yield _at_least_characters(field.min_length)
    if field.max_length is not None:
        yield _at_most_characters(field.max_length)
    if field.pattern is not None:
        yield _searched(field.pattern, path)
    if field.format in FORMATS:
        yield _has_format(field.format)


def one_of(enum: Sequence[Any], accepted: Sequence[Any], dtype: type[pl.DataType]) -> Check:
    """`enum` as a check on a column that can hold `accepted` of its values; the others no value can equal."""
    values = pl.Series(values=accepted, dtype=dtype, strict=False).implode()
    allowed = json_text(list(enum)).removeprefix("[").removesuffix("]")
    return Check(
        "enum",
        lambda column: column.is_in(values),
        lambda field, value: say(
            "{field} must be one of {allowed}, not {value}.", **_at(field, value, allowed=allowed)
        ),
    )


def one_of_json(enum: Sequence[Any]) -> Check:
    """`enum` as a check on a column of canonical JSON text, for values of any type."""
    return one_of(enum, [canonical(value) for value in enum if fault_of(value) is None], pl.String)


def _at(field: str, value: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "value": value, **more}


def _at_least_characters(limit: int) -> Check:
    return Check(
        "min_length",
        lambda column: column.str.len_chars() >= limit,
        lambda field, value: say(
            "{field} must have at least {limit} characters: {value}.", **_at(field, value, limit=limit)
        ),
    )


def _at_most_characters(limit: int) -> Check:
    return Check(
        "max_length",
        lambda column: column.str.len_chars() <= limit,
        lambda field, value: say(
            "{field} must have at most {limit} characters: {value}.", **_at(field, value, limit=limit)
        ),
    )


def _searched(text: str, path: str) -> Check:
    pattern = Pattern(text, path)
    return Check(
        "pattern",
        pattern.matches,
        lambda field, value: say(
            "{field} must match the pattern {pattern}: {value}.", **_at(field, value, pattern=text)
        ),
        (
            pattern.gave_up,
            lambda field, value: say(
                "{field} takes too long to be searched for the pattern {pattern}: {value}.",
                **_at(field, value, pattern=text),
            ),
        ),
    )


def _has_format(name: str) -> Check:
    return Check(
        "format",
        FORMATS[name],
        lambda field, value: say("{field} must be a valid {format}, not {value}.", **_at(field, value, format=name)),
    )


def number_checks(field: Field, path: str, *, whole: bool) -> Iterator[Check]:
    """Checks on a column of numbers: Int64 if `whole`, else Float64.

    Raises:
        InputError: `multiple_of` is not above zero.
    """
    if field.enum is not None:
        numbers = [v for v in field.enum if isinstance(v, int | float) and not isinstance(v, bool)]
        if whole:
            fitting = [int(v) for v in numbers if v == v // 1 and abs(v) <= LARGEST_INTEGER]
            yield one_of(field.enum, fitting, pl.Int64)
        else:
            yield one_of(field.enum, list(_as_floats(numbers)), pl.Float64)
    yield from _bounds(field)
    if field.multiple_of is not None:
        if not field.multiple_of > 0:
            raise InputError(
                "{path}: multiple_of is {value} in the schema. Give a number above zero.",
                path=path,
                value=field.multiple_of,
            )
        yield _multiple_of(field.multiple_of, whole=whole)


def _as_floats(numbers: Sequence[float]) -> Iterator[float]:
    """Those of `numbers` that a 64-bit float holds exactly; no other can equal a number that was read."""
    for number in numbers:
        with suppress(OverflowError):
            if float(number) == number:
                yield float(number)


def _bounds(field: Field) -> Iterator[Check]:
    if (low := field.minimum) is not None:
        yield Check("range", lambda c: c >= _literal(low), partial(_at_least, limit=_shown(low)))
    if (high := field.maximum) is not None:
        yield Check("range", lambda c: c <= _literal(high), partial(_at_most, limit=_shown(high)))
    if (below := field.exclusive_minimum) is not None:
        yield Check("range", lambda c: c > _literal(below), partial(_above, limit=_shown(below)))
    if (above := field.exclusive_maximum) is not None:
        yield Check("range", lambda c: c < _literal(above), partial(_below, limit=_shown(above)))


def _at_least(field: str, value: str, limit: str) -> Message:
    return say("{field} must be at least {limit}, not {value}.", field=field, value=value, limit=limit)


def _at_most(field: str, value: str, limit: str) -> Message:
    return say("{field} must be at most {limit}, not {value}.", field=field, value=value, limit=limit)


def _above(field: str, value: str, limit: str) -> Message:
    return say("{field} must be above {limit}, not {value}.", field=field, value=value, limit=limit)


def _below(field: str, value: str, limit: str) -> Message:
    return say("{field} must be below {limit}, not {value}.", field=field, value=value, limit=limit)


def _literal(limit: float) -> pl.Expr:
    # As an integer where it is one, so that integers beyond 2**53 are compared exactly.
    return pl.lit(int(limit)) if limit.is_integer() and abs(limit) <= LARGEST_INTEGER else pl.lit(limit)


def _shown(limit: float) -> str:
    return json_text(int(limit) if limit.is_integer() else limit, QUOTED_CHARACTERS)


def _multiple_of(step: float, *, whole: bool) -> Check:
    def holds(column: pl.Expr) -> pl.Expr:
        if whole and step.is_integer() and step <= LARGEST_INTEGER:
            return column % int(step) == 0
        return column.map_batches(lambda numbers: _multiples(numbers, step), return_dtype=pl.Boolean)

    return Check(
        "multiple_of",
        holds,
        lambda field, value: say(
            "{field} must be a multiple of {step}, not {value}.", **_at(field, value, step=_shown(step))
        ),
    )


def _multiples(numbers: pl.Series, step: float) -> pl.Series:
    """Which numbers are multiples of `step` as decimals, as people wrote them: 0.3 is one of 0.1."""
    quotients = numbers.cast(pl.Float64) / step
    # Division is off by a few units in the last place; what is further from an integer needs no exact look.
    near = (quotients - quotients.round()).abs() <= 1e-6 + quotients.abs() * 1e-12
    return pl.Series(
        [value is None or (bool(close) and _divides(step, value)) for value, close in zip(numbers, near, strict=True)],
        dtype=pl.Boolean,
    )


def _divides(step: float, value: float) -> bool:
    return math.isfinite(value) and (Fraction(repr(value)) / Fraction(repr(step))).denominator == 1


def array_checks(field: Field) -> tuple[list[Check], list[Check]]:
    """Checks on a column of item counts, and on a column that says whether the items are all different."""
    counts, unique = [], []
    if (least := field.min_items) is not None:
        counts.append(Check("min_items", lambda c: c >= least, lambda f, _: _items_at_least(f, least)))
    if (most := field.max_items) is not None:
        counts.append(Check("max_items", lambda c: c <= most, lambda f, _: _items_at_most(f, most)))
    if field.unique_items:
        unique.append(Check("unique_items", lambda c: c, _repeats))
    return counts, unique


def _items_at_least(field: str, limit: int) -> Message:
    return say("The number of items in {field} must be at least {limit}.", field=field, limit=limit)


def _items_at_most(field: str, limit: int) -> Message:
    return say("The number of items in {field} must be at most {limit}.", field=field, limit=limit)


def _repeats(field: str, value: str) -> Message:
    return say("{field} holds the same item more than once: {value}.", field=field, value=value)

"""Strings, numbers and booleans: which JSON values they accept, and which others they can be made of without loss."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
import polars as pl

from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import JsonType

NOTHING: Final = object()

LARGEST_INTEGER: Final = 2**63 - 1
LARGEST_EXACT: Final = 2**53
"""Beyond it a 64-bit float skips integers (RFC 7493, I-JSON, section 2.2)."""
DEEPEST: Final = 200
"""Levels of nesting in a value that the schema leaves open; orjson writes 254 in all."""

CANONICAL_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
JSON_SPACE: Final = " \t\r\n"

EXPECTED: Final[dict[JsonType, Message]] = {
    "string": say("text"),
    "integer": say("an integer"),
    "number": say("a number"),
    "boolean": say("true or false"),
    "array": say("a list"),
    "object": say("an object"),
}


class Reading(NamedTuple):
    """One value read as a scalar type."""

    value: Any = None
    """As the column stores it; None where the value does not fit."""
    fault: str | None = None
    """Name of the failed check."""
    fix: Any = NOTHING
    """What the value can be replaced by without loss."""


@dataclass(frozen=True)
class Scalar:
    """A scalar type: its column, and how single values are read when a whole column does not fit."""

    name: JsonType
    dtype: type[pl.DataType]
    types: frozenset[type] | None
    """Python types of a whole column that fits; None where Polars itself refuses all others."""
    read: Callable[[Any], Reading]

    def column(self, values: list[Any]) -> pl.Series | None:
        """`values` (None for absent) as a series, or None where at least one must be read by itself."""
        if self.types is not None and not self.types.issuperset(map(type, values)):
            return None
        try:
            series = pl.Series(values=values, dtype=self.dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            return None
        return series if self.name != "number" or _exact(series) else None


def _exact(numbers: pl.Series) -> bool:
    largest = numbers.abs().max()
    # Not the limit itself: the integer above it was rounded to it.
    return largest is None or (isinstance(largest, float) and largest < LARGEST_EXACT and not numbers.is_nan().any())


def read_integer(value: Any) -> Reading:
    if isinstance(value, bool):
        return Reading(fault="type")
    if isinstance(value, int):
        return Reading(value) if -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER else Reading(fault="range")
    if isinstance(value, float) and value.is_integer():
        whole = read_integer(int(value))
        return whole if whole.fault else Reading(whole.value, fix=whole.value)
    if isinstance(value, str) and CANONICAL_INTEGER.fullmatch(text := value.strip(JSON_SPACE)):
        return Reading(fault="type", fix=int(text))
    return Reading(fault="type")


def read_number(value: Any) -> Reading:
    if isinstance(value, bool):
        return Reading(fault="type")
    if isinstance(value, float):
        return Reading(value) if math.isfinite(value) else Reading(fault="type")
    if isinstance(value, int):
        return Reading(float(value)) if _exact_integer(value) else Reading(fault="range")
    if isinstance(value, str) and (number := _canonical_number(value.strip(JSON_SPACE))) is not None:
        return Reading(fault="type", fix=number)
    return Reading(fault="type")


def _exact_integer(value: int) -> bool:
    if abs(value) <= LARGEST_EXACT:
        return True
    return abs(value) <= LARGEST_INTEGER and int(float(value)) == value


def _canonical_number(text: str) -> int | float | None:
    """The number that JSON writes as exactly this text."""
    if CANONICAL_INTEGER.fullmatch(text):
        return int(text) if _exact_integer(int(text)) else None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and repr(number) == text else None


def read_boolean(value: Any) -> Reading:
    if isinstance(value, bool):
        return Reading(value)
    if isinstance(value, str) and (text := value.strip(JSON_SPACE)) in ("true", "false"):
        return Reading(fault="type", fix=text == "true")
    return Reading(fault="type")


def read_string(value: Any) -> Reading:
    if isinstance(value, str):
        return Reading(value) if is_unicode(value) else Reading(fault="unicode")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Reading(fault="type")
    if not (abs(value) <= LARGEST_INTEGER if isinstance(value, int) else math.isfinite(value)):
        return Reading(fault="type")
    return Reading(fault="type", fix=orjson.dumps(value).decode())


def is_unicode(text: str) -> bool:
    """False where `text` holds a lone surrogate, which UTF-8 cannot carry."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


SCALARS: Final[dict[JsonType, Scalar]] = {
    "string": Scalar("string", pl.String, None, read_string),
    "integer": Scalar("integer", pl.Int64, frozenset({int, type(None)}), read_integer),
    "number": Scalar("number", pl.Float64, frozenset({int, float, type(None)}), read_number),
    "boolean": Scalar("boolean", pl.Boolean, None, read_boolean),
}


def fault_of(value: Any) -> str | None:
    """Why a value that the schema leaves open cannot be kept as JSON text, or None.

    `type`: not JSON at all (NaN, an infinity, a Python object, nesting beyond `DEEPEST`); `unicode`: half a
    character; `range`: an integer beyond 64 bits.
    """
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _fault_within(value)
    # orjson writes NaN as null, and nests deeper than a record may once it is put into others.
    if b"null" in text or text.count(b"[") + text.count(b"{") >= DEEPEST:
        return _fault_within(value)
    return None


def _fault_within(value: Any) -> str | None:
    level = [value]
    for _ in range(DEEPEST):
        inside: list[Any] = []
        for item in level:
            if fault := _fault_here(item):
                return fault
            if isinstance(item, dict):
                if not all(isinstance(key, str) for key in item):
                    return "type"
                inside += item.keys()
                inside += item.values()
            elif isinstance(item, list):
                inside += item
        if not inside:
            return None
        level = inside
    return "type"


def _fault_here(item: Any) -> str | None:
    if isinstance(item, str):
        return None if is_unicode(item) else "unicode"
    if item is None or isinstance(item, bool | dict | list):
        return None
    if isinstance(item, int):
        return None if -LARGEST_INTEGER - 1 <= item <= 2 * LARGEST_INTEGER + 1 else "range"
    return None if isinstance(item, float) and math.isfinite(item) else "type"


def fault_sentence(fault: str, expected: JsonType, field: str, value: str) -> Message:
    """What `fault` (of a `Reading` or of `fault_of`) means, for people."""
    if fault == "unicode":
        return say("{field} holds half a character (a lone surrogate): {value}.", field=field, value=value)
    if fault == "range":
        return say("{field} must be a number that 64 bits hold exactly, not {value}.", field=field, value=value)
    if expected == "any":
        return say("{field} must be a JSON value nested at most 200 deep, not {value}.", field=field, value=value)
    if not field:
        return say("The record must be an object, not {value}.", value=value)
    return say("{field} must be {expected}, not {value}.", field=field, expected=EXPECTED[expected], value=value)


def canonical(value: Any) -> str:
    """JSON text that is the same for values that JSON Schema calls equal: 1 and 1.0, objects in any order of keys."""
    return orjson.dumps(_numbers_alike(value), option=orjson.OPT_SORT_KEYS).decode()


def _numbers_alike(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= LARGEST_INTEGER else value
    if isinstance(value, dict):
        return {key: _numbers_alike(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_alike(item) for item in value]
    return value

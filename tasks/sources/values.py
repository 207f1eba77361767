"""JSON values and their types, told apart as JSON does (`true` is no number, `2.0` is an integer)."""

from collections.abc import Iterable
from typing import Any


def json_type(value: Any) -> str:
    """The JSON Schema type of `value`; the narrowest, so 2.0 is an `integer`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


def fits(kind: str, value: Any) -> bool:
    """Whether `value` is of the JSON Schema type `kind`."""
    found = json_type(value)
    return found == kind or (kind == "number" and found == "integer") or kind == "any"


def json_types(values: Iterable[Any]) -> list[str]:
    """The types of `values`, each once; integers beside other numbers are numbers."""
    types = distinct([json_type(value) for value in values])
    if "integer" in types and "number" in types:
        types.remove("integer")
    return types


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 and 1.0 are the same, 1 and true are not, at any depth."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def distinct(values: Iterable[Any]) -> list[Any]:
    """`values`, each once, in order of first appearance."""
    kept: list[Any] = []
    for value in values:
        if not any(same(value, seen) for seen in kept):
            kept.append(value)
    return kept

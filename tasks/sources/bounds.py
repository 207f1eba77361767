"""The constraints of JSON Schema that are numbers, texts or switches, checked and named as `Field` names them."""

import math
import re
from typing import Any

from datasynth.schemas.messages import say
from datasynth.tasks.sources.place import Place
from datasynth.tasks.validate.findings import json_text

NUMBERS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
}
LENGTHS = {"minLength": "min_length", "maxLength": "max_length"}
SIZES = {"minItems": "min_items", "maxItems": "max_items"}


def bounds(kind: str, schema: dict[str, Any], place: Place) -> dict[str, Any]:
    """The constraints in `schema` that hold for values of the type `kind`, as arguments of `Field`.

    Raises:
        InputError: one is malformed, or no value can satisfy two of them together.
    """
    if kind in ("integer", "number"):
        return _numbers(schema, place)
    if kind == "string":
        return _counts(schema, LENGTHS, place) | _pattern(schema, place) | _format(schema, place)
    if kind == "array":
        return _counts(schema, SIZES, place) | _unique(schema, place)
    return {}


def number(schema: dict[str, Any], keyword: str, place: Place) -> float | int:
    """The finite number at `keyword`."""
    value = schema[keyword]
    try:
        finite = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise place.problem(
            say('"{keyword}" must be a number, not {value}.', keyword=keyword, value=json_text(value, 40))
        )
    return value


def _numbers(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    schema = _modern(schema)
    found = {name: number(schema, word, place) for word, name in NUMBERS.items() if word in schema}
    if found.get("multiple_of", 1) <= 0:
        raise place.problem(say('"multipleOf" must be greater than 0.'))
    low, high = found.get("minimum", -math.inf), found.get("maximum", math.inf)
    above, below = found.get("exclusive_minimum", -math.inf), found.get("exclusive_maximum", math.inf)
    if low > high or above >= high or low >= below or above >= below:
        raise place.problem(
            say(
                "no number can be at least {low} and at most {high}. Swap or mend its bounds.",
                low=max(low, above),
                high=min(high, below),
            )
        )
    return found


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    """Draft 4's `"exclusiveMinimum": true` beside a minimum, as the number that it is since draft 6."""
    modern = dict(schema)
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if modern.get(exclusive) is True and inclusive in modern:
            modern[exclusive] = modern.pop(inclusive)
        elif modern.get(exclusive) is False:
            del modern[exclusive]
    return modern


def _counts(schema: dict[str, Any], keywords: dict[str, str], place: Place) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, name in keywords.items():
        if word in schema:
            value = number(schema, word, place)
            if value < 0 or value != int(value):
                raise place.problem(
                    say('"{keyword}" must be a whole number from 0 on, not {value}.', keyword=word, value=value)
                )
            found[name] = int(value)
    low, high = (found.get(name) for name in keywords.values())
    if low is not None and high is not None and low > high:
        first, second = keywords
        raise place.problem(
            say(
                '"{first}" ({low}) is greater than "{second}" ({high}), so no value could fit. Swap or mend them.',
                first=first,
                second=second,
                low=low,
                high=high,
            )
        )
    return found


def _pattern(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    if "pattern" not in schema:
        return {}
    pattern = schema["pattern"]
    if not isinstance(pattern, str):
        raise place.problem(say('"pattern" must be a regular expression as text.'))
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise place.problem(
            say(
                '"pattern" is no regular expression that Python reads: {pattern} ({error}). Mend it.',
                pattern=pattern,
                error=str(error),
            )
        ) from error
    return {"pattern": pattern}


def _format(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    if "format" not in schema:
        return {}
    if not isinstance(schema["format"], str):
        raise place.problem(say('"format" must be the name of a format, such as "date-time".'))
    return {"format": schema["format"]}


def _unique(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    unique = schema.get("uniqueItems", False)
    if not isinstance(unique, bool):
        raise place.problem(say('"uniqueItems" must be true or false.'))
    return {"unique_items": unique}

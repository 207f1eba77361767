"""References followed and `allOf` joined, so that one plain JSON Schema is left; what cannot be honoured is refused."""

import difflib
from typing import Any

from datasynth.schemas.messages import say
from datasynth.tasks.sources.place import Place
from datasynth.tasks.sources.values import distinct, same
from datasynth.tasks.validate.findings import json_text

HONOURED = frozenset(
    """type nullable enum const properties required additionalProperties unevaluatedProperties items minItems maxItems
    uniqueItems minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf anyOf
    oneOf allOf $ref $defs definitions title description examples example default""".split()  # noqa: SIM905
)

REFUSED = frozenset(
    """not if then else patternProperties propertyNames dependentRequired dependentSchemas dependencies minProperties
    maxProperties contains minContains maxContains prefixItems additionalItems unevaluatedItems $dynamicRef
    $recursiveRef extends disallow divisibleBy""".split()  # noqa: SIM905
)
"""Keywords that restrict records in ways the record schema has no place for. Anything else is an annotation."""

FOREIGN = {
    "constraints": "minLength, maximum, enum or the like, right in the field's schema,",
    "range": "minimum with maximum",
    "min": "minimum",
    "max": "maximum",
    "minvalue": "minimum",
    "maxvalue": "maximum",
    "regex": "pattern",
    "choices": "enum",
}
"""What people carry over from field lists, and what JSON Schema calls it."""

_PLAIN = {word.casefold(): word for word in sorted(HONOURED)}

LARGER = ("minLength", "minItems", "minimum", "exclusiveMinimum")
SMALLER = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
ALONE = ("pattern", "format", "multipleOf")


def flattened(schema: Any, place: Place) -> tuple[dict[str, Any], Place]:
    """`schema` without `$ref`, `allOf` and `const`, and the place that remembers the references followed.

    Raises:
        InputError: no schema; a keyword that is not supported; a reference that leads nowhere, away or in a circle;
            parts of an `allOf` that cannot be joined.
    """
    if not isinstance(schema, dict):
        raise place.problem(say("its schema must be an object, not {value}.", value=json_text(schema, 40)))
    _check_keywords(schema, place)
    plain = {k: v for k, v in schema.items() if k not in ("$ref", "allOf", "const")}
    if "const" in schema:
        plain = joined(plain, {"enum": [schema["const"]]}, place)
    reached = []
    if "$ref" in schema:
        here = place.through(str(schema["$ref"]))
        target, there = flattened(_target(schema["$ref"], here), here)
        plain = joined(plain, _closed_for_good(target), place)
        reached.append(there)
    parts = schema.get("allOf", [])
    if not isinstance(parts, list):
        raise place.problem(say('"{keyword}" must be a list of at least one schema.', keyword="allOf"))
    for part in parts:
        if part is not True:
            flat, there = flattened(part, place)
            plain = joined(plain, _closed_for_good(flat), place)
            reached.append(there)
    return plain, place.after(reached)


def _check_keywords(schema: dict[str, Any], place: Place) -> None:
    for word, value in schema.items():
        if word in REFUSED and not _restricts_nothing(word, value):
            raise place.problem(
                say(
                    'the keyword "{keyword}" restricts records in a way that DataSynth cannot check. Take it out, or '
                    "say it with other keywords.",
                    keyword=word,
                )
            )
        if word == "items" and isinstance(value, list):
            raise place.problem(
                say('"items" is a list of schemas by position, which is not supported. Give one for all items.')
            )
        if word in ("additionalProperties", "unevaluatedProperties") and not any(
            same(value, plain) for plain in (True, False, {})
        ):
            raise place.problem(
                say(
                    'fields of any name with values of a given form ("{keyword}") are not supported. Use a list of '
                    "objects with a name and a value, or true or false.",
                    keyword=word,
                )
            )
        if word not in HONOURED and word not in REFUSED:
            _check_spelling(word, place)


def _restricts_nothing(word: str, value: Any) -> bool:
    if word in ("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies"):
        return value == {} or value is True
    return word in ("additionalItems", "unevaluatedItems") and value is True


def _check_spelling(word: str, place: Place) -> None:
    """Refuses what is nearly a keyword, such as `minLenght`, for as an annotation it would constrain nothing."""
    plain = word.replace("_", "").casefold()
    near = FOREIGN.get(plain) or next(iter(difflib.get_close_matches(plain, _PLAIN, n=1, cutoff=0.85)), None)
    if near:
        raise place.problem(
            say('unknown keyword "{keyword}". Is {near} meant?', keyword=word, near=_PLAIN.get(near, near))
        )


def _target(reference: Any, place: Place) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise place.problem(
            say(
                'the reference {reference} leads out of the schema. Copy what it names into "$defs".',
                reference=json_text(reference),
            )
        )
    found = place.root
    for step in reference[1:].split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            raise place.problem(
                say('the reference {reference} leads nowhere. Add what it names to "$defs".', reference=reference)
            )
    if not reference[1:].startswith("/") and reference != "#":
        raise place.problem(
            say('the reference {reference} leads nowhere. Add what it names to "$defs".', reference=reference)
        )
    return found


def joined(one: dict[str, Any], other: dict[str, Any], place: Place) -> dict[str, Any]:
    """One schema that asks for what `one` and `other` ask for together; of two annotations it keeps that of `one`."""
    _check_closed(one, other, place)
    _check_closed(other, one, place)
    if {"anyOf", "oneOf"} & one.keys() and {"anyOf", "oneOf"} & other.keys():
        raise place.problem(
            say("alternatives (anyOf, oneOf) cannot be joined with other alternatives. Write them out.")
        )
    result = other | one
    for word in one.keys() & other.keys():
        result[word] = _both(word, one[word], other[word], place)
    return result


def _closed_for_good(part: dict[str, Any]) -> dict[str, Any]:
    """`unevaluatedProperties` sees the parts of its own schema, but not those that its schema is a part beside."""
    if part.get("unevaluatedProperties") is not False:
        return part
    return {k: v for k, v in part.items() if k != "unevaluatedProperties"} | {"additionalProperties": False}


def _both(word: str, a: Any, b: Any, place: Place) -> Any:
    if same(a, b) or word not in HONOURED:
        return a
    try:
        return _combined(word, a, b)
    except (TypeError, ValueError) as error:
        raise place.problem(
            say(
                'two values of "{keyword}" hold at once and cannot be joined: {one} and {other}. Keep one of them.',
                keyword=word,
                one=json_text(a, 60),
                other=json_text(b, 60),
            )
        ) from error


def _combined(word: str, a: Any, b: Any) -> Any:
    """Both values in one; raises ValueError or TypeError where none says the same as both."""
    if word in LARGER:
        return max(a, b)
    if word in SMALLER:
        return min(a, b)
    if word == "uniqueItems":
        return a or b
    if word in ("additionalProperties", "unevaluatedProperties", "nullable"):
        return False if False in (a, b) else a
    if word == "type":
        return _common_types(a, b)
    if word == "enum":
        return _nonempty([v for v in a if any(same(v, w) for w in b)])
    if word == "required":
        return a if isinstance(b, bool) else b if isinstance(a, bool) else distinct([*a, *b])
    if word == "properties":
        return {k: {"allOf": [a[k], b[k]]} if k in a and k in b else (a | b)[k] for k in a | b}
    if word == "items":
        return {"allOf": [a, b]}
    if word in ALONE:
        raise ValueError(word)
    return a


def _common_types(a: Any, b: Any) -> list[str]:
    left, right = (value if isinstance(value, list) else [value] for value in (a, b))
    common = [t for t in left if t in right or (t == "integer" and "number" in right)]
    return _nonempty(distinct([*common, *(t for t in right if t == "integer" and "number" in left)]))


def _nonempty(values: list[Any]) -> list[Any]:
    if not values:
        raise ValueError("nothing in common")
    return values


def _check_closed(closed: dict[str, Any], other: dict[str, Any], place: Place) -> None:
    """`additionalProperties: false` in one part of an `allOf` forbids the fields of every other part."""
    if closed.get("additionalProperties") is False:
        names, more = closed.get("properties", {}), other.get("properties", {})
        if extra := [name for name in more if name not in names]:
            raise place.problem(
                say(
                    '"additionalProperties": false in one part of the schema forbids {names}, which another part '
                    'describes. Use "unevaluatedProperties": false around both.',
                    names=", ".join(extra),
                )
            )

"""JSON Schema for structured output: what OpenAI's strict mode and Anthropic's structured outputs both take.

The intersection of what the two document, as read in November 2026:

- OpenAI, "Structured model outputs", section "Supported schemas" (platform.openai.com/docs/guides/structured-outputs):
  the root is an object; every object lists all its properties as required and forbids others, an optional one being
  a union with null; at most 5,000 properties, 10 levels, 120,000 characters of names and enum values, 1,000 enum
  values, and 15,000 characters in a string enum of more than 250 values.
- Anthropic, "Structured outputs" (platform.claude.com/docs/en/build-with-claude/structured-outputs) and the SDK's own
  `anthropic.lib._parse._transform.transform_schema`: no minimum, maximum, multipleOf, minLength, maxLength, maxItems
  or uniqueItems; minItems 0 or 1; enums of plain values; a few formats; at most 16 unions; names of properties as
  the API's own error states them (`^[a-zA-Z0-9_.-]{1,64}$`).

What cannot be enforced is said in the description; validation checks it afterwards.
"""

import re
from typing import Any

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.prompt.wording import limits

FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
PROPERTY_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
MAX_LEVELS = 10
MAX_PROPERTIES = 5_000
MAX_TEXT = 120_000
MAX_ENUM_VALUES = 1_000
MAX_UNIONS = 16
LONG_ENUM, MAX_LONG_ENUM_TEXT = 250, 15_000

_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float)}


class _NotStrictError(Exception):
    """The record schema says something that strict structured output cannot."""


def reply_schema(schema: RecordSchema) -> dict[str, Any] | None:
    """JSON Schema of a whole reply, `{"records": [record, ...]}`, for strict structured output.

    Optional fields are required and may be null there; `without_nulls` takes such nulls out again.

    Returns:
        None where the record schema cannot be put strictly: an object or array of undeclared content, a field of
        any type, a list of allowed values that are no plain values of its type, a name that is no ASCII
        identifier, or more unions, levels or values than the providers take. The prompt alone must do then.
    """
    try:
        record = _object(schema.asked)
        root = {
            "type": "object",
            "properties": {"records": {"type": "array", "items": record}},
            "required": ["records"],
            "additionalProperties": False,
        }
        _check_limits(root)
    except _NotStrictError:
        return None
    return root


def _object(fields: tuple[Field, ...]) -> dict[str, Any]:
    if not fields or not all(PROPERTY_NAME.fullmatch(field.name) for field in fields):
        raise _NotStrictError
    return {
        "type": "object",
        "properties": {field.name: _described(field) for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def _described(field: Field) -> dict[str, Any]:
    """The field's schema, nullable where the field is or may be missing, with the rest said in its description."""
    schema, unsaid = _bare(field)
    alternatives = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
    if field.nullable or not field.required:
        # A union of its own branch: OpenAI refuses an enum beside type ["string", "null"] without null in it.
        alternatives = [*(a for a in alternatives if a != {"type": "null"}), {"type": "null"}]
    schema = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
    parts = [*dict.fromkeys(text.strip() for text in (field.display_name, field.description)), *unsaid]
    description = "; ".join(part for part in parts if part)
    return {**schema, "description": description} if description else schema


def _bare(field: Field) -> tuple[dict[str, Any], list[str]]:
    """The field's schema without description and null, and the constraints it leaves unsaid, in words."""
    if field.any_of:
        return {"anyOf": [_described(a.model_copy(update={"required": True})) for a in field.any_of]}, []
    if field.type == "any":
        raise _NotStrictError
    if field.type == "object":
        return _object(field.fields), []
    if field.type == "array":
        return _array(field)
    if field.type == "boolean":
        return {"type": "boolean"}, limits(field, "en")
    schema: dict[str, Any] = {"type": field.type}
    said: dict[str, Any] = {}
    if field.enum is not None:
        schema["enum"] = _enum(field)
        said["enum"] = None
    elif field.type == "string" and field.format in FORMATS:
        schema["format"] = field.format
        said["format"] = None
    return schema, limits(field.model_copy(update=said), "en")


def _array(field: Field) -> tuple[dict[str, Any], list[str]]:
    if field.items is None:
        raise _NotStrictError
    item = field.items.model_copy(update={"required": True})
    schema: dict[str, Any] = {"type": "array", "items": _described(item)}
    if not field.min_items:
        return schema, limits(field, "en")
    schema["minItems"] = 1
    said = {"min_items": None} if field.min_items == 1 else {}
    return schema, limits(field.model_copy(update=said), "en")


def _enum(field: Field) -> list[Any]:
    fitting = _PYTHON_TYPES[field.type]
    values = [v for v in field.enum or () if isinstance(v, fitting) and not isinstance(v, bool)]
    text = sum(len(value) for value in values if isinstance(value, str))
    if not values or (len(values) > LONG_ENUM and text > MAX_LONG_ENUM_TEXT):
        raise _NotStrictError
    return list(dict.fromkeys(values))


def _check_limits(root: dict[str, Any]) -> None:
    properties, values, unions, text = 0, 0, 0, 0
    level = [root]
    for _ in range(MAX_LEVELS + 1):
        if not level:
            break
        inner = []
        for schema in _without_lists(level):
            names = schema.get("properties", {})
            properties += len(names)
            values += len(schema.get("enum", ()))
            unions += "anyOf" in schema
            text += sum(map(len, names)) + sum(len(str(value)) for value in schema.get("enum", ()))
            inner += names.values()
        level = inner
    over = properties > MAX_PROPERTIES or values > MAX_ENUM_VALUES or unions > MAX_UNIONS or text > MAX_TEXT
    if level or over:
        raise _NotStrictError


def _without_lists(schemas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The schemas with those of their items and alternatives, which open no level of nesting of their own."""
    found = list(schemas)
    for schema in found:
        found += schema.get("anyOf", ())
        if "items" in schema:
            found.append(schema["items"])
    return found


def without_nulls(record: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """`record` without the nulls that strict output puts where an optional field is left out, at any depth.

    A null that its field allows stays, and so does one in a required field, for validation to judge.
    """
    declared = {f.name: f for f in fields}
    kept: dict[str, Any] = {}
    for name, value in record.items():
        known = declared.get(name)
        if known is None:
            kept[name] = value
        elif value is not None or known.required or _takes_null(known):
            kept[name] = _pruned(value, known)
    return kept


def _pruned(value: Any, declared: Field) -> Any:
    """`value` without the nulls that stand for fields left out, at any depth."""
    for alternative in declared.any_of:
        if _shaped(value, alternative):
            return _pruned(value, alternative)
    if isinstance(value, dict):
        return without_nulls(value, declared.fields)
    if isinstance(value, list) and declared.items is not None:
        return [_pruned(item, declared.items) for item in value]
    return value


def _shaped(value: Any, declared: Field) -> bool:
    """Whether `value` has the brackets and keys of `declared`; strict output writes every key, so these tell."""
    if declared.any_of:
        return any(_shaped(value, alternative) for alternative in declared.any_of)
    if isinstance(value, dict):
        return declared.type == "object" and value.keys() <= {f.name for f in declared.fields}
    if isinstance(value, list):
        items = declared.items
        return declared.type == "array" and (items is None or all(_shaped(item, items) for item in value))
    return value is None or declared.type not in ("object", "array")


def _takes_null(declared: Field) -> bool:
    if declared.any_of:
        return declared.nullable or any(map(_takes_null, declared.any_of))
    if declared.type == "any":
        return declared.enum is None or None in declared.enum
    return declared.nullable

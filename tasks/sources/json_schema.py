"""JSON Schema (2020-12, with what older drafts and Pydantic write) as the fields of a record.

A keyword is honoured, or it is an annotation, or the schema is refused: none that restricts records is dropped, for
then records would pass that the schema forbids. Where a schema leaves the type open but constrains one type only, that
type is meant; so the fields may be stricter than the schema to the letter, never laxer.
"""

from collections.abc import Iterable
from typing import Any

from datasynth.schemas.messages import say
from datasynth.schemas.record import Field
from datasynth.tasks.sources.bounds import bounds
from datasynth.tasks.sources.combine import flattened
from datasynth.tasks.sources.place import Place
from datasynth.tasks.sources.values import distinct, fits, json_types
from datasynth.tasks.validate.findings import json_text

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")

IMPLIED = {
    "object": ("properties", "required", "additionalProperties", "unevaluatedProperties"),
    "array": ("items", "minItems", "maxItems", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""The type that a keyword constrains, for schemas that name none."""


def record_fields(document: dict[str, Any], place: Place) -> tuple[Field, ...]:
    """The top-level fields of the records that the JSON Schema `document` describes.

    Raises:
        InputError: it is malformed, restricts records in a way that is not supported, or describes no object.
    """
    schema, place = flattened(document, place)
    if "anyOf" in schema or "oneOf" in schema:
        raise place.problem(
            say("alternatives (anyOf, oneOf) for the whole record are not supported. Describe one kind of record.")
        )
    types = _types(schema, place)
    if types == ["array"]:
        raise place.problem(say('describes a list. Give the schema of one record: what stands in its "items".'))
    if types and "object" not in types:
        raise place.problem(say("describes {type}, but a record is an object.", type=", ".join(types)))
    return _object(schema, place)["fields"]


def field_of(schema: Any, name: str, place: Place, *, required: bool = True) -> Field:
    """The field `name`, or (unnamed) an item or alternative, that the JSON Schema `schema` describes."""
    if schema is True:
        return Field(name=name, type="any", required=required)
    schema, place = flattened(schema, place)
    value = (_alternatives if {"anyOf", "oneOf"} & schema.keys() else _typed)(schema, place)
    about = _annotations(schema, name)
    return value.model_copy(update={"name": name, "required": required, **about})


def _annotations(schema: dict[str, Any], name: str) -> dict[str, Any]:
    about: dict[str, Any] = {}
    title, description = schema.get("title"), schema.get("description")
    # Pydantic titles every property with its own name, which tells nobody anything.
    if isinstance(title, str) and title.casefold().replace(" ", "_") != name.casefold():
        about["display_name"] = title
    if isinstance(description, str):
        about["description"] = description
    examples = schema.get("examples", [schema["example"]] if "example" in schema else None)
    if isinstance(examples, list):
        about["examples"] = tuple(examples)
    return about


def _types(schema: dict[str, Any], place: Place) -> list[str]:
    """The types that `schema` allows; empty where it leaves them open."""
    types = schema.get("type")
    if types is None:
        return _implied_types(schema)
    types = types if isinstance(types, list) else [types]
    for one in types:
        if one not in TYPES:
            raise place.problem(
                say(
                    'unknown type "{type}". JSON Schema has {known}.',
                    type=one if isinstance(one, str) else json_text(one, 40),
                    known=", ".join(TYPES),
                )
            )
    if not types:
        raise place.problem(say('"type" is an empty list. Name a type, or leave it out.'))
    if schema.get("nullable") is True:
        types = [*types, "null"]
    return distinct(types)


def _implied_types(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema and isinstance(schema["enum"], list):
        return json_types(schema["enum"])
    return [kind for kind, keywords in IMPLIED.items() if any(word in schema for word in keywords)]


def _typed(schema: dict[str, Any], place: Place) -> Field:
    types = _types(schema, place)
    enum = _enum(schema, types, place)
    if enum is not None:
        # With the values listed, a type that none of them has is no type of the field, and null is one only if listed.
        types = [t for t in types if any(fits(t, value) for value in enum)]
        if "integer" in types and "number" in types:
            types.remove("integer")
    named = [t for t in types if t != "null"]
    null = "null" in types
    if not named:
        return Field(name="", type="any", enum=(None,) if null else None)
    values = [_of_type(t, schema, enum, place) for t in named]
    return _nullable(values[0], null) if len(values) == 1 else _union(values, null)


def _of_type(kind: str, schema: dict[str, Any], enum: list[Any] | None, place: Place) -> Field:
    update: dict[str, Any] = {"name": "", "type": kind, **bounds(kind, schema, place)}
    if enum is not None:
        update["enum"] = tuple(v for v in enum if fits(kind, v))
    if kind == "array" and schema.get("items") is False:
        update["max_items"] = 0
    elif kind == "array" and "items" in schema:
        update["items"] = field_of(schema["items"], "", place.item())
    elif kind == "object":
        update |= _object(schema, place)
        if not update["fields"] and not update["additional"]:
            update["enum"] = _only_empty(enum, place)
    return Field(**update)


def _only_empty(enum: list[Any] | None, place: Place) -> tuple[Any, ...]:
    """The values of an object that has no fields and is closed: {} alone."""
    if enum is not None and {} not in enum:
        raise place.problem(say('"additionalProperties": false leaves only {{}}, which its "enum" does not list.'))
    return ({},)


def _enum(schema: dict[str, Any], types: Iterable[str], place: Place) -> list[Any] | None:
    if "enum" not in schema:
        return None
    values = schema["enum"]
    if not isinstance(values, list) or not values:
        raise place.problem(say('"enum" must be a list of at least one value.'))
    if types and not (values := [v for v in values if any(fits(t, v) for t in types)]):
        raise place.problem(
            say(
                'no value of its "enum" is of its type ({type}), so no record could fit. Mend one of them.',
                type=", ".join(types),
            )
        )
    return distinct(values)


def _alternatives(schema: dict[str, Any], place: Place) -> Field:
    """Whatever stands beside `anyOf` holds for each alternative, so it is pushed into them."""
    keyword = "anyOf" if "anyOf" in schema else "oneOf"
    options = schema[keyword]
    if not isinstance(options, list) or not options:
        raise place.problem(say('"{keyword}" must be a list of at least one schema.', keyword=keyword))
    about = ("title", "description", "examples", "example", "default", "discriminator")
    beside = {k: v for k, v in schema.items() if k != keyword and k not in about}
    values = [field_of({**beside, "allOf": [option]} if beside else option, "", place) for option in options]
    if isinstance(tag := schema.get("discriminator"), dict):
        values = [_tagged(value, tag.get("propertyName")) for value in values]
    if keyword == "oneOf":
        _check_apart(values, place)
    flat = [inner for value in values for inner in (value.any_of or (value,))]
    null = any(_is_null(value) for value in flat)
    rest = [value for value in flat if not _is_null(value)]
    if not rest:
        return flat[0]
    return _nullable(rest[0], null) if len(rest) == 1 else _union(rest, null)


def _tagged(value: Field, tag: Any) -> Field:
    """`value` with its field `tag` required, as a `discriminator` has it (OpenAPI 3.1, 4.8.25), even where the field
    has a default: Pydantic takes no record without it."""
    return value.model_copy(
        update={
            "fields": tuple(f.model_copy(update={"required": True}) if f.name == tag else f for f in value.fields),
            "any_of": tuple(_tagged(option, tag) for option in value.any_of),
        }
    )


def _check_apart(values: list[Field], place: Place) -> None:
    for number, one in enumerate(values):
        for other in values[number + 1 :]:
            if not _apart(one, other):
                raise place.problem(
                    say(
                        'a value could fit two alternatives of its "oneOf", which forbids that, and this is not '
                        'checked. Write "anyOf", or give the alternatives different types or a field with different '
                        '"const" values.'
                    )
                )


def _apart(one: Field, other: Field) -> bool:
    """Whether no value can fit both."""
    if one.any_of or other.any_of:
        return all(_apart(a, b) for a in one.any_of or (one,) for b in other.any_of or (other,))
    if (one.nullable or _is_null(one)) and (other.nullable or _is_null(other)):
        return False
    if one.enum is not None and other.enum is not None:
        return not any(v == w and json_types([v]) == json_types([w]) for v in one.enum for w in other.enum)
    if "any" in (one.type, other.type):
        return _is_null(one) or _is_null(other)
    if one.type == other.type == "object":
        shared = [(f, g) for f in one.fields for g in other.fields if f.name == g.name and f.required and g.required]
        return any(_apart(f, g) for f, g in shared)
    return one.type != other.type and {one.type, other.type} != {"integer", "number"}


def _is_null(value: Field) -> bool:
    return value.type == "any" and value.enum == (None,)


def _nullable(value: Field, null: bool) -> Field:
    """`value`, or null: with its values listed, null is one of them, as JSON Schema wants it."""
    if not null or (value.type == "any" and value.enum is None):
        return value
    enum = value.enum if value.enum is None or None in value.enum else (*value.enum, None)
    return value.model_copy(update={"nullable": True, "enum": enum})


def _union(values: list[Field], null: bool) -> Field:
    if any(v.type == "any" and v.enum is None for v in values):
        return Field(name="", type="any")
    return Field(name="", type="any", any_of=(_nullable(values[0], null), *values[1:]))


def _object(schema: dict[str, Any], place: Place) -> dict[str, Any]:
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise place.problem(say('"properties" must be an object of schemas by field name.'))
    required = _required(schema, properties, place)
    fields = []
    for name, value in properties.items():
        if not name.strip():
            raise place.problem(say("a field has an empty name. Name it."))
        own = isinstance(value, dict) and value.get("required") is True
        fields.append(field_of(value, name, place.field(name), required=own or name in required))
    closed = any(schema.get(word) is False for word in ("additionalProperties", "unevaluatedProperties"))
    return {"fields": tuple(fields), "additional": not closed}


def _required(schema: dict[str, Any], properties: dict[str, Any], place: Place) -> list[str]:
    required = schema.get("required", [])
    if isinstance(required, bool):  # Draft 3's form: said of the field itself, and read by its parent.
        return []
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise place.problem(say('"required" must be a list of field names.'))
    if missing := [name for name in required if name not in properties]:
        raise place.problem(
            say(
                '"required" names {names}, which "properties" does not describe. Describe it there, or take it out.',
                names=", ".join(missing),
            )
        )
    return required

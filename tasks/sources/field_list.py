"""The field lists of DataRecipe's `deep-analyze` and of people, said again as JSON Schema.

    {"fields": [{"name": "quality", "type": "int", "constraints": {"range": [1, 5]}}]}

A field is required unless it says otherwise and is a text unless it says what else. Constraints stand in `constraints`
or right in the field, under DataRecipe's names or JSON Schema's. One that does not exist, or not for the field's type,
is refused: it would be a rule that nobody keeps.
"""

from collections.abc import Iterator
from typing import Any

from datasynth.schemas.messages import say
from datasynth.tasks.sources.bounds import number
from datasynth.tasks.sources.place import Place
from datasynth.tasks.sources.values import same
from datasynth.tasks.validate.findings import json_text

TYPE_NAMES = {
    "string": "string str text char varchar code image markdown html",
    "integer": "integer int long bigint",
    "number": "number float double decimal numeric",
    "boolean": "boolean bool",
    "array": "array list sequence",
    "object": "object dict map json_object struct",
    "any": "any json",
}
TYPES = {alias: kind for kind, aliases in TYPE_NAMES.items() for alias in aliases.split()}
FORMATS = {"date": "date", "time": "time", "datetime": "date-time", "timestamp": "date-time", "email": "email"}
FORMATS |= {"url": "uri", "uri": "uri", "uuid": "uuid"}
CHOICES = ("enum", "choice", "select")

ALIASES = {
    "minLength": "min_length minlength min_len",
    "maxLength": "max_length maxlength max_len",
    "minimum": "minimum min min_value ge",
    "maximum": "maximum max max_value le",
    "exclusiveMinimum": "exclusive_minimum gt",
    "exclusiveMaximum": "exclusive_maximum lt",
    "multipleOf": "multiple_of",
    "minItems": "min_items",
    "maxItems": "max_items",
    "uniqueItems": "unique_items",
    "pattern": "pattern regex",
    "format": "format",
    "enum": "enum options choices allowed_values",
    "const": "const",
    "range": "range",
    "length": "length",
}
KEYWORDS = {alias: word for word, aliases in ALIASES.items() for alias in (word, *aliases.split())}
BELONGS = {
    "string": ("minLength", "maxLength", "length", "pattern", "format"),
    "number": ("minimum", "maximum", "range", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems"),
}
REMARKS = ("note", "notes", "comment", "description", "hint", "unit", "required", "nullable", "examples", "default")
"""What may stand among the constraints without being one."""

UNKNOWN_ITEMS = ("NoneType", None)
"""DataRecipe's `nested_type` where the first list it saw began with null: the items may be anything."""


def properties_of(definitions: Any, place: Place) -> dict[str, Any]:
    """The fields in `definitions` as `{"properties": {...}, "required": [...]}`.

    Raises:
        InputError: a field is malformed, nameless or defined twice, or a constraint is unknown or does not fit.
    """
    properties: dict[str, Any] = {}
    required = []
    for name, definition in _named(definitions, place):
        here = place.field(name)
        if name in properties:
            raise here.problem(say("defined twice. Remove or rename one of them."))
        properties[name] = _schema(definition, here)
        if _flag(definition, "required", True, here):
            required.append(name)
    return {"properties": properties, "required": required}


def _named(definitions: Any, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(definitions, dict):
        definitions = [
            {"name": name, **value} if isinstance(value, dict) else value for name, value in definitions.items()
        ]
    if not isinstance(definitions, list):
        raise place.problem(say('"fields" must be a list of objects with "name" and "type".'))
    for position, definition in enumerate(definitions, start=1):
        name = definition.get("name") if isinstance(definition, dict) else None
        if not isinstance(definition, dict) or not isinstance(name, str) or not name.strip():
            raise place.problem(
                say('field number {position} has no name. Write it as {{"name": ..., "type": ...}}.', position=position)
            )
        yield name, definition


def _schema(definition: dict[str, Any], place: Place) -> dict[str, Any]:
    """The JSON Schema of one field, item or alternative."""
    constraints = _constraints(definition, place)
    if options := definition.get("any_of", definition.get("anyOf")):
        if not isinstance(options, list):
            raise place.problem(say('"any_of" must be a list of field definitions.'))
        schema: dict[str, Any] = {"anyOf": [_schema(_definition(option, place), place) for option in options]}
    else:
        schema = _type(definition, constraints, place)
        schema |= _nested(definition, str(schema.get("type", "any")), place)
    schema |= _fitting(constraints, str(schema.get("type", "any")), place)
    if _flag(definition, "nullable", False, place):
        schema = {"anyOf": [schema, {"type": "null"}]}
    return schema | _annotations(definition)


def _annotations(definition: dict[str, Any]) -> dict[str, Any]:
    title = definition.get("display_name") or definition.get("label") or definition.get("title")
    examples = definition.get("examples", [definition["example"]] if "example" in definition else None)
    about = {"title": title, "description": definition.get("description"), "examples": examples}
    return {k: v for k, v in about.items() if v}


def _definition(value: Any, place: Place) -> dict[str, Any]:
    if isinstance(value, str):
        return {"type": value}
    if isinstance(value, dict):
        return value
    raise place.problem(
        say("{value} is no field definition. Give a type's name or an object.", value=json_text(value, 40))
    )


def _type(definition: dict[str, Any], constraints: dict[str, Any], place: Place) -> dict[str, Any]:
    named = definition.get("type")
    if named is None:
        return _type_of_untyped(definition, constraints)
    if not isinstance(named, str):
        raise place.problem(say('"type" must be the name of a type, not {value}.', value=json_text(named, 40)))
    name = named.strip().casefold()
    if name in CHOICES:
        if not isinstance(constraints.get("enum"), list):
            raise place.problem(say('of type "{type}", but without its values. List them under "enum".', type=named))
        return {}
    if name in FORMATS:
        return {"type": "string", "format": FORMATS[name]}
    if name in TYPES:
        return {} if TYPES[name] == "any" else {"type": TYPES[name]}
    for outer in ("list", "array"):
        inner = name.removeprefix(outer)
        if inner != name and inner[:1] + inner[-1:] in ("[]", "<>") and len(inner) > 2:
            return {"type": "array", "items": _type({"type": inner[1:-1]}, {}, place.item())}
    raise place.problem(say('unknown type "{type}". Known: {known}.', type=named, known=", ".join(TYPES | FORMATS)))


def _type_of_untyped(definition: dict[str, Any], constraints: dict[str, Any]) -> dict[str, Any]:
    """A field without a type is a text, as for every reader of this dialect, unless what it holds says otherwise."""
    if "items" in definition:
        return {"type": "array"}
    if "properties" in definition or "fields" in definition:
        return {"type": "object"}
    if "enum" in constraints:
        return {}
    for kind, words in BELONGS.items():
        if any(word in constraints for word in words):
            return {"type": kind}
    return {"type": "string"}


def _constraints(definition: dict[str, Any], place: Place) -> dict[str, Any]:
    """All constraints of a field under JSON Schema's names."""
    inside = definition.get("constraints") or {}
    if not isinstance(inside, dict):
        raise place.problem(
            say('"constraints" must be an object such as {{"min_length": 5}}. Put words for people in "description".')
        )
    found: dict[str, Any] = {}
    for source in (definition, inside):
        for name, value in source.items():
            word = KEYWORDS.get(name)
            if word is None:
                if source is inside and name not in REMARKS:
                    raise place.problem(
                        say(
                            'unknown constraint "{name}". Known: {known}. Put words for people in "description".',
                            name=name,
                            known=", ".join(aliases.split()[0] for aliases in ALIASES.values()),
                        )
                    )
            elif value is not None:
                if word in found and not same(found[word], value):
                    raise place.problem(say('"{name}" is given twice, differently. Keep one.', name=name))
                found[word] = value
    return found


def _fitting(constraints: dict[str, Any], kind: str, place: Place) -> dict[str, Any]:
    """`constraints` as JSON Schema keywords; refuses those that mean nothing for values of the type `kind`."""
    schema: dict[str, Any] = {}
    for word, value in constraints.items():
        owner = next((t for t, words in BELONGS.items() if word in words), None)
        if owner and owner != ("number" if kind == "integer" else kind) and kind != "any":
            raise place.problem(
                say(
                    'the constraint "{name}" means nothing for the type {type}: it is for {owner}. A text or list '
                    "takes min_length or min_items, a number min.",
                    name=ALIASES[word].split()[0],
                    type=kind,
                    owner=owner,
                )
            )
        if word == "range":
            schema |= _pair(constraints, word, ("minimum", "maximum"), place)
        elif word == "length":
            schema |= _pair(constraints, word, ("minLength", "maxLength"), place)
        else:
            schema[word] = value
    return schema


def _pair(constraints: dict[str, Any], word: str, names: tuple[str, str], place: Place) -> dict[str, Any]:
    pair = constraints[word]
    if isinstance(pair, dict) and pair.keys() <= {"min", "max"}:
        pair = [pair.get("min"), pair.get("max")]
    if not isinstance(pair, list) or len(pair) != 2 or pair == [None, None]:
        raise place.problem(
            say('"{name}" must be two numbers, such as [1, 5], not {value}.', name=word, value=json_text(pair, 40))
        )
    found = {}
    for name, bound in zip(names, pair, strict=True):
        if bound is not None:
            found[name] = number({word: bound}, word, place)
            if name in constraints and not same(constraints[name], bound):
                raise place.problem(say('"{name}" is given twice, differently. Keep one.', name=name))
    return found


def _nested(definition: dict[str, Any], kind: str, place: Place) -> dict[str, Any]:
    nested = definition.get("nested_type")
    allowed = {"array": ("nested_type", "items"), "object": ("nested_type", "properties", "fields")}.get(kind, ())
    for word in ("nested_type", "items", "properties", "fields"):
        if definition.get(word) and word not in allowed:
            raise place.problem(
                say('"{word}" says nothing about the type {type}. Mend one of them.', word=word, type=kind)
            )
    if kind == "object":
        return _members(definition, nested, place)
    items = definition.get("items", nested)
    if kind != "array" or items in UNKNOWN_ITEMS:
        return {}
    return {"items": _schema(_definition(items, place.item()), place.item())}


def _members(definition: dict[str, Any], nested: Any, place: Place) -> dict[str, Any]:
    members: dict[str, Any] = {}
    listed = definition.get("properties", definition.get("fields"))
    if listed is not None:
        members = properties_of(listed, place)
        if isinstance(definition.get("required"), list):
            members["required"] = definition["required"]
    elif isinstance(nested, list) and all(isinstance(name, str) for name in nested):
        # DataRecipe lists the keys of the first object it saw: neither their types nor whether others have them.
        members = {"properties": {name: {} for name in nested}}
    elif nested:
        raise place.problem(
            say('"nested_type" of an object must be a list of names, not {value}.', value=json_text(nested, 40))
        )
    closed = definition.get("additional_properties", definition.get("additionalProperties"))
    return members if closed is None else {**members, "additionalProperties": closed}


def _flag(definition: dict[str, Any], name: str, default: bool, place: Place) -> bool:
    inside = definition.get("constraints")
    value = definition.get(name, inside.get(name) if isinstance(inside, dict) else None)
    if value is None or (name == "required" and isinstance(value, list)):
        return default
    words = {"true": True, "yes": True, "是": True, "false": False, "no": False, "否": False}
    flag = words.get(value.strip().casefold()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise place.problem(say('"{name}" must be true or false, not {value}.', name=name, value=json_text(value, 40)))
    return flag

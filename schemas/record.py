"""The schema of a record: one tree for every dialect that a source may be written in."""

import hashlib
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, PydanticUserError

from datasynth.schemas.errors import InputError

JsonType = Literal["string", "integer", "number", "boolean", "array", "object", "any"]


class Frozen(BaseModel):
    """Base of the value objects: immutable, and no misspelt field passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Field(Frozen):
    """One value in a record: a named field, or (as `items`) each item of an array.

    Constraints hold only for the types that JSON Schema 2020-12 gives them to; `None` means unconstrained.
    `any` accepts every JSON value; with `any_of` set, a value must fit one of the alternatives.
    """

    name: str
    type: JsonType = "string"
    required: bool = True
    nullable: bool = False
    display_name: str = ""
    description: str = ""
    examples: tuple[Any, ...] = ()
    enum: tuple[Any, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    items: "Field | None" = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False
    fields: tuple["Field", ...] = ()
    additional: bool = True
    any_of: tuple["Field", ...] = ()

    def json_schema(self) -> dict[str, Any]:
        """This field as JSON Schema 2020-12."""
        schema: dict[str, Any] = {}
        if self.any_of:
            schema["anyOf"] = [f.json_schema() for f in self.any_of] + [{"type": "null"}] * self.nullable
        elif self.type != "any":
            schema["type"] = [self.type, "null"] if self.nullable else self.type
        if self.description or self.display_name:
            schema["description"] = self.description or self.display_name
        if self.enum is not None:
            schema["enum"] = list(self.enum)
        for name, keyword in _KEYWORDS.items():
            if (value := getattr(self, name)) is not None:
                schema[keyword] = value
        if self.unique_items:
            schema["uniqueItems"] = True
        if self.items is not None:
            schema["items"] = self.items.json_schema()
        if self.type == "object" and self.fields:
            schema |= _object_schema(self.fields, additional=self.additional)
        return schema


_KEYWORDS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "format": "format",
    "min_items": "minItems",
    "max_items": "maxItems",
}


def _object_schema(fields: tuple[Field, ...], *, additional: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "properties": {f.name: f.json_schema() for f in fields},
        "required": [f.name for f in fields if f.required],
    }
    if not additional:
        schema["additionalProperties"] = False
    return schema


class RubricLevel(Frozen):
    """One level of the scoring rubric that a recipe brings."""

    score: float
    label: str = ""
    description: str = ""


class RecordSchema(Frozen):
    """What a record must look like."""

    fields: tuple[Field, ...]
    name: str = ""
    description: str = ""
    rubric: tuple[RubricLevel, ...] = ()

    @property
    def asked(self) -> tuple[Field, ...]:
        """The fields that a model is asked for and that records are compared by.

        `id` is ours to give, and an optional `metadata` is the bookkeeping of whoever wrote the schema; the
        earlier tool left out both.
        """
        return tuple(f for f in self.fields if f.name != "id" and not (f.name == "metadata" and not f.required))

    @property
    def identity(self) -> Field | None:
        """The `id` field, if the schema has one: filled by us, unique in the data set."""
        return next((f for f in self.fields if f.name == "id"), None)

    def field(self, name: str) -> Field | None:
        """The top-level field called `name`."""
        return next((f for f in self.fields if f.name == name), None)

    def only(self, fields: tuple[Field, ...]) -> Self:
        """The same schema with just these top-level fields."""
        return self.model_copy(update={"fields": fields})

    def json_schema(self) -> dict[str, Any]:
        """The whole record as JSON Schema 2020-12."""
        return {"type": "object", **_object_schema(self.fields, additional=True)}

    @property
    def fingerprint(self) -> str:
        """Hex digest of the schema's content; the same schema gives the same digest on any machine."""
        return content_digest(self.model_dump(mode="json"))


def plain_document(given: Any) -> Any:
    """The JSON Schema of `given` where it is a Pydantic model class, as the model reads data; anything else as it is.

    Validators that are Python code have no place in JSON Schema, so records are not held against them.

    Raises:
        InputError: a field of the model has a type that JSON Schema cannot say, or one that is not defined.
    """
    if not (isinstance(given, type) and issubclass(given, BaseModel)):
        return given
    try:
        return given.model_json_schema()
    except (PydanticUserError, NameError) as error:
        raise InputError(
            "record_schema: the model {model} has no JSON Schema ({error}). Give its fields types that are defined and "
            "that JSON has.",
            model=given.__name__,
            error=str(error).split("\n", 1)[0],
        ) from error


def plain_records(given: Any) -> Any:
    """A list of records with those that are Pydantic objects as JSON values, under the names that their model reads."""
    if not isinstance(given, list | tuple):
        return given
    return [r.model_dump(mode="json", by_alias=True) if isinstance(r, BaseModel) else r for r in given]


def content_digest(content: Any) -> str:
    """128-bit BLAKE2b hex digest of a JSON value, independent of the order of keys."""
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()

from typing import Annotated, Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from pydantic import Field as Constrained

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.sources.dialects import parse_record_schema


class Turn(BaseModel):
    role: Literal["user", "assistant"]
    content: str = Constrained(min_length=1)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]


class Conversation(BaseModel):
    """A conversation."""

    messages: list[Turn] = Constrained(min_length=2)
    topic: str | None = None
    score: float = Constrained(gt=0, le=1)
    either: int | str
    pet: Annotated[Cat | Dog, Constrained(discriminator="kind")]
    extra: dict[str, Any] = {}


def test_what_pydantic_writes_is_read():
    schema = parse_record_schema(Conversation.model_json_schema(), "model")
    turn = Field(
        name="",
        type="object",
        fields=(Field(name="role", enum=("user", "assistant")), Field(name="content", min_length=1)),
    )
    assert schema.name == "Conversation"
    assert schema.description == "A conversation."
    messages, topic, score, either, pet, extra = schema.fields
    assert messages.items is not None
    assert messages.items.fields == turn.fields
    assert messages.min_items == 2
    assert (topic.nullable, topic.required, topic.display_name) == (True, False, "")
    assert (score.exclusive_minimum, score.maximum) == (0, 1)
    assert [option.type for option in either.any_of] == ["integer", "string"]
    assert [option.fields[0].enum for option in pet.any_of] == [("cat",), ("dog",)]
    assert (extra.type, extra.additional) == ("object", True)


NAMES = st.text("abc问_ .", min_size=1, max_size=4).filter(str.strip)
COUNTS = st.none() | st.integers(0, 5)


@st.composite
def bounds(draw: st.DrawFn, low: str, high: str) -> dict[str, Any]:
    pair = sorted(draw(st.lists(st.integers(0, 9), min_size=2, max_size=2)))
    return {low: draw(st.sampled_from([None, pair[0]])), high: draw(st.sampled_from([None, pair[1]]))}


def with_null(value: Field, nullable: bool) -> Field:
    enum = (*value.enum, None) if nullable and value.enum is not None else value.enum
    return value.model_copy(update={"nullable": nullable, "enum": enum})


def plain_fields() -> st.SearchStrategy[Field]:
    values = st.lists(st.text("abc", max_size=3), min_size=1, max_size=3, unique=True).map(tuple)
    texts = st.builds(
        lambda b, pattern, form: Field(name="", pattern=pattern, format=form, **b),
        bounds("min_length", "max_length"),
        st.sampled_from([None, "^a", "[0-9]+"]),
        st.sampled_from([None, "email"]),
    )
    numbers = st.builds(
        lambda kind, b, step: Field(name="", type=kind, multiple_of=step, **b),
        st.sampled_from(["integer", "number"]),
        bounds("minimum", "maximum"),
        st.sampled_from([None, 0.5, 2]),
    )
    return st.one_of(
        texts,
        numbers,
        st.just(Field(name="", type="boolean")),
        values.map(lambda enum: Field(name="", enum=enum)),
    ).flatmap(lambda value: st.booleans().map(lambda nullable: with_null(value, nullable)))


def nested_fields(inner: st.SearchStrategy[Field]) -> st.SearchStrategy[Field]:
    arrays = st.builds(
        lambda items, b, unique: Field(name="", type="array", items=items, unique_items=unique, **b),
        st.none() | inner,
        bounds("min_items", "max_items"),
        st.booleans(),
    )
    objects = st.builds(
        lambda members, additional: Field(name="", type="object", fields=members, additional=additional),
        named(inner),
        st.booleans(),
    )
    unions = st.lists(inner.filter(lambda f: f.type != "any" and not f.nullable), min_size=2, max_size=3).map(
        lambda options: Field(name="", type="any", any_of=tuple(options))
    )
    return arrays | objects | unions


def named(inner: st.SearchStrategy[Field]) -> st.SearchStrategy[tuple[Field, ...]]:
    one = st.builds(
        lambda name, value, required: value.model_copy(update={"name": name, "required": required}),
        NAMES,
        inner,
        st.booleans(),
    )
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda f: f.name).map(tuple)


FIELDS = st.recursive(plain_fields() | st.just(Field(name="", type="any")), nested_fields, max_leaves=6)


@settings(max_examples=60, deadline=None)
@given(named(FIELDS))
def test_a_schema_written_as_json_schema_is_read_back_the_same(fields):
    schema = RecordSchema(fields=fields)
    assert parse_record_schema(schema.json_schema(), "x").fields == fields


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 6) | st.sampled_from([0.5, 2.0]) | st.text("ab1", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=5,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    small = st.integers(0, 3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "enum": st.lists(JSON, min_size=1, max_size=3),
            "const": JSON,
            "minLength": small,
            "maxLength": small,
            "pattern": st.sampled_from(["a", "^1"]),
            "minimum": st.integers(-1, 4),
            "exclusiveMaximum": st.integers(-1, 4),
            "multipleOf": st.sampled_from([2, 0.5]),
            "items": inner,
            "minItems": small,
            "uniqueItems": st.booleans(),
            "properties": st.dictionaries(st.sampled_from("abx"), inner, max_size=2),
            "required": st.lists(st.sampled_from("abx"), max_size=2, unique=True),
            "additionalProperties": st.booleans(),
            "unevaluatedProperties": st.booleans(),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "$ref": st.just("#/$defs/R"),
        },
    ).filter(lambda schema: len(schema) < 6)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(keywords(st.just({})), keywords, max_leaves=4),
    keywords(st.just({})).filter(lambda schema: "$ref" not in schema),
    st.lists(JSON, min_size=1, max_size=20),
)
def test_the_fields_read_accept_nothing_that_the_schema_forbids(schema, definition, values):
    whole = {"$defs": {"R": definition}, "properties": {"x": schema}, "required": ["x"]}
    try:
        fields = parse_record_schema(whole, "x")
    except InputError:
        return
    ours, theirs = Draft202012Validator(fields.json_schema()), Draft202012Validator(whole)
    for value in values:
        if ours.is_valid({"x": value}):
            assert theirs.is_valid({"x": value}), value

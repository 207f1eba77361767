"""Structured output: a schema that both providers' strict modes take, and a way back from its nulls."""

import copy
import string
from typing import Any

import pytest
from anthropic.lib._parse._transform import transform_schema
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openai.lib._pydantic import _ensure_strict_json_schema

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.prompt.structured import reply_schema, without_nulls
from datasynth.tasks.validate.validator import RecordValidator

names = st.text(alphabet=string.ascii_lowercase + "_", min_size=1, max_size=6) | st.sampled_from(
    ["records", "type", "properties", "null", "anyOf", "enum", "required", "items"]
)
odd_names = st.sampled_from(["问题", "a b", "", "x" * 65])
bounds = st.none() | st.integers(-3, 3)


def _unique(fields: list[Field]) -> tuple[Field, ...]:
    return tuple({field.name: field for field in fields}.values())


def _record_schemas(named: st.SearchStrategy[str], *, odd: bool) -> st.SearchStrategy[RecordSchema]:
    """Random record schemas; with `odd` also such as strict output cannot express."""
    common: dict[str, Any] = {
        "name": named,
        "required": st.booleans(),
        "nullable": st.booleans(),
        "description": st.sampled_from(["", "what it is", "说明"]),
    }
    values = st.sampled_from(["a", "b", 1, 2.5, True, None, ""] if odd else ["a", "b", "", "c"])
    text = st.builds(
        Field,
        type=st.just("string"),
        enum=st.none() | st.lists(values, min_size=0 if odd else 1, max_size=4).map(tuple),
        min_length=st.none() | st.integers(0, 3),
        max_length=st.none() | st.integers(3, 9),
        pattern=st.none() | st.just("^a"),
        format=st.none() | st.sampled_from(["date", "uri", "email", "phone"]),
        **common,
    )
    number = st.builds(
        Field,
        type=st.sampled_from(["integer", "number"]),
        enum=st.none() | st.just((1, 2, 2, 2.5, True)),
        minimum=bounds,
        exclusive_maximum=bounds,
        multiple_of=st.none() | st.just(2),
        **common,
    )
    bare = st.builds(Field, type=st.sampled_from(["boolean", *(["any", "object", "array"] if odd else [])]), **common)

    def nested(inner: st.SearchStrategy[Field]) -> st.SearchStrategy[Field]:
        lists = st.builds(
            Field,
            type=st.just("array"),
            items=inner,
            min_items=st.none() | st.integers(0, 3),
            max_items=st.none() | st.integers(3, 5),
            unique_items=st.booleans(),
            **common,
        )
        inside = st.lists(inner, min_size=1, max_size=3).map(_unique)
        objects = st.builds(Field, type=st.just("object"), fields=inside, additional=st.booleans(), **common)
        return lists | objects | st.builds(Field, any_of=inside, **common)

    fields = st.recursive(text | number | bare, nested, max_leaves=5)
    return st.lists(fields, max_size=3).map(lambda found: RecordSchema(fields=_unique([Field(name="q"), *found])))


schemas = _record_schemas(names, odd=False)
all_schemas = _record_schemas(names | odd_names, odd=True)

TAKEN = {"type", "properties", "required", "additionalProperties", "items", "minItems", "enum", "anyOf", "format"}


def _all_schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    inner += [schema["items"]] if "items" in schema else []
    return [schema, *(found for each in inner for found in _all_schemas(each))]


@settings(deadline=None, max_examples=60)
@given(schemas)
def test_no_keyword_stands_in_it_that_a_provider_refuses(schema: RecordSchema) -> None:
    shape = reply_schema(schema)
    # None for the few that have more than 16 unions.
    assume(shape is not None)
    assert shape is not None
    for part in _all_schemas(shape):
        assert part.keys() <= TAKEN | {"description"}
        assert part.get("minItems", 1) == 1
        assert isinstance(part.get("type", ""), str)
        assert ("type" in part) != ("anyOf" in part)
        if part.get("type") == "object":
            assert part["required"] == list(part["properties"])
            assert part["properties"]
            assert part["additionalProperties"] is False


@settings(deadline=None, max_examples=60)
@given(schemas)
def test_neither_sdk_has_anything_to_change_in_it(schema: RecordSchema) -> None:
    shape = reply_schema(schema)
    assume(shape is not None)
    assert shape is not None
    assert _ensure_strict_json_schema(copy.deepcopy(shape), path=(), root=shape) == shape
    assert transform_schema(shape) == _without_types_of_enums(shape)


def _without_types_of_enums(schema: Any) -> Any:
    # Anthropic's SDK drops the type beside a list of values; the API takes both.
    if isinstance(schema, list):
        return [_without_types_of_enums(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # A field may be called `enum`; the list of values is never a schema.
    drop = {"type"} if isinstance(schema.get("enum"), list) else set()
    return {k: v if k == "enum" and drop else _without_types_of_enums(v) for k, v in schema.items() if k not in drop}


@settings(deadline=None, max_examples=60)
@given(all_schemas)
def test_a_schema_is_strict_in_whole_or_not_at_all_and_the_same_each_time(schema: RecordSchema) -> None:
    shape = reply_schema(schema)
    assert shape == reply_schema(schema)
    if shape is not None:
        assert list(shape["properties"]["records"]["items"]["properties"]) == [f.name for f in schema.asked]


def _of(*found: Field) -> dict[str, Any] | None:
    return reply_schema(RecordSchema(fields=found))


def _field(shape: dict[str, Any] | None, name: str) -> dict[str, Any]:
    assert shape is not None
    return shape["properties"]["records"]["items"]["properties"][name]


def test_an_optional_field_is_required_and_may_be_null() -> None:
    shape = _of(Field(name="a"), Field(name="b", type="integer", required=False))
    assert _field(shape, "b") == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert _field(shape, "a") == {"type": "string"}


def test_what_cannot_be_enforced_is_said_in_the_description() -> None:
    field = Field(name="a", type="array", items=Field(name="i", max_length=9), min_items=2, description="steps")
    said = _field(_of(field), "a")
    assert said["description"] == "steps; at least 2 item(s)"
    assert said["items"] == {"type": "string", "description": "at most 9 characters"}


def test_ids_are_not_asked_for() -> None:
    shape = _of(Field(name="id"), Field(name="a"))
    assert shape is not None
    assert list(shape["properties"]["records"]["items"]["properties"]) == ["a"]


@pytest.mark.parametrize(
    "field",
    [
        Field(name="f", type="any"),
        Field(name="f", type="object"),
        Field(name="f", type="array"),
        Field(name="f", enum=()),
        Field(name="f", enum=(1, None)),
        Field(name="问题"),
        Field(name="f", enum=tuple(f"{i}" for i in range(1001))),
        Field(name="f", enum=tuple("x" * 60 + str(i) for i in range(251))),
        Field(name="f", type="array", items=Field(name="i", type="object")),
    ],
    ids=lambda field: str(field.name) + field.type,
)
def test_what_cannot_be_put_strictly_is_left_to_the_prompt(field: Field) -> None:
    assert _of(Field(name="a"), field) is None


def _deep(levels: int) -> Field:
    field = Field(name="f")
    for _ in range(levels):
        field = Field(name="f", type="object", fields=(field,))
    return field


@pytest.mark.parametrize(("levels", "fits"), [(8, True), (9, False)])
def test_ten_levels_of_objects_are_the_most(levels: int, fits: bool) -> None:
    # The reply itself and the record are two of them.
    assert (_of(_deep(levels)) is not None) == fits


@pytest.mark.parametrize(("optional", "fits"), [(16, True), (17, False)])
def test_sixteen_unions_are_the_most(optional: int, fits: bool) -> None:
    assert (_of(*(Field(name=f"f{i}", required=False) for i in range(optional))) is not None) == fits


plain = st.text(alphabet="abc", min_size=1, max_size=3)


@st.composite
def records_and_schemas(draw: st.DrawFn) -> tuple[RecordSchema, dict[str, Any], dict[str, Any]]:
    """A schema, a valid record, and the same record as strict output writes it: null for what is left out."""
    names_left = iter(f"f{i}" for i in range(1000))

    def value(field: Field) -> tuple[Any, Any]:
        if field.any_of:
            return value(draw(st.sampled_from(field.any_of)))
        if field.type == "object":
            return pair(field.fields)
        if field.type == "array":
            assert field.items is not None
            both = [value(field.items) for _ in range(draw(st.integers(0, 2)))]
            return [b[0] for b in both], [b[1] for b in both]
        if field.nullable and draw(st.booleans()):
            return None, None
        found = draw(plain if field.type == "string" else st.integers(0, 9))
        return found, found

    def pair(fields: tuple[Field, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        kept: dict[str, Any] = {}
        strict: dict[str, Any] = {}
        for field in fields:
            if not field.required and draw(st.booleans()):
                # A null that the field allows stays; the model meant it.
                strict[field.name] = None
                kept |= {field.name: None} if field.nullable else {}
            else:
                kept[field.name], strict[field.name] = value(field)
        return kept, strict

    def field(depth: int) -> Field:
        kind = draw(st.sampled_from(["string", "integer", *(["object", "array", "union"] if depth else [])]))
        common = {"name": next(names_left), "required": draw(st.booleans())}
        if kind == "object":
            return Field(type="object", fields=(field(depth - 1), field(depth - 1)), **common)
        if kind == "array":
            return Field(type="array", items=field(depth - 1).model_copy(update={"required": True}), **common)
        if kind == "union":
            inner = (field(depth - 1), field(depth - 1))
            sure = {"required": True, "nullable": False}
            return Field(any_of=tuple(f.model_copy(update=sure) for f in inner), **common)
        return Field(type="string" if kind == "string" else "integer", nullable=draw(st.booleans()), **common)

    schema = RecordSchema(fields=(Field(name="question"), *(field(3) for _ in range(draw(st.integers(1, 3))))))
    kept, strict = pair(schema.fields)
    return schema, kept, strict


@settings(deadline=None, max_examples=60)
@given(records_and_schemas())
def test_the_nulls_of_strict_output_are_taken_out_and_nothing_else(
    case: tuple[RecordSchema, dict[str, Any], dict[str, Any]],
) -> None:
    schema, kept, strict = case
    assert without_nulls(strict, schema.fields) == kept
    assert without_nulls(kept, schema.fields) == kept


def test_an_optional_null_leaves_no_trace_from_the_reply_to_the_verdict() -> None:
    source = Field(name="source", type="object", required=False, fields=(Field(name="page", required=False),))
    schema = RecordSchema(fields=(Field(name="a"), Field(name="b", required=False), source))
    parsed = parse_reply('{"records": [{"a": "x", "b": null, "source": {"page": null}}]}', schema, cut=False)
    verdicts = RecordValidator(schema).check(parsed.records)
    assert list(verdicts.records) == [{"a": "x", "source": {}}]
    direct = RecordValidator(schema).check([{"a": "x", "b": None, "source": {"page": None}}])
    assert list(direct.records) == [{"a": "x", "source": {}}]

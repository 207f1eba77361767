from typing import Any

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field
from datasynth.tasks.sources.dialects import parse_record_schema


def prop(schema: Any, **around: Any) -> Field:
    """The one property `x` of a JSON Schema."""
    return parse_record_schema({"properties": {"x": schema}, "required": ["x"], **around}, "schema").fields[0]


def refusal(document: Any) -> str:
    with pytest.raises(InputError) as caught:
        parse_record_schema(document, "DATA_SCHEMA.json")
    return str(caught.value)


def prop_refusal(schema: Any, **around: Any) -> str:
    return refusal({"properties": {"x": schema}, **around})


def test_references_are_followed_and_joined_with_what_stands_beside_them():
    followed = prop(
        {"$ref": "#/$defs/Short", "minLength": 2}, **{"$defs": {"Short": {"type": "string", "maxLength": 5}}}
    )
    assert followed == Field(name="x", min_length=2, max_length=5)
    old = prop({"$ref": "#/definitions/a~1b"}, definitions={"a/b": {"type": "integer"}})
    assert old.type == "integer"


def test_the_whole_schema_may_be_a_reference():
    schema = {"$ref": "#/$defs/R", "$defs": {"R": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    assert parse_record_schema(schema, "x").fields == (Field(name="a", required=False),)


def test_all_of_joins_its_parts():
    base = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}, "required": ["a"]}
    more = {"properties": {"a": {"maxLength": 3}, "b": {"type": "integer"}}, "required": ["b"]}
    schema = parse_record_schema({"allOf": [base, more]}, "x")
    assert schema.fields == (Field(name="a", min_length=1, max_length=3), Field(name="b", type="integer"))


def test_parts_that_contradict_each_other_are_refused():
    assert "type" in prop_refusal({"allOf": [{"type": "string"}, {"type": "integer"}]})
    assert "pattern" in prop_refusal({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})


def test_a_closed_part_forbids_the_fields_of_the_others():
    closed = {"properties": {"a": {}}, "additionalProperties": False}
    assert "forbids b" in refusal({"allOf": [closed, {"properties": {"b": {}}}]})


@pytest.mark.parametrize("reference", ["other.json#/x", "https://example.com/s.json"])
def test_references_out_of_the_schema_are_refused(reference):
    assert "leads out of the schema" in prop_refusal({"$ref": reference})


def test_a_reference_to_nothing_is_refused():
    assert "leads nowhere" in prop_refusal({"$ref": "#/$defs/None"})
    assert "leads nowhere" in prop_refusal({"$ref": "#anchor"})


def test_a_schema_that_contains_itself_is_refused():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    assert "contains itself" in prop_refusal({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})


def test_nesting_without_end_is_refused():
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        deep = {"type": "array", "items": deep}
    assert "levels deep" in prop_refusal(deep)


def test_two_parts_may_follow_the_same_reference():
    base = {"type": "object", "properties": {"a": {"type": "string"}}}
    left, right = ({"allOf": [{"$ref": "#/$defs/Base"}]} for _ in range(2))
    schema = {"$defs": {"Base": base, "L": left, "R": right}, "allOf": [{"$ref": "#/$defs/L"}, {"$ref": "#/$defs/R"}]}
    assert parse_record_schema(schema, "x").fields == (Field(name="a", required=False),)


def test_a_field_may_hold_what_its_record_is_based_on():
    base = {"type": "object", "properties": {"a": {"type": "string"}}}
    parts = [{"$ref": "#/$defs/Base"}, {"properties": {"parent": {"$ref": "#/$defs/Base"}}}]
    schema = parse_record_schema({"$defs": {"Base": base}, "allOf": parts}, "x")
    assert [f.name for f in schema.fields] == ["a", "parent"]
    assert schema.fields[1].fields == (Field(name="a", required=False),)


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#/properties/x"}, {"allOf": [{"$ref": "#/properties/x"}]}, {"anyOf": [{"$ref": "#/properties/x"}]}],
)
def test_a_reference_to_its_own_place_is_refused(schema):
    assert "contains itself" in prop_refusal(schema)


def test_references_that_stand_for_billions_of_fields_are_refused():
    def twice(n: int) -> dict[str, Any]:
        following = {"$ref": f"#/$defs/d{n + 1}"}
        return {"type": "object", "properties": {"a": following, "b": following}}

    definitions = {f"d{n}": twice(n) for n in range(30)} | {"d30": {"type": "string"}}
    message = prop_refusal({"$ref": "#/$defs/d0"}, **{"$defs": definitions})
    assert "more than 5000 fields" in message
    assert len(message) < 300


def test_parts_that_stand_for_billions_of_parts_are_refused():
    definitions: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)}
    assert "more than 5000" in prop_refusal({"$ref": "#/$defs/d0"}, **{"$defs": definitions | {"d30": {}}})


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"minLength": 1}, {"minLength": 3}, {"minLength": 3}),
        ({"maxLength": 5}, {"maxLength": 3}, {"maxLength": 3}),
        ({"enum": [1, 2]}, {"enum": [2, 3]}, {"enum": [2]}),
        ({"type": "number"}, {"type": "integer"}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": "string"}, {"type": "string"}),
        ({"uniqueItems": True, "type": "array"}, {"uniqueItems": False}, {"type": "array", "uniqueItems": True}),
        ({"type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}}, {"required": ["b"]},
         {"type": "object", "required": ["a", "b"], "properties": {"a": {}, "b": {}}}),
    ],
)  # fmt: skip
def test_two_values_of_a_keyword_are_joined_into_what_both_ask_for(one, other, both):
    assert prop({"allOf": [one, other]}) == prop({**one, **other, **both})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"enum": [1]}, {"enum": [2]}),
        ({"format": "email"}, {"format": "uri"}),
        ({"multipleOf": 2}, {"multipleOf": 3}),
        ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "integer"}]}),
    ],
)
def test_parts_that_cannot_be_joined_are_refused(one, other):
    assert 'field "x"' in prop_refusal({"allOf": [one, other]})


def test_one_is_not_true_when_parts_are_compared():
    assert "enum" in prop_refusal({"allOf": [{"enum": [1]}, {"enum": [True]}]})
    assert "additionalProperties" in prop_refusal({"type": "object", "additionalProperties": 1})

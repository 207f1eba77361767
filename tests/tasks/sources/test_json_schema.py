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


def test_every_supported_constraint_is_kept():
    assert prop({"type": "string", "minLength": 1, "maxLength": 5, "pattern": "a", "format": "uri"}) == Field(
        name="x", min_length=1, max_length=5, pattern="a", format="uri"
    )
    assert prop({"type": "number", "exclusiveMinimum": 0, "maximum": 3, "multipleOf": 0.5}) == Field(
        name="x", type="number", exclusive_minimum=0, maximum=3, multiple_of=0.5
    )
    assert prop(
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 2, "uniqueItems": True}
    ) == Field(
        name="x",
        type="array",
        items=Field(name="", enum=("a", "b")),
        min_items=1,
        max_items=2,
        unique_items=True,
    )


def test_required_lists_the_required_fields():
    schema = parse_record_schema({"properties": {"a": {}, "b": {}}, "required": ["b"]}, "x")
    assert [f.required for f in schema.fields] == [False, True]


def test_required_said_of_the_field_itself_counts():
    schema = parse_record_schema({"properties": {"a": {"type": "string", "required": True}}}, "x")
    assert schema.fields[0].required


def test_a_required_field_must_be_described():
    assert '"required" names b' in refusal({"properties": {"a": {}}, "required": ["b"]})


def test_objects_nest_and_may_be_closed():
    nested = prop(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "required": ["a"],
            "additionalProperties": False,
        }
    )
    assert nested == Field(name="x", type="object", fields=(Field(name="a"),), additional=False)


def test_null_in_the_types_makes_a_field_nullable():
    assert prop({"type": ["string", "null"]}) == Field(name="x", nullable=True)
    assert prop({"anyOf": [{"type": "string"}, {"type": "null"}]}) == Field(name="x", nullable=True)
    assert prop({"type": "string", "nullable": True}) == Field(name="x", nullable=True)


def test_null_is_allowed_only_where_listed_values_have_it():
    assert not prop({"type": ["string", "null"], "enum": ["a"]}).nullable
    assert prop({"enum": ["a", None]}) == Field(name="x", nullable=True, enum=("a", None))
    assert prop({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}) == Field(name="x", nullable=True, enum=("a", None))


def test_several_types_are_alternatives_each_with_its_constraints():
    assert prop({"type": ["string", "integer"], "minLength": 2, "minimum": 5}).any_of == (
        Field(name="", min_length=2),
        Field(name="", type="integer", minimum=5),
    )


def test_const_is_a_list_of_one_value():
    assert prop({"const": 1}) == Field(name="x", type="integer", enum=(1,))
    assert prop({"type": "string", "const": "a", "enum": ["a", "b"]}) == Field(name="x", enum=("a",))


def test_constraints_beside_any_of_hold_for_every_alternative():
    either = prop({"minLength": 3, "anyOf": [{"type": "string", "maxLength": 5}, {"type": "string", "pattern": "a"}]})
    assert either.any_of == (Field(name="", min_length=3, max_length=5), Field(name="", min_length=3, pattern="a"))


def test_alternatives_of_required_fields_are_honoured():
    either = prop(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        }
    )
    assert [[f.required for f in option.fields] for option in either.any_of] == [[True, False], [False, True]]


def test_one_of_is_taken_where_no_value_fits_two():
    cat = {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]}
    dog = {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}
    assert len(prop({"oneOf": [cat, dog]}).any_of) == 2
    assert len(prop({"oneOf": [{"type": "string"}, {"type": "integer"}]}).any_of) == 2


def test_one_of_is_refused_where_a_value_could_fit_two():
    assert "oneOf" in prop_refusal({"oneOf": [{"type": "number"}, {"type": "integer"}]})
    assert "oneOf" in prop_refusal({"oneOf": [{"type": ["string", "null"]}, {"type": ["integer", "null"]}]})


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "string"}},
        {"if": {}, "then": {"minLength": 1}},
        {"type": "object", "patternProperties": {"^a": {}}},
        {"type": "object", "propertyNames": {"pattern": "^a"}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "minProperties": 1},
        {"type": "object", "dependentRequired": {"a": ["b"]}},
        {"type": "array", "contains": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "integer"}]},
        {"type": "array", "items": [{"type": "integer"}]},
    ],
)
def test_rules_that_cannot_be_checked_are_refused_by_name(schema):
    message = prop_refusal(schema)
    assert 'field "x"' in message
    assert any(f'"{word}"' in message for word in schema)


@pytest.mark.parametrize("word", ["minLenght", "min_length", "Pattern", "constraints", "range", "requred"])
def test_misspelt_and_foreign_keywords_are_refused(word):
    assert word in prop_refusal({"type": "string", word: 3})


def test_annotations_are_ignored():
    about = {"$comment": "c", "default": "d", "deprecated": True, "x-order": 3, "contentMediaType": "text/plain"}
    assert prop({"type": "string", **about}) == Field(name="x")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"type": []},
        {"type": "string", "minLength": -1},
        {"type": "string", "minLength": 1.5},
        {"type": "string", "minLength": 5, "maxLength": 3},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": 3},
        {"type": "integer", "minimum": "1"},
        {"type": "integer", "minimum": 5, "maximum": 3},
        {"type": "number", "exclusiveMinimum": 3, "maximum": 3},
        {"type": "number", "multipleOf": 0},
        {"type": "array", "minItems": True},
        {"type": "array", "uniqueItems": "yes"},
        {"enum": []},
        {"enum": "a"},
        {"type": "integer", "enum": ["a"]},
        {"anyOf": []},
        {"allOf": {}},
        {"type": "object", "required": "a"},
        {"type": "object", "properties": []},
        False,
        3,
    ],
)
def test_malformed_schemas_are_refused_with_their_field(schema):
    assert 'DATA_SCHEMA.json: field "x": ' in prop_refusal(schema)


def test_draft_4_exclusive_bounds_are_understood():
    assert prop({"type": "integer", "minimum": 0, "exclusiveMinimum": True}) == Field(
        name="x", type="integer", exclusive_minimum=0
    )


def test_a_list_of_records_is_refused_with_a_hint():
    message = refusal({"type": "array", "items": {"type": "object", "properties": {"a": {}}}})
    assert '"items"' in message


def test_true_and_the_empty_schema_accept_anything():
    assert prop(True).type == "any"
    assert prop({}).type == "any"

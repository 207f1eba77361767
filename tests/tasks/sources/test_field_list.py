from typing import Any

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field
from datasynth.tasks.sources.dialects import parse_record_schema


def field(definition: dict[str, Any]) -> Field:
    """The one field `x` of a field list."""
    return parse_record_schema({"fields": [{"name": "x", **definition}]}, "list").fields[0]


def refusal(document: Any) -> str:
    with pytest.raises(InputError) as caught:
        parse_record_schema(document, "DATA_SCHEMA.json")
    return str(caught.value)


def field_refusal(definition: dict[str, Any]) -> str:
    return refusal({"fields": [{"name": "x", **definition}]})


@pytest.mark.parametrize(
    ("alias", "kind"),
    [
        ("string", "string"), ("text", "string"), ("str", "string"), ("code", "string"),
        ("integer", "integer"), ("int", "integer"), ("number", "number"), ("float", "number"),
        ("boolean", "boolean"), ("bool", "boolean"), ("array", "array"), ("list", "array"),
        ("object", "object"), ("dict", "object"), ("any", "any"), (" Text ", "string"),
    ],
)  # fmt: skip
def test_type_names_of_both_writers_are_known(alias, kind):
    assert field({"type": alias}).type == kind


def test_an_unknown_type_is_refused_by_name():
    message = field_refusal({"type": "tekst"})
    assert "DATA_SCHEMA.json" in message
    assert 'field "x"' in message
    assert 'unknown type "tekst"' in message


def test_a_field_is_required_unless_it_says_otherwise():
    assert field({"type": "text"}).required
    assert not field({"type": "text", "required": False}).required
    assert not field({"type": "text", "required": "false"}).required
    assert not field({"type": "text", "constraints": {"required": False}}).required


def test_a_field_without_a_type_is_a_text():
    assert field({}) == Field(name="x", type="string")


def test_constraints_are_read_in_and_beside_the_constraints_object():
    assert field({"type": "int", "constraints": {"range": [1, 5]}}) == Field(
        name="x", type="integer", minimum=1, maximum=5
    )
    assert field({"type": "string", "min_length": 2, "maxLength": 9}) == Field(name="x", min_length=2, max_length=9)


def test_every_constraint_of_the_dialect_is_kept():
    text = {"min_length": 1, "max_length": 9, "pattern": "^a", "format": "email", "enum": ["ab", "ac"]}
    assert field({"type": "text", "constraints": text}) == Field(
        name="x", min_length=1, max_length=9, pattern="^a", format="email", enum=("ab", "ac")
    )
    listed = {"min_items": 1, "max_items": 3, "unique_items": True}
    assert field({"type": "list", "constraints": listed}) == Field(
        name="x", type="array", min_items=1, max_items=3, unique_items=True
    )
    number = {"gt": 0, "lt": 10, "multiple_of": 0.5}
    assert field({"type": "float", "constraints": number}) == Field(
        name="x", type="number", exclusive_minimum=0, exclusive_maximum=10, multiple_of=0.5
    )


def test_a_range_may_be_open_at_one_end():
    assert field({"type": "int", "constraints": {"range": [None, 5]}}) == Field(name="x", type="integer", maximum=5)


@pytest.mark.parametrize("value", [[1], "1-5", [1, "5"], [None, None], [True, 5], [5, 1], {"from": 1}])
def test_a_malformed_range_is_refused(value):
    assert 'field "x"' in field_refusal({"type": "int", "constraints": {"range": value}})


def test_an_unknown_constraint_is_refused_by_name():
    assert "min_lenght" in field_refusal({"type": "text", "constraints": {"min_lenght": 3}})


def test_a_constraint_for_another_type_is_refused():
    assert "range" in field_refusal({"type": "text", "constraints": {"range": [1, 5]}})
    assert "min_length" in field_refusal({"type": "list", "constraints": {"min_length": 2}})


def test_words_for_people_may_stand_among_the_constraints():
    assert field({"type": "text", "constraints": {"note": "be kind"}}) == Field(name="x")


def test_constraints_in_prose_are_refused():
    assert '"constraints" must be an object' in field_refusal({"type": "text", "constraints": ["不超过100字"]})


def test_a_constraint_given_twice_must_agree():
    assert "twice" in field_refusal({"type": "text", "min_length": 2, "constraints": {"min_length": 3}})


def test_an_enum_whose_values_are_of_another_type_is_refused():
    assert "enum" in field_refusal({"type": "int", "constraints": {"enum": ["1", "2"]}})


def test_the_type_enum_takes_its_type_from_the_values():
    assert field({"type": "enum", "enum": ["a", "b"]}) == Field(name="x", enum=("a", "b"))
    assert field({"type": "enum", "options": [1, 2]}) == Field(name="x", type="integer", enum=(1, 2))
    assert "without its values" in field_refusal({"type": "enum"})


def test_nullable_adds_null_to_listed_values():
    assert field({"type": "text", "nullable": True}).nullable
    assert field({"type": "enum", "enum": ["a"], "nullable": True}).enum == ("a", None)


def test_nested_type_of_a_list_names_the_type_of_its_items():
    assert field({"type": "array", "nested_type": "str"}).items == Field(name="", type="string")
    assert field({"type": "array", "nested_type": "dict"}).items == Field(name="", type="object")
    assert field({"type": "array", "nested_type": "NoneType"}).items is None


def test_nested_type_of_an_object_names_keys_that_may_hold_anything():
    members = field({"type": "object", "nested_type": ["a", "b"]}).fields
    assert members == (Field(name="a", type="any", required=False), Field(name="b", type="any", required=False))


def test_items_and_properties_nest():
    steps = field({"type": "array", "items": {"name": "step", "type": "string", "min_length": 3}})
    assert steps.items == Field(name="", min_length=3)
    source = field(
        {"type": "object", "properties": [{"name": "topic"}, {"name": "ok", "type": "bool", "required": False}]}
    )
    assert source.fields == (Field(name="topic"), Field(name="ok", type="boolean", required=False))


def test_list_types_may_name_their_items():
    assert field({"type": "List[str]"}).items == Field(name="")
    assert field({"type": "array<int>"}).items == Field(name="", type="integer")


def test_any_of_gives_alternatives():
    either = field({"any_of": [{"type": "int"}, {"type": "text", "min_length": 1}]})
    assert either.any_of == (Field(name="", type="integer"), Field(name="", min_length=1))


def test_what_people_read_is_kept():
    read = field({"type": "text", "display_name": "问题", "description": "the question", "examples": ["a?"]})
    assert (read.display_name, read.description, read.examples) == ("问题", "the question", ("a?",))


def test_a_field_defined_twice_is_refused():
    assert 'field "a": defined twice' in refusal({"fields": [{"name": "a"}, {"name": "a"}]})


@pytest.mark.parametrize("nameless", [{"type": "text"}, {"name": ""}, {"name": "  "}, {"name": 3}, "question"])
def test_a_field_without_a_name_is_refused_by_its_position(nameless):
    assert "field number 2 has no name" in refusal({"fields": [{"name": "a"}, nameless]})


def test_the_path_of_a_nested_fault_is_given():
    nested = {"type": "list", "items": {"type": "object", "properties": [{"name": "role", "type": "rolle"}]}}
    assert 'field "x[].role"' in field_refusal(nested)


def test_fields_by_name_are_required_where_they_say_so():
    # The form of `knowlyr-datacheck infer`.
    inferred = {"fields": {"a": {"type": "string", "required": True, "avg_length": 9}, "b": {"type": "integer"}}}
    schema = parse_record_schema(inferred, "inferred.json")
    assert schema.fields == (Field(name="a"), Field(name="b", type="integer", required=False))

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from pydantic import Field as Constrained

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field, RecordSchema, RubricLevel
from datasynth.tasks.sources.dialects import parse_record_schema


def field(definition: dict[str, Any]) -> Field:
    """The one field `x` of a field list."""
    return parse_record_schema({"fields": [{"name": "x", **definition}]}, "list").fields[0]


def prop(schema: Any, **around: Any) -> Field:
    """The one property `x` of a JSON Schema."""
    return parse_record_schema({"properties": {"x": schema}, "required": ["x"], **around}, "schema").fields[0]


def refusal(document: Any) -> str:
    with pytest.raises(InputError) as caught:
        parse_record_schema(document, "DATA_SCHEMA.json")
    return str(caught.value)


def field_refusal(definition: dict[str, Any]) -> str:
    return refusal({"fields": [{"name": "x", **definition}]})


def prop_refusal(schema: Any, **around: Any) -> str:
    return refusal({"properties": {"x": schema}, **around})


class TestFieldLists:
    @pytest.mark.parametrize(
        ("alias", "kind"),
        [
            ("string", "string"), ("text", "string"), ("str", "string"), ("code", "string"),
            ("integer", "integer"), ("int", "integer"), ("number", "number"), ("float", "number"),
            ("boolean", "boolean"), ("bool", "boolean"), ("array", "array"), ("list", "array"),
            ("object", "object"), ("dict", "object"), ("any", "any"), (" Text ", "string"),
        ],
    )  # fmt: skip
    def test_type_names_of_both_writers_are_known(self, alias, kind):
        assert field({"type": alias}).type == kind

    def test_an_unknown_type_is_refused_by_name(self):
        message = field_refusal({"type": "tekst"})
        assert "DATA_SCHEMA.json" in message
        assert 'field "x"' in message
        assert 'unknown type "tekst"' in message

    def test_a_field_is_required_unless_it_says_otherwise(self):
        assert field({"type": "text"}).required
        assert not field({"type": "text", "required": False}).required
        assert not field({"type": "text", "required": "false"}).required
        assert not field({"type": "text", "constraints": {"required": False}}).required

    def test_a_field_without_a_type_is_a_text(self):
        assert field({}) == Field(name="x", type="string")

    def test_constraints_are_read_in_and_beside_the_constraints_object(self):
        assert field({"type": "int", "constraints": {"range": [1, 5]}}) == Field(
            name="x", type="integer", minimum=1, maximum=5
        )
        assert field({"type": "string", "min_length": 2, "maxLength": 9}) == Field(name="x", min_length=2, max_length=9)

    def test_every_constraint_of_the_dialect_is_kept(self):
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

    def test_a_range_may_be_open_at_one_end(self):
        assert field({"type": "int", "constraints": {"range": [None, 5]}}) == Field(name="x", type="integer", maximum=5)

    @pytest.mark.parametrize("value", [[1], "1-5", [1, "5"], [None, None], [True, 5], [5, 1], {"from": 1}])
    def test_a_malformed_range_is_refused(self, value):
        assert 'field "x"' in field_refusal({"type": "int", "constraints": {"range": value}})

    def test_an_unknown_constraint_is_refused_by_name(self):
        assert "min_lenght" in field_refusal({"type": "text", "constraints": {"min_lenght": 3}})

    def test_a_constraint_for_another_type_is_refused(self):
        assert "range" in field_refusal({"type": "text", "constraints": {"range": [1, 5]}})
        assert "min_length" in field_refusal({"type": "list", "constraints": {"min_length": 2}})

    def test_words_for_people_may_stand_among_the_constraints(self):
        assert field({"type": "text", "constraints": {"note": "be kind"}}) == Field(name="x")

    def test_constraints_in_prose_are_refused(self):
        assert '"constraints" must be an object' in field_refusal({"type": "text", "constraints": ["不超过100字"]})

    def test_a_constraint_given_twice_must_agree(self):
        assert "twice" in field_refusal({"type": "text", "min_length": 2, "constraints": {"min_length": 3}})

    def test_an_enum_whose_values_are_of_another_type_is_refused(self):
        assert "enum" in field_refusal({"type": "int", "constraints": {"enum": ["1", "2"]}})

    def test_the_type_enum_takes_its_type_from_the_values(self):
        assert field({"type": "enum", "enum": ["a", "b"]}) == Field(name="x", enum=("a", "b"))
        assert field({"type": "enum", "options": [1, 2]}) == Field(name="x", type="integer", enum=(1, 2))
        assert "without its values" in field_refusal({"type": "enum"})

    def test_nullable_adds_null_to_listed_values(self):
        assert field({"type": "text", "nullable": True}).nullable
        assert field({"type": "enum", "enum": ["a"], "nullable": True}).enum == ("a", None)

    def test_nested_type_of_a_list_names_the_type_of_its_items(self):
        assert field({"type": "array", "nested_type": "str"}).items == Field(name="", type="string")
        assert field({"type": "array", "nested_type": "dict"}).items == Field(name="", type="object")
        assert field({"type": "array", "nested_type": "NoneType"}).items is None

    def test_nested_type_of_an_object_names_keys_that_may_hold_anything(self):
        members = field({"type": "object", "nested_type": ["a", "b"]}).fields
        assert members == (Field(name="a", type="any", required=False), Field(name="b", type="any", required=False))

    def test_items_and_properties_nest(self):
        steps = field({"type": "array", "items": {"name": "step", "type": "string", "min_length": 3}})
        assert steps.items == Field(name="", min_length=3)
        source = field(
            {"type": "object", "properties": [{"name": "topic"}, {"name": "ok", "type": "bool", "required": False}]}
        )
        assert source.fields == (Field(name="topic"), Field(name="ok", type="boolean", required=False))

    def test_list_types_may_name_their_items(self):
        assert field({"type": "List[str]"}).items == Field(name="")
        assert field({"type": "array<int>"}).items == Field(name="", type="integer")

    def test_any_of_gives_alternatives(self):
        either = field({"any_of": [{"type": "int"}, {"type": "text", "min_length": 1}]})
        assert either.any_of == (Field(name="", type="integer"), Field(name="", min_length=1))

    def test_what_people_read_is_kept(self):
        read = field({"type": "text", "display_name": "问题", "description": "the question", "examples": ["a?"]})
        assert (read.display_name, read.description, read.examples) == ("问题", "the question", ("a?",))

    def test_a_field_defined_twice_is_refused(self):
        assert 'field "a": defined twice' in refusal({"fields": [{"name": "a"}, {"name": "a"}]})

    @pytest.mark.parametrize("nameless", [{"type": "text"}, {"name": ""}, {"name": "  "}, {"name": 3}, "question"])
    def test_a_field_without_a_name_is_refused_by_its_position(self, nameless):
        assert "field number 2 has no name" in refusal({"fields": [{"name": "a"}, nameless]})

    def test_the_path_of_a_nested_fault_is_given(self):
        nested = {"type": "list", "items": {"type": "object", "properties": [{"name": "role", "type": "rolle"}]}}
        assert 'field "x[].role"' in field_refusal(nested)

    def test_fields_by_name_are_required_where_they_say_so(self):
        # The form of `knowlyr-datacheck infer`.
        inferred = {"fields": {"a": {"type": "string", "required": True, "avg_length": 9}, "b": {"type": "integer"}}}
        schema = parse_record_schema(inferred, "inferred.json")
        assert schema.fields == (Field(name="a"), Field(name="b", type="integer", required=False))


class TestDocuments:
    @pytest.mark.parametrize("empty", [{}, {"fields": []}, {"properties": {}}, {"type": "object"}, []])
    def test_a_schema_without_fields_is_refused(self, empty):
        assert "no field in this schema" in refusal(empty)

    @pytest.mark.parametrize("value", [None, 3, "text", True])
    def test_what_is_no_schema_is_refused(self, value):
        assert "holds no schema" in refusal(value)

    def test_both_dialects_at_once_are_refused(self):
        assert "Keep one" in refusal({"fields": [{"name": "a"}], "properties": {"b": {}}})

    def test_a_bare_list_of_fields_is_a_schema(self):
        assert parse_record_schema([{"name": "a"}], "list").fields == (Field(name="a"),)

    def test_name_description_and_rubric_are_read(self):
        levels = [{"score": 1, "label": "优秀", "description": "好"}, {"score": "0.5分", "criteria": "so so"}]
        schema = parse_record_schema(
            {"project_name": "p", "description": "d", "fields": [{"name": "a"}], "scoring_rubric": levels}, "x"
        )
        assert (schema.name, schema.description) == ("p", "d")
        assert schema.rubric == (
            RubricLevel(score=1, label="优秀", description="好"),
            RubricLevel(score=0.5, description="so so"),
        )

    @pytest.mark.parametrize("level", [{"score": "full"}, {"label": "good"}, "good", {"score": True}])
    def test_a_rubric_level_without_a_number_is_refused(self, level):
        message = refusal({"fields": [{"name": "a"}], "scoring_rubric": [level]})
        assert 'entry 1 of "scoring_rubric"' in message

    def test_a_field_named_as_our_own_column_is_refused(self):
        assert "_lineage" in refusal({"fields": [{"name": "_lineage"}]})


class TestJsonSchema:
    def test_every_supported_constraint_is_kept(self):
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

    def test_required_lists_the_required_fields(self):
        schema = parse_record_schema({"properties": {"a": {}, "b": {}}, "required": ["b"]}, "x")
        assert [f.required for f in schema.fields] == [False, True]

    def test_required_said_of_the_field_itself_counts(self):
        schema = parse_record_schema({"properties": {"a": {"type": "string", "required": True}}}, "x")
        assert schema.fields[0].required

    def test_a_required_field_must_be_described(self):
        assert '"required" names b' in refusal({"properties": {"a": {}}, "required": ["b"]})

    def test_objects_nest_and_may_be_closed(self):
        nested = prop(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
            }
        )
        assert nested == Field(name="x", type="object", fields=(Field(name="a"),), additional=False)

    def test_null_in_the_types_makes_a_field_nullable(self):
        assert prop({"type": ["string", "null"]}) == Field(name="x", nullable=True)
        assert prop({"anyOf": [{"type": "string"}, {"type": "null"}]}) == Field(name="x", nullable=True)
        assert prop({"type": "string", "nullable": True}) == Field(name="x", nullable=True)

    def test_null_is_allowed_only_where_listed_values_have_it(self):
        assert not prop({"type": ["string", "null"], "enum": ["a"]}).nullable
        assert prop({"enum": ["a", None]}) == Field(name="x", nullable=True, enum=("a", None))
        assert prop({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}) == Field(name="x", nullable=True, enum=("a", None))

    def test_several_types_are_alternatives_each_with_its_constraints(self):
        assert prop({"type": ["string", "integer"], "minLength": 2, "minimum": 5}).any_of == (
            Field(name="", min_length=2),
            Field(name="", type="integer", minimum=5),
        )

    def test_const_is_a_list_of_one_value(self):
        assert prop({"const": 1}) == Field(name="x", type="integer", enum=(1,))
        assert prop({"type": "string", "const": "a", "enum": ["a", "b"]}) == Field(name="x", enum=("a",))

    def test_constraints_beside_any_of_hold_for_every_alternative(self):
        either = prop(
            {"minLength": 3, "anyOf": [{"type": "string", "maxLength": 5}, {"type": "string", "pattern": "a"}]}
        )
        assert either.any_of == (Field(name="", min_length=3, max_length=5), Field(name="", min_length=3, pattern="a"))

    def test_alternatives_of_required_fields_are_honoured(self):
        either = prop(
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
            }
        )
        assert [[f.required for f in option.fields] for option in either.any_of] == [[True, False], [False, True]]

    def test_one_of_is_taken_where_no_value_fits_two(self):
        cat = {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]}
        dog = {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]}
        assert len(prop({"oneOf": [cat, dog]}).any_of) == 2
        assert len(prop({"oneOf": [{"type": "string"}, {"type": "integer"}]}).any_of) == 2

    def test_one_of_is_refused_where_a_value_could_fit_two(self):
        assert "oneOf" in prop_refusal({"oneOf": [{"type": "number"}, {"type": "integer"}]})
        assert "oneOf" in prop_refusal({"oneOf": [{"type": ["string", "null"]}, {"type": ["integer", "null"]}]})

    def test_references_are_followed_and_joined_with_what_stands_beside_them(self):
        followed = prop(
            {"$ref": "#/$defs/Short", "minLength": 2}, **{"$defs": {"Short": {"type": "string", "maxLength": 5}}}
        )
        assert followed == Field(name="x", min_length=2, max_length=5)
        old = prop({"$ref": "#/definitions/a~1b"}, definitions={"a/b": {"type": "integer"}})
        assert old.type == "integer"

    def test_the_whole_schema_may_be_a_reference(self):
        schema = {"$ref": "#/$defs/R", "$defs": {"R": {"type": "object", "properties": {"a": {"type": "string"}}}}}
        assert parse_record_schema(schema, "x").fields == (Field(name="a", required=False),)

    def test_all_of_joins_its_parts(self):
        base = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}, "required": ["a"]}
        more = {"properties": {"a": {"maxLength": 3}, "b": {"type": "integer"}}, "required": ["b"]}
        schema = parse_record_schema({"allOf": [base, more]}, "x")
        assert schema.fields == (Field(name="a", min_length=1, max_length=3), Field(name="b", type="integer"))

    def test_parts_that_contradict_each_other_are_refused(self):
        assert "type" in prop_refusal({"allOf": [{"type": "string"}, {"type": "integer"}]})
        assert "pattern" in prop_refusal({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})

    def test_a_closed_part_forbids_the_fields_of_the_others(self):
        closed = {"properties": {"a": {}}, "additionalProperties": False}
        assert "forbids b" in refusal({"allOf": [closed, {"properties": {"b": {}}}]})

    @pytest.mark.parametrize("reference", ["other.json#/x", "https://example.com/s.json"])
    def test_references_out_of_the_schema_are_refused(self, reference):
        assert "leads out of the schema" in prop_refusal({"$ref": reference})

    def test_a_reference_to_nothing_is_refused(self):
        assert "leads nowhere" in prop_refusal({"$ref": "#/$defs/None"})
        assert "leads nowhere" in prop_refusal({"$ref": "#anchor"})

    def test_a_schema_that_contains_itself_is_refused(self):
        node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
        assert "contains itself" in prop_refusal({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})

    def test_nesting_without_end_is_refused(self):
        deep: dict[str, Any] = {"type": "string"}
        for _ in range(60):
            deep = {"type": "array", "items": deep}
        assert "levels deep" in prop_refusal(deep)

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
    def test_rules_that_cannot_be_checked_are_refused_by_name(self, schema):
        message = prop_refusal(schema)
        assert 'field "x"' in message
        assert any(f'"{word}"' in message for word in schema)

    @pytest.mark.parametrize("word", ["minLenght", "min_length", "Pattern", "constraints", "range", "requred"])
    def test_misspelt_and_foreign_keywords_are_refused(self, word):
        assert word in prop_refusal({"type": "string", word: 3})

    def test_annotations_are_ignored(self):
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
    def test_malformed_schemas_are_refused_with_their_field(self, schema):
        assert 'DATA_SCHEMA.json: field "x": ' in prop_refusal(schema)

    def test_draft_4_exclusive_bounds_are_understood(self):
        assert prop({"type": "integer", "minimum": 0, "exclusiveMinimum": True}) == Field(
            name="x", type="integer", exclusive_minimum=0
        )

    def test_a_list_of_records_is_refused_with_a_hint(self):
        message = refusal({"type": "array", "items": {"type": "object", "properties": {"a": {}}}})
        assert '"items"' in message

    def test_true_and_the_empty_schema_accept_anything(self):
        assert prop(True).type == "any"
        assert prop({}).type == "any"


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


@settings(max_examples=100, deadline=None)
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

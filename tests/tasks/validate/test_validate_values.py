"""Types, null and absence: which JSON values a field takes, and what Python values are no JSON."""

import math
from decimal import Decimal
from typing import Any

import pytest

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.findings import path_text
from datasynth.tasks.validate.validator import RecordValidator

KINDS = ("string", "integer", "number", "boolean", "array", "object")


def checks(record: Any, *fields: Field) -> list[tuple[str, str]]:
    """Path and check of everything wrong with `record`."""
    verdicts = RecordValidator(RecordSchema(fields=fields), repair=False).check([record])
    return [(path_text(problem.keys), problem.check) for problem in verdicts.found]


@pytest.mark.parametrize(
    ("value", "types"),
    [
        ("", {"string"}),
        ("3", {"string"}),
        (3, {"integer", "number"}),
        (3.0, {"integer", "number"}),
        (-0.0, {"integer", "number"}),
        (3.5, {"number"}),
        (1e15, {"integer", "number"}),
        (1e-300, {"number"}),
        (True, {"boolean"}),
        (0, {"integer", "number"}),
        ([], {"array"}),
        ({}, {"object"}),
    ],
)
def test_a_value_fits_its_own_types_and_no_other(value, types):
    for kind in KINDS:
        expected = [] if kind in types else [("a", "type")]
        assert checks({"a": value}, Field(name="a", type=kind)) == expected, kind
    assert checks({"a": value}, Field(name="a", type="any")) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, b"x", Decimal(1), object(), {1, 2}])
@pytest.mark.parametrize("kind", [*KINDS, "any"])
def test_what_json_cannot_say_fits_no_type(value, kind):
    assert checks({"a": value}, Field(name="a", type=kind)) == [("a", "type")]


@pytest.mark.parametrize("hidden", [[math.nan], {"x": [math.inf]}, [{"x": b"y"}]])
@pytest.mark.parametrize("kind", ["array", "object", "any"])
def test_what_json_cannot_say_is_found_inside_open_values(hidden, kind):
    value = {"k": hidden} if kind == "object" else [hidden]
    assert checks({"a": value}, Field(name="a", type=kind)) == [("a", "type")]


def test_a_bad_value_leaves_its_neighbours_in_the_batch_alone():
    values = [1, True, 2.0, "3", None, 2**63, 4]
    validator = RecordValidator(RecordSchema(fields=(Field(name="a", type="integer"),)), repair=False)
    verdicts = validator.check([{"a": value} for value in values])
    assert verdicts.valid == [True, False, True, False, False, False, True]


@pytest.mark.parametrize("edge", [2**63 - 1, -(2**63)])
def test_integers_have_64_bits(edge):
    field = Field(name="a", type="integer")
    beyond = edge + (1 if edge > 0 else -1)
    assert checks({"a": edge}, field) == []
    assert checks({"a": beyond}, field) == [("a", "range")]


@pytest.mark.parametrize(("value", "expected"), [(2**53, []), (2**53 + 2, []), (2**53 + 1, [("a", "range")])])
def test_a_number_that_a_float_would_round_is_refused(value, expected):
    assert checks({"a": value}, Field(name="a", type="number")) == expected


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**4000])
def test_integers_beyond_floats_are_refused_everywhere(value):
    for kind in ("integer", "number", "any"):
        assert checks({"a": value}, Field(name="a", type=kind)) == [("a", "range")]
    assert checks({"a": value}, Field(name="a")) == [("a", "type")]


@pytest.mark.parametrize("text", ["", " ", "漢字", "😀", "e\u0301", "\u202e", "\x00", "\u2028", "a" * 100_000])
def test_any_unicode_text_is_text(text):
    assert checks({"a": text}, Field(name="a")) == []


@pytest.mark.parametrize("kind", ["string", "any"])
def test_half_a_surrogate_pair_is_refused_and_can_be_shown(kind):
    verdicts = RecordValidator(RecordSchema(fields=(Field(name="a", type=kind),))).check([{"a": "x\ud83d"}])
    assert verdicts.problems["check"].to_list() == ["type"]
    verdicts.problems["detail"][0].encode()


def test_a_required_field_must_be_there():
    assert checks({}, Field(name="a")) == [("a", "required")]


def test_an_optional_field_may_be_missing():
    assert checks({}, Field(name="a", required=False, min_length=3, enum=("x",))) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("required", [True, False])
def test_null_is_no_value_of_a_type_even_where_the_field_is_optional(kind, required):
    assert checks({"a": None}, Field(name="a", type=kind, required=required)) == [("a", "null")]


@pytest.mark.parametrize("kind", KINDS)
def test_null_fits_a_nullable_field(kind):
    field = Field(name="a", type=kind, nullable=True, min_length=1, minimum=1, min_items=1)
    assert checks({"a": None}, field) == []


def test_null_fits_a_nullable_choice_of_forms_and_its_json_schema():
    field = Field(
        name="a", type="any", nullable=True, any_of=(Field(name="", type="integer"), Field(name="", max_length=2))
    )
    assert checks({"a": None}, field) == []
    assert {"type": "null"} in field.json_schema()["anyOf"]
    assert {"type": "null"} not in field.model_copy(update={"nullable": False}).json_schema()["anyOf"]


def test_a_nullable_field_must_be_there_all_the_same():
    assert checks({}, Field(name="a", nullable=True)) == [("a", "required")]


def test_null_must_be_among_the_choices_of_a_nullable_field():
    assert checks({"a": None}, Field(name="a", nullable=True, enum=("x",))) == [("a", "enum")]
    assert checks({"a": None}, Field(name="a", nullable=True, enum=("x", None))) == []


@pytest.mark.parametrize("record", [None, 3, 2.5, "text", True, [], [{"a": "x"}], math.nan])
def test_what_is_no_object_is_no_record(record):
    for repair in (True, False):
        verdicts = RecordValidator(RecordSchema(fields=(Field(name="a"),)), repair=repair).check([record])
        assert verdicts.problems.select("row", "field", "check").rows() == [(0, "", "type")]
        assert "The record must be an object" in verdicts.problems["detail"][0]


def test_what_is_no_record_leaves_the_records_around_it_alone():
    validator = RecordValidator(RecordSchema(fields=(Field(name="a"),)))
    assert validator.check([{"a": "x"}, None, {"a": "y"}, 7]).valid == [True, False, True, False]


def nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(("depth", "expected"), [(150, []), (199, []), (201, [("a", "type")]), (5000, [("a", "type")])])
def test_an_open_value_nests_at_most_200_deep(depth, expected):
    assert checks({"a": nested(depth)}, Field(name="a", type="any")) == expected


def test_a_long_value_is_shortened_where_it_is_shown():
    verdicts = RecordValidator(RecordSchema(fields=(Field(name="a", type="integer"),))).check([{"a": "x" * 10_000}])
    assert len(verdicts.problems["value"][0]) == 200
    assert len(verdicts.problems["detail"][0]) < 200


def test_braces_in_a_value_are_only_shown():
    verdicts = RecordValidator(RecordSchema(fields=(Field(name="a", max_length=3),))).check([{"a": "{field} {0}"}])
    assert verdicts.problems["detail"][0] == 'a must have at most 3 characters: "{field} {0}".'

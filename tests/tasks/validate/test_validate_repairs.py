"""Repairs: what a change without loss makes valid is changed and counted; everything else is refused as it is."""

import copy
from typing import Any

import pytest

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.validator import RecordValidator, Verdicts

TURN = Field(name="turn", type="object", fields=(Field(name="n", type="integer"), Field(name="say")), additional=False)


def check(record: Any, *fields: Field, **options: Any) -> Verdicts:
    return RecordValidator(RecordSchema(fields=fields), **options).check([record])


@pytest.mark.parametrize(
    ("kind", "given", "becomes"),
    [
        ("integer", "3", 3),
        ("integer", " -3\n", -3),
        ("integer", 3.0, 3),
        ("integer", "9223372036854775807", 2**63 - 1),
        ("number", "2.5", 2.5),
        ("number", "3", 3),
        ("number", "1e+16", 1e16),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("string", 3, "3"),
        ("string", 2.5, "2.5"),
    ],
)
def test_a_value_that_json_writes_as_another_is_that_other(kind, given, becomes):
    verdicts = check({"a": given}, Field(name="a", type=kind))
    assert verdicts.records == [{"a": becomes}]
    assert verdicts.records[0] is not None
    assert type(verdicts.records[0]["a"]) is type(becomes)
    assert verdicts.repairs == [1]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "three"),
        ("integer", "三"),
        ("integer", "３"),
        ("integer", "03"),
        ("integer", "+3"),
        ("integer", "3.0"),
        ("integer", "1_000"),
        ("integer", "1,000"),
        ("integer", 3.5),
        ("integer", True),
        ("integer", "9223372036854775808"),
        ("number", "2.50"),
        ("number", "NaN"),
        ("number", "inf"),
        ("number", "1/2"),
        ("number", "9007199254740993"),
        ("boolean", "True"),
        ("boolean", "yes"),
        ("boolean", 1),
        ("string", True),
        ("string", ["a"]),
        ("array", "[1]"),
        ("object", "{}"),
    ],
)
def test_a_value_that_would_be_guessed_at_is_refused(kind, value):
    verdicts = check({"a": value}, Field(name="a", type=kind))
    assert verdicts.records == [None]
    assert verdicts.repairs == [0]


def test_a_repaired_value_must_fit_its_constraints():
    verdicts = check({"a": "7"}, Field(name="a", type="integer", maximum=5))
    assert verdicts.problems.select("field", "check", "value").rows() == [("a", "range", "7")]


def test_null_for_an_optional_field_is_left_out():
    verdicts = check({"a": None, "b": "x"}, Field(name="a", required=False), Field(name="b"))
    assert (verdicts.records, verdicts.repairs) == ([{"b": "x"}], [1])


def test_null_for_a_required_field_is_refused():
    assert check({"a": None}, Field(name="a")).valid == [False]


def test_null_for_a_nullable_field_stays():
    verdicts = check({"a": None}, Field(name="a", nullable=True, required=False))
    assert (verdicts.records, verdicts.repairs) == ([{"a": None}], [0])


def test_keys_outside_the_schema_are_left_out_at_the_top_and_counted():
    verdicts = check({"a": "x", "note": 1, "more": 2}, Field(name="a"))
    assert (verdicts.records, verdicts.repairs) == ([{"a": "x"}], [2])


def test_keys_that_are_ours_to_give_are_left_out_uncounted():
    verdicts = check({"id": 7, "a": "x", "note": 1}, Field(name="a"), uncounted=("id",))
    assert (verdicts.records, verdicts.repairs) == ([{"a": "x"}], [1])


def test_keys_that_an_object_may_not_have_are_left_out():
    verdicts = check({"t": {"n": 1, "say": "x", "mood": "glad"}}, TURN.model_copy(update={"name": "t"}))
    assert (verdicts.records, verdicts.repairs) == ([{"t": {"n": 1, "say": "x"}}], [1])


def test_keys_of_an_open_object_stay():
    field = Field(name="t", type="object", fields=(Field(name="n", type="integer"),))
    assert check({"t": {"n": 1, "more": 2}}, field).records == [{"t": {"n": 1, "more": 2}}]


def test_repairs_reach_into_lists_and_are_counted_one_by_one():
    record = {"turns": [{"n": 1, "say": "x"}, {"n": "2", "say": 3}], "id": "7"}
    verdicts = check(record, Field(name="turns", type="array", items=TURN), Field(name="id", type="integer"))
    assert verdicts.records == [{"turns": [{"n": 1, "say": "x"}, {"n": 2, "say": "3"}], "id": 7}]
    assert verdicts.repairs == [3]


def test_items_may_be_repaired_themselves():
    verdicts = check({"l": [1, "2", 3.0]}, Field(name="l", type="array", items=Field(name="", type="integer")))
    assert (verdicts.records, verdicts.repairs) == ([{"l": [1, 2, 3]}], [2])


def test_items_that_are_the_same_once_repaired_are_not_all_different():
    field = Field(name="l", type="array", unique_items=True, items=Field(name="", type="integer"))
    assert check({"l": [1, "1"]}, field).problems["check"].to_list() == ["unique_items"]


def test_a_union_keeps_a_value_that_fits_and_repairs_one_that_does_not():
    field = Field(name="a", type="any", any_of=(Field(name="", type="integer"), Field(name="", max_length=2)))
    assert check({"a": "3"}, field).records == [{"a": "3"}]
    assert check({"a": "333"}, field).records == [{"a": 333}]


def test_the_given_record_is_never_changed():
    record = {"a": "3", "t": {"n": "1", "say": "x", "mood": 1}, "extra": 1}
    before = copy.deepcopy(record)
    verdicts = check(record, Field(name="a", type="integer"), TURN.model_copy(update={"name": "t"}))
    assert verdicts.valid == [True]
    assert record == before


def test_a_record_that_needs_no_repair_is_handed_back_itself():
    record = {"a": "x"}
    assert check(record, Field(name="a")).records[0] is record


def test_without_repair_a_record_is_judged_as_it_is():
    fields = Field(name="a", type="integer"), Field(name="b", required=False)
    verdicts = RecordValidator(RecordSchema(fields=fields), repair=False).check(
        [{"a": "3"}, {"a": 3.0}, {"a": 3, "b": None}]
    )
    assert verdicts.problems.select("row", "check").rows() == [(0, "type"), (2, "null")]


def test_what_repair_cannot_mend_is_reported_as_it_stands_after_it():
    record = {"a": "3", "b": "x"}
    verdicts = check(record, Field(name="a", type="integer"), Field(name="b", type="integer"))
    assert verdicts.problems.select("field", "check").rows() == [("b", "type")]

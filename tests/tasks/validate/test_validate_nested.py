"""Objects, lists and unions: problems keep their place, however deep."""

from typing import Any

import pytest

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.findings import path_text
from datasynth.tasks.validate.validator import RecordValidator

TURN = Field(
    name="turn",
    type="object",
    fields=(Field(name="role", enum=("user", "assistant")), Field(name="content", min_length=1)),
    additional=False,
)
TURNS = Field(name="turns", type="array", min_items=1, items=TURN)
GRID = Field(
    name="grid", type="array", items=Field(name="", type="array", items=Field(name="", type="integer", minimum=0))
)
SOURCE = Field(
    name="source",
    type="object",
    fields=(
        Field(name="topic"),
        Field(name="page", type="integer", required=False),
        TURNS.model_copy(update={"required": False}),
    ),
)


def checks(record: Any, *fields: Field, repair: bool = False) -> list[tuple[str, str]]:
    verdicts = RecordValidator(RecordSchema(fields=fields), repair=repair).check([record])
    return [(path_text(problem.keys), problem.check) for problem in verdicts.found]


def turn(role: Any = "user", content: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def test_an_item_is_named_by_its_position():
    assert checks({"turns": [turn(), turn(), turn("robot")]}, TURNS) == [("turns[2].role", "enum")]


def test_a_field_that_an_item_lacks_is_named_in_it():
    assert checks({"turns": [turn(), {"role": "user"}]}, TURNS) == [("turns[1].content", "required")]


def test_a_key_that_an_item_may_not_have_is_named_in_it():
    assert checks({"turns": [turn(mood="glad")]}, TURNS) == [("turns[0].mood", "additional")]


@pytest.mark.parametrize("item", ["text", 3, None, [], True])
def test_an_item_of_the_wrong_type_is_named_whole(item):
    (path, check), *more = checks({"turns": [turn(), item]}, TURNS)
    assert (path, more) == ("turns[1]", [])
    assert check == ("null" if item is None else "type")


def test_lists_in_lists_are_named_by_both_positions():
    assert checks({"grid": [[0, 1], [], [2, -1, "x"]]}, GRID) == [("grid[2][1]", "range"), ("grid[2][2]", "type")]


def test_objects_in_objects_are_named_from_the_record_down():
    record = {"source": {"topic": 3, "turns": [turn(), turn(content="")]}}
    assert checks(record, SOURCE) == [("source.topic", "type"), ("source.turns[1].content", "min_length")]


def test_a_missing_object_is_one_problem_and_not_one_for_each_of_its_fields():
    assert checks({}, SOURCE) == [("source", "required")]
    assert checks({"source": None}, SOURCE) == [("source", "null")]
    assert checks({"source": "x"}, SOURCE) == [("source", "type")]


def test_problems_come_in_the_schemas_order_and_items_in_theirs():
    record = {"source": {}, "grid": [[-1], [-2]], "turns": [turn(""), turn("", "")]}
    assert checks(record, TURNS, GRID, SOURCE) == [
        ("turns[0].role", "enum"),
        ("turns[1].role", "enum"),
        ("turns[1].content", "min_length"),
        ("grid[0][0]", "range"),
        ("grid[1][0]", "range"),
        ("source.topic", "required"),
    ]


def test_rows_and_positions_hold_where_some_lists_are_missing_empty_or_wrong():
    validator = RecordValidator(RecordSchema(fields=(TURNS.model_copy(update={"required": False, "min_items": 0}),)))
    records = [
        {"turns": [turn()]},
        {},
        {"turns": []},
        {"turns": 3},
        {"turns": [turn(), turn("x")]},
        {"turns": [turn("y")]},
    ]
    found = validator.check(records).problems.select("row", "field", "value").rows()
    assert found == [(3, "turns", "3"), (4, "turns[1].role", '"x"'), (5, "turns[0].role", '"y"')]


def test_more_objects_than_are_taken_apart_at_a_time_keep_their_rows():
    records = [{"a": 1, "b": 2} if n % 7 else {"a": 1} for n in range(1500)]
    schema = RecordSchema(fields=(Field(name="a", type="integer"), Field(name="b", type="integer")))
    assert RecordValidator(schema).check(records).rows_with_problems == [n for n in range(1500) if n % 7 == 0]


def test_keys_in_another_order_change_nothing():
    schema = RecordSchema(fields=(Field(name="a"), Field(name="b", type="integer")))
    assert RecordValidator(schema).check([{"a": "x", "b": 1}, {"b": 1, "a": "x"}]).valid == [True, True]


def test_an_open_object_takes_any_key():
    assert checks({"a": {"x": 1, "y": [None]}}, Field(name="a", type="object")) == []


def test_an_open_list_takes_any_items():
    assert checks({"a": [1, "x", None, {}]}, Field(name="a", type="array")) == []


def test_keys_outside_the_schema_are_no_problem_at_the_top():
    assert checks({"a": "x", "extra": 1}, Field(name="a")) == []


def test_a_key_with_a_point_in_its_name_is_a_key():
    assert checks({"b.c": 1}, Field(name="b.c")) == [("b.c", "type")]


def test_chinese_names_are_names():
    assert checks(
        {"来源": {"页码": "三"}}, Field(name="来源", type="object", fields=(Field(name="页码", type="integer"),))
    ) == [("来源.页码", "type")]


EITHER = Field(name="a", type="any", any_of=(Field(name="", max_length=2), Field(name="", type="integer"), TURN))


@pytest.mark.parametrize("value", ["ab", 3, turn()])
def test_a_union_takes_what_fits_one_of_its_forms(value):
    assert checks({"a": value}, EITHER) == []


@pytest.mark.parametrize("value", ["abc", 3.5, [], turn("robot"), {}])
def test_a_union_refuses_what_fits_none(value):
    assert checks({"a": value}, EITHER) == [("a", "any_of")]


def test_a_union_takes_null_only_where_a_form_does():
    assert checks({"a": None}, EITHER) == [("a", "null")]
    nullable = EITHER.model_copy(update={"any_of": (Field(name="", nullable=True),)})
    assert checks({"a": None}, nullable) == []


def test_items_may_be_unions():
    field = Field(name="l", type="array", items=EITHER)
    assert checks({"l": [1, "ab", [], "abc", None]}, field) == [
        ("l[2]", "any_of"),
        ("l[3]", "any_of"),
        ("l[4]", "null"),
    ]


def test_a_union_refuses_what_json_cannot_say():
    assert checks({"a": float("nan")}, EITHER) == [("a", "type")]

"""One fact for every constraint of a schema: what fits, what does not, and what is said of it."""

from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.checks import Check, Part, failures, frame_schema
from datasynth.tasks.validate.findings import path_text
from datasynth.tasks.validate.validator import RecordValidator


def found(field: Field, *values: Any) -> list[list[str]]:
    """Names of the checks that each value fails."""
    schema = RecordSchema(fields=(field,))
    verdicts = RecordValidator(schema, repair=False).check([{field.name: value} for value in values])
    checks: list[list[str]] = [[] for _ in values]
    for problem in verdicts.found:
        assert path_text(problem.keys) == field.name
        checks[problem.row].append(problem.check)
    return checks


def unsaid(field: str, value: str) -> Message:
    raise AssertionError(f"{field} {value}")


def said(field: Field, value: Any) -> str:
    verdicts = RecordValidator(RecordSchema(fields=(field,)), repair=False).check([{field.name: value}])
    return " ".join(verdicts.problems["detail"])


@pytest.mark.parametrize(
    ("field", "good", "bad", "check"),
    [
        (Field(name="a", min_length=2), ["ab", "abc"], ["", "a"], "min_length"),
        (Field(name="a", max_length=2), ["", "ab"], ["abc"], "max_length"),
        (Field(name="a", enum=("x", "y")), ["x", "y"], ["z", "X", ""], "enum"),
        (Field(name="a", pattern="^[a-z]+$"), ["ab"], ["A", ""], "pattern"),
        (Field(name="a", format="date"), ["2024-02-29"], ["2023-02-29"], "format"),
        (Field(name="a", type="integer", minimum=3), [3, 4], [2, -9], "range"),
        (Field(name="a", type="integer", maximum=3), [3, -9], [4], "range"),
        (Field(name="a", type="integer", exclusive_minimum=3), [4], [3, 2], "range"),
        (Field(name="a", type="integer", exclusive_maximum=3), [2], [3, 4], "range"),
        (Field(name="a", type="integer", multiple_of=3), [0, -3, 9], [1, 10], "multiple_of"),
        (Field(name="a", type="integer", enum=(1, 2.0)), [1, 2], [3], "enum"),
        (Field(name="a", type="number", minimum=0.5), [0.5, 1], [0.49, 0], "range"),
        (Field(name="a", type="number", multiple_of=0.1), [0.3, 0.7, 1, 0], [0.35, 1e-9], "multiple_of"),
        (Field(name="a", type="number", enum=(1, 0.5)), [1.0, 1, 0.5], [0.25], "enum"),
        (Field(name="a", type="boolean", enum=(True,)), [True], [False], "enum"),
        (Field(name="a", type="array", min_items=1), [[1]], [[]], "min_items"),
        (Field(name="a", type="array", max_items=1), [[], [1]], [[1, 2]], "max_items"),
        (
            Field(name="a", type="array", unique_items=True),
            [[1, True, "1"], []],
            [[1, 1.0], ["a", "a"]],
            "unique_items",
        ),
        (Field(name="a", type="array", enum=([1], [])), [[1], [1.0], []], [[2]], "enum"),
        (Field(name="a", type="object", enum=({"x": 1, "y": 2},)), [{"y": 2, "x": 1.0}], [{"x": 1}], "enum"),
        (Field(name="a", type="any", enum=(None, 1, "x")), [None, 1.0, "x"], [True, "1", []], "enum"),
    ],
)
def test_a_constraint_passes_what_fits_and_names_what_does_not(field, good, bad, check):
    assert found(field, *good) == [[] for _ in good]
    assert found(field, *bad) == [[check] for _ in bad]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (Field(name="a", min_length=2), "x", 'a must have at least 2 characters: "x".'),
        (Field(name="a", max_length=1), "xy", 'a must have at most 1 characters: "xy".'),
        (Field(name="a", enum=("x", "y")), "z", 'a must be one of "x", "y", not "z".'),
        (Field(name="a", pattern="^b"), "a", 'a must match the pattern ^b: "a".'),
        (Field(name="a", format="email"), "a", 'a must be a valid email, not "a".'),
        (Field(name="a", type="integer", minimum=3), 2, "a must be at least 3, not 2."),
        (Field(name="a", type="number", maximum=0.5), 1, "a must be at most 0.5, not 1."),
        (Field(name="a", type="number", exclusive_minimum=0), 0, "a must be above 0, not 0."),
        (Field(name="a", type="number", exclusive_maximum=1), 1.0, "a must be below 1, not 1.0."),
        (Field(name="a", type="integer", multiple_of=5), 3, "a must be a multiple of 5, not 3."),
        (Field(name="a", type="array", min_items=2), [], "The number of items in a must be at least 2."),
        (Field(name="a", type="array", max_items=0), [1], "The number of items in a must be at most 0."),
        (Field(name="a", type="array", unique_items=True), [1, 1], "a holds the same item more than once: [1, 1]."),
        (Field(name="a", type="object"), "x", 'a must be an object, not "x".'),
        (Field(name="a", type="array"), {}, "a must be a list, not {}."),
        (Field(name="a"), 3, "a must be text, not 3."),
        (Field(name="a", type="integer"), 1.5, "a must be an integer, not 1.5."),
        (Field(name="a", type="boolean"), 1, "a must be true or false, not 1."),
    ],
)
def test_a_refusal_says_the_field_what_is_wanted_and_what_was_found(field, value, sentence):
    assert said(field, value) == sentence


def test_every_failed_check_of_a_value_is_named():
    field = Field(name="a", min_length=3, pattern="^b", enum=("bcd",))
    assert found(field, "x") == [["enum", "min_length", "pattern"]]


def test_lengths_count_characters_and_not_bytes_or_utf_16_units():
    assert found(Field(name="a", min_length=2, max_length=2), "漢字", "😀é", "漢", "e\u0301") == [
        [],
        [],
        ["min_length"],
        [],
    ]


def test_two_spellings_of_a_letter_are_two_texts():
    assert found(Field(name="a", enum=("é",)), "é", "e\u0301") == [[], ["enum"]]


def test_bounds_beyond_what_floats_hold_are_exact():
    field = Field(name="a", type="integer", minimum=2**53, maximum=2**53)
    assert found(field, 2**53, 2**53 + 1, 2**53 - 1) == [[], ["range"], ["range"]]


@pytest.mark.parametrize("kind", ["integer", "number", "string", "any"])
def test_choices_that_no_value_can_equal_are_no_error(kind):
    field = Field(name="a", type=kind, enum=(10**400, "\ud800", 2**53 + 1, float("inf"), 1, "x"))
    fitting, other = ("x", "y") if kind == "string" else (1, 2)
    assert found(field, fitting, other) == [[], ["enum"]]


def test_a_choice_that_floats_round_is_not_mistaken_for_its_neighbour():
    assert found(Field(name="a", type="number", enum=(2**53 + 1,)), 2**53) == [["enum"]]


def test_constraints_of_other_types_say_nothing():
    assert found(Field(name="a", min_length=2, minimum=5, min_items=3, multiple_of=2), "ab") == [[]]
    assert found(Field(name="a", type="integer", min_length=2, pattern="x", min_items=3), 1) == [[]]


def test_in_a_field_of_any_type_each_constraint_speaks_of_its_own_type():
    field = Field(name="a", type="any", min_length=2, minimum=5, min_items=1)
    assert found(field, "ab", 5, [0], None, True, {}) == [[]] * 6
    assert found(field, "a", 4, []) == [["min_length"], ["range"], ["min_items"]]


def test_true_is_neither_one_nor_a_number():
    assert found(Field(name="a", type="array", unique_items=True), [1, True]) == [[]]
    assert found(Field(name="a", type="any", minimum=5), True) == [[]]
    assert found(Field(name="a", type="any", enum=(1,)), True) == [["enum"]]


def test_a_multiple_is_one_of_the_decimals_that_people_write():
    field = Field(name="a", type="number", multiple_of=0.01)
    assert found(field, 19.99, 0.07, 4.35, 1e15) == [[]] * 4
    assert found(field, 19.999) == [["multiple_of"]]


@pytest.mark.parametrize("step", [0, -1])
def test_a_step_that_is_not_above_zero_is_an_input_error(step):
    inner = Field(name="n", type="number", multiple_of=step)
    schema = RecordSchema(fields=(Field(name="source", type="object", fields=(inner,)),))
    with pytest.raises(InputError, match=r"source\.n: multiple_of"):
        RecordValidator(schema)


def test_a_batch_says_which_row_has_which_problem():
    schema = RecordSchema(fields=(Field(name="a", type="integer", minimum=0), Field(name="b", max_length=1)))
    verdicts = RecordValidator(schema).check(
        [{"a": 1, "b": "x"}, {"a": -1, "b": "xx"}, {"a": 0, "b": ""}, {"a": -2, "b": ""}]
    )
    assert verdicts.valid == [True, False, True, False]
    assert verdicts.problems.select("row", "field", "check", "value").rows() == [
        (1, "a", "range", "-1"),
        (1, "b", "max_length", '"xx"'),
        (3, "a", "range", "-2"),
    ]


def test_a_schema_without_a_field_takes_every_object():
    assert RecordValidator(RecordSchema(fields=())).check([{}, {"a": 1}]).valid == [True, True]


def test_no_records_make_no_verdicts():
    verdicts = RecordValidator(RecordSchema(fields=(Field(name="a", type="array", min_items=1),))).check([])
    assert (verdicts.records, verdicts.repairs, verdicts.found) == ([], [], ())
    assert verdicts.problems.height == 0


def test_validation_switched_off_in_pandera_is_on_here(monkeypatch):
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    assert found(Field(name="a", min_length=2), "a") == [["min_length"]]


def short(column: pl.Expr) -> pl.Expr:
    return column.str.len_chars() < 3


def test_every_check_that_fails_is_named_with_its_column_and_row():
    text = Part(pl.String, (Check("short", short, unsaid), Check("low", lambda c: c < "b", unsaid)))
    number = Part(pl.Int64, (Check("positive", lambda c: c > 0, unsaid),))
    frame = pl.DataFrame({"0": ["a", None, "abc", "bcd"], "1": [0, 1, None, -1]})
    assert list(failures(frame_schema([text, number]), frame)) == [
        (0, 0, 2),
        (0, 0, 3),
        (0, 1, 3),
        (1, 0, 0),
        (1, 0, 3),
    ]


def test_a_check_that_cannot_be_made_passes_nothing():
    schema = frame_schema([Part(pl.String, (Check("short", lambda c: c.str.to_integer() > 0, unsaid),))])
    with pytest.raises(pa.errors.SchemaError):
        list(failures(schema, pl.DataFrame({"0": ["not a number"]})))


def test_a_column_of_another_type_than_the_checks_are_for_passes_nothing():
    schema = frame_schema([Part(pl.String, (Check("short", short, unsaid),))])
    with pytest.raises(pa.errors.SchemaError):
        list(failures(schema, pl.DataFrame({"0": [1]})))

"""The verdict is JSON Schema's: held against the `jsonschema` library on schemas and records made at random."""

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from datasynth.schemas.record import Field, JsonType, RecordSchema
from datasynth.tasks.validate.validator import RecordValidator

# Where the library is looser than the grammar (its e-mail address is anything with an @), formats are tested apart.
FORMATS = ("date", "ipv4", "ipv6", "uuid", "colour")
PATTERNS = ("^a", "b$", "a|b", "^[a-c]+$", r"\d", "^(?!a)", r"(?<=a)b", "漢", r"^\w+$", r"\.")
TYPES: tuple[JsonType, ...] = ("string", "integer", "number", "boolean", "array", "object", "any")
NAMES = ("a", "b.c", "漢", "")

TEXTS = st.sampled_from(
    (
        *("", " ", "a", "ab", "abc", "b", "1", "1.0", "null", "true", "é", "e\u0301", "漢字", "😀", "a.b", "\n"),
        *("2024-02-29", "2024-02-30", "127.0.0.1", "::1", "256.1.1.1", "0af49b0c-5a5e-4d8e-8b0f-1f2e3d4c5b6a"),
    )
)
NUMBERS = st.sampled_from([-2, -1, 0, 1, 2, 3, 4, 2**53, -0.0, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, -1.0, 1e-9])
INTEGERS = st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)
LIMITS = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])
SIZES = st.none() | st.integers(0, 3)
RARELY = st.sampled_from([False, False, False, True])


def constraints(draw: st.DrawFn, kind: JsonType) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if kind in ("string", "any"):
        drawn = {"min_length": draw(SIZES), "max_length": draw(SIZES)}
        drawn["pattern"] = draw(st.none() | st.sampled_from(PATTERNS))
        drawn["format"] = draw(st.none() | st.sampled_from(FORMATS))
    if kind in ("integer", "number", "any"):
        drawn |= {name: draw(LIMITS) for name in ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum")}
        drawn["multiple_of"] = draw(st.sampled_from([None, None, 0.25, 0.5, 1.0, 2.0]))
    if kind in ("array", "any"):
        drawn |= {"min_items": draw(SIZES), "max_items": draw(SIZES), "unique_items": draw(RARELY)}
    # Most of them absent, so that records fit at times.
    return {name: value for name, value in drawn.items() if value is not None and draw(RARELY)}


@st.composite
def fields(draw: st.DrawFn, name: str = "", depth: int = 2) -> Field:
    kind = draw(st.sampled_from(TYPES if depth else TYPES[:4]))
    inside: dict[str, Any] = {}
    if kind == "array" and draw(st.booleans()):
        inside["items"] = draw(fields("item", depth=depth - 1))
    if kind == "object":
        names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
        inside["fields"] = tuple(draw(fields(inner, depth=depth - 1)) for inner in names)
        inside["additional"] = draw(st.booleans())
    if kind == "any" and draw(st.booleans()):
        inside["any_of"] = tuple(draw(st.lists(fields("option", depth=depth - 1), min_size=1, max_size=2)))
    if draw(RARELY):
        inside["enum"] = tuple(draw(st.lists(VALUES, min_size=1, max_size=4)))
    required, nullable = draw(st.booleans()), (kind != "any" or "any_of" in inside) and draw(RARELY)
    return Field(name=name, type=kind, required=required, nullable=nullable, **inside, **constraints(draw, kind))


@st.composite
def fitting(draw: st.DrawFn, field: Field) -> Any:
    """A value of the field's type; whether it fits its constraints is left to chance."""
    if field.enum and draw(st.booleans()):
        return draw(st.sampled_from(field.enum))
    if field.any_of:
        return draw(fitting(draw(st.sampled_from(field.any_of))))
    match field.type:
        case "string":
            return draw(TEXTS)
        case "integer" | "number":
            return draw(NUMBERS | INTEGERS if field.type == "integer" else NUMBERS)
        case "boolean":
            return draw(st.booleans())
        case "array":
            return draw(st.lists(fitting(field.items) if field.items else VALUES, max_size=3))
        case "object":
            return draw(objects(field.fields))
    return draw(VALUES)


@st.composite
def objects(draw: st.DrawFn, declared: tuple[Field, ...]) -> dict[str, Any]:
    made = {}
    for field in declared:
        if field.required or draw(st.booleans()):
            made[field.name] = draw(VALUES) if draw(RARELY) and draw(RARELY) else draw(fitting(field))
    if draw(RARELY):
        made[draw(st.sampled_from(NAMES))] = draw(VALUES)
    for name in list(made):
        if draw(RARELY) and draw(RARELY):
            del made[name]
    return made


@st.composite
def cases(draw: st.DrawFn) -> tuple[RecordSchema, list[Any]]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=3))
    schema = RecordSchema(fields=tuple(draw(fields(name)) for name in names))
    return schema, draw(st.lists(st.one_of(*[objects(schema.fields)] * 5, VALUES), max_size=8))


def library(schema: RecordSchema) -> Draft202012Validator:
    return Draft202012Validator(whole_steps(schema.json_schema()), format_checker=Draft202012Validator.FORMAT_CHECKER)


def whole_steps(schema: Any) -> Any:
    """`schema` with "multipleOf" 2.0 as 2: given a float, the library divides in floats, wrongly beyond 2**53."""
    if isinstance(schema, list):
        return [whole_steps(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    step = schema.get("multipleOf")
    exact = {"multipleOf": int(step)} if isinstance(step, float) and step.is_integer() else {}
    return {key: whole_steps(value) for key, value in schema.items()} | exact


FAIR = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
FEWER = settings(FAIR, max_examples=40)


@FAIR
@given(cases())
def test_a_record_is_valid_where_jsonschema_says_so(case):
    schema, records = case
    judge = library(schema)
    verdicts = RecordValidator(schema, repair=False).check(records)
    assert verdicts.valid == [judge.is_valid(record) for record in records]


@FEWER
@given(cases())
def test_a_repaired_record_is_valid_to_jsonschema(case):
    schema, records = case
    judge = library(schema)
    repaired = [record for record in RecordValidator(schema).check(records).records if record is not None]
    assert all(judge.is_valid(record) for record in repaired)


@FEWER
@given(cases())
def test_repairing_refuses_nothing_that_was_valid(case):
    schema, records = case
    strict = RecordValidator(schema, repair=False).check(records).valid
    lenient = RecordValidator(schema).check(records).valid
    assert all(after >= before for before, after in zip(strict, lenient, strict=True))


@FEWER
@given(cases())
def test_checking_changes_none_of_the_records_that_it_is_given(case):
    schema, records = case
    before = orjson.dumps(records)
    RecordValidator(schema).check(records)
    assert orjson.dumps(records) == before


@FEWER
@given(cases())
def test_a_record_fares_the_same_alone_and_in_a_batch(case):
    schema, records = case
    validator = RecordValidator(schema)
    together = validator.check(records)
    alone = [validator.check([record]) for record in records]
    assert together.records == [verdicts.records[0] for verdicts in alone]
    assert together.repairs == [verdicts.repairs[0] for verdicts in alone]
    assert together.found == tuple(p._replace(row=row) for row, verdicts in enumerate(alone) for p in verdicts.found)


@FEWER
@given(cases())
def test_a_repaired_record_needs_no_second_repair(case):
    schema, records = case
    validator = RecordValidator(schema)
    repaired = [record for record in validator.check(records).records if record is not None]
    again = validator.check(repaired)
    assert again.records == repaired
    assert not any(again.repairs)

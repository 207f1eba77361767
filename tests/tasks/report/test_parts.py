"""Records into Parquet and back."""

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.frames import LINEAGE
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.parts import (
    part_schema,
    read_records,
    record_frame,
    record_ids,
    record_parquet,
    rejected_parquet,
    unchecked,
    unstorable,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.text(min_size=0, max_size=6).filter(lambda name: name not in ("id", "_lineage"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
SCALARS = {
    "string": st.text(),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": NUMBERS,
    "boolean": st.booleans(),
    "any": JSON,
}


def field_of(kind: str, name: str, required: bool, nullable: bool, inner: list[Field]) -> Field:
    base: dict[str, Any] = {"name": name, "required": required, "nullable": nullable}
    if kind == "array":
        return Field(type="array", items=inner[0] if inner else None, **base)
    if kind == "object":
        fields = tuple({f.name: f for f in inner}.values())
        return Field(type="object", fields=fields, additional=len(inner) % 2 == 0, **base)
    if kind == "union":
        return Field(type="any", any_of=(Field(name=""), Field(name="", type="integer")), **base)
    return Field(type=kind, **base)  # pyright: ignore[reportArgumentType]


FIELDS = st.recursive(
    st.builds(field_of, st.sampled_from([*SCALARS, "union"]), NAMES, st.booleans(), st.booleans(), st.just([])),
    lambda inner: st.builds(
        field_of,
        st.sampled_from(["array", "object"]),
        NAMES,
        st.booleans(),
        st.booleans(),
        st.lists(inner, max_size=3),
    ),
    max_leaves=5,
)


def values(field: Field) -> st.SearchStrategy[Any]:
    if field.any_of:
        value: st.SearchStrategy[Any] = st.text() | st.integers()
    elif field.type == "array":
        value = st.lists(values(field.items) if field.items else JSON, max_size=3)
    elif field.type == "object":
        value = objects(field.fields, others=field.additional or not field.fields)
    else:
        value = SCALARS[field.type]
    return st.none() | value if field.nullable else value


def objects(fields: tuple[Field, ...], *, others: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries(
        {f.name: values(f) for f in fields if f.required},
        optional={f.name: values(f) for f in fields if not f.required},
    )
    if not others:
        return known
    more = st.dictionaries(st.text(max_size=3), JSON, max_size=2)
    names = {f.name for f in fields}
    return st.builds(lambda value, other: value | {k: v for k, v in other.items() if k not in names}, known, more)


@st.composite
def batches(draw: st.DrawFn) -> tuple[RecordSchema, list[dict[str, Any]]]:
    fields = draw(st.lists(FIELDS, min_size=1, max_size=4, unique_by=lambda f: f.name))
    schema = RecordSchema(fields=tuple(fields))
    return schema, draw(st.lists(objects(schema.fields), max_size=4))


def is_json_text(field: Field) -> bool:
    return record_frame([], RecordSchema(fields=(field,))).dtypes == [pl.String] and field.type != "string"


def without_optional_nulls(record: dict[str, Any], fields: tuple[Field, ...]) -> dict[str, Any]:
    """What comes back: an explicit null in an optional typed field is the one thing that is not kept."""
    by_name = {f.name: f for f in fields}
    kept = {}
    for name, value in record.items():
        f = by_name.get(name)
        if f is None:
            kept[name] = value
        elif not (value is None and not f.required and not is_json_text(f)):
            kept[name] = pruned(value, f)
    return kept


def pruned(value: Any, field: Field) -> Any:
    if value is None or is_json_text(field):
        return value
    if field.type == "object":
        return without_optional_nulls(value, field.fields)
    if field.type == "array" and field.items:
        return [pruned(item, field.items) for item in value]
    return value


def typed(value: Any) -> Any:
    """The value such that `True` differs from `1`, though `12.0` does not from `12`."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return (isinstance(value, bool), value)


SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(batches())
def test_records_come_back_as_they_went_in(batch):
    schema, records = batch
    rows = [{"id": f"SYNTH_{n:04d}"} for n in range(len(records))]
    restored = read_records(record_parquet(records, rows, schema), schema)
    assert typed(restored) == typed([without_optional_nulls(r, schema.fields) for r in records])


@SLOW
@given(batches())
def test_the_columns_depend_on_the_schema_alone(batch):
    schema, records = batch
    rows = [{"id": f"SYNTH_{n:04d}"} for n in range(len(records))]
    assert pl.read_parquet(io.BytesIO(record_parquet(records, rows, schema))).schema == part_schema(schema)


@SLOW
@given(batches())
def test_equal_records_are_equal_bytes(batch):
    schema, records = batch
    rows = [{"id": f"SYNTH_{n:04d}"} for n in range(len(records))]
    assert record_parquet(records, rows, schema) == record_parquet(records, rows, schema)


@SLOW
@given(batches(), st.dictionaries(st.text(max_size=3), JSON, max_size=3).filter(lambda more: "id" not in more))
def test_unchecked_records_come_back_whole_whatever_they_hold(batch, more):
    schema, records = batch
    given = [more, *(record | more for record in records)]
    free = unchecked(schema)
    assert typed(read_records(record_frame(given, free), free)) == typed(given)


def test_a_nested_schema_has_typed_columns_with_the_id_first_and_the_lineage_last(unit_schema):
    assert part_schema(unit_schema) == pl.Schema(
        {
            "id": pl.String,
            "question": pl.String,
            "steps": pl.List(pl.String),
            "answer": pl.Float64,
            "unit": pl.String,
            "grade": pl.Int64,
            "source": pl.Struct({"topic": pl.String, "verified": pl.Boolean, "_other": pl.String}),
            "metadata": pl.String,
            "_lineage": LINEAGE,
        }
    )


def test_a_conversation_is_a_list_of_structs():
    turn = Field(name="turn", type="object", fields=(Field(name="role"), Field(name="content")), additional=False)
    schema = RecordSchema(fields=(Field(name="messages", type="array", items=turn),))
    expected = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    assert part_schema(schema)["messages"] == expected


def test_further_fields_of_an_open_object_are_kept_as_json_text():
    schema = RecordSchema(fields=(Field(name="o", type="object", fields=(Field(name="a"),)),))
    frame = record_frame([{"o": {"a": "x", "b": {"c": None}}}, {"o": {"a": "y"}}], schema)
    assert frame["o"].to_list() == [{"a": "x", "_other": '{"b":{"c":null}}'}, {"a": "y", "_other": None}]


def test_an_array_without_items_is_json_text():
    schema = RecordSchema(fields=(Field(name="turns", type="array"),))
    frame = record_frame([{"turns": ["a", {"b": 1}, None]}], schema)
    assert frame["turns"].to_list() == ['["a",{"b":1},null]']


def test_an_integer_whose_bounds_exceed_64_bits_is_json_text():
    schema = RecordSchema(fields=(Field(name="n", type="integer", maximum=1e30),))
    assert read_records(record_frame([{"n": 10**25}], schema), schema) == [{"n": 10**25}]


def test_the_id_is_the_records_own(unit_schema, unit_records, lineage):
    part = record_parquet(unit_records, lineage(12), unit_schema)
    assert [r["id"] for r in read_records(part, unit_schema)][:2] == ["SYNTH_0001", "SYNTH_0002"]


def test_an_integer_id_is_the_number(lineage):
    schema = RecordSchema(fields=(Field(name="id", type="integer"), Field(name="a")))
    part = record_parquet([{"a": "x", "id": 77}], lineage(1), schema)
    assert read_records(part, schema) == [{"id": 1, "a": "x"}]


def test_the_lineage_is_kept_beside_each_record(unit_schema, unit_records, lineage):
    frame = pl.read_parquet(io.BytesIO(record_parquet(unit_records, lineage(12), unit_schema)))
    assert frame["_lineage"].to_list() == lineage(12)
    assert record_ids(frame)[-1] == "SYNTH_0012"


def test_a_whole_number_is_read_back_as_an_integer():
    schema = RecordSchema(fields=(Field(name="x", type="number"),))
    [a, b] = read_records(record_frame([{"x": 12.0}, {"x": 2.5}], schema), schema)
    assert (repr(a["x"]), repr(b["x"])) == ("12", "2.5")


def test_an_object_whose_fields_are_all_absent_is_not_an_absent_object():
    inner = Field(name="o", type="object", required=False, fields=(Field(name="a", required=False),), additional=False)
    schema = RecordSchema(fields=(inner,))
    assert read_records(record_frame([{"o": {}}, {}], schema), schema) == [{"o": {}}, {}]


def test_a_field_called_lineage_is_refused():
    with pytest.raises(InputError, match="_lineage"):
        part_schema(RecordSchema(fields=(Field(name="_lineage"),)))


def test_an_id_that_is_a_list_is_refused():
    with pytest.raises(InputError, match="array"):
        part_schema(RecordSchema(fields=(Field(name="id", type="array"),)))


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        (Field(name="n", type="integer"), 2**63, "n"),
        (Field(name="n", type="integer"), True, "n"),
        (Field(name="x", type="number"), float("nan"), "x"),
        (Field(name="x", type="number"), 2**53 + 1, "x"),
        (Field(name="x", type="number"), 10**400, "x"),
        (Field(name="s"), "\ud800", "s"),
        (Field(name="s"), None, "s"),
        (Field(name="v", type="any"), float("inf"), "v"),
        (Field(name="l", type="array", items=Field(name="")), ["a", 1], "l[1]"),
        (Field(name="o", type="object", fields=(Field(name="a"),), additional=False), {"a": "b", "c": 1}, "o.c"),
    ],
)
def test_what_a_column_cannot_hold_is_named_and_never_stored(field, value, path):
    schema = RecordSchema(fields=(field,))
    [found] = unstorable([{field.name: value}], schema)
    assert found is not None
    assert found[0] == path
    with pytest.raises(RunError, match="Record 1 of a part"):
        record_frame([{field.name: value}], schema)


def test_a_field_outside_the_schema_is_never_dropped_silently():
    with pytest.raises(RunError, match="extra"):
        record_frame([{"a": "x", "extra": 1}], RecordSchema(fields=(Field(name="a"),)))


def test_refused_records_keep_their_columns(lineage):
    rows = pl.DataFrame(
        {
            "call": [0],
            "position": [1],
            "step": ["validate"],
            "reason": ["enum"],
            "field": ["unit"],
            "detail": [None],
            "record": ['{"unit": 1}'],
            "reply": ["k"],
        },
        schema_overrides={"detail": pl.String},
    )
    part = rejected_parquet(rows)
    assert pl.read_parquet(io.BytesIO(part)).equals(rows)
    assert part == rejected_parquet(rows)

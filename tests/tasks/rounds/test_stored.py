"""Parts read back without the schema that they were written by."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.parts import read_part, read_records, record_parquet
from datasynth.tasks.rounds.stored import schema_of_columns, stored_records, with_whole_lineage

LINEAGE = {"id": "S1", "run": "r", "round": 1, "call": 0, "position": 0, "reply": "k", "provider": "p", "model": "m"}
LINEAGE |= {"seeds": [0], "aim": "{}", "simulated": False, "quality": None}
SCHEMA = RecordSchema(
    fields=(
        Field(name="text"),
        Field(name="count", type="integer"),
        Field(name="ratio", type="number"),
        Field(name="good", type="boolean"),
        Field(name="words", type="array", items=Field(name="word")),
        Field(
            name="source", type="object", fields=(Field(name="topic"), Field(name="more", type="any", required=False))
        ),
        Field(name="anything", type="any", required=False),
    )
)
PROSE = st.text(max_size=8).map(lambda text: f"It is {text}")
"""Texts that are no JSON."""
JSON = st.integers(-5, 5) | PROSE | st.dictionaries(PROSE, st.integers(0, 5), max_size=2)
RECORDS = st.fixed_dictionaries(
    {
        "text": PROSE,
        "count": st.integers(-(2**60), 2**60),
        "ratio": st.floats(allow_nan=False, allow_infinity=False).map(lambda n: n + 0.5 if n.is_integer() else n),
        "good": st.booleans(),
        "words": st.lists(PROSE, max_size=2),
        "source": st.fixed_dictionaries({"topic": PROSE}, optional={"extra": PROSE}),
        "anything": st.lists(JSON, max_size=2),
    }
)


def part_of(records: list[dict[str, Any]]) -> pl.DataFrame:
    return read_part(record_parquet(records, [LINEAGE] * len(records), SCHEMA))


@settings(max_examples=25)
@given(st.lists(st.lists(RECORDS, min_size=1, max_size=3), min_size=1, max_size=2))
def test_records_whose_texts_are_no_json_come_back_by_the_columns_alone(parts: list[list[dict[str, Any]]]):
    frames = [part_of(records) for records in parts]
    found = schema_of_columns(frames)
    assert [r.record for r in stored_records(frames, found)] == [r for f in frames for r in read_records(f, SCHEMA)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["3", "4"], "string"), (["3", "x"], "string"), (["[1]", "3"], "any"), (['"a"'], "any"), ([None], "string")],
)
def test_a_text_column_is_json_where_all_of_it_is_and_some_of_it_says_so(values: list[str | None], kind: str):
    frame = pl.DataFrame({"a": values}, schema={"a": pl.String})
    [field] = schema_of_columns([frame]).fields
    assert field.type == kind


def test_a_later_part_may_show_that_a_column_holds_texts():
    frames = [pl.DataFrame({"a": ["[1]"]}), pl.DataFrame({"a": ["[1"]})]
    assert schema_of_columns(frames).fields[0].type == "string"


def test_lineage_from_before_there_was_a_judge_has_no_quality():
    older = pl.DataFrame({"_lineage": [{name: value for name, value in LINEAGE.items() if name != "quality"}]})
    assert with_whole_lineage(older)["_lineage"].to_list() == [LINEAGE]

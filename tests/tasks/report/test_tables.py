"""CSV that no spreadsheet computes, and Parquet in one file."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report import tables
from datasynth.tasks.report.tables import CsvTable, is_formula, write_parquet

SCHEMA = RecordSchema(fields=(Field(name="a"), Field(name="b", type="number", required=False)))
TEXTS = st.one_of(st.text(), st.text(alphabet="=+-@＝\t\r\n '\"1;,", max_size=5))


def csv_of(records: list[dict]) -> list[list[str]]:
    file = io.BytesIO()
    table = CsvTable(file, SCHEMA, with_lineage=False)
    for record in records:
        table.write(record, {})
    return list(csv.reader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline="")))[1:]


@given(st.lists(TEXTS))
def test_every_text_comes_back_but_for_the_apostrophe_and_none_is_a_formula(texts: list[str]):
    cells = [row[0] for row in csv_of([{"a": text} for text in texts])]
    assert [
        cell.removeprefix("'") if is_formula(text) else cell for cell, text in zip(cells, texts, strict=True)
    ] == texts
    assert not any(is_formula(cell) for cell in cells)


@pytest.mark.parametrize(
    "text", ["=1", "+A1", "-A1", "@SUM(1)", "\t=1", " =1", "\r\n=1", "＝1", "-2+3+cmd|' /C calc'!A0"]
)
def test_what_spreadsheets_compute_is_known(text: str):
    assert is_formula(text)


@pytest.mark.parametrize("text", ["-5", "+3.25", "a=b", "", "1-2", "'=1"])
def test_a_number_or_a_text_that_only_holds_a_sign_is_left_alone(text: str):
    assert not is_formula(text)


def test_a_field_name_is_no_formula_either():
    file = io.BytesIO()
    CsvTable(file, RecordSchema(fields=(Field(name="=1+1"),)), with_lineage=False)
    assert file.getvalue().decode("utf-8-sig") == '"\'=1+1"\r\n'


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_written_exactly_and_without_quotes(numbers: list[float]):
    assert [float(row[1]) for row in csv_of([{"a": "x", "b": number} for number in numbers])] == numbers


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=12), at_once=st.integers(1, 9))
def test_how_rows_leave_memory_changes_no_row_of_the_parquet_file(sizes: list[int], at_once: int):
    types = pl.Schema({"n": pl.Int64(), "_lineage": pl.Struct({"id": pl.String})})
    number = iter(range(1_000))
    frames = [
        pl.DataFrame([{"n": next(number), "_lineage": {"id": "x"}} for _ in range(size)], schema=types)
        for size in sizes
    ]
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROWS_AT_ONCE", at_once)
        assert write_parquet(file, frames, with_lineage=False) == sum(sizes)
    assert pl.read_parquet(io.BytesIO(file.getvalue()))["n"].to_list() == list(range(sum(sizes)))

"""Existing records are read wherever they stand: a run, a data set, a file of any form."""

import datetime
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from stored_runs import RECORDS, add_round, begin_run, finished_run

from datasynth.schemas.errors import InputError
from datasynth.tasks.proportions.records import read_existing

PLAIN = [{"question": "a?", "n": 1}, {"question": "b?", "tags": ["x"]}]


def read(address: Path | str) -> list[dict[str, Any]]:
    return [one.record for one in read_existing(str(address)).records]


def test_a_finished_run_is_read_with_its_lineage(tmp_path: Path) -> None:
    finished_run(str(tmp_path))
    found = read_existing(str(tmp_path / "eggs" / "runs" / "r1"))
    assert [one.record for one in found.records] == RECORDS
    assert [one.reference for one in found.records] == ["SYNTH_0100", "SYNTH_0101", "SYNTH_0102"]
    assert found.records[0].lineage is not None
    assert found.typed


def test_a_data_set_is_all_its_finished_runs_and_says_which_are_not(tmp_path: Path) -> None:
    finished_run(str(tmp_path), "r1")
    finished_run(str(tmp_path), "r2")
    begin_run(str(tmp_path), "r3")
    found = read_existing(str(tmp_path / "eggs"))
    assert len(found.records) == 6
    assert found.left_out == ("r3",)


def test_a_run_that_goes_on_is_refused(tmp_path: Path) -> None:
    add_round(begin_run(str(tmp_path), wanted=9), RECORDS)
    with pytest.raises(InputError, match="r1 is not finished"):
        read(tmp_path / "eggs" / "runs" / "r1")
    with pytest.raises(InputError, match="no finished run"):
        read(tmp_path / "eggs")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "wrapped.json"])
def test_files_are_read_in_every_form(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    items: Any = {"samples": [{"id": "x", "data": record} for record in PLAIN]} if name == "wrapped.json" else PLAIN
    lines = "\n".join(json.dumps(item) for item in items) if name.endswith("l") else json.dumps(items)
    path.write_text(lines, encoding="utf-8")
    assert read(path) == PLAIN
    assert [one.reference for one in read_existing(str(path)).records] == ["#1", "#2"]  # an id that repeats is none


def test_a_parquet_file_of_another_tool_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    day = datetime.date(2026, 11, 21)
    frame = pl.DataFrame({"q": ["a", "b"], "n": pl.Series([1, None], dtype=pl.UInt8), "day": [day, day]})
    frame.write_parquet(path)
    assert read(path) == [{"q": "a", "n": 1, "day": "2026-11-21"}, {"q": "b", "day": "2026-11-21"}]


def test_a_column_that_json_cannot_say_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"raw": [b"\x00"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="the column raw holds Binary"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["no.json", "no.parquet", "no", "s.txt"])
def test_what_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("x")
    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("x")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(tmp_path / "a.parquet")

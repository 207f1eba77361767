"""The files that the sibling tools read."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from datasynth.schemas.calls import Usage
from datasynth.schemas.errors import RunError, StorageError
from datasynth.schemas.report import Counts, Spend
from datasynth.schemas.settings import OutputFormat
from datasynth.tasks.report.export import (
    export_records,
    records_of,
    synthetic_metadata,
    whole_file,
    write_statistics,
)
from datasynth.tasks.report.parts import record_parquet
from datasynth.tasks.storage.store import Store

DOCUMENT = {"project_name": "客服", "fields": [{"name": "a", "type": "string"}]}
RECORDS = [("SYNTH_0001", {"a": "第一\n行", "n": 1, "l": [], "o": {}}), ("SYNTH_0002", {"a": '"x"', "l": [1.5, None]})]


def old_document(records, metadata, document) -> str:
    """What the earlier tool writes: json.dump(..., indent=2, ensure_ascii=False)."""
    samples = [{"id": i, "data": record, "synthetic": True} for i, record in records]
    return json.dumps({"metadata": metadata, "schema": document, "samples": samples}, indent=2, ensure_ascii=False)


def export(target, records=RECORDS, output_format: OutputFormat = "json", metadata=None, document=DOCUMENT) -> int:
    return export_records(
        str(target), records, output_format=output_format, metadata=metadata or {"a": 1}, schema_document=document
    )


def test_the_document_is_byte_for_byte_the_earlier_tools(tmp_path):
    target = tmp_path / "synthetic.json"
    assert export(target) == 2
    assert target.read_text(encoding="utf-8") == old_document(RECORDS, {"a": 1}, DOCUMENT)


def test_a_document_without_records_is_the_earlier_tools_too(tmp_path):
    target = tmp_path / "synthetic.json"
    export(target, records=[])
    assert target.read_text(encoding="utf-8") == old_document([], {"a": 1}, DOCUMENT)


def test_json_lines_hold_the_bare_records(tmp_path):
    target = tmp_path / "synthetic.jsonl"
    export(target, output_format="jsonl")
    expected = "".join(json.dumps(record, ensure_ascii=False) + "\n" for _, record in RECORDS)
    assert target.read_text(encoding="utf-8") == expected


def test_integers_beyond_64_bits_are_written(tmp_path):
    target = tmp_path / "x.json"
    export(target, records=[("SYNTH_0001", {"n": 10**30})])
    assert json.loads(target.read_text())["samples"][0]["data"] == {"n": 10**30}


def test_parts_are_exported_one_after_another(tmp_path, unit_schema, unit_records, lineage):
    rows = lineage(12)
    parts = [record_parquet(unit_records[i : i + 5], rows[i : i + 5], unit_schema) for i in (0, 5, 10)]
    target = tmp_path / "synthetic.json"
    export(target, records=records_of(parts, unit_schema))
    samples = json.loads(target.read_text(encoding="utf-8"))["samples"]
    assert [s["data"] for s in samples] == [{"id": r["id"], **d} for d, r in zip(unit_records, rows, strict=True)]
    assert [s["id"] for s in samples] == [r["id"] for r in rows]


def test_how_records_are_cut_into_parts_does_not_change_the_file(tmp_path, unit_schema, unit_records, lineage):
    rows = lineage(12)
    for name, size in (("a", 12), ("b", 1)):
        parts = (
            record_parquet(unit_records[i : i + size], rows[i : i + size], unit_schema) for i in range(0, 12, size)
        )
        export(tmp_path / name, records=records_of(parts, unit_schema))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_part_is_read_only_when_its_records_are_wanted(unit_schema, unit_records, lineage):
    asked = []

    def parts():
        for i in range(3):
            asked.append(i)
            yield record_parquet(unit_records[:2], lineage(2), unit_schema)

    records = records_of(parts(), unit_schema)
    next(records)
    assert asked == [0]


def test_a_failure_in_the_middle_leaves_what_was_there(tmp_path):
    target = tmp_path / "synthetic.json"
    target.write_text("old")

    def breaking():
        yield RECORDS[0]
        raise RunError("broken")

    with pytest.raises(RunError, match="broken"):
        export(target, records=breaking())
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["synthetic.json"]


def test_a_count_that_does_not_agree_writes_nothing(tmp_path):
    with pytest.raises(RunError, match="counted 3"):
        export(tmp_path / "x.json", metadata={"generated_count": 3})
    assert os.listdir(tmp_path) == []


def test_missing_folders_are_made(tmp_path):
    export(tmp_path / "11_合成数据" / "synthetic.json")
    assert (tmp_path / "11_合成数据" / "synthetic.json").exists()


def test_an_unwritable_place_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"Cannot write .*file/x\.json"):
        export(tmp_path / "file" / "x.json")


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    target = tmp_path / "x.json"
    target.write_text("old")
    target.chmod(0o640)
    export(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    export(tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert len(json.loads((tmp_path / "real.json").read_text())["samples"]) == 2


def test_another_file_system_gets_the_same_file(tmp_path):
    export("memory://bucket/folder/synthetic.json")
    export(tmp_path / "synthetic.json")
    uploaded = fsspec.filesystem("memory").cat_file("/bucket/folder/synthetic.json")
    assert uploaded == (tmp_path / "synthetic.json").read_bytes()


def test_another_file_system_sees_nothing_of_a_failure():
    def breaking():
        with whole_file("memory://bucket/none.json") as file:
            file.write(b"half")
            raise RunError("broken")

    with pytest.raises(RunError):
        breaking()
    assert not fsspec.filesystem("memory").exists("/bucket/none.json")


@pytest.mark.parametrize(
    ("output", "beside"),
    [
        ("{}/synthetic.json", "{}/synthetic.stats.json"),
        ("{}/a.b/synthetic.jsonl", "{}/a.b/synthetic.stats.json"),
        ("{}/plain", "{}/plain.stats.json"),
        ("memory://b/c.d/synthetic.json", "memory://b/c.d/synthetic.stats.json"),
    ],
)
def test_statistics_stand_beside_the_output(tmp_path, output, beside):
    address = write_statistics(output.format(tmp_path), {"total_samples": 0, "fields": {"字": {}}})
    assert address == beside.format(tmp_path)
    folder, _, name = address.rpartition("/")
    assert json.loads(Store(folder).read(name)) == {"total_samples": 0, "fields": {"字": {}}}


def test_the_metadata_are_the_earlier_tools(make_report):
    metadata = synthetic_metadata(make_report(), generated_at="2026-01-01T00:00:00", version="0.5.0")
    assert metadata == {
        "generated_at": "2026-01-01T00:00:00",
        "generator": "DataSynth",
        "version": "0.5.0",
        "config": {"model": "claude-x", "provider": "anthropic", "temperature": 0.9, "diversity_factor": 0.5},
        "seed_count": 4,
        "generated_count": 100,
        "total_tokens": 121_000,
        "estimated_cost_usd": 0.7283,
    }


def test_the_metadata_count_records_that_were_carried_over(make_report):
    report = make_report(counts=Counts(asked=5, accepted=5), carried_over=7)
    assert synthetic_metadata(report, generated_at="", version="")["generated_count"] == 12


def test_an_unknown_price_is_null_and_a_simulation_says_so(make_report):
    report = make_report(spend=Spend(usage=Usage(1, 1), cost_usd=None), simulated=True)
    metadata = synthetic_metadata(report, generated_at="", version="")
    assert metadata["estimated_cost_usd"] is None
    assert metadata["simulated"] is True


def datacheck() -> str | None:
    beside = str(Path(sys.executable).with_name("knowlyr-datacheck"))
    return os.environ.get("DATACHECK") or shutil.which("knowlyr-datacheck") or shutil.which(beside)


@pytest.mark.skipif(datacheck() is None, reason="knowlyr-datacheck is neither installed nor named by DATACHECK")
@pytest.mark.parametrize("dialect", ["fields", "json schema"])
def test_the_real_checker_accepts_the_export(tmp_path, dialect, unit_schema, unit_records, lineage):
    analysis = tmp_path / "analysis"
    (analysis / "04_复刻指南").mkdir(parents=True)
    typed = [{"name": f.name, "type": f.type, "required": f.required} for f in unit_schema.fields]
    document = {"fields": typed} if dialect == "fields" else unit_schema.json_schema()
    (analysis / "04_复刻指南" / "DATA_SCHEMA.json").write_text(json.dumps(document), encoding="utf-8")
    target = analysis / "11_合成数据" / "synthetic.json"
    parts = [record_parquet(unit_records, lineage(12), unit_schema)]
    export(target, records=records_of(parts, unit_schema), document=document)
    program = datacheck()
    assert program is not None
    done = subprocess.run(
        [program, "validate", str(analysis), "--threshold", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100.0%" in done.stdout

"""`datasynth export`: a run as one file, in every format, whole or not at all."""

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
from s3_server import S3
from stored_runs import RECORDS, SCHEMA, add_round, begin_run, end_run, finished_run

from datasynth.schemas.record import Field, RecordSchema

PAIRS = RecordSchema(fields=(Field(name="prompt"), Field(name="chosen"), Field(name="rejected"), Field(name="topic")))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = str(tmp_path_factory.mktemp("store"))
    finished_run(store, "done")
    return store


@pytest.fixture
def exported(store: str, cli, tmp_path: Path):
    """The file that an export of the finished run wrote."""

    def export(*words: str, name: str = "out") -> Path:
        result = cli("export", "done", "--store", store, "-o", tmp_path / name, *words)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == f"3 records: {tmp_path / name}\n"
        return tmp_path / name

    return export


def test_json_is_the_form_that_generate_writes(store: str, exported, tmp_path: Path):
    finished_run(str(tmp_path / "other"), "done", output=str(tmp_path / "by_generate.json"))
    by_generate = json.loads((tmp_path / "by_generate.json").read_text())
    by_export = json.loads(exported("--to", "json").read_text())
    assert by_export["samples"] == by_generate["samples"]
    for name in ("generated_at", "config"):  # the time of the run and, of a run on its own, its settings
        assert by_export["metadata"].keys() == by_generate["metadata"].keys()
        del by_export["metadata"][name], by_generate["metadata"][name]
    assert by_export["metadata"] == by_generate["metadata"]
    assert by_export["schema"] == {"fields": ["as its source wrote it"]}


def test_json_lines_are_the_bare_records(exported):
    lines = exported("--to", "jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == RECORDS


def test_a_second_export_is_the_same_file(exported):
    for form in ("json", "csv", "parquet", "sharegpt"):
        first = exported("--to", form, "--with-lineage").read_bytes()
        assert exported("--to", form, "--with-lineage", name="again").read_bytes() == first


@pytest.mark.parametrize("form", ["jsonl", "alpaca", "sharegpt"])
def test_lineage_comes_along_on_request(form: str, exported):
    [first, *_] = exported("--to", form, "--with-lineage", name="out.jsonl").read_text().splitlines()
    assert json.loads(first)["_lineage"]["id"] == "SYNTH_0100"


def test_a_csv_file_has_a_row_for_each_record_and_no_formula(store: str, cli, tmp_path: Path):
    result = cli("export", "done", "--store", store, "--to", "csv", "-o", tmp_path / "out.csv")
    assert "An apostrophe was put before the text of 2 cells" in result.stderr
    text = (tmp_path / "out.csv").read_bytes().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["instruction", "response", "tags", "score"],
        ["How do I boil an egg?", "Eight minutes.", '["egg", {"hot": true}]', "3"],
        ["'=1+1", "'- first\n- second", "", ""],
        ["如何煮鸡蛋？", "\x1b[31m八分钟", "[]", "-2"],
    ]


def test_a_parquet_file_holds_the_columns_of_the_parts(exported):
    frame = pl.read_parquet(exported("--to", "parquet"))
    assert frame.columns == ["instruction", "response", "tags", "score"]
    assert frame["score"].to_list() == [3, None, -2]
    assert pl.read_parquet(exported("--to", "parquet", "--with-lineage")).columns[-1] == "_lineage"


def test_alpaca_is_instruction_input_and_output_and_the_rest_is_named(store: str, cli, tmp_path: Path):
    result = cli("export", "done", "--store", store, "--to", "alpaca", "-o", tmp_path / "out.json")
    assert result.stderr == "Left out, for alpaca has no place for them: score, tags\n"
    assert json.loads((tmp_path / "out.json").read_text())[0] == {
        "instruction": "How do I boil an egg?",
        "input": "",
        "output": "Eight minutes.",
    }


def test_sharegpt_makes_a_conversation_of_an_instruction(exported):
    assert json.loads(exported("--to", "sharegpt").read_text())[0] == {
        "conversations": [
            {"from": "human", "value": "How do I boil an egg?"},
            {"from": "gpt", "value": "Eight minutes."},
        ]
    }


@pytest.mark.parametrize("form", ["dpo", "preference"])
def test_preference_pairs_are_prompt_chosen_and_rejected(form: str, cli, tmp_path: Path):
    record = {"prompt": "Why?", "chosen": "So.", "rejected": "No.", "topic": "x"}
    run = begin_run(str(tmp_path), schema=PAIRS, wanted=1)
    add_round(run, [record], schema=PAIRS)
    cli("export", "r1", "--store", tmp_path, "--to", form, "-o", tmp_path / "out.jsonl", "--unfinished")
    del record["topic"]
    assert json.loads((tmp_path / "out.jsonl").read_text()) == record


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "jsonlines"], "--to: there is no format jsonlines. Did you mean jsonl? Choose json, jsonl, csv"),
        (
            ["--to", "dpo"],
            "The format dpo does not fit the fields instruction, response, tags, score: it needs a better",
        ),
        (["--to", "csv", "-o", "/proc/x/y"], "/proc/x/y: cannot be written"),
        ([], "needs --to"),
    ],
)
def test_what_cannot_be_written_is_one_clear_message(words: list[str], said: str, store: str, cli, tmp_path: Path):
    result = cli("export", "done", "--store", store, "-o", tmp_path / "out", *words)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_run_that_has_not_ended_is_written_only_on_request(cli, tmp_path: Path):
    run = begin_run(str(tmp_path / "store"), wanted=9)
    add_round(run, RECORDS[:2])
    words = ["export", "r1", "--store", tmp_path / "store", "--to", "json", "-o", tmp_path / "out.json"]
    refused = cli(*words)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Run r1 is not finished (2 of 9 records).")
    assert not (tmp_path / "out.json").exists()
    result = cli(*words, "--unfinished")
    assert result.stderr == "The run made 2 of 9 records.\n"
    metadata = json.loads((tmp_path / "out.json").read_text())["metadata"]
    assert (metadata["state"], metadata["generated_count"], metadata["wanted_count"]) == ("unfinished", 2, 9)


def test_what_an_unfinished_round_wrote_is_not_exported(cli, tmp_path: Path):
    run = begin_run(str(tmp_path), wanted=9)
    add_round(run, RECORDS)
    add_round(run, RECORDS[:1], number=2)
    run.folder.remove("rounds/00002.json")
    result = cli("export", "r1", "--store", tmp_path, "--to", "jsonl", "-o", tmp_path / "out", "--unfinished")
    assert result.stdout.startswith("3 records: ")


def test_a_run_that_fell_short_is_written_and_says_so(cli, tmp_path: Path):
    run = begin_run(str(tmp_path), wanted=9)
    add_round(run, RECORDS)
    end_run(run, str(tmp_path))
    result = cli("export", "r1", "--store", tmp_path, "--to", "jsonl", "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, "The run made 3 of 9 records.\n")


def test_nothing_is_written_where_nothing_was_accepted(cli, tmp_path: Path):
    begin_run(str(tmp_path))
    result = cli("export", "r1", "--store", tmp_path, "--to", "jsonl", "-o", tmp_path / "out", "--unfinished")
    assert result.exit_code == 2
    assert "no record was accepted" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet", "alpaca"])
def test_what_stood_there_stays_where_a_part_is_missing(form: str, cli, tmp_path: Path):
    run = begin_run(str(tmp_path), wanted=9)
    add_round(run, RECORDS)
    add_round(run, RECORDS, number=2)
    run.folder.write("data/part-00002.parquet", b"cut off")
    (tmp_path / "out").write_text("before")
    result = cli("export", "r1", "--store", tmp_path, "--to", form, "-o", tmp_path / "out", "--unfinished")
    assert result.exit_code == 1
    assert "part-00002.parquet: this part of the run is missing or damaged" in result.stderr
    assert (tmp_path / "out").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eggs", "out"]


def test_a_part_that_the_ledger_does_not_count_is_found_out(cli, tmp_path: Path):
    run = begin_run(str(tmp_path), wanted=9)
    add_round(run, RECORDS)
    add_round(run, RECORDS, number=2)
    run.folder.remove("data/part-00002.parquet")
    result = cli("export", "r1", "--store", tmp_path, "--to", "csv", "-o", tmp_path / "out", "--unfinished")
    assert result.exit_code == 1
    assert "would hold 3 records, but the run counted 6" in result.stderr
    assert not (tmp_path / "out").exists()


def test_records_that_nobody_validated_are_written_whole(cli, tmp_path: Path):
    from datasynth.tasks.report.parts import unchecked

    run = begin_run(str(tmp_path), wanted=9, validate_records=False)
    records = [{"instruction": 3, "more": {"a": 1}}, {"instruction": "x", "response": None}]
    add_round(run, records, schema=unchecked(SCHEMA))
    cli("export", "r1", "--store", tmp_path, "--to", "jsonl", "-o", tmp_path / "out", "--unfinished")
    assert [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()] == records
    cli("export", "r1", "--store", tmp_path, "--to", "csv", "-o", tmp_path / "out", "--unfinished")
    assert (tmp_path / "out").read_text(encoding="utf-8-sig").splitlines()[1] == '3,"","","","{""more"": {""a"": 1}}"'


def test_a_run_without_its_recipe_is_read_by_its_columns(cli, tmp_path: Path):
    run = begin_run(str(tmp_path), wanted=9)
    add_round(run, RECORDS)
    run.folder.remove("recipe.json")
    cli("export", "r1", "--store", tmp_path, "--to", "jsonl", "-o", tmp_path / "out", "--unfinished")
    assert [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()] == RECORDS


def test_a_run_on_s3_is_written_to_s3_and_to_a_disk_alike(bucket: str, s3: S3, cli, tmp_path: Path):
    store = f"{bucket}/exported"
    finished_run(store, "done")
    for form in ("json", "csv", "parquet"):
        for target in (f"{store}/out.{form}", str(tmp_path / f"out.{form}")):
            result = cli("export", f"{store}/eggs/runs/done", "--to", form, "-o", target)
            assert result.exit_code == 0, result.stderr
        on_s3 = s3.folder / "bucket/exported" / f"out.{form}"
        assert on_s3.read_bytes() == (tmp_path / f"out.{form}").read_bytes()
    assert "3. SYNTH_0102" in cli("preview", "done", "--store", store).stdout

"""Content checks at the faces: switched by options, shown before a run, named by `validate` and `parse`."""

import json
from pathlib import Path

import pytest
from small_inputs import written

FRESH = {"instruction": "How do I keep basil fresh?", "response": "Put the stems in water."}
GOOD = {"instruction": "快递丢了怎么办？", "response": "请联系客服核实。", "category": "物流"}
RECORDS = [
    record | {"difficulty": "easy", "quality": 4}
    for record in (GOOD, GOOD | {"response": "抱歉，我无法满足您的请求。"}, GOOD | {"response": "请联系XXX公司。"})
]


def test_validate_names_bad_training_data_without_failing(cli, analysis: Path, tmp_path: Path):
    result = cli("validate", written(tmp_path / "data.json", RECORDS), analysis)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"All 3 records fit {analysis}.",
        "Fit, but bad training data: 2 records. datasynth generate would reject:",
        'Record 2: response declines: "抱歉，我无法满足您".',
        'Record 3: response holds a placeholder: "XXX".',
    ]


def test_validate_fails_for_the_schema_alone(cli, analysis: Path, tmp_path: Path):
    data = written(tmp_path / "data.json", [*RECORDS, {"instruction": "[步骤]"}])
    result = cli("validate", data, analysis, "--limit", "1")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith("Record 4: ")
    assert result.stdout.splitlines()[-1] == "... and 1 more."


def test_validate_with_a_broken_analysis_still_judges_the_schema(cli, analysis: Path, tmp_path: Path):
    where = "04_复刻指南/DATA_SCHEMA.json"
    (tmp_path / "a/04_复刻指南").mkdir(parents=True)
    (tmp_path / "a" / where).write_bytes((analysis / where).read_bytes())
    (tmp_path / "a/09_样例数据").mkdir()
    (tmp_path / "a/09_样例数据/samples.json").write_text("{")
    result = cli("validate", written(tmp_path / "data.json", RECORDS), tmp_path / "a")
    assert result.exit_code == 0
    assert "Content checks were left out: " in result.stdout


def test_a_dry_run_names_the_checks_and_what_seeds_allow(cli, schema_file: Path, tmp_path: Path):
    seeds = written(tmp_path / "seeds.json", [FRESH | {"response": "I'm sorry, but I can't help with that."}])
    words = ["create", schema_file, seeds, "-o", tmp_path / "o.json", "-p", "simulated", "--dry-run"]
    lines = cli(*words, "--skip-check", "echo", "--skip-check", "language").stdout.splitlines()
    assert "Content checks: refusal, boilerplate, placeholder, prompt_leak, repetition" in lines
    assert "  refusal: what a seed does in response is allowed there" in lines


def test_an_unknown_check_is_an_error_that_lists_the_checks(cli, analysis: Path):
    result = cli("generate", analysis, "--dry-run", "-p", "simulated", "--skip-check", "nonsense")
    assert result.exit_code == 2
    assert "--skip-check: nonsense is not allowed. Give any of refusal, boilerplate," in result.stderr


@pytest.mark.parametrize("content", [None, "# nothing\n"])
def test_a_word_list_that_cannot_be_used_stops_a_dry_run(cli, analysis: Path, tmp_path: Path, content: str | None):
    path = tmp_path / "words.txt"
    if content:
        path.write_text(content)
    result = cli("generate", analysis, "--dry-run", "-p", "simulated", "--sensitive-words", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(str(path))


def test_parse_leaves_out_bad_training_data_unless_told_not_to(cli, schema_file: Path, tmp_path: Path):
    reply = json.dumps([FRESH | {"response": "I'm sorry, but I can't help with that."}])
    target = tmp_path / "out.json"
    assert "declines" in cli("parse", "-", schema_file, "-o", target, stdin=reply).output
    assert not target.exists()
    assert cli("parse", "-", schema_file, "-o", target, "--skip-check", "refusal", stdin=reply).exit_code == 0
    assert target.exists()


def test_validate_leaves_out_the_checks_that_generate_would_leave_out(cli, analysis: Path, tmp_path: Path):
    data = written(tmp_path / "data.json", RECORDS)
    lines = cli("validate", data, analysis, "--skip-check", "refusal").stdout.splitlines()
    assert lines[1:] == [
        "Fit, but bad training data: 1 record. datasynth generate would reject:",
        'Record 3: response holds a placeholder: "XXX".',
    ]
    without = cli("validate", data, analysis, "--skip-check", "refusal", "--skip-check", "placeholder")
    assert without.stdout.splitlines() == [f"All 3 records fit {analysis}."]


def test_validate_against_a_schema_file_makes_the_checks_that_were_asked_for(cli, schema_file: Path, tmp_path: Path):
    data = written(tmp_path / "data.json", [FRESH, FRESH | {"response": "Ask Mallory for the basil."}])
    assert cli("validate", data, schema_file).stdout.splitlines() == [f"All 2 records fit {schema_file}."]
    (tmp_path / "words.txt").write_text("mallory\n")
    result = cli("validate", data, schema_file, "--sensitive-words", tmp_path / "words.txt")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].startswith("Fit, but bad training data: 1 record.")
    assert "mallory" in result.stdout.splitlines()[2]


def test_validate_names_records_that_repeat_a_test_item(cli, schema_file: Path, tmp_path: Path):
    item = "How do I keep basil fresh for a week in a kitchen without a window?"
    test = written(tmp_path / "test.json", [{"id": "q-7", "question": item}])
    data = written(tmp_path / "data.json", [FRESH, FRESH | {"instruction": f"Tell me, {item}"}])
    result = cli("validate", data, schema_file, "--decontaminate", test)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"Record 2: It repeats 100% of item q-7 of the evaluation set {test}."


def test_validate_refuses_a_word_list_that_is_not_there(cli, schema_file: Path, tmp_path: Path):
    data = written(tmp_path / "data.json", [FRESH])
    result = cli("validate", data, schema_file, "--sensitive-words", tmp_path / "none.txt")
    assert result.exit_code == 2
    assert "none.txt" in result.stderr

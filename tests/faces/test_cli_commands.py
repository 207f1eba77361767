"""The commands that need no model: what they print and leave."""

import json
from pathlib import Path

import pytest
from small_inputs import ANALYSES, SEEDS, written

FRESH = {"instruction": "How long does fresh pasta take to boil?", "response": "Two or three minutes; taste it."}


def test_init_writes_three_files_and_leaves_those_that_exist(cli, tmp_path: Path):
    written(tmp_path / "seeds.json", "mine")
    result = cli("init", "-o", tmp_path)
    assert result.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"datasynth.yaml", "schema.json", "seeds.json"}
    assert (tmp_path / "seeds.json").read_text() == "mine"
    assert "Left as it is: " in result.stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_init_writes_can_be_used_at_once(language: str, cli, tmp_path: Path):
    cli("init", "-o", tmp_path, "--lang", language)
    files = [tmp_path / "schema.json", tmp_path / "seeds.json", "--config", tmp_path / "datasynth.yaml"]
    result = cli("create", *files, "-o", tmp_path / "out.json", "--dry-run")
    assert result.exit_code == 0
    assert "Seeds: 3 used, 0 left out" in result.stdout
    assert f"Language: {language}" in result.stdout


def test_a_dry_run_shows_schema_kind_calls_tokens_and_price(cli, analysis: Path):
    result = cli("generate", analysis, "-n", "1000", "--dry-run")
    assert result.exit_code == 0
    for part in (
        "Fields: instruction (string), response (string), ",
        "Kind of data: instruction_response (instruction and response)",
        'because: The names "instruction" and "response" mean',
        "Calls: about 200",
        "Tokens: about ",
        "Price: about $",
        "The environment variable ANTHROPIC_API_KEY is not set; generate will need it.",
        "Dry run: no model was asked.",
    ):
        assert part in result.stdout


def test_a_dry_run_leaves_nothing(cli, tmp_path: Path, schema_file: Path, seeds_file: Path):
    before = sorted(tmp_path.rglob("*"))
    assert cli("create", schema_file, seeds_file, "-o", tmp_path / "out.json", "--dry-run").exit_code == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_says_that_the_budget_will_not_do(cli, analysis: Path):
    result = cli("generate", analysis, "-n", "100000", "--dry-run", "--max-cost", "0.5")
    assert "More than --max-cost allows ($0.50)" in result.stdout


def test_a_dry_run_says_that_no_seed_is_usable(cli):
    result = cli("generate", ANALYSES / "unit_conversion_spec", "--dry-run", "--lang", "zh")
    assert "种子：使用 0 条，排除 50 条" in result.stdout
    assert "没有可用的种子：仅根据 Schema 生成记录。" in result.stdout


def test_prepare_writes_the_prompt_on_standard_output_alone(cli, analysis: Path):
    result = cli("prepare", analysis, "-n", "7")
    assert result.exit_code == 0
    assert "7" in result.stdout
    assert "datasynth parse" not in result.stdout
    assert "it asks for 7 records" in result.stderr


def test_prepare_asks_for_ten_records_unless_told(cli, analysis: Path):
    assert "it asks for 10 records" in cli("prepare", analysis).stderr


def test_prepare_takes_a_schema_with_seeds(cli, schema_file: Path, seeds_file: Path, tmp_path: Path):
    cli("prepare", schema_file, "--seeds", seeds_file, "-o", tmp_path / "prompt.md")
    assert "rubbery" in (tmp_path / "prompt.md").read_text()


def test_what_prepare_says_comes_next_names_the_same_seeds_and_kind(cli, schema_file: Path, seeds_file: Path):
    options = ["--seeds", str(seeds_file), "--data-type", "generic"]
    said = cli("prepare", schema_file, "-n", "1", *options).stderr
    command = f"datasynth parse REPLY.txt {schema_file} {' '.join(options)} -o out.json"
    assert said == f"Paste the prompt into a chat; it asks for 1 record. Then: {command}\n"


@pytest.mark.parametrize("from_stdin", [True, False])
def test_parse_keeps_what_is_valid_and_new(from_stdin: bool, cli, schema_file: Path, seeds_file: Path, tmp_path: Path):
    text = f"Here you are:\n```json\n{json.dumps([FRESH, SEEDS[0], {'instruction': 'Only this'}])}\n```"
    reply = "-" if from_stdin else written(tmp_path / "reply.txt", text)
    target = tmp_path / "out.json"
    result = cli("parse", reply, schema_file, "--seeds", seeds_file, "-o", target, stdin=text if from_stdin else None)
    assert result.exit_code == 0, result.output
    assert "1 of 3 records kept" in result.stdout
    assert "Record 2: a duplicate of seed 1 (similarity 1.00)." in result.stdout
    assert "Record 3: response is missing." in result.stdout
    assert [sample["data"] for sample in json.loads(target.read_text())["samples"]] == [FRESH]


def test_parse_writes_json_lines_by_the_files_ending(cli, schema_file: Path, tmp_path: Path):
    target = tmp_path / "out.jsonl"
    cli("parse", "-", schema_file, "-o", target, stdin=json.dumps([FRESH]))
    assert [json.loads(line) for line in target.read_text().splitlines()] == [FRESH]


def test_parse_that_keeps_nothing_writes_nothing_and_fails(cli, schema_file: Path, tmp_path: Path):
    result = cli("parse", "-", schema_file, "-o", tmp_path / "out.json", stdin='[{"instruction": "a"}]')
    assert result.exit_code == 1
    assert not (tmp_path / "out.json").exists()


def test_parse_of_a_reply_without_a_record_is_bad_input(cli, schema_file: Path, tmp_path: Path):
    result = cli("parse", "-", schema_file, "-o", tmp_path / "out.json", stdin="I am sorry.")
    assert result.exit_code == 2
    assert result.stderr.startswith("The reply holds no record")


def test_validate_names_every_bad_row_with_field_and_reason(cli, schema_file: Path, tmp_path: Path):
    data = written(tmp_path / "data.json", [FRESH, {"instruction": 3, "response": "x"}, {"response": "y"}])
    result = cli("validate", data, schema_file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "Record 2: instruction must be text, not 3.",
        "Record 3: instruction is missing.",
        f"2 of 3 records do not fit {schema_file}.",
    ]


def test_validate_shows_at_most_so_many_rows(cli, schema_file: Path, tmp_path: Path):
    data = written(tmp_path / "data.jsonl", '{"response": "x"}\n' * 5)
    result = cli("validate", data, schema_file, "--limit", "2")
    assert result.stdout.splitlines()[2:] == ["... and 3 more.", f"5 of 5 records do not fit {schema_file}."]


def test_validate_passes_good_data(cli, analysis: Path):
    result = cli("validate", analysis / "09_样例数据/samples.json", analysis, "--lang", "zh")
    assert (result.exit_code, result.stdout) == (0, f"全部 5 条记录符合 {analysis}。\n")


def test_validate_speaks_of_one_record_in_the_singular(cli, schema_file: Path, tmp_path: Path):
    good = written(tmp_path / "good.json", [FRESH])
    assert cli("validate", good, schema_file).stdout == f"The record fits {schema_file}.\n"
    mixed = written(tmp_path / "mixed.json", [FRESH, {"response": "y"}])
    last = cli("validate", mixed, schema_file).stdout.splitlines()[-1]
    assert last == f"1 of 2 records does not fit {schema_file}."


def test_convert_goes_there_and_back(cli, tmp_path: Path):
    source = written(tmp_path / "a.json", {"samples": [{"id": 1, "data": record} for record in SEEDS]})
    cli("convert", source, "-o", tmp_path / "b.jsonl")
    assert [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()] == SEEDS
    cli("convert", tmp_path / "b.jsonl", "-o", tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text()) == SEEDS


def test_estimate_says_calls_tokens_and_price(cli):
    result = cli("estimate", "-n", "1000", "-p", "openai", "-m", "gpt-5.4-mini")
    assert result.exit_code == 0
    assert "Calls: about 200" in result.stdout
    assert "Price: about $" in result.stdout


def test_an_estimate_without_a_model_is_in_tokens(cli):
    said = cli("estimate", "-p", "deepseek").stdout
    assert "Tokens: about 40,000 in, 50,000 out" in said
    assert "Price: it depends on the model. Give --model." in said


def test_prices_given_are_enough_for_an_estimate_without_a_model(cli):
    said = cli("estimate", "-p", "deepseek", "-n", "1000", "--input-price", "1", "--output-price", "2").stdout
    assert "Price: about $1.40" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-t", "0.3"], True),
        ([], False),
        (["-t", "0.3", "-p", "simulated"], False),
        (["-t", "0.3", "-m", "claude-sonnet-4-5"], False),
    ],
)
def test_a_dry_run_says_when_a_temperature_has_no_effect(words: list[str], said: bool, cli, analysis: Path):
    text = cli("generate", analysis, "--dry-run", *words).stdout
    assert ("takes no temperature: --temperature has no effect." in text) == said


def test_a_simulated_model_is_called_that(cli, analysis: Path):
    said = cli("generate", analysis, "--dry-run", "-p", "simulated").stdout
    assert "Model: the simulated model server (no language model)" in said
    assert "Price: nothing, for no language model is asked" in said


def test_an_unknown_price_is_said_and_can_be_given(cli):
    words = ["estimate", "-n", "1000", "-p", "openai", "-m", "no-such-model"]
    assert "Price: unknown for this model." in cli(*words).stdout
    given = cli(*words, "--input-price", "1", "--output-price", "2").stdout
    assert "Price: about $1.40 ($1.0 in, $2.0 out per million tokens)" in given

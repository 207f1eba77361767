"""Bad input: one clear message, exit code 2, nothing written; keys stay secret."""

from pathlib import Path

import pytest
from small_inputs import ANALYSES, FIELDS, written

from datasynth import prefect_setup

SECRET = "sk-this-is-the-secret-0123456789"


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """These commands end before a run begins; no server is started for them."""
    monkeypatch.setattr(prefect_setup, "begin", lambda **_: None)


def refused(result, *parts: str) -> None:
    """Exit code 2, nothing on standard output, and one line on standard error with `parts` in it."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize("command", ["generate", "prepare"])
def test_a_wrong_path_is_named(command: str, cli):
    refused(cli(command, "/no/such/folder"), "/no/such/folder: no such folder")


def test_a_folder_that_is_no_analysis_is_told_what_was_looked_for(cli):
    refused(cli("generate", ANALYSES), "Looked for 04_复刻指南/DATA_SCHEMA.json", "support_zh")


def test_half_a_json_is_told_where_it_ends(cli, tmp_path: Path, seeds_file: Path):
    half = written(tmp_path / "half.json", '{"fields": [\n{"name"')
    refused(cli("create", half, seeds_file, "-o", tmp_path / "out.json"), f"{half}: not valid JSON at line 2")


@pytest.mark.parametrize("schema", ['{"fields": []}', "{}", '{"properties": {}}', '{"fields": [{"name": "id"}]}'])
def test_a_schema_without_a_field_is_refused(schema: str, cli, tmp_path: Path, seeds_file: Path):
    path = written(tmp_path / "bare.json", schema)
    refused(cli("create", path, seeds_file, "-o", tmp_path / "out.json"), f"{path}: no field")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nonsense"], "datasynth generate has no option --nonsense."),
        (["--contig", "x"], "Did you mean --config?"),
        (["-n"], "-n needs a value."),
        (["-n", "many"], "--count: many is not allowed. Give a whole number of at least 1."),
        (["-n", "0"], "--count: 0 is not allowed."),
        (["-t", "9"], "--temperature: 9 is not allowed. Give a number from 0 to 2."),
        (["--format", "xml"], "--format: xml is not allowed. Give one of json, jsonl."),
        (["--data-type", "poem"], "--data-type: poem is not allowed. Give one of auto, "),
        (["--dry-run=yes"], "--dry-run takes no value."),
        (["more"], "datasynth generate takes no further argument: more."),
        (["-p", "nobody"], "There is no provider nobody. Choose one of anthropic, openai, "),
        (["-p", "openai", "--base-url", "http://localhost:1/v1"], "No model given"),
        (["-p", "simulated", "--simulate", "latency"], "--simulate: latency is not KEY=VALUE."),
        (["-p", "simulated", "--simulate", "speed=1"], "The simulated server has no knob called speed."),
        (["-p", "simulated", "-o", "/proc/out.json"], "/proc/out.json: cannot be written: "),
        (["--config", "/no/such.yaml"], "/no/such.yaml: no such file."),
        (["--lang", "fr"], "--lang: there is no fr here. Choose en, zh."),
    ],
)
def test_a_bad_option_is_named_with_what_is_allowed(words: list[str], message: str, cli, analysis: Path):
    refused(cli("generate", analysis, *words), message)


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
        ("deepseek", "DEEPSEEK_API_KEY"),
        ("dashscope", "DASHSCOPE_API_KEY"),
    ],
)
def test_a_missing_key_says_which_variable(provider: str, variable: str, cli, analysis: Path):
    result = cli("generate", analysis, "-p", provider, "-m", "some-model")
    refused(result, f"{provider} needs a key: the environment variable {variable} is not set.")


def test_a_key_variable_of_ones_own_is_named_when_it_is_missing(cli, analysis: Path):
    refused(cli("generate", analysis, "--api-key-env", "MY_KEY"), "the environment variable MY_KEY is not set")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["genrate"], "There is no command genrate. Did you mean generate?"),
        (["generate"], "datasynth generate needs ANALYSIS_DIR."),
        (["create", "schema.json"], "datasynth create needs SEEDS_FILE."),
        (["create", "schema.json", "seeds.json"], "datasynth create needs an output file. Give one with -o."),
        (["convert", "x.json"], "datasynth convert needs --output."),
        (["validate", "/no/such.json", "schema.json"], "schema.json: no such file."),
        (["estimate", "-p", "nobody"], "There is no provider nobody."),
        (["simulate", "--latncy", "1"], "datasynth simulate has no option --latncy. Did you mean --latency?"),
        (["simulate", "--latency", "soon"], "The knob latency cannot be 'soon'"),
        (["simulate", "--port", "http"], "--port: http is not allowed."),
    ],
)
def test_a_bad_command_line_is_refused(words: list[str], message: str, cli):
    refused(cli(*words), message)


def test_errors_are_chinese_on_request(cli):
    refused(
        cli("generate", "/no/such/folder", "--lang", "zh"), "/no/such/folder：没有这个目录，或目录为空。请检查路径。"
    )


def test_errors_of_the_command_line_itself_are_chinese_on_request(cli):
    refused(cli("--lang=zh", "generate", "--nonsense"), "datasynth generate 没有选项 --nonsense。")


def test_a_chinese_locale_speaks_chinese(cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    refused(cli("genrate"), "没有命令 genrate。是否想用 generate？")


def test_lang_beats_the_locale(cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    refused(cli("genrate", "--lang", "en"), "There is no command genrate.")


def test_a_traceback_is_for_verbose(cli):
    result = cli("generate", "/no/such/folder", "-v")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


def test_a_refused_command_leaves_nothing_behind(cli, tmp_path: Path, seeds_file: Path):
    schema = written(tmp_path / "schema.json", {"fields": FIELDS})
    before = sorted(tmp_path.rglob("*"))
    refused(cli("create", schema, seeds_file, "-o", tmp_path / "new" / "out.json", "-p", "openai"), "OPENAI_API_KEY")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "words", [["--dry-run"], ["--dry-run", "-v"], ["-o", "/proc/out.json", "-v"], ["-t", "9", "-v"]]
)
def test_a_key_is_in_no_output(words: list[str], cli, analysis: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    assert SECRET not in cli("generate", analysis, *words).output

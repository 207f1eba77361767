"""Settings on the command line and in files: forms, precedence, what is refused."""

from pathlib import Path

import click
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_inputs import written

from datasynth.cli.init import settings_template
from datasynth.cli.options import run_settings
from datasynth.cli.program import main
from datasynth.cli.source import settings_of
from datasynth.cli.speech import speech
from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.settings_input import allowed_values, checked_settings, read_settings_file, settings_name


def settings(*words: str, config: Path | None = None) -> SynthesisSettings:
    """What `datasynth generate . WORDS` would run with."""
    command = main.get_command(click.Context(main), "generate")
    assert command
    with command.make_context("generate", [".", *words]) as context:
        return settings_of(context, {"analysis_dir": "."}, str(config) if config else None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "target_count: 7\nmodel: m\nvalidate: false\n"),
        ("s.yml", "target-count: 7\nmodel: m\nvalidate_records: false\n"),
        ("s.toml", 'target_count = 7\nmodel = "m"\nvalidate = false\n'),
        ("s.json", '{"target_count": 7, "model": "m", "validate": false}'),
    ],
)
def test_a_settings_file_may_be_yaml_toml_or_json(name: str, text: str, tmp_path: Path):
    found = settings(config=written(tmp_path / name, text))
    assert (found.target_count, found.model, found.validate_records) == (7, "m", False)


def test_an_explicit_option_beats_the_settings_file(tmp_path: Path):
    config = written(tmp_path / "s.yaml", "target_count: 7\nbatch_size: 2\nstats: false\n")
    found = settings("-n", "9", "--stats", config=config)
    assert (found.target_count, found.batch_size, found.stats) == (9, 2, True)


def test_an_option_equal_to_the_default_beats_the_settings_file_too(tmp_path: Path):
    assert settings("-n", "100", config=written(tmp_path / "s.yaml", "target_count: 7")).target_count == 100


def test_knobs_of_the_command_line_are_added_to_those_of_the_file(tmp_path: Path):
    config = written(tmp_path / "s.yaml", "simulation: {latency: 1, jitter: 2}")
    assert settings("--simulate", "latency=3", config=config).simulation == {"latency": "3", "jitter": 2}


def test_the_commands_argument_takes_the_place_of_a_source_in_the_file(tmp_path: Path):
    found = settings(config=written(tmp_path / "s.yaml", "schema_file: other.json\nseeds_file: other.json"))
    assert (found.analysis_dir, found.schema_file, found.seeds_file) == (".", None, None)


@pytest.mark.parametrize("name", ["out.jsonl", "out.NDJSON"])
def test_an_output_called_jsonl_is_written_as_json_lines(name: str):
    assert settings("-o", name).output_format == "jsonl"


def test_an_explicit_format_beats_the_outputs_ending():
    assert settings("-o", "out.jsonl", "--format", "json").output_format == "json"


def test_yamls_on_and_off_are_taken_for_what_was_written(tmp_path: Path):
    assert read_settings_file(str(written(tmp_path / "s.yaml", "structured_output: on")))["structured_output"] == "on"


def test_an_empty_settings_file_changes_nothing(tmp_path: Path):
    assert settings(config=written(tmp_path / "s.yaml", "# nothing\n")) == checked_settings({"analysis_dir": "."})


def test_the_file_that_init_writes_is_taken_as_it_is(tmp_path: Path):
    config = written(tmp_path / "s.yaml", settings_template())
    assert settings(config=config) == checked_settings({"analysis_dir": "."})


def test_each_line_of_inits_file_shows_the_default(tmp_path: Path):
    lines = [line[1:] for line in settings_template().splitlines() if line.startswith("#") and line[1:2] not in " #"]
    shown = yaml.safe_load("\n".join(lines))
    shown.pop("simulation")
    defaults = {name: SynthesisSettings.model_fields[name].default for name in shown}
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()} == shown


def test_inits_file_has_every_option_of_a_run():
    for setting in run_settings(output_help=""):
        assert f"#{setting.field}:" in settings_template()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.yaml", "model: [", "{path}: not valid YAML: "),
        ("s.toml", "model", "{path}: not valid TOML: "),
        ("s.json", '{"model": ', "{path}: not valid JSON at line 1"),
        ("s.yaml", "- model", "{path}: holds no settings."),
        ("s.ini", "model=m", "{path}: what form is it in? Name it .yaml, .toml or .json."),
        ("s.yaml", "modle: m", "{path}: there is no setting modle. Did you mean model?"),
        ("s.yaml", "count: 5", "{path}: there is no setting count. Did you mean target_count?"),
        ("s.yaml", "zzzz: 5", "{path}: there is no setting zzzz. Remove it, or see datasynth init."),
        ("s.yaml", "target_count: many", "{path}: target_count: many is not allowed. Give a whole number of at least"),
    ],
)
def test_what_is_wrong_with_a_settings_file_is_said(name: str, text: str, message: str, tmp_path: Path):
    path = written(tmp_path / name, text)
    with pytest.raises(InputError) as raised:
        settings(config=path)
    assert str(raised.value).startswith(message.format(path=path))


@pytest.mark.parametrize("field", SynthesisSettings.model_fields)
def test_what_a_setting_allows_can_be_said(field: str):
    assert str(allowed_values(field))


def test_a_long_wrong_value_is_shortened_in_the_message():
    with pytest.raises(InputError, match=r"x{59}…"):
        checked_settings({"analysis_dir": ".", "target_count": "x" * 500})


def test_two_sources_are_refused():
    with pytest.raises(InputError, match="exactly one source"):
        checked_settings({"analysis_dir": ".", "schema_file": "s.json"})


@given(st.text())
def test_any_key_is_either_a_setting_or_refused_with_advice(key: str):
    try:
        said = settings_name(key, where="file")
    except InputError as error:
        said = str(error)
    assert said in SynthesisSettings.model_fields or said.startswith("file: there is no setting ")


@pytest.mark.parametrize(
    ("chosen", "in_file", "language"),
    [(True, "en", "zh"), (True, None, "zh"), (False, "en", "en"), (False, None, "zh")],
    ids=["--lang beats the file", "--lang", "the file beats the locale", "the locale"],
)
def test_the_reports_language_is_that_of_the_command(
    chosen: bool, in_file: str | None, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(speech, "language", "zh")
    monkeypatch.setattr(speech, "chosen", chosen)
    config = written(tmp_path / "s.yaml", f"language: {in_file}\n") if in_file else None
    assert settings(config=config).language == language

"""The commands and options there are, and what their help says."""

import dataclasses

import click
import pytest

from datasynth.cli import main
from datasynth.cli.init import EXAMPLES
from datasynth.cli.options import Setting, run_settings
from datasynth.cli.program import MODULES
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.simulated.knobs import Knobs

RUN = (
    "-o --output -n --count -m --model -p --provider -t --temperature --batch-size --max-retries --retry-delay "
    "--concurrency --format --dry-run --post-hook --data-type --resume --stats --config --no-validate"
)
EARLIER_TOOL = {
    "generate": RUN,
    "create": RUN,
    "prepare": "-n --count -o --output --data-type",
    "validate": "",
    "init": "-o --output",
    "convert": "-o --output",
    "estimate": "-n --count -m --model",
}
"""Every command of knowlyr-datasynth 0.4.2 with its options."""


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found
    return found


def option_names(of: click.Command) -> set[str]:
    return {name for param in of.params if isinstance(param, click.Option) for name in param.opts}


@pytest.mark.parametrize("name", EARLIER_TOOL)
def test_every_option_of_the_earlier_tool_exists(name: str):
    assert set(EARLIER_TOOL[name].split()) <= option_names(command(name))


@pytest.mark.parametrize("name", EARLIER_TOOL)
def test_every_command_takes_verbose_on_either_side(name: str):
    assert "-v" in option_names(main)
    assert "-v" in option_names(command(name))


@pytest.mark.parametrize("name", MODULES)
def test_every_command_has_help(name: str, cli):
    result = cli(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: datasynth {name} ")


@pytest.mark.parametrize("name", MODULES)
def test_every_commands_help_is_chinese_on_request(name: str, cli):
    result = cli(name, "--help", "--lang", "zh")
    assert result.stdout.startswith(f"用法： datasynth {name} ")
    assert "选项:" in result.stdout


def test_the_programs_help_lists_every_command(cli):
    listed = cli("--help").stdout.split("Commands:")[1]
    assert [line.split()[0] for line in listed.strip().splitlines()] == list(MODULES)


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_2(cli):
    result = cli()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_version_has_the_earlier_tools_form(cli):
    assert cli("--version").stdout.startswith("datasynth, version 0.")


def test_the_help_names_the_defaults_that_the_settings_have():
    shown = {s.field: s.shown for s in run_settings(output_help="") if s.shown is not None}
    defaults = {name: str(SynthesisSettings.model_fields[name].default) for name in shown}
    assert shown == defaults


def test_every_setting_has_an_option_or_is_a_source():
    fields = {setting.field for setting in run_settings(output_help="")}
    sources = {"analysis_dir", "schema_file", "seeds_file", "record_schema", "seeds", "guidelines"}
    assert fields | sources | {"language"} == set(SynthesisSettings.model_fields)


def test_generate_and_create_take_the_same_options():
    assert option_names(command("generate")) == option_names(command("create"))


def test_every_option_has_a_help_text():
    silent = [p.name for name in MODULES for p in command(name).params if isinstance(p, Setting) and not p.help]
    assert not silent


def test_every_knob_of_the_simulated_server_is_an_option():
    knobs = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Knobs)}
    assert knobs <= option_names(command("simulate"))


def test_the_examples_of_both_languages_have_the_same_fields():
    names = [[field["name"] for field in EXAMPLES[language]["schema"]["fields"]] for language in ("en", "zh")]
    assert names[0] == names[1]

"""The READMEs say what is so: their commands, options, names and links exist, alike in both languages."""

import ast
import functools
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import click
import pytest
import yaml

import datasynth
from datasynth.cli import main
from datasynth.cli.program import MODULES
from datasynth.cli.setting import given
from datasynth.schemas.messages import Language, catalogue
from datasynth.schemas.settings import SynthesisSettings
from datasynth.settings_input import checked_settings
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.llm.simulated.__main__ import parser as simulate_parser
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.version import __version__

ROOT = Path(__file__).parents[1]
READMES: dict[Language, Path] = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
PAGES = [*READMES.values(), ROOT / "docs/architecture.md", ROOT / "docs/deploy.md", ROOT / "CHANGELOG.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PREFECTS_OWN = {"--limit"}
"""Options in the prose that are Prefect's."""
DOLLARS = re.compile(r"\$[\d,.]+")

language = pytest.mark.parametrize("language", READMES)
page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


@functools.cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, kind: str) -> list[str]:
    """Contents of the fenced blocks of one kind, such as `sh`."""
    return [body for name, body in FENCE.findall(text(path)) if name == kind]


def prose(path: Path) -> str:
    return FENCE.sub("", text(path))


def quoted(path: Path) -> list[str]:
    """What stands in backticks in the prose."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(path))]


def shell_lines(path: Path) -> list[list[str]]:
    """The words of each command in the shell blocks, comments left out; `a && b` is two commands."""
    lines = [line for body in blocks(path, "sh") for line in body.splitlines()]
    words = [shlex.split(line, comments=True) for part in lines for line in part.split(" && ")]
    return [some for some in words if some]


def own_commands(path: Path) -> list[list[str]]:
    """Every command of ours that the page shows, in blocks and in the prose, without the program's name."""
    shown = [*shell_lines(path), *(shlex.split(code) for code in quoted(path) if code.startswith("datasynth "))]
    return [words[1:] for words in shown if words[0] == "datasynth"]


def parsed(words: list[str]) -> click.Context:
    """A command line of ours, parsed; nothing is run."""
    with click.Context(main, info_name="datasynth") as top:
        command = main.get_command(top, words[0])
        assert command is not None, f"there is no command {words[0]}"
        return command.make_context(words[0], words[1:], parent=top)


def options_of_all_commands() -> set[str]:
    with click.Context(main) as top:
        commands = [main, *(command for name in MODULES if (command := main.get_command(top, name)))]
    options = {o for c in commands for p in c.params if isinstance(p, click.Option) for o in p.opts}
    return options | {"-h", "--help"}


@language
def test_every_command_shown_parses(language: Language):
    shown = [words for words in own_commands(READMES[language]) if not {"-h", "--help"} & set(words)]
    assert len(shown) > len(MODULES)
    for words in shown:
        if words[0] == "simulate":
            simulate_parser().parse_args(words[1:])
        else:
            parsed(words)


@language
def test_settings_of_the_runs_shown_are_accepted(language: Language):
    for words in own_commands(READMES[language]):
        if words[0] in ("generate", "create") and "--help" not in words:
            values = {field: value for field, (_, value) in given(parsed(words)).items()}
            checked_settings({"analysis_dir": "DIR", **values})


@language
def test_every_option_named_exists(language: Language):
    named = {word for code in quoted(READMES[language]) for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", code)}
    assert len(named) > 20
    assert named - PREFECTS_OWN <= options_of_all_commands()


@language
def test_every_knob_named_exists(language: Language):
    codes = [*quoted(READMES[language]), *blocks(READMES[language], "sh")]
    knobs = dict(pair for code in codes for pair in re.findall(r"--simulate (\w+)=(\S+)", code))
    assert knobs
    Knobs.of(knobs)


@language
def test_the_table_of_commands_is_whole(language: Language):
    rows = re.findall(r"^\| `datasynth (\w+)", text(READMES[language]), re.MULTILINE)
    assert rows == list(MODULES)


@language
def test_the_table_of_providers_is_whole(language: Language):
    table = re.search(r"^\| `--provider` .*?\n\n", text(READMES[language]), re.MULTILINE | re.DOTALL)
    assert table is not None
    named = set(re.findall(r"`([^`]+)`", table.group()))
    assert set(PROVIDERS) <= named
    assert {p.key_env for p in PROVIDERS.values() if p.key_env} <= named
    real = [p for p in PROVIDERS.values() if p.name != "simulated"]
    assert {p.default_model for p in real if p.default_model} <= named


@language
def test_make_targets_exist(language: Language):
    targets = set(re.findall(r"^(\w+):", text(ROOT / "Makefile"), re.MULTILINE))
    called = {words[1] for words in shell_lines(READMES[language]) if words[0] == "make"}
    assert called == {"demo", "test"}
    assert called <= targets


def test_make_demo_is_the_command_that_the_readme_says():
    demo = re.search(r"^demo:.*\n((?:\t.*\n)+)", text(ROOT / "Makefile"), re.MULTILINE)
    assert demo is not None
    line = demo.group(1).replace("\\\n", " ").replace("@$(BIN)/", "").replace("$(DEMO)", "demo")
    assert shlex.split(line) in shell_lines(READMES["en"])


@language
def test_the_run_shown_speaks_the_programs_sentences(language: Language):
    [run] = [body for body in blocks(READMES[language], "text") if "support_zh" in body]
    sentences = [sentence_pattern(known) for known in sentences_in(language)]
    for line in run.splitlines():
        whole = any(pattern.fullmatch(line) for pattern in sentences)
        assert whole or all(
            DOLLARS.fullmatch(part) or any(pattern.fullmatch(part) for pattern in sentences)
            for part in line.split(" · ")
        ), f"the program says no such thing: {line}"


def sentences_in(language: Language) -> list[str]:
    translations = catalogue("zh")
    # A template of values alone fits every line.
    return [
        t for t in (translations if language == "en" else translations.values()) if re.search(r"\w{3}|[一-龥]", bare(t))
    ]


def bare(template: str) -> str:
    return "".join(literal for literal, *_ in Formatter().parse(template))


def sentence_pattern(template: str) -> re.Pattern[str]:
    parts = (re.escape(literal) + ("(.+)" if name else "") for literal, name, *_ in Formatter().parse(template))
    return re.compile("".join(parts))


@language
def test_python_examples_use_what_exists(language: Language):
    examples = [ast.parse(body) for body in blocks(READMES[language], "python")]
    assert examples
    for node in (node for example in examples for node in ast.walk(example)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert defines(node.module or "", alias.name), f"{node.module} has no {alias.name}"
        if isinstance(node, ast.Call) and called(node) in ("SynthEngine", "generate", "estimate"):
            assert {keyword.arg for keyword in node.keywords} <= set(SynthesisSettings.model_fields)


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def defines(module: str, name: str) -> bool:
    """Whether `module` has `name`; a flow's module is read instead of imported, for it brings Prefect."""
    if module == "datasynth":
        return hasattr(datasynth, name)
    source = ast.parse(text((ROOT / "typings" / module.replace(".", "/")).with_suffix(".py")))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in source.body)


@language
def test_the_deployment_shown_names_the_flow_and_its_settings(language: Language):
    lines = [words for words in shell_lines(READMES[language]) if words[0] == "prefect"]
    [shown] = [words[words.index("run") + 1] for words in lines if "deployment" in words]
    deployments = yaml.safe_load(text(ROOT / "prefect.yaml"))["deployments"]
    [entrypoint] = [one["entrypoint"] for one in deployments if one["name"] == shown.partition("/")[2]]
    assert defines(*entrypoint.rsplit(".", 1))
    [parameter] = [words[words.index("--param") + 1] for words in lines if "--param" in words]
    name, _, value = parameter.partition("=")
    assert name == "settings"
    SynthesisSettings.model_validate(json.loads(value))


@page
def test_every_file_linked_exists(page: Path):
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(page)) if "://" not in link]
    assert links or page.name == "CHANGELOG.md"
    for link in links:
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


@page
def test_every_path_of_the_repository_named_exists(page: Path):
    rooms = ("datasynth/", "flows/", "tasks/", "schemas/", "tests/", "benchmarks/", "examples/", "typings/", "docs/")
    codes = [*quoted(page), *(word for words in shell_lines(page) for word in words)]
    for path in (code for code in codes if code.startswith(rooms)):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


def test_both_languages_have_the_same_headings():
    levels = [re.findall(r"^(#+) ", prose(path), re.MULTILINE) for path in READMES.values()]
    assert levels[0] == levels[1]


def test_both_languages_show_the_same_commands_and_code():
    english, chinese = READMES.values()
    assert shell_lines(english) == shell_lines(chinese)
    assert blocks(english, "python") == blocks(chinese, "python")
    assert own_commands(english) == own_commands(chinese)


def test_both_languages_name_the_same_options_and_variables():
    marks = re.compile(r"--[a-z-]+|[A-Z]+_[A-Z_]+")
    english, chinese = ({mark for code in quoted(path) for mark in marks.findall(code)} for path in READMES.values())
    assert english == chinese


def test_environment_variables_of_ours_are_read_somewhere():
    named = {name for path in READMES.values() for name in re.findall(r"DATASYNTH_[A-Z_]+", text(path))}
    sources = "".join(map(text, python_files()))
    assert named
    assert all(name in sources for name in named)


def python_files() -> Iterator[Path]:
    for room in ("datasynth", "flows", "tasks", "schemas"):
        yield from (ROOT / room).rglob("*.py")


def test_the_changelog_begins_with_the_version_of_the_package():
    newest = re.search(r"^## \[([^\]]+)\]", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == __version__
    assert __version__ == tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]

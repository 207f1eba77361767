"""The Chinese catalogue is whole: what the sources say and what it holds are the same templates."""

import ast
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import click
import pytest

from datasynth.schemas import errors
from datasynth.schemas.messages import catalogue, say

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("datasynth", "flows", "tasks", "schemas") for path in (ROOT / room).rglob("*.py"))
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
SAYING = ERRORS | {"say", "Message"}
HELP = ("help", "short", "output_help", "file_help", "group")
CLICKS_OWN = {"Show this message and exit."}
"""Texts that click writes itself and `datasynth.cli.commands` translates."""
PASSING_ON = {ROOT / "schemas/errors.py", ROOT / "schemas/messages.py"}
"""Where a template is handed on in a variable, by definition."""


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path, node


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@functools.cache
def templates() -> dict[str, str]:
    """Every template in the sources, with where it stands."""
    found = dict.fromkeys(CLICKS_OWN, "click")
    for path, node in calls():
        where = f"{path.relative_to(ROOT)}:{node.lineno}"
        texts = [literal(node.args[0])] if node.args and called(node) in SAYING | {"translated"} else []
        if called(node) == "_knob":  # the knobs are the options of `datasynth simulate`
            texts.append(literal(node.args[1]))
        if ROOT / "datasynth" in path.parents:
            texts += [literal(keyword.value) for keyword in node.keywords if keyword.arg in HELP]
        found |= {text: where for text in texts if text}
    return found


def names(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_template_is_a_literal_and_so_a_key():
    variable = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:80]}"
        for path, node in calls()
        if called(node) in SAYING and path not in PASSING_ON and node.args and literal(node.args[0]) is None
    ]
    assert not variable


def test_every_template_is_in_the_chinese_catalogue():
    missing = {text: where for text, where in templates().items() if text not in catalogue("zh")}
    assert not missing


def test_no_entry_of_the_chinese_catalogue_is_unused():
    unused = sorted(set(catalogue("zh")) - set(templates()))
    assert not unused


def test_every_translation_has_the_names_of_its_template():
    differing = {text: other for text, other in catalogue("zh").items() if names(text) != names(other)}
    assert not differing


def test_no_translation_is_empty():
    assert not [text for text, other in catalogue("zh").items() if not other.strip()]


def test_the_catalogue_is_sorted_and_has_no_entry_twice():
    pairs = json.loads(
        (ROOT / "schemas/messages.zh.json").read_text(encoding="utf-8"), object_pairs_hook=lambda pairs: pairs
    )
    keys = [key for key, _ in pairs]
    assert keys == sorted(set(keys))


def test_clicks_own_text_is_still_what_click_writes():
    command = click.Command("x")
    option = command.get_help_option(click.Context(command))
    assert option
    assert option.help in CLICKS_OWN


def test_a_message_is_translated_with_its_inner_messages():
    message = say("about {duration} left", duration=say("{seconds} s", seconds=7))
    assert message.text("zh") == "约剩 7 秒"


@pytest.mark.parametrize("text", ["{", "{0}", "{x!r}", "%s", "{path}"])
def test_braces_in_a_value_are_left_alone_in_both_languages(text: str):
    message = say("Records: {path}", path=text)
    assert (message.text("en"), message.text("zh")) == (f"Records: {text}", f"记录：{text}")

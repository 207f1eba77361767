"""The words of the prompts: phrases and expert advice by language, and fields and their limits in words.

Everything a recipe brings (names, values, descriptions) is data. It is put into a phrase by one pass of
`string.Template` over the phrase alone, so that a brace or a dollar inside a value is never interpreted.
"""

import functools
import json
import re
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any, Literal

import yaml

from datasynth.schemas.recipe import DataKind
from datasynth.schemas.record import Field

FrameLanguage = Literal["en", "zh"]
"""Languages in which whole prompts are written; every other one gets the English frame and is named in it."""


def frame_language(tag: str) -> FrameLanguage:
    """The language of the prompt's own words for records in the language `tag` (BCP 47)."""
    return "zh" if tag.lower().split("-")[0] == "zh" else "en"


@functools.cache
def _phrases(language: FrameLanguage) -> Mapping[str, Any]:
    return yaml.safe_load(_packaged(f"phrases.{language}.yaml"))


@functools.cache
def _packaged(name: str) -> str:
    return resources.files("datasynth.tasks.prompt").joinpath(name).read_text(encoding="utf-8").strip()


def phrase(language: FrameLanguage, key: str, /, **values: Any) -> str:
    """The phrase `key`, with `values` put in as they are."""
    return Template(_phrases(language)[key]).substitute(values)


def advice(kind: DataKind, language: FrameLanguage, roles: Mapping[str, str]) -> str:
    """What makes good data of this kind, as an expert says it, with the recipe's own names for the roles."""
    return Template(_packaged(f"{kind}.{language}.md")).substitute({**_ROLES, **roles})


_ROLES = {name: name for name in ("instruction", "response", "prompt", "chosen", "rejected", "conversation")}


def language_name(tag: str, language: FrameLanguage) -> str:
    """The language `tag` as `language` calls it, such as `Japanese` for `ja`."""
    known: Mapping[str, str] = _phrases(language)["languages"]
    return known.get(tag.lower().split("-")[0]) or phrase(language, "language_other", tag=tag)


def as_json(value: Any) -> str:
    """A value as JSON text that people can read: one line, no escapes for other scripts."""
    return json.dumps(value, ensure_ascii=False)


def fenced(text: str, info: str) -> str:
    """`text` as a Markdown code block whose fence is longer than any run of backticks in it."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", text))])
    return f"{fence}{info}\n{text}\n{fence}"


def limits(field: Field, language: FrameLanguage) -> list[str]:
    """The field's constraints as phrases; empty for an unconstrained field."""
    said: list[str] = []
    if field.enum is not None:
        said.append(phrase(language, "enum", values=", ".join(map(as_json, field.enum))))
    said += _span(language, ("between", "at_least", "at_most"), field.minimum, field.maximum)
    if field.exclusive_minimum is not None:
        said.append(phrase(language, "greater", low=_number(field.exclusive_minimum)))
    if field.exclusive_maximum is not None:
        said.append(phrase(language, "less", high=_number(field.exclusive_maximum)))
    if field.multiple_of is not None:
        said.append(phrase(language, "multiple", step=_number(field.multiple_of)))
    said += _span(language, ("length_between", "length_at_least", "length_at_most"), field.min_length, field.max_length)
    if field.pattern is not None:
        said.append(phrase(language, "pattern", pattern=field.pattern))
    if field.format is not None:
        said.append(phrase(language, "format", format=field.format))
    said += _span(language, ("items_between", "items_at_least", "items_at_most"), field.min_items, field.max_items)
    if field.unique_items:
        said.append(phrase(language, "unique"))
    return said


def _span(
    language: FrameLanguage, keys: tuple[str, str, str], low: float | None, high: float | None
) -> tuple[str] | tuple[()]:
    both, only_low, only_high = keys
    if low is not None and high is not None:
        return (phrase(language, both, low=_number(low), high=_number(high)),)
    if low is not None:
        return (phrase(language, only_low, low=_number(low)),)
    if high is not None:
        return (phrase(language, only_high, high=_number(high)),)
    return ()


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)


def field_lines(field: Field, language: FrameLanguage, *, examples: bool, remark: str = "") -> list[str]:
    """One field as Markdown list lines: its type, limits and meaning, and below it its items or fields.

    Args:
        examples: also name up to three of the field's own examples, for a prompt that shows no records.
        remark: what else is to be said of the field; stands in for its examples.
    """
    return _lines("field", field, language, indent="", examples=examples, remark=remark)


def _lines(
    key: str,
    field: Field,
    language: FrameLanguage,
    *,
    indent: str,
    examples: bool,
    number: int = 0,
    remark: str = "",
) -> list[str]:
    facts = [phrase(language, "type_any_of" if field.any_of else f"type_{field.type}")]
    if key == "field":
        facts.append(phrase(language, "required" if field.required else "optional"))
    if field.nullable:
        facts.append(phrase(language, "nullable"))
    facts += limits(field, language)
    # One line a field, whatever the description's own line breaks.
    about = (" ".join(text.split()) for text in (field.display_name, field.description))
    texts = list(dict.fromkeys(text for text in about if text))
    if remark:
        texts.append(remark)
    elif examples and field.examples:
        shown = ", ".join(map(as_json, field.examples[:3]))
        texts.append(phrase(language, "field_examples", examples=shown))
    text = phrase(language, "text", text=phrase(language, "text_joint").join(texts)) if texts else ""
    joint = phrase(language, "facts_joint")
    said = {"indent": indent, "name": field.name, "number": number, "facts": joint.join(facts), "text": text}
    lines = [phrase(language, key, **said)]
    below = [("alternative", alternative) for alternative in field.any_of]
    below += [("item", field.items)] if field.items is not None else []
    below += [("field", inner) for inner in field.fields]
    for position, (inner_key, inner) in enumerate(below, 1):
        lines += _lines(inner_key, inner, language, indent=f"{indent}  ", examples=examples, number=position)
    return lines

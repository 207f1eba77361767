"""What a judge reads: a static part with criteria and scale, and a message with the records to score."""

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

import yaml

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import RubricLevel
from datasynth.tasks.prompt.wording import FrameLanguage, fenced, field_lines, frame_language
from datasynth.tasks.prompt.wording import phrase as common_phrase

LOWEST, HIGHEST = 1, 10
"""Points. A wider scale than most rubrics have, so that `--min-quality` can cut anywhere; whole numbers, for those are
what models give anyway."""
ROLES = ("instruction", "response", "prompt", "chosen", "rejected", "conversation")


@functools.cache
def _phrases(language: FrameLanguage) -> Mapping[str, str]:
    name = f"phrases.{language}.yaml"
    return yaml.safe_load(resources.files("datasynth.tasks.judge").joinpath(name).read_text(encoding="utf-8"))


def _phrase(language: FrameLanguage, key: str, /, **values: Any) -> str:
    return Template(_phrases(language)[key].rstrip("\n")).substitute(values)


def judge_prompt(recipe: Recipe, detection: Detection) -> str:
    """The system prompt of every judgement: byte-identical over the run, so that providers can cache it."""
    language = frame_language(recipe.language)
    schema = recipe.record_schema
    fields = [line for field in schema.asked for line in field_lines(field, language, examples=False)]
    parts = [
        _phrase(language, "task", name=_line(recipe.name)),
        common_phrase(language, "fields_heading"),
        _phrase(language, "fields_intro") + "\n\n" + "\n".join(fields),
    ]
    if recipe.guidelines.strip():
        parts += [
            common_phrase(language, "guidelines_heading"),
            _phrase(language, "guidelines_intro"),
            fenced(recipe.guidelines.strip(), "markdown"),
        ]
    parts += _criteria(recipe, detection, language)
    parts += [_phrase(language, key) for key in ("rules_heading", "rules", "output_heading", "output")]
    return "\n\n".join(parts)


def _criteria(recipe: Recipe, detection: Detection, language: FrameLanguage) -> list[str]:
    """What counts for this kind of data, the recipe's own rubric if it has one, and the scale."""
    roles = {name: name for name in ROLES} | detection.roles
    parts = [_phrase(language, "criteria_heading"), _phrase(language, f"general_{detection.kind}", **roles)]
    rubric = recipe.record_schema.rubric
    if rubric:
        intro = "rubric_intro_preference" if detection.kind == "preference" else "rubric_intro"
        parts += [_phrase(language, intro, **roles), "\n".join(_levels(rubric, language))]
    scale = "scale_of_rubric" if rubric else "scale"
    return [*parts, _phrase(language, "scale_heading"), _phrase(language, scale)]


def _levels(rubric: Sequence[RubricLevel], language: FrameLanguage) -> list[str]:
    """The recipe's levels, best first, each with its place on our scale."""
    low, high = min(level.score for level in rubric), max(level.score for level in rubric)
    lines = []
    for level in sorted(rubric, key=lambda level: -level.score):
        share = (level.score - low) / (high - low) if high > low else 1.0
        lines.append(
            _phrase(
                language,
                "rubric_level",
                points=round(LOWEST + (HIGHEST - LOWEST) * share),
                label=f" {_line(level.label)}" if level.label else "",
                text=common_phrase(language, "text", text=_line(level.description)) if level.description else "",
            )
        )
    return lines


def judge_message(records: Sequence[dict[str, Any]], tag: str) -> str:
    """The message that shows `records`, in this order, and asks for their scores; `tag` is the recipe's language.

    What stands in a record is shown as a JSON value within a fence that it cannot close.
    """
    language = frame_language(tag)
    parts = [_phrase(language, "records_heading")]
    for number, record in enumerate(records, 1):
        shown = fenced(json.dumps(record, ensure_ascii=False, indent=2), "json")
        parts += [_phrase(language, "record", n=number), shown]
    count = len(records)
    asked = _phrase(language, "count_one") if count == 1 else _phrase(language, "count_many", count=count)
    return "\n\n".join([*parts, asked])


def scores_schema(tag: str) -> dict[str, Any]:
    """JSON Schema of a judge's reply. The reason stands before the score, so that the score follows from it."""
    language = frame_language(tag)
    one = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": _phrase(language, "reply_n")},
            "reason": {"type": "string", "description": _phrase(language, "reply_reason")},
            "score": {"type": "integer", "description": _phrase(language, "reply_score")},
        },
        "required": ["n", "reason", "score"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"scores": {"type": "array", "items": one}},
        "required": ["scores"],
        "additionalProperties": False,
    }


def _line(text: str) -> str:
    return " ".join(text.split())

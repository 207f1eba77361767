"""A planned call becomes the text that a model reads: a static system prompt and a short message.

The static part depends on the recipe, its kind and the settings alone, so it is byte-identical over a run and
providers can cache it; seeds, aim and count, which change from call to call, stand in the message.
"""

import json
from collections.abc import Iterable
from typing import Any

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.recipe import DataKind, Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.attributes import LENGTH, field_attributes
from datasynth.tasks.prompt.wording import (
    FrameLanguage,
    advice,
    as_json,
    fenced,
    field_lines,
    frame_language,
    language_name,
    phrase,
)

INTERACTIVE_SEEDS = 5
"""Seeds in a prompt that is pasted by hand, as the earlier tool showed."""


def static_prompt(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> str:
    """The system prompt: role, advice for the kind of data, fields, guidelines, rubric, rules, output format."""
    shows = bool(recipe.seeds) and settings.seed_sample_count > 0
    language = frame_language(recipe.language)
    where = phrase(language, "next_message", shows=phrase(language, "shows_examples") if shows else "")
    return _static(recipe, detection, settings, shows=shows, where=where)


def call_prompt(recipe: Recipe, detection: Detection, call: PlannedCall, blocks: dict[int, str] | None = None) -> str:
    """The message of one call: its seeds as `json` blocks, what to avoid, its aim, its number and its count.

    The number makes every message of a run another one, so that two calls without seeds and aim are never
    taken for the same request. `blocks`, if given, keeps the seeds that are written out, by their position, for the
    calls that come after.
    """
    language = frame_language(recipe.language)
    number = phrase(language, "batch", number=call.index + 1)
    written = _written(call, language)
    aim = _aim(call.aim, recipe.record_schema, language)
    seeds = _seeds(recipe, call.seeds, {} if blocks is None else blocks)
    return "\n\n".join([*seeds, *written, *aim, number, _count(call.asked, language)])


def interactive_prompt(recipe: Recipe, detection: Detection, settings: SynthesisSettings, count: int) -> str:
    """The whole prompt for a chat: the static part, the first seeds (at most five) and the count."""
    shown = range(min(INTERACTIVE_SEEDS, len(recipe.seeds)))
    language = frame_language(recipe.language)
    where = phrase(language, "examples_below") if shown else ""
    static = _static(recipe, detection, settings, shows=bool(shown), where=where)
    parts = [static, *_seeds(recipe, tuple(shown), {}), _count(count, language)]
    return "\n\n".join(parts) + "\n"


def _static(recipe: Recipe, detection: Detection, settings: SynthesisSettings, *, shows: bool, where: str) -> str:
    language = frame_language(recipe.language)
    return "\n\n".join(
        [
            advice(detection.kind, language, detection.roles),
            _task(recipe, language, shows=shows, where=where),
            _fields(
                recipe.record_schema,
                language,
                examples=not shows,
                remarks=_categories(recipe, detection, settings, language),
            ),
            *_guidelines(recipe.guidelines, language),
            *_rubric(recipe.record_schema, detection.kind, language),
            _rules(recipe.language, detection.kind, language, _distance(settings.diversity_factor) if shows else None),
            _output(recipe.record_schema, language),
        ]
    )


def _task(recipe: Recipe, language: FrameLanguage, *, shows: bool, where: str) -> str:
    said = phrase(language, "task", name=_line(recipe.name), where=where)
    if not shows:
        with_guidelines = phrase(language, "and_guidelines") if recipe.guidelines.strip() else ""
        said += "\n\n" + phrase(language, "without_examples", and_guidelines=with_guidelines)
    return said


def _categories(
    recipe: Recipe, detection: Detection, settings: SynthesisSettings, language: FrameLanguage
) -> dict[str, str]:
    """What to say of the categories that only the seeds tell, by field, so that all calls spell them alike.

    A call shows just a few of the seeds, and so not every value.
    """
    unlisted = {field.name for field in recipe.record_schema.fields if field.type == "string" and field.enum is None}
    return {
        attribute.name: phrase(
            language,
            "values_so_far" if attribute.open else "values_known",
            values=", ".join(map(as_json, attribute.values)),
        )
        for attribute in field_attributes(recipe, detection, settings)
        if attribute.name in unlisted
    }


def _fields(schema: RecordSchema, language: FrameLanguage, *, examples: bool, remarks: dict[str, str]) -> str:
    parts = [phrase(language, "fields_heading")]
    if schema.description.strip():
        parts.append(phrase(language, "record_description", text=schema.description.strip()))
    lines = [
        line
        for field in schema.asked
        for line in field_lines(field, language, examples=examples, remark=remarks.get(field.name, ""))
    ]
    parts.append(phrase(language, "fields_intro") + "\n\n" + "\n".join(lines))
    if _any_optional(schema.asked):
        parts.append(phrase(language, "optional_intro"))
    return "\n\n".join(parts)


def _any_optional(fields: Iterable[Field]) -> bool:
    # Items and alternatives have no key that could be left out, only fields of their own.
    return any(not field.required or _any_optional_within(field) for field in fields)


def _any_optional_within(field: Field) -> bool:
    inner = [*field.any_of, *([field.items] if field.items is not None else [])]
    return _any_optional(field.fields) or any(map(_any_optional_within, inner))


def _guidelines(guidelines: str, language: FrameLanguage) -> list[str]:
    if not guidelines.strip():
        return []
    return [
        phrase(language, "guidelines_heading"),
        phrase(language, "guidelines_intro"),
        fenced(guidelines.strip(), "markdown"),
    ]


def _rubric(schema: RecordSchema, kind: DataKind, language: FrameLanguage) -> list[str]:
    if not schema.rubric:
        return []
    levels = [
        phrase(
            language,
            "rubric_level",
            score=f"{level.score:g}",
            label=f" {_line(level.label)}" if level.label else "",
            text=phrase(language, "text", text=_line(level.description)) if level.description else "",
        )
        for level in sorted(schema.rubric, key=lambda level: -level.score)
    ]
    intro = "rubric_intro_preference" if kind == "preference" else "rubric_intro"
    return [phrase(language, "rubric_heading"), phrase(language, intro), "\n".join(levels)]


def _line(text: str) -> str:
    return " ".join(text.split())


def _rules(tag: str, kind: DataKind, language: FrameLanguage, distance: str | None) -> str:
    """The rules as a numbered list; `distance` is the phrase for the distance from the examples, None without any."""
    keys = [distance, "no_copying"] if distance else ["distance_none"]
    # A rejected answer is to have a flaw, often a wrong fact.
    truth = "truth_preference" if kind == "preference" else "truth"
    keys += ["variety", "no_placeholders", "no_model_talk", truth, "exact_names"]
    rules = [phrase(language, "language_rule", language=language_name(tag, language))]
    rules += [phrase(language, key) for key in keys]
    numbered = "\n".join(f"{number}. {rule}" for number, rule in enumerate(rules, 1))
    return f"{phrase(language, 'rules_heading')}\n\n{numbered}"


def _distance(diversity: float) -> str:
    # The bands of the earlier tool, so that a factor keeps its meaning.
    if diversity < 0.3:
        return "distance_close"
    return "distance_moderate" if diversity < 0.7 else "distance_far"


def _output(schema: RecordSchema, language: FrameLanguage) -> str:
    # The ellipses are no JSON on purpose: a model that echoes the sketch yields no record.
    sketch = ", ".join(f"{as_json(field.name)}: …" for field in schema.asked)
    return "\n\n".join(
        [
            phrase(language, "output_heading"),
            phrase(language, "output"),
            f'    {{"records": [{{{sketch}}}, …]}}',
            phrase(language, "output_rules"),
        ]
    )


def _seeds(recipe: Recipe, shown: tuple[int, ...], blocks: dict[int, str]) -> list[str]:
    if not shown:
        return []
    language = frame_language(recipe.language)
    for position in set(shown) - blocks.keys():
        seed = recipe.seeds[position]
        record = {field.name: seed[field.name] for field in recipe.record_schema.asked if field.name in seed}
        blocks[position] = fenced(json.dumps(record, ensure_ascii=False, indent=2), "json")
    return [phrase(language, "seeds_heading"), phrase(language, "seeds_intro"), *(blocks[i] for i in shown)]


def _written(call: PlannedCall, language: FrameLanguage) -> list[str]:
    """What the data set holds already, quoted line by line; JSON quotes keep an excerpt from being anything else."""
    unlikely = [phrase(language, "unlikely")] if call.unlikely else []
    if not call.avoid:
        return unlikely
    lines = "\n".join(phrase(language, "written_line", text=as_json(_line(said))) for said in call.avoid)
    return [phrase(language, "written_heading"), phrase(language, "written_intro"), lines, *unlikely]


def _aim(aim: dict[str, Any], schema: RecordSchema, language: FrameLanguage) -> list[str]:
    if not aim:
        return []
    lines = [_aim_line(name, value, schema, language) for name, value in aim.items()]
    said = [phrase(language, "aim_heading"), phrase(language, "aim_intro"), "\n".join(lines)]
    return [*said, phrase(language, "aim_conflict")] if len(aim) > 1 else said


def _aim_line(name: str, value: Any, schema: RecordSchema, language: FrameLanguage) -> str:
    field = name.removesuffix(LENGTH)
    if field == name or schema.field(name) is not None or schema.field(field) is None:
        # A field's name is the schema's; an attribute's is the user's own, and may hold anything.
        return phrase(language, "aim_line", name=_line(name), value=as_json(value))
    low, _, high = str(value).removesuffix("+").partition("-")
    key = "aim_length_between" if high else "aim_length_from"
    return phrase(language, key, name=field, low=low, high=high)


def _count(count: int, language: FrameLanguage) -> str:
    return phrase(language, "count_one") if count == 1 else phrase(language, "count_many", count=count)

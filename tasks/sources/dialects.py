"""Record schemas in the dialects that people and tools write, read into one form.

Three shapes: DataRecipe's field list (`deep-analyze`, the earlier tool, people), JSON Schema (`analyze-spec`), and what
Pydantic's `model_json_schema()` writes, which is JSON Schema with `$defs`.
"""

import re
from typing import Any

from datasynth.schemas.messages import say
from datasynth.schemas.record import RecordSchema, RubricLevel
from datasynth.tasks.sources.field_list import properties_of
from datasynth.tasks.sources.json_schema import record_fields
from datasynth.tasks.sources.place import Place
from datasynth.tasks.validate.findings import json_text

RESERVED = "_lineage"
"""The column that says where a record came from."""


def parse_record_schema(document: Any, where: str) -> RecordSchema:
    """The record schema that `document` holds, in whichever dialect.

    Args:
        document: A JSON value: `{"fields": [...]}`, a bare list of fields, or JSON Schema.
        where: What to call the document in messages: its address, or where it was given.

    Raises:
        InputError: no field, a malformed or unknown type or constraint, a field defined twice or without a name, a
            rule that could not be checked. Nothing is guessed, and no constraint is dropped.
    """
    if isinstance(document, list):
        document = {"fields": document}
    place = Place(where=where, root=document)
    if not isinstance(document, dict):
        raise place.problem(say('holds no schema. Give JSON Schema, or {{"fields": [...]}}.'))
    if "fields" in document and "properties" in document:
        raise place.problem(say('has "fields" and "properties", which may disagree. Keep one of them.'))
    if "fields" in document:
        schema = {"type": "object", **_field_list(document["fields"], place)}
        fields = record_fields(schema, Place(where=where, root=schema))
    else:
        fields = record_fields(document, place)
    if not fields:
        raise place.problem(
            say('no field in this schema. Describe the fields of a record under "properties" or "fields".')
        )
    if any(field.name == RESERVED for field in fields):
        raise place.problem(say('the field name "{name}" is taken by DataSynth. Rename the field.', name=RESERVED))
    return RecordSchema(
        fields=fields,
        name=_text(document, "project_name", "title", "name"),
        description=_text(document, "description", "task_description"),
        rubric=_rubric(document.get("scoring_rubric"), place),
    )


def _field_list(fields: Any, place: Place) -> dict[str, Any]:
    schema = properties_of(fields, place)
    if isinstance(fields, dict):
        # The form of `knowlyr-datacheck infer`, which marks the fields that nearly every record has.
        schema["required"] = [name for name in schema["required"] if fields[name].get("required")]
    return schema


def _text(document: dict[str, Any], *names: str) -> str:
    texts = (document.get(name) for name in names)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), "")


def _rubric(levels: Any, place: Place) -> tuple[RubricLevel, ...]:
    if isinstance(levels, dict):
        levels = [{"score": score, "description": words} for score, words in levels.items()]
    if levels is not None and not isinstance(levels, list):
        raise place.problem(say('"scoring_rubric" must be a list of objects with "score" and "description".'))
    return tuple(_level(level, number, place) for number, level in enumerate(levels or [], start=1))


def _level(level: Any, number: int, place: Place) -> RubricLevel:
    score = level.get("score") if isinstance(level, dict) else None
    # "1", "0.5 points", "1分": the earlier writers give the number as text, with its unit.
    found = re.match(r"\s*(-?\d+(?:\.\d+)?)\s*\D{0,10}$", str(score))
    if not isinstance(level, dict) or isinstance(score, bool) or not found:
        raise place.problem(
            say(
                'entry {number} of "scoring_rubric" has no number as its "score" (found: {score}). Give it one.',
                number=number,
                score=json_text(score, 40),
            )
        )
    return RubricLevel(
        score=float(found[1]),
        label=_text(level, "label", "name"),
        description=_text(level, "description", "criteria"),
    )

"""Evaluations without Prefect: a file of records, its schema, and the steps of the flow one after the other."""

import json
from pathlib import Path
from typing import Any

from datasynth.schemas.evaluation import Evaluation, EvaluationSettings
from datasynth.tasks.evaluate.checking import check_slice
from datasynth.tasks.evaluate.conclusion import concluded
from datasynth.tasks.evaluate.opening import open_evaluation
from datasynth.tasks.evaluate.repeats import find_repeats
from datasynth.tasks.evaluate.subject import Subject

FIELDS = [
    {"name": "instruction", "type": "text", "description": "A cook's question"},
    {"name": "response", "type": "text", "description": "The answer"},
    {"name": "level", "type": "text", "enum": ["easy", "hard"]},
]
GOOD: list[dict[str, Any]] = [
    {
        "instruction": "Why do my scrambled eggs turn out rubbery?",
        "response": "The heat is too high. Cook them slowly and take the pan off while they still look wet.",
        "level": "easy",
    },
    {
        "instruction": "How do I keep a vinaigrette from separating?",
        "response": "Whisk mustard into the vinegar first, then add the oil in a thin stream.",
        "level": "hard",
    },
    {
        "instruction": "What makes a pie crust flaky rather than tough?",
        "response": "Cold butter in visible pieces, as little water as will hold it, and an hour of rest in the cold.",
        "level": "hard",
    },
]
REFUSES = {"instruction": "Which pan for fish?", "response": "I'm sorry, but I can't help with that.", "level": "easy"}


def written(folder: Path, records: list[dict[str, Any]], *, name: str = "records.json", **more: Any) -> dict[str, str]:
    """The settings that name a file of `records` and its schema, written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps({"fields": FIELDS}), encoding="utf-8")
    return {"data": str(folder / name), "schema_file": str(folder / "schema.json"), "id": "e1"} | more


def worked_on(settings: EvaluationSettings) -> Subject:
    """The subject, with all but the conclusion done."""
    subject = open_evaluation(settings, None)
    for one in subject.slices:
        check_slice(one, subject)
    find_repeats(subject)
    return subject


def evaluated(**values: Any) -> Evaluation:
    """An evaluation to its end, without a judge."""
    return concluded(worked_on(EvaluationSettings.model_validate(values)), None, [])

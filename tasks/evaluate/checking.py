"""The checks of a run, made on records that somebody has: their schema, what makes sense, content, evaluation sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from datasynth.schemas.messages import Language
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.evaluate.frames import CHECKED, Checked, checked_path, parquet
from datasynth.tasks.evaluate.subject import Slice, Subject
from datasynth.tasks.quality.evaluation import content_rules
from datasynth.tasks.validate.content import ContentRules
from datasynth.tasks.validate.findings import Problem, path_text
from datasynth.tasks.validate.validator import RecordValidator, with_content

LONGEST_DETAIL = 300
"""Characters of what was found that are kept: it quotes the record."""


@dataclass(frozen=True)
class SliceReceipt:
    """What a task found: figures; the rest is in the work folder."""

    number: int
    records: int
    valid: int


class Checks:
    """All checks of a subject, compiled once."""

    def __init__(self, recipe: Recipe, detection: Detection, rules: SynthesisSettings) -> None:
        """
        Raises:
            InputError: as `content_rules`.
        """
        asked = recipe.record_schema.only(recipe.record_schema.asked)
        self._language: Language = rules.language
        self._fields = RecordValidator(asked, repair=False)
        self._content = [ContentRules(asked, detection.roles), *content_rules(recipe, detection, rules)]

    def check(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """For each record `fits`, `valid` and `problems`, as the frame `Checked` has them."""
        verdicts = self._fields.check(records)
        fits = verdicts.valid
        for rules in self._content:
            verdicts = with_content(verdicts, rules)
        found = dict(verdicts.by_row())
        return [
            {"fits": fit, "valid": valid, "problems": _problems(found.get(row, []), self._language)}
            for row, (fit, valid) in enumerate(zip(fits, verdicts.valid, strict=True))
        ]


def _problems(problems: Sequence[Problem], language: Language) -> list[dict[str, str]]:
    """The first problem of each check."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.check, problem)
    return [
        {"check": check, "field": path_text(problem.keys), "detail": problem.sentence.text(language)[:LONGEST_DETAIL]}
        for check, problem in first.items()
    ]


def check_slice(part_of: Slice, subject: Subject) -> SliceReceipt:
    """Checks the records of a slice and writes what was found into the work folder."""
    checks = Checks(subject.recipe, subject.detection, subject.rules)
    place = {part: number for number, part in enumerate(subject.parts)}
    found: list[dict[str, Any]] = []
    for part in part_of.parts:
        for rows in subject.rows([part]):
            checked = checks.check([row.record for row in rows])
            found += [
                {"record": row.reference, "part": place[part]} | verdict
                for row, verdict in zip(rows, checked, strict=True)
            ]
    frame = Checked.validate(pl.DataFrame(found, schema=CHECKED, orient="row"))
    subject.folder.write(checked_path(part_of.number), parquet(frame))
    return SliceReceipt(part_of.number, frame.height, int(frame["valid"].sum()))

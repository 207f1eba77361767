"""Evaluation sets as a check of records beside the others: for data that somebody has, not for those of a run.

A run compares its candidates when it commits a round, so that what repeats a test item is told apart as `contaminated`.
"""

from collections.abc import Sequence
from typing import Any

from datasynth.schemas.messages import say
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.contamination import Decontamination, read_evaluation_set
from datasynth.tasks.quality.screening import checks_for
from datasynth.tasks.validate.findings import Problem
from datasynth.tasks.validate.validator import Rules


class EvaluationItems:
    """The items of evaluation sets, which no record may repeat."""

    def __init__(self, paths: Sequence[str]) -> None:
        """
        Args:
            paths: JSON or JSON Lines, any address.

        Raises:
            InputError: a set cannot be read.
        """
        self._items = Decontamination([read_evaluation_set(path) for path in paths])

    def check(self, records: Sequence[dict[str, Any] | None]) -> list[Problem]:
        """The records that repeat an item; None among them is passed over."""
        rows = [row for row, record in enumerate(records) if record is not None]
        overlaps = self._items.overlaps([records[row] for row in rows])
        return [
            Problem(
                row,
                (),
                (),
                "contaminated",
                None,
                say(
                    "It repeats {share} of item {item} of the evaluation set {path}.",
                    share=f"{overlap.share:.0%}",
                    item=overlap.item,
                    path=overlap.path,
                ),
            )
            for row, overlap in zip(rows, overlaps, strict=True)
            if overlap is not None
        ]


def content_rules(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> list[Rules]:
    """What a run with `settings` would look for in records that fit their schema, as far as records alone tell.

    Raises:
        InputError: as `checks_for` and `EvaluationItems`.
    """
    tested = [EvaluationItems(settings.decontaminate)] if settings.decontaminate else []
    return [checks_for(recipe, detection, settings), *tested]

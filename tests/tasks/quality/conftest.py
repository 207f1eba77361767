from collections.abc import Callable, Sequence
from typing import Any

import pytest

from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.quality.screening import checks_for
from datasynth.tasks.validate.findings import path_text

Found = Callable[..., list[tuple[str, str]]]


@pytest.fixture(scope="session")
def found() -> Found:
    """Field and check of every problem in `records`, of a recipe with `seeds` and in `language`."""

    def found(
        *records: dict[str, Any],
        language: str = "en",
        seeds: Sequence[dict[str, Any]] = (),
        fields: Sequence[Field] = (),
        guidelines: str = "",
        **options: Any,
    ) -> list[tuple[str, str]]:
        schema = RecordSchema(fields=tuple(fields) or tuple(map(_field, records[0].items())))
        recipe = Recipe(name="n", record_schema=schema, seeds=tuple(seeds), guidelines=guidelines, language=language)
        settings = SynthesisSettings.model_validate({"analysis_dir": "unused", **options})
        checks = checks_for(recipe, detect_kind(schema, recipe.seeds), settings)
        return [(path_text(problem.keys), problem.check) for problem in checks.check(records)]

    return found


@pytest.fixture(scope="session")
def answered(found: Found) -> Callable[..., list[str]]:
    """The checks that an answer to a question fails."""

    def answered(answer: str, question: str | None = None, **more: Any) -> list[str]:
        if question is None:
            chinese = more.get("language") == "zh"
            question = "水壶里的水垢怎么清除？" if chinese else "How do I descale the kettle we bought last year?"
        return [check for _, check in found({"instruction": question, "response": answer}, **more)]

    return answered


def _field(item: tuple[str, Any]) -> Field:
    name, value = item
    return Field(name=name, type="array" if isinstance(value, list) else "string")

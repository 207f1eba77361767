from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"


@pytest.fixture(scope="session")
def example() -> Callable[[str], Recipe]:
    """The recipes of the three real DataRecipe analyses, by their folder's name."""
    return lambda name: Recipe.model_validate_json((GOLDEN / f"{name}.recipe.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def settings() -> Callable[..., SynthesisSettings]:
    def with_options(**options: Any) -> SynthesisSettings:
        return SynthesisSettings(analysis_dir="there", **options)

    return with_options

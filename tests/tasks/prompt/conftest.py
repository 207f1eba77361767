from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.recipes import read_recipe

EXAMPLES = Path(__file__).parents[3] / "examples" / "datarecipe"


@pytest.fixture(scope="session")
def example() -> Callable[[str], Recipe]:
    """The recipes of the real DataRecipe analyses in `examples/`, by their folder's name."""
    return lambda name: read_recipe(SynthesisSettings.model_validate({"analysis_dir": str(EXAMPLES / name)}))


@pytest.fixture(scope="session")
def settings() -> Callable[..., SynthesisSettings]:
    def with_options(**options: Any) -> SynthesisSettings:
        return SynthesisSettings.model_validate({"analysis_dir": "there", **options})

    return with_options

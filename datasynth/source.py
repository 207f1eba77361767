"""What a command or a call works on: the recipe that settings name, and the endpoint that prices it."""

import os
from dataclasses import dataclass, replace

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint, key_of_block, resolve_endpoint
from datasynth.tasks.sources.recipes import read_recipe


@dataclass(frozen=True)
class Source:
    """A recipe with what was found out about it."""

    recipe: Recipe
    detection: Detection


def read_source(settings: SynthesisSettings) -> Source:
    """The recipe that `settings` name, and the kind of data it is for."""
    recipe = read_recipe(settings)
    return Source(recipe, detect_kind(recipe.record_schema, recipe.seeds, settings.data_type))


def endpoint_without_key(settings: SynthesisSettings) -> tuple[Endpoint, str | None]:
    """The endpoint, for a price: no key is needed. Also the name of the key's variable, if that is not set.

    Raises:
        InputError: unknown provider, or no model.
    """
    preset = PROVIDERS.get(settings.provider)
    variable = settings.api_key_env or (preset.key_env if preset else None)
    if variable is None or os.environ.get(variable, "").strip() or key_of_block(settings):
        return resolve_endpoint(settings), None
    return resolve_endpoint(settings, {**os.environ, variable: "-"}), variable


def endpoint_without_model(settings: SynthesisSettings) -> Endpoint:
    """The endpoint, for a rule of thumb: neither key nor model is needed; without a model, its name is empty.

    Raises:
        InputError: unknown provider.
    """
    unnamed, _ = endpoint_without_key(settings.model_copy(update={"model": settings.model or "-"}))
    try:
        return endpoint_without_key(settings)[0]
    except InputError:  # with a model it went well
        return replace(unnamed, model="")

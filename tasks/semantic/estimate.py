"""What vectors of records should take."""

import math
from statistics import fmean

from datasynth.schemas.calls import Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.views import views_for
from datasynth.tasks.llm.tokens import count_tokens
from datasynth.tasks.semantic.embedders import (
    AT_ONCE,
    LOCAL,
    compares_meanings,
    embedding_model_of,
    embedding_price,
    sent,
)


def with_embedding(
    estimate: Estimate, recipe: Recipe, detection: Detection, settings: SynthesisSettings, record_tokens: float
) -> Estimate:
    """`estimate` with the vectors of seeds and records added; unchanged where none are bought.

    Args:
        estimate: Of everything else.
        recipe: Of the run.
        detection: Of the recipe.
        settings: Of the run.
        record_tokens: Length of a record where there are no seeds to measure.
    """
    if not compares_meanings(settings) or embedding_model_of(settings).startswith(LOCAL):
        return estimate
    model, price = embedding_model_of(settings), embedding_price(settings.model_copy(update={"max_cost": None}))
    whole = views_for(recipe.record_schema, detection)[0]
    counted = [count_tokens(sent(whole.text(seed)), model) for seed in recipe.seeds]
    each = fmean(counted) if counted else record_tokens
    calls = math.ceil(len(recipe.seeds) / AT_ONCE) + math.ceil(settings.target_count / AT_ONCE)
    tokens = sum(counted) + round(settings.target_count * each)
    cost = None if price is None else float(price.cost(Usage(input=tokens)))
    return estimate.model_copy(
        update={
            "calls": estimate.calls + calls,
            "input_tokens": estimate.input_tokens + tokens,
            "cost_usd": None if cost is None or estimate.cost_usd is None else estimate.cost_usd + cost,
            "embedding_calls": calls,
            "embedding_tokens": tokens,
            "embedding_usd": cost,
        }
    )

"""What a run will take, counted from its real prompts before any model is asked, and again after its pilot."""

import math
from collections.abc import Sequence
from statistics import fmean

import orjson

from datasynth.schemas.calls import Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import Estimate, RoundOutcome
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.batch_choice import tier_of
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.llm.tokens import count_tokens
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.rounds.sizing import answered

SAMPLED_PROMPTS = 16
"""Prompts of the plan that are really written and counted; the rest is like them."""
UNSEEN_FIELD_CHARACTERS = 120
"""Length taken for a text field when there is neither a seed nor a limit to go by."""


def estimate_run(
    recipe: Recipe, detection: Detection, settings: SynthesisSettings, model: str, price: Price | None
) -> Estimate:
    """Calls, tokens and cost of `settings.target_count` records if every one that comes back is good.

    Inputs are counted from the real prompts; outputs are taken to be as long as the seeds.
    """
    full, rest = divmod(settings.target_count, settings.batch_size)
    asked = [settings.batch_size] * full + ([rest] if rest else [])
    sample = plan_calls(recipe, detection, settings, round=1, first_index=0, asked=asked[:SAMPLED_PROMPTS])
    static = count_tokens(static_prompt(recipe, detection, settings), model)
    shape = reply_schema(recipe.record_schema) if settings.structured_output != "off" else None
    static += count_tokens(orjson.dumps(shape).decode(), model) if shape else 0
    each = fmean(count_tokens(call_prompt(recipe, detection, call), model) for call in sample)
    record = _record_tokens(recipe, model)
    usage = Usage(input=round(static + each), output=round(record * settings.batch_size))
    tier = tier_of(settings)
    return Estimate(
        calls=len(asked),
        input_tokens=round(len(asked) * (static + each)),
        output_tokens=round(settings.target_count * record),
        cost_usd=None
        if price is None
        else float(price.cost(usage, tier=tier)) * settings.target_count / settings.batch_size,
    )


def _record_tokens(recipe: Recipe, model: str) -> float:
    if recipe.seeds:
        return fmean(count_tokens(orjson.dumps(seed).decode(), model) for seed in recipe.seeds)
    made_up = {
        f.name: "x " * min(f.max_length or UNSEEN_FIELD_CHARACTERS, UNSEEN_FIELD_CHARACTERS)
        for f in recipe.record_schema.asked
    }
    return count_tokens(orjson.dumps(made_up).decode(), model) / 2


def estimate_after(outcomes: Sequence[RoundOutcome], target: int) -> Estimate | None:
    """The estimate that finished rounds suggest for the whole run; None if they brought nothing."""
    accepted = sum(o.counts.accepted + o.counts.rejected.get("surplus.beyond_target", 0) for o in outcomes)
    if not accepted or not sum(answered(o.counts) for o in outcomes):
        return None
    scale = max(1.0, target / accepted)
    usage = sum((o.spend.usage for o in outcomes), Usage())
    costs = [o.spend.cost_usd for o in outcomes]
    return Estimate(
        calls=math.ceil(sum(o.calls for o in outcomes) * scale),
        input_tokens=round((usage.input + usage.cache_read + usage.cache_write) * scale),
        output_tokens=round(usage.output * scale),
        cost_usd=None if None in costs else sum(c or 0.0 for c in costs) * scale,
        basis="pilot",
    )


def estimate_without_recipe(count: int, batch_size: int, price: Price | None, *, tier: str = "standard") -> Estimate:
    """A rule of thumb for `datasynth estimate`: 2,000 tokens of prompt a call and 500 a record, as the older tool."""
    calls = math.ceil(count / batch_size)
    cost = None
    if price is not None:
        cost = float(price.cost(Usage(input=2000, output=500 * batch_size), tier=tier)) * count / batch_size
    return Estimate(calls=calls, input_tokens=2000 * calls, output_tokens=500 * count, cost_usd=cost)

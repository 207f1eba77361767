"""What a run will take, counted from its real prompts before any model is asked, and again after its pilot."""

import math
import operator
from collections.abc import Sequence
from statistics import fmean

import orjson

from datasynth.schemas.calls import Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import Estimate, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.judge.estimate import with_judging
from datasynth.tasks.llm.batch_choice import tier_of
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.llm.tokens import count_tokens
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.rounds.sizing import answered, in_calls, not_refused
from datasynth.tasks.semantic.estimate import with_embedding

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
    asked = in_calls(settings.target_count, settings.batch_size)
    sample = plan_calls(recipe, detection, settings, round=1, first_index=0, asked=asked[:SAMPLED_PROMPTS])
    static = count_tokens(static_prompt(recipe, detection, settings), model)
    shape = reply_schema(recipe.record_schema) if settings.structured_output != "off" else None
    static += count_tokens(orjson.dumps(shape).decode(), model) if shape else 0
    each = fmean(count_tokens(call_prompt(recipe, detection, call), model) for call in sample)
    record = _record_tokens(recipe, model)
    usage = Usage(input=round(static + each), output=round(record * settings.batch_size))
    tier = tier_of(settings)
    generation = Estimate(
        calls=len(asked),
        input_tokens=round(len(asked) * (static + each)),
        output_tokens=round(settings.target_count * record),
        cost_usd=None
        if price is None
        else float(price.cost(usage, tier=tier)) * settings.target_count / settings.batch_size,
    )
    judged = with_judging(generation, recipe, detection, settings, record)
    return with_embedding(judged, recipe, detection, settings, record)


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
    accepted = sum(not_refused(o.counts) for o in outcomes)
    asked = sum(answered(o.counts) for o in outcomes)
    if not accepted or not asked:
        return None
    missing = max(0, target - accepted)
    scale = 1 + missing * asked_for_each(accepted, max(asked, accepted)) / asked
    usage = sum((o.spend.usage for o in outcomes), Usage())
    costs = [o.spend.cost_usd for o in outcomes]
    judging = sum((o.judging.spend for o in outcomes), Spend())
    embedding = sum((o.embedding for o in outcomes), Spend())
    return Estimate(
        calls=math.ceil((sum(o.calls for o in outcomes) + judging.calls + embedding.calls) * scale),
        input_tokens=round((usage.input + usage.cache_read + usage.cache_write) * scale),
        output_tokens=round(usage.output * scale),
        cost_usd=None if None in costs else sum(c or 0.0 for c in costs) * scale,
        judging_calls=math.ceil(judging.calls * scale),
        judging_tokens=round(judging.usage.total * scale),
        judging_usd=None if judging.cost_usd is None else judging.cost_usd * scale,
        embedding_calls=math.ceil(embedding.calls * scale),
        embedding_tokens=round(embedding.usage.total * scale),
        embedding_usd=None if embedding.cost_usd is None else embedding.cost_usd * scale,
        basis="pilot",
    )


USUAL_YIELD = (23, 2)
"""Beta prior of the share of records that are accepted: most recipes lose between nothing and a sixth."""
ANY_YIELD = (1, 1)
USUAL = 0.8
"""Probability that a recipe is one of those; of the others nothing is known."""


def asked_for_each(accepted: int, asked: int) -> float:
    """Records that will have to be asked for to get one, expected after `accepted` of `asked`, at least 1.

    Five calls are some 25 records. If all of them are good, that does not say that all will be, nor do five bad ones
    say that a fifth will; but half of them bad do mean that about half will. Hence a mixture of two priors, weighted by
    how well each foretold what was seen.
    """
    foretold, means = [], []
    for share, (good, bad) in ((USUAL, USUAL_YIELD), (1 - USUAL, ANY_YIELD)):
        seen = (good + accepted, bad + asked - accepted)
        foretold.append(math.log(share) + _log_beta(*seen) - _log_beta(good, bad))
        means.append((sum(seen) - 1) / (seen[0] - 1))  # of 1/p, for p from Beta(*seen)
    weights = [math.exp(logarithm - max(foretold)) for logarithm in foretold]
    return sum(map(operator.mul, weights, means)) / sum(weights)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def estimate_without_recipe(count: int, batch_size: int, price: Price | None, *, tier: str = "standard") -> Estimate:
    """A rule of thumb for `datasynth estimate`: 2,000 tokens of prompt a call and 500 a record, as the older tool."""
    calls = math.ceil(count / batch_size)
    cost = None
    if price is not None:
        cost = float(price.cost(Usage(input=2000, output=500 * batch_size), tier=tier)) * count / batch_size
    return Estimate(calls=calls, input_tokens=2000 * calls, output_tokens=500 * count, cost_usd=cost)

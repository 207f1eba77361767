"""What judging should take, and how much of a run's limits generation leaves to it."""

import itertools
import math
from typing import Any

import orjson

from datasynth.schemas.calls import Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.judge.choice import SCORE_TOKENS, AnyKey, judge_endpoint
from datasynth.tasks.judge.prompt import judge_message, judge_prompt, scores_schema
from datasynth.tasks.judge.waves import SHOWN
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.llm.tokens import ENVELOPE_TOKENS, count_tokens
from datasynth.tasks.semantic.embedders import ADDED_TOKENS

VERDICT_TOKENS = 60
"""Output tokens of one record's number, reason and score."""
USUAL_PROMPT, USUAL_RECORD = 1500, 500
"""Tokens of the judge's own prompt (1,090 to 1,757 for the shipped examples), and of a record it reads, where there is
no recipe to count them in."""
MARGIN = 1.25
"""Times their estimate that judging and vectors are left of a limit: some records are judged in vain, some twice."""
LAST_REQUESTS = 3
"""Requests for vectors that are left of a limit of calls beside those estimated: each round makes one at least."""
BYTES_A_TOKEN = 4
"""A call's worst case counts its bytes as tokens; text has about so many a token."""


def with_judging(
    estimate: Estimate, recipe: Recipe, detection: Detection, settings: SynthesisSettings, record_tokens: float
) -> Estimate:
    """`estimate` of generation with the judge's share added; unchanged where nothing is judged.

    Args:
        estimate: Of generation alone.
        recipe: Of the run.
        detection: Of the recipe.
        settings: Of the run.
        record_tokens: Length of a record where there are no seeds to measure.
    """
    if not settings.judging:
        return estimate
    endpoint, price = judge_endpoint(settings.model_copy(update={"max_cost": None}), AnyKey())
    static = count_tokens(judge_prompt(recipe, detection), endpoint.model)
    if settings.structured_output != "off":
        static += count_tokens(orjson.dumps(scores_schema(recipe.language)).decode(), endpoint.model)
    shown = _shown(recipe)
    message = count_tokens(judge_message(shown, recipe.language), endpoint.model)
    message += 0 if recipe.seeds else round(SHOWN * record_tokens)
    return _with(estimate, settings, Usage(input=static + message, output=SHOWN * VERDICT_TOKENS), price)


def with_usual_judging(estimate: Estimate, settings: SynthesisSettings, price: Price | None) -> Estimate:
    """A rule-of-thumb `estimate` with the judge's share added, by `USUAL_PROMPT` and records of `USUAL_RECORD`."""
    one = Usage(input=USUAL_PROMPT + SHOWN * USUAL_RECORD, output=SHOWN * VERDICT_TOKENS)
    return _with(estimate, settings, one, price)


def _with(estimate: Estimate, settings: SynthesisSettings, one: Usage, price: Price | None) -> Estimate:
    """`estimate` with judgements of all records added, each of the size of `one`."""
    calls = settings.judges * math.ceil(settings.target_count / SHOWN)
    cost = None if price is None else float(price.cost(one)) * calls
    return estimate.model_copy(
        update={
            "calls": estimate.calls + calls,
            "input_tokens": estimate.input_tokens + calls * one.input,
            "output_tokens": estimate.output_tokens + calls * one.output,
            "cost_usd": None if cost is None or estimate.cost_usd is None else estimate.cost_usd + cost,
            "judging_calls": calls,
            "judging_tokens": calls * one.total,
            "judging_usd": cost,
        }
    )


def _shown(recipe: Recipe) -> list[dict[str, Any]]:
    """As many records as a judgement shows, for their length: seeds, over and over if they are few."""
    return list(itertools.islice(itertools.cycle(recipe.seeds), SHOWN)) if recipe.seeds else [{}] * SHOWN


def generation_limits(settings: SynthesisSettings, estimate: Estimate, price: Price | None) -> dict[str, Any]:
    """The limits that generation keeps to, so that what it makes can also be judged and compared: `Budget`'s keywords.

    Without them generation would use up a small limit, and all that it made would be refused unjudged. They are what
    the run's limits leave when the last call to the judge, and the last vector, still fit at their worst case and all
    others as estimated.

    Args:
        settings: Of the run, with its limits.
        estimate: Of the run, with the shares of judge and vectors.
        price: Of the judge.
    """
    most_tokens, dearest = 0, 0.0
    if estimate.judging_calls:
        each = estimate.judging_tokens / estimate.judging_calls
        most_input, most_output = round(BYTES_A_TOKEN * each) + ENVELOPE_TOKENS, SHOWN * SCORE_TOKENS
        most_tokens += most_input + most_output
        dearest += float(price.worst(most_input, most_output)) if price else 0.0
    if estimate.embedding_tokens:
        most = round(BYTES_A_TOKEN * estimate.embedding_tokens / max(settings.target_count, 1)) + ADDED_TOKENS
        most_tokens += most
        dearest += most * (estimate.embedding_usd or 0.0) / estimate.embedding_tokens
    last = bool(estimate.judging_calls) + LAST_REQUESTS * bool(estimate.embedding_calls)
    beside_usd = (estimate.judging_usd or 0.0) + (estimate.embedding_usd or 0.0)
    beside_tokens = estimate.judging_tokens + estimate.embedding_tokens
    tokens = estimate.input_tokens + estimate.output_tokens
    cost, cost_tokens, cost_calls = (
        _left(settings.max_cost, dearest, beside_usd, estimate.cost_usd),
        _left(settings.max_tokens, most_tokens, beside_tokens, tokens),
        _left(settings.max_calls, last, estimate.judging_calls + estimate.embedding_calls, estimate.calls),
    )
    return {
        "max_cost": cost,
        "max_tokens": None if cost_tokens is None else math.floor(cost_tokens),
        "max_calls": None if cost_calls is None else math.floor(cost_calls),
    }


def _left(limit: float | None, last: float, beside: float, whole: float | None) -> float | None:
    if limit is None or not beside or not whole:
        return limit
    generation = whole - beside
    return max(0.0, limit - last) * generation / (generation + MARGIN * beside)

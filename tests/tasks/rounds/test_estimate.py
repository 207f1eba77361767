"""What a run should take, before it starts and after its pilot."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Counts, Estimate, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.rounds.estimate import asked_for_each, estimate_after, estimate_run, estimate_without_recipe

SCHEMA = RecordSchema(fields=(Field(name="question"), Field(name="answer")))
SEEDS = tuple({"question": f"What is {n}?", "answer": "A number between many others. " * 5} for n in range(4))
RECIPE = Recipe(name="qa", record_schema=SCHEMA, seeds=SEEDS)
DETECTION = Detection(kind="generic")
PRICE = Price("user", Decimal(1), Decimal(10))
MODEL = "gpt-5.4-mini"


def estimated(recipe: Recipe = RECIPE, price: Price | None = PRICE, **values: Any) -> Estimate:
    settings = SynthesisSettings.model_validate({"analysis_dir": "x", "target_count": 100} | values)
    return estimate_run(recipe, DETECTION, settings, MODEL, price)


def test_the_cost_is_that_of_the_tokens() -> None:
    found = estimated(batch_size=5)
    assert found.calls == 20
    assert found.cost_usd == pytest.approx((found.input_tokens + 10 * found.output_tokens) / 1e6, rel=0.01)
    assert found.basis == "prompts"


def test_an_unknown_price_is_an_unknown_cost() -> None:
    assert estimated(price=None).cost_usd is None


def test_a_rest_is_a_call_of_its_own() -> None:
    assert estimated(target_count=11, batch_size=5).calls == 3


def test_longer_seeds_mean_longer_replies() -> None:
    long = RECIPE.model_copy(update={"seeds": tuple(s | {"answer": s["answer"] * 4} for s in SEEDS)})
    assert estimated(long).output_tokens > 2 * estimated().output_tokens


def test_larger_batches_need_less_input() -> None:
    assert estimated(batch_size=10).input_tokens < estimated(batch_size=2).input_tokens


def test_a_recipe_without_seeds_is_estimated_from_its_fields() -> None:
    found = estimated(Recipe(name="qa", record_schema=SCHEMA))
    assert found.output_tokens > 0


def test_the_batch_endpoint_costs_half() -> None:
    from datasynth.tasks.llm.prices import listed_price

    price = listed_price("claude-sonnet-5-5", "anthropic")
    dear, cheap = estimated(price=price), estimated(price=price, batch_api=True)
    assert dear.cost_usd is not None
    assert cheap.cost_usd == pytest.approx(dear.cost_usd / 2)


def pilot(*, asked: int = 25, accepted: int = 20, **values: Any) -> RoundOutcome:
    lost = {"validate.enum": asked - accepted} if asked > accepted else {}
    spend = Spend(calls=5, usage=Usage(1000, 2000, 300, 200), cost_usd=0.5)
    return RoundOutcome.model_validate(
        {"round": 1, "calls": 5, "counts": Counts(asked=asked, accepted=accepted, rejected=lost), "spend": spend}
        | values
    )


def test_a_pilot_is_scaled_to_the_whole_run() -> None:
    scale = 1 + 180 * asked_for_each(20, 25) / 25
    assert estimate_after([pilot()], 200) == Estimate(
        calls=math.ceil(5 * scale),
        input_tokens=round(1500 * scale),
        output_tokens=round(2000 * scale),
        cost_usd=0.5 * scale,
        basis="pilot",
    )


def test_a_flawless_pilot_does_not_promise_a_flawless_run() -> None:
    assert 1.03 < asked_for_each(25, 25) < 1.06


@pytest.mark.parametrize(("accepted", "asked"), [(250, 500), (2500, 5000), (480, 500), (15, 25), (3, 25)])
def test_what_was_seen_outweighs_what_is_usual(accepted: int, asked: int) -> None:
    assert asked_for_each(accepted, asked) == pytest.approx(asked / accepted, rel=0.05)


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_no_record_comes_from_less_than_one_that_was_asked_for(accepted: int, lost: int) -> None:
    assert asked_for_each(accepted, accepted + lost) >= 1


def test_a_pilot_of_unknown_cost_leaves_the_cost_unknown() -> None:
    found = estimate_after([pilot(spend=Spend(calls=5, cost_usd=None))], 200)
    assert found is not None
    assert found.cost_usd is None


def test_a_pilot_that_brought_nothing_says_nothing() -> None:
    assert estimate_after([pilot(accepted=0)], 200) is None
    assert estimate_after([], 200) is None


@given(st.integers(1, 25), st.integers(1, 10_000))
def test_no_estimate_is_below_what_is_spent_already(accepted: int, target: int) -> None:
    found = estimate_after([pilot(accepted=accepted)], target)
    assert found is not None
    assert found.calls >= 5
    assert found.cost_usd is not None
    assert found.cost_usd >= 0.5


def test_the_rule_of_thumb_is_the_earlier_tools() -> None:
    found = estimate_without_recipe(100, 5, PRICE)
    assert (found.calls, found.input_tokens, found.output_tokens) == (20, 40_000, 50_000)
    assert found.cost_usd == pytest.approx(0.04 + 0.5)
    assert estimate_without_recipe(100, 5, None).cost_usd is None

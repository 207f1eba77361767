"""Who judges, at which address, with which key and at which price; and what that should take."""

from typing import Any

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.judge.choice import AnyKey, judge_endpoint, judge_settings
from datasynth.tasks.judge.estimate import generation_limits
from datasynth.tasks.rounds.estimate import estimate_run

SCHEMA = RecordSchema(fields=(Field(name="question"), Field(name="answer")))
SEEDS = tuple({"question": f"What is {n}?", "answer": "A number between many others. " * 5} for n in range(4))
RECIPE = Recipe(name="qa", record_schema=SCHEMA, seeds=SEEDS)
OWN = {"provider": "openai", "model": "m", "base_url": "http://own/v1", "api_key_env": "OWN_KEY"}
PRICES = {"input_price": 1.0, "output_price": 2.0}


def with_(**values: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate({"analysis_dir": "x"} | values)


def estimated(**values: Any) -> Estimate:
    return estimate_run(RECIPE, Detection(kind="generic"), with_(**values), "m", None)


@pytest.mark.parametrize(
    ("values", "on"),
    [
        ({}, False),
        ({"judge_model": "j"}, True),
        ({"min_quality": 0.0}, True),
        ({"judges": 3}, True),
        ({"judge_provider": "vllm"}, True),
        ({"judge_api_key_env": "K"}, False),
    ],
)
def test_any_option_that_says_who_judges_or_how_strictly_turns_judging_on(values: dict[str, Any], on: bool) -> None:
    assert with_(**values).judging is on


def test_without_a_model_of_its_own_the_judge_is_the_model_that_writes() -> None:
    judge = judge_settings(with_(**OWN, **PRICES, min_quality=0.5))
    assert judge.model_dump(include={*OWN, *PRICES}) == OWN | PRICES


def test_a_judge_at_the_same_address_takes_its_key_and_not_its_price() -> None:
    judge = judge_settings(with_(**OWN, **PRICES, judge_model="j"))
    assert (judge.model, judge.base_url, judge.api_key_env) == ("j", "http://own/v1", "OWN_KEY")
    assert (judge.input_price, judge.output_price) == (None, None)


@pytest.mark.parametrize("elsewhere", [{"judge_provider": "anthropic"}, {"judge_base_url": "http://other/v1"}])
def test_a_key_is_sent_to_no_address_that_it_was_not_given_for(elsewhere: dict[str, str]) -> None:
    judge = judge_settings(with_(**OWN, **PRICES, **elsewhere))
    assert (judge.model, judge.api_key_env, judge.input_price) == (None, None, None)
    assert judge.base_url == elsewhere.get("judge_base_url")


def test_one_judge_is_asked_coldly_and_several_are_not() -> None:
    assert judge_settings(with_(min_quality=0.5)).temperature == 0
    assert judge_settings(with_(judges=3)).temperature > 0.5


def test_a_judge_without_a_model_is_refused_by_its_own_option() -> None:
    with pytest.raises(InputError, match="--judge-model"):
        judge_endpoint(with_(provider="simulated", judge_provider="vllm"), AnyKey())


def test_a_budget_needs_the_judges_price_too() -> None:
    unknown = {"provider": "simulated", "judge_provider": "dashscope", "judge_model": "j", "max_cost": 1.0}
    with pytest.raises(InputError, match="--judge-input-price"):
        judge_endpoint(with_(**unknown), AnyKey())
    _, price = judge_endpoint(with_(**unknown, judge_input_price=1, judge_output_price=2), AnyKey())
    assert price is not None
    assert price.source == "user"


def test_a_missing_key_of_the_judge_is_named() -> None:
    with pytest.raises(InputError, match="DEEPSEEK_API_KEY"):
        judge_endpoint(with_(provider="simulated", judge_provider="deepseek", judge_model="j"), {})


def test_the_estimate_is_that_of_generation_where_nothing_is_judged() -> None:
    assert (estimated().judging_calls, estimated().judging_tokens) == (0, 0)


def test_the_judges_share_is_part_of_the_whole_estimate_and_grows_with_the_judges() -> None:
    plain, one, three = (
        estimated(**PRICES, target_count=100, **more) for more in ({}, {"min_quality": 0.5}, {"judges": 3})
    )
    assert one.judging_calls == 20
    assert one.calls == plain.calls + 20
    assert one.input_tokens + one.output_tokens == plain.input_tokens + plain.output_tokens + one.judging_tokens
    assert three.judging_tokens == 3 * one.judging_tokens


def test_a_judge_of_unknown_price_makes_the_whole_cost_unknown() -> None:
    found = estimated(provider="simulated", judge_provider="vllm", judge_model="j", judge_base_url="http://gpu/v1")
    assert found.judging_usd == 0  # one's own machine
    found = estimated(provider="simulated", judge_provider="dashscope", judge_model="j")
    assert (found.judging_usd, found.cost_usd) == (None, None)


@pytest.mark.parametrize("limit", [{"max_calls": 40}, {"max_tokens": 200_000}, {"max_cost": 0.5}])
def test_generation_leaves_the_judge_its_share_of_every_limit(limit: dict[str, Any]) -> None:
    settings = with_(**OWN, **PRICES, judges=2, **limit)
    _, price = judge_endpoint(settings, AnyKey())
    estimate = Estimate(
        calls=60, input_tokens=80_000, output_tokens=40_000, cost_usd=0.16,
        judging_calls=40, judging_tokens=60_000, judging_usd=0.08,
    )  # fmt: skip
    found = generation_limits(settings, estimate, price)
    (name,) = limit
    assert 0 < found[name] < 0.6 * limit[name]
    assert [value for key, value in found.items() if key != name] == [None, None]


def test_a_judge_that_costs_nothing_takes_nothing_from_a_budget_in_dollars() -> None:
    settings = with_(**OWN, **PRICES, judge_provider="vllm", judge_model="j", max_cost=1.0)
    estimate = Estimate(
        calls=60, input_tokens=1, output_tokens=1, cost_usd=0.16, judging_calls=40, judging_tokens=9, judging_usd=0.0
    )
    assert generation_limits(settings, estimate, judge_endpoint(settings, AnyKey())[1])["max_cost"] == 1.0

"""Exact costs, from the user's prices or the list; unknown stays unknown."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage as BilledUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import Usage
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.prices import Price, listed_price, price_of

TOKENS = st.integers(0, 300_000)


def settings(**values: Any) -> SynthesisSettings:
    return SynthesisSettings(analysis_dir="x", **values)


def price(provider: str, model: str, **values: Any) -> Price | None:
    base = values.get("base_url") or PROVIDERS[provider].base_url
    return price_of(Endpoint(PROVIDERS[provider], model, base), settings(provider=provider, **values))


def known(provider: str, model: str, **values: Any) -> Price:
    found = price(provider, model, **values)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("usage", "tier", "dollars"),
    [
        (Usage(input=1_000_000), "standard", "2"),
        (Usage(output=1_000_000), "standard", "10"),
        (Usage(input=1000, output=500), "standard", "0.007"),
        (Usage(cache_read=100_000), "standard", "0.01"),
        (Usage(cache_write=100_000), "standard", "0.25"),
        (Usage(input=10, output=20, cache_read=1000, cache_write=2000), "standard", "0.00532"),
        (Usage(input=1000, output=500), "batch", "0.0035"),
        (Usage(cache_read=100_000), "batch", "0.005"),
        (Usage(cache_write=100_000), "batch", "0.125"),
    ],
)
def test_claude_sonnet_5_5_costs_what_anthropic_charges(usage: Usage, tier: str, dollars: str) -> None:
    assert known("anthropic", "claude-sonnet-5-5").cost(usage, tier=tier) == Decimal(dollars)


@pytest.mark.parametrize(
    ("usage", "tier", "dollars"),
    [
        (Usage(input=1_000_000), "standard", "0.75"),
        (Usage(output=1_000_000), "standard", "4.5"),
        (Usage(cache_read=1_000_000), "standard", "0.075"),
        (Usage(input=200, cache_read=800, output=100), "standard", "0.00066"),
        (Usage(input=1_000_000, output=1_000_000), "batch", "2.625"),
        (Usage(input=1_000_000, output=1_000_000), "default", "5.25"),
        (Usage(input=1_000_000, output=1_000_000), "flex", "2.625"),
        (Usage(input=1_000_000, output=1_000_000), "priority", "10.5"),
    ],
)
def test_gpt_5_4_mini_costs_what_openai_charges(usage: Usage, tier: str, dollars: str) -> None:
    assert known("openai", "gpt-5.4-mini").cost(usage, tier=tier) == Decimal(dollars)


@pytest.mark.parametrize("provider", ["anthropic", "openai", "deepseek", "moonshot", "zhipu"])
def test_an_unknown_model_has_no_price(provider: str) -> None:
    assert price(provider, "no-such-model-9000") is None


@pytest.mark.parametrize("provider", ["dashscope", "qianfan"])
def test_a_provider_that_is_not_listed_has_no_price(provider: str) -> None:
    assert price(provider, "qwen-max") is None


@pytest.mark.parametrize(("provider", "model"), [("openai", "gpt-5.4-mini"), ("anthropic", "claude-sonnet-5-5")])
def test_a_known_name_at_an_address_of_ones_own_has_no_price(provider: str, model: str) -> None:
    assert price(provider, model, base_url="http://localhost:9999/v1") is None


def test_the_presets_own_address_given_again_keeps_the_price() -> None:
    base = PROVIDERS["deepseek"].base_url
    assert price("deepseek", "deepseek-chat", base_url=base) == price("deepseek", "deepseek-chat") is not None


def test_the_users_price_wins_over_the_list_and_counts_cached_tokens_alike() -> None:
    own = known("anthropic", "claude-sonnet-5-5", input_price=1.1, output_price=2.2)
    usage = Usage(input=1_000_000, cache_read=1_000_000, cache_write=1_000_000, output=1_000_000)
    assert own.cost(usage) == Decimal("5.5")


def test_a_price_of_zero_is_a_price() -> None:
    assert known("dashscope", "m", input_price=0, output_price=0).cost(Usage(input=5)) == 0


@pytest.mark.parametrize("provider", ["simulated", "ollama", "vllm"])
def test_ones_own_machine_costs_nothing(provider: str) -> None:
    assert known(provider, "m").cost(Usage(input=10**9, output=10**9)) == 0


def test_the_default_models_have_a_price() -> None:
    for provider in PROVIDERS.values():
        if provider.default_model and provider.price_id:
            assert listed_price(provider.default_model, provider.price_id) is not None


def test_a_tier_that_is_not_listed_is_not_known_unless_the_price_is_the_users() -> None:
    listed, own = known("openai", "gpt-5.4-mini"), known("openai", "gpt-5.4-mini", input_price=1, output_price=2)
    assert [tier for tier in ("default", "flex", "priority", "scale") if not listed.knows(tier)] == ["scale"]
    assert not known("anthropic", "claude-sonnet-5-5").knows("priority")
    assert own.knows("scale")


@pytest.mark.parametrize(
    ("provider", "model", "tiers"),
    [
        ("anthropic", "claude-sonnet-5-5", ["standard"]),
        ("openai", "gpt-5.4-mini", ["default", "flex", "priority"]),
        ("openai", "gpt-5.4", ["default", "flex", "priority"]),  # dearer above 272,000 tokens
        ("deepseek", "deepseek-chat", ["standard"]),
    ],
)
@given(new=TOKENS, read=TOKENS, written=TOKENS, output=TOKENS)
def test_a_call_costs_what_the_list_says_and_never_more_than_its_worst_case(
    provider: str, model: str, tiers: list[str], new: int, read: int, written: int, output: int
) -> None:
    found = known(provider, model)
    usage = Usage(new, output, read, written)
    billed = BilledUsage(
        input_tokens=new + read + written, output_tokens=output, cache_read_tokens=read, cache_write_tokens=written
    )
    worst = found.worst(new + read + written, output)
    for tier in tiers:
        context = {"service_tier": tier}
        cost = calc_price(billed, model, provider_id=found.provider, price_context=context).total_price
        assert found.cost(usage, tier=tier) == cost <= worst


@pytest.mark.parametrize("model", ["deepseek-chat", "deepseek-reasoner", "deepseek-v4-pro"])
def test_a_worst_case_is_that_of_the_dearest_hour_for_a_call_is_priced_when_it_is_answered(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = known("deepseek", model)
    day = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    usage, costs, worst = Usage(1000, 1000), set[Decimal](), set[Decimal]()
    for minute in range(0, 24 * 60, 10):
        monkeypatch.setattr(time, "time", lambda now=day + 60 * minute: now)
        costs.add(found.cost(usage))
        worst.add(found.worst(1000, 1000))
    assert len(costs) > 1, "no longer priced by the hour"
    assert worst == {max(costs)}


def test_a_listed_price_shows_what_a_million_tokens_cost() -> None:
    found = known("anthropic", "claude-sonnet-5-5")
    assert (found.input, found.output) == (Decimal(2), Decimal(10))

"""Who judges, and how it is asked: the judge's model, address, price and limits as settings of their own."""

import os
from collections.abc import Iterator, Mapping

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint, resolve_endpoint
from datasynth.tasks.llm.prices import Price, price_of

SCORE_TOKENS = 400
"""Output tokens allowed for a record's reason and score: a sentence takes about 40, some models think before it."""
ONE_JUDGE, SEVERAL_JUDGES = 0.0, 0.7
"""Temperatures. A single judgement is to be the likeliest one; several are samples, or their median says no more
than one (Liu et al. 2023, G-Eval, arXiv:2303.16634, samples 20 at temperature 1)."""


def judge_settings(settings: SynthesisSettings) -> SynthesisSettings:
    """The settings that calls to the judge are made with.

    Provider, address, key variable and prices are those of generation, as far as they go together: a key is sent to no
    address that it was not given for, and a price holds for the model that it was given for.
    """
    same_provider = settings.judge_provider in (None, settings.provider)
    same_place = same_provider and settings.judge_base_url in (None, settings.base_url)
    same_model = same_place and settings.judge_model in (None, settings.model)
    return settings.model_copy(
        update={
            "provider": settings.judge_provider or settings.provider,
            "model": settings.judge_model or (settings.model if same_place else None),
            "base_url": settings.judge_base_url or (settings.base_url if same_provider else None),
            "api_key_env": settings.judge_api_key_env or (settings.api_key_env if same_place else None),
            "endpoint": settings.endpoint if same_place and not settings.judge_api_key_env else None,
            "input_price": _first(settings.judge_input_price, settings.input_price if same_model else None),
            "output_price": _first(settings.judge_output_price, settings.output_price if same_model else None),
            "temperature": ONE_JUDGE if settings.judges == 1 else SEVERAL_JUDGES,
            "max_tokens_per_sample": SCORE_TOKENS,
            # A batch may take a day, and every round waits for its judgements.
            "batch_api": False,
        }
    )


def judge_endpoint(
    settings: SynthesisSettings, environ: Mapping[str, str] = os.environ
) -> tuple[Endpoint, Price | None]:
    """Where the judge is reached, with its key from the environment, and its price.

    Raises:
        InputError: unknown provider, no model, no key, or a budget in dollars and nobody knows the price.
    """
    own = judge_settings(settings)
    preset = PROVIDERS.get(own.provider)
    if preset and not own.model and (not preset.default_model or (own.base_url and preset.name == "openai")):
        raise InputError(
            "No model given for the judge, and {provider} has no default. Name one with --judge-model.",
            provider=own.provider,
        )
    endpoint = resolve_endpoint(own, environ)
    price = price_of(endpoint, own)
    if settings.max_cost is not None and price is None:
        raise InputError(
            "The price of the judge, {model} at {provider}, is unknown, so --max-cost cannot hold. Give "
            "--judge-input-price and --judge-output-price (USD per million tokens), or limit --max-tokens or "
            "--max-calls.",
            model=endpoint.model,
            provider=endpoint.provider.name,
        )
    return endpoint, price


class AnyKey(Mapping[str, str]):
    """An environment in which every key is set: for prices and plans, which need none."""

    def __getitem__(self, key: str) -> str:
        return "-"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)

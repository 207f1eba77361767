"""What a call costs: from the user's own prices, from genai-prices, or unknown; never guessed."""

import functools
from dataclasses import dataclass
from decimal import Decimal

from genai_prices import Usage as BilledUsage
from genai_prices import calc_price
from genai_prices.types import ModelPrice

from datasynth.schemas.calls import Usage
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import Endpoint

MILLION = Decimal(1_000_000)


@dataclass(frozen=True)
class Price:
    """The price of one model's tokens, in USD. `source` says where it came from: `user`, `free` or `genai-prices`."""

    source: str
    input: Decimal = Decimal(0)
    """USD per million input tokens, where the source is `user`; cached tokens are charged alike."""
    output: Decimal = Decimal(0)
    model: str = ""
    provider: str = ""

    def cost(self, usage: Usage, *, tier: str = "standard") -> Decimal:
        """The exact cost of one call. `tier` `batch` takes the provider's batch prices.

        One call at a time: some models cost more a token above a prompt length.
        """
        if self.source != "genai-prices":
            fresh = usage.input + usage.cache_read + usage.cache_write
            return (fresh * self.input + usage.output * self.output) / MILLION
        return _listed_cost(self.model, self.provider, usage, tier)

    def worst(self, input_tokens: int, output_tokens: int, *, tier: str = "standard") -> Decimal:
        """The most that a call of at most so many tokens can cost: all input new, or all written to the cache."""
        return max(
            self.cost(Usage(input=input_tokens, output=output_tokens), tier=tier),
            self.cost(Usage(cache_write=input_tokens, output=output_tokens), tier=tier),
        )


@functools.lru_cache(maxsize=4096)
def _listed_cost(model: str, provider: str, usage: Usage, tier: str) -> Decimal:
    # genai-prices counts cached tokens among the input tokens and takes them out again at their own price.
    billed = BilledUsage(
        input_tokens=usage.input + usage.cache_read + usage.cache_write,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
    )
    context = {"processing": "batch"} if tier == "batch" else None
    return calc_price(billed, model, provider_id=provider, price_context=context).total_price


def price_of(endpoint: Endpoint, settings: SynthesisSettings) -> Price | None:
    """The price in force, or None where nobody knows it.

    The user's own prices win. A model at an address of the user's own is not the provider's, whatever it is called,
    so its price is unknown unless given.
    """
    if settings.input_price is not None and settings.output_price is not None:
        return Price("user", Decimal(str(settings.input_price)), Decimal(str(settings.output_price)))
    if endpoint.provider.free:
        return Price("free")
    listed = endpoint.provider.price_id
    if listed is None or (settings.base_url and settings.base_url != endpoint.provider.base_url):
        return None
    return listed_price(endpoint.model, listed)


def listed_price(model: str, provider: str) -> Price | None:
    """The price that genai-prices lists for `model`, or None."""
    try:
        found = calc_price(BilledUsage(input_tokens=1, output_tokens=1), model, provider_id=provider)
    except LookupError:
        return None
    return Price("genai-prices", *_per_million(found.model_price), model=model, provider=provider)


def _per_million(price: ModelPrice) -> tuple[Decimal, Decimal]:
    def base(value: object) -> Decimal:
        # A tiered price is an object; its base serves display only, costs are calculated by genai-prices itself.
        return Decimal(str(getattr(value, "base", value) or 0))

    return base(price.input_mtok), base(price.output_mtok)

"""What a call costs: from the user's own prices, from genai-prices, or unknown; never guessed."""

import functools
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as datetime_time
from decimal import Decimal

from genai_prices import Usage as BilledUsage
from genai_prices import calc_price
from genai_prices.types import ModelPrice, PriceCalculation, TieredPrices, TimeOfDateConstraint

from datasynth.schemas.calls import Usage
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import Endpoint

MILLION = Decimal(1_000_000)
DAY = 24 * 60
"""Minutes."""
PROBE = 1000
"""Tokens by whose price that of a token is found: fewer than any length from which a model costs more."""
STANDARD = frozenset({"standard", "default", "auto", "on_demand"})
"""What providers call the tier at the listed price: Anthropic, OpenAI (`auto` where a server repeats what was asked),
Groq."""


@dataclass(frozen=True)
class Price:
    """The price of one model's tokens, in USD. `source` says where it came from: `user`, `free` or `genai-prices`."""

    source: str
    input: Decimal = Decimal(0)
    """USD per million input tokens, where the source is `user`; cached tokens are charged alike."""
    output: Decimal = Decimal(0)
    model: str = ""
    provider: str = ""

    def knows(self, tier: str) -> bool:
        """Whether it says what a call costs that was served at `tier`, as its reply named it."""
        if self.source != "genai-prices" or tier in STANDARD or tier == "batch":
            return True
        return tier in _service_tiers(self.model, self.provider)

    def cost(self, usage: Usage, *, tier: str = "standard") -> Decimal:
        """The exact cost of one call at a tier that it `knows`; `batch` takes the provider's batch prices.

        One call at a time: some models cost more a token above a prompt length.
        """
        if self.source != "genai-prices":
            fresh = usage.input + usage.cache_read + usage.cache_write
            return (fresh * self.input + usage.output * self.output) / MILLION
        return self._listed(usage, tier, _this_minute())

    def _listed(self, usage: Usage, tier: str, minute: int) -> Decimal:
        rates = _rates(self.model, self.provider, tier, minute)
        if usage.input + usage.cache_read + usage.cache_write > rates.most_input:
            return _listed_cost(self.model, self.provider, usage, tier, minute)
        return rates.cost(usage)

    def worst(self, input_tokens: int, output_tokens: int, *, tier: str = "standard") -> Decimal:
        """The most that a call of at most so many tokens can cost: all input new, or all written to the cache.

        At whatever tier its provider serves it, unless it is a batch: an account may be set to a dearer one. And at
        whatever time of day: it is priced when it is answered, which may be at a dearer hour.
        """
        usages = (
            Usage(input=input_tokens, output=output_tokens),
            Usage(cache_write=input_tokens, output=output_tokens),
        )
        if self.source != "genai-prices":
            return max(self.cost(usage) for usage in usages)
        tiers = {tier} if tier == "batch" else {tier, *_service_tiers(self.model, self.provider)}
        now = _this_minute()
        minutes = {now} | {now - now % DAY + begins for begins in _price_changes(self.model, self.provider)}
        return max(self._listed(usage, one, minute) for one in tiers for minute in minutes for usage in usages)


@dataclass(frozen=True)
class _Rates:
    """USD per token of calls of up to `most_input` input tokens, cached ones among them."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    most_input: float

    def cost(self, usage: Usage) -> Decimal:
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        )


def _this_minute() -> int:
    """Minutes since 1970 (UTC)."""
    return int(time.time() // 60)


@functools.lru_cache(maxsize=256)
def _rates(model: str, provider: str, tier: str, minute: int) -> _Rates:
    """The rates in `minute`, for some depend on the time of day.

    genai-prices takes a tenth of a millisecond and more to price a call, and each is priced three times.
    """
    listed = _calculated(model, provider, Usage(input=PROBE), tier, minute).model_price
    tiered = [price for price in vars(listed).values() if isinstance(price, TieredPrices)]
    most = min((tier.start for price in tiered for tier in price.tiers), default=math.inf)
    one = {
        kind: _listed_cost(model, provider, Usage(**{kind: PROBE}), tier, minute) / PROBE
        for kind in ("input", "output", "cache_read", "cache_write")
    }
    return _Rates(**one, most_input=most if most >= PROBE else -1)


@functools.lru_cache(maxsize=64)
def _service_tiers(model: str, provider: str) -> frozenset[str]:
    """Tiers besides the standard one whose prices are listed."""
    variants = _listing(model, provider).model.price_variants or ()
    return frozenset(str(one.when["service_tier"]) for one in variants if set(one.when) == {"service_tier"}) - STANDARD


@functools.lru_cache(maxsize=64)
def _price_changes(model: str, provider: str) -> frozenset[int]:
    """Minutes of the day (UTC) at which another price begins."""
    listed = _listing(model, provider).model
    lists = [listed.prices, *(one.prices for one in listed.price_variants or ())]
    conditions = [price.constraint for prices in lists if isinstance(prices, list) for price in prices]
    daily = [one for one in conditions if isinstance(one, TimeOfDateConstraint)]
    return frozenset(_minute_of_day(moment) for one in daily for moment in (one.start_time, one.end_time))


def _minute_of_day(moment: datetime_time) -> int:
    shift = moment.utcoffset() or timedelta()
    return (moment.hour * 60 + moment.minute - int(shift.total_seconds() // 60)) % DAY


def _listing(model: str, provider: str) -> PriceCalculation:
    return _calculated(model, provider, Usage(input=PROBE), "standard", _this_minute())


def _listed_cost(model: str, provider: str, usage: Usage, tier: str, minute: int) -> Decimal:
    return _calculated(model, provider, usage, tier, minute).total_price


def _calculated(model: str, provider: str, usage: Usage, tier: str, minute: int) -> PriceCalculation:
    # genai-prices counts cached tokens among the input tokens and takes them out again at their own price.
    billed = BilledUsage(
        input_tokens=usage.input + usage.cache_read + usage.cache_write,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
    )
    context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier}
    return calc_price(
        billed,
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(minute * 60, UTC),
        price_context=None if tier in STANDARD else context,
    )


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

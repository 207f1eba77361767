"""The settings of `DataSynthesizer`, under the names that the earlier tool gave them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from datasynth.prefect_api import with_blocks
from datasynth.schemas.settings import SynthesisSettings
from datasynth.settings_input import checked_settings, settings_name
from datasynth.source import endpoint_without_key
from datasynth.tasks.llm.batch_choice import tier_of
from datasynth.tasks.llm.prices import price_of
from datasynth.tasks.rounds.estimate import estimate_without_recipe

OWN_NAMES = {"validate_records": "validate"}
"""Settings that are called otherwise here."""


@dataclass
class SynthesisConfig:
    """How records are made. Values are judged when they are used, not when they are set."""

    target_count: int = 100
    model: str | None = None
    """By default the provider's, where it has one."""
    provider: str = "anthropic"
    temperature: float = 0.8
    diversity_factor: float = 0.5
    """Distance from the seeds, 0 to 1."""
    batch_size: int = 5
    """Records asked for in a call."""
    max_retries: int = 3
    retry_delay: float = 2.0
    """Seconds before the first retry; it grows from there."""
    concurrency: int = 16
    """Calls in flight, at most."""
    validate: bool = True
    """Validate and deduplicate."""
    seed_sample_count: int = 3
    """Seeds shown in a prompt."""
    data_type: str = "auto"
    max_tokens_per_sample: int = 2000
    settings: dict[str, Any] = field(default_factory=dict)
    """Every other setting of a run by its name in `SynthesisSettings`, such as `{"base_url": ..., "max_cost": 5}`."""

    def run_settings(self, **others: Any) -> SynthesisSettings:
        """The settings of a run; `others` (the source, the output) beat what stands here.

        Raises:
            InputError: a value is of the wrong kind or out of range, or there is no such setting.
        """
        own = {name: value for name, value in vars(self).items() if name != "settings"}
        own["validate_records"] = own.pop("validate")
        more = {settings_name(name, where="SynthesisConfig.settings"): value for name, value in self.settings.items()}
        return checked_settings(own | more | others, named=_named)

    def estimate_cost(self, target_count: int | None = None) -> dict[str, Any]:
        """What so many records usually take, by rule of thumb: no recipe is read and no model asked.

        Returns:
            target_count, estimated_batches, estimated_input_tokens, estimated_output_tokens, estimated_cost_usd
            (`math.nan` where nobody knows the model's price), model, provider.
        """
        # The settings want a source; this estimate has none, and reads none.
        settings = with_blocks(self.run_settings(analysis_dir=".", target_count=target_count or self.target_count))
        endpoint, _ = endpoint_without_key(settings)
        estimate = estimate_without_recipe(
            settings.target_count, settings.batch_size, price_of(endpoint, settings), tier=tier_of(settings)
        )
        return {
            "target_count": settings.target_count,
            "estimated_batches": estimate.calls,
            "estimated_input_tokens": estimate.input_tokens,
            "estimated_output_tokens": estimate.output_tokens,
            "estimated_cost_usd": math.nan if estimate.cost_usd is None else round(estimate.cost_usd, 2),
            "model": endpoint.model,
            "provider": settings.provider,
        }


def _named(field_name: str) -> str:
    return OWN_NAMES.get(field_name, field_name)


OnProgress = Callable[[int, int], None]
"""Called with the records accepted and wanted."""

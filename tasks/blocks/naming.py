"""What settings name that is kept on a Prefect server, and what becomes of them with a ModelEndpoint."""

import os
from typing import Any

from datasynth.schemas.blocks import EndpointFields
from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import endpoint_block
from datasynth.tasks.storage.named import is_named

LIMITS = ("concurrency", "requests_per_minute", "tokens_per_minute", "concurrency_limit")
PRICES = ("input_price", "output_price")


def names_blocks(settings: SynthesisSettings) -> bool:
    """Whether a run with `settings` has to ask a Prefect server for something kept there."""
    store = settings.store or os.environ.get("DATASYNTH_STORE") or ""
    return bool(settings.endpoint or settings.template or is_named(store))


def with_endpoint(settings: SynthesisSettings) -> SynthesisSettings:
    """`settings` with what their `endpoint` says, but for its key; unchanged where they name none.

    Provider and address are the block's, for a key is sent to no address that it was not given for. Of the rest, what
    the settings say beats the block; a default says nothing, for Prefect's form sends every default along. Prices hold
    for the model that they were given for. Doing it twice changes nothing.

    Raises:
        InputError: there is no such block; provider, address or key are given both here and there, differently.
    """
    if settings.endpoint is None:
        return settings
    block = endpoint_block(settings.endpoint)
    _require_no_clash(settings, block)
    found: dict[str, Any] = {"provider": block.provider, "base_url": block.base_url}
    if settings.model is None:
        found["model"] = block.model
    own_prices = [getattr(settings, name) is not None for name in PRICES]
    if settings.model in (None, block.model) and not any(own_prices):
        found |= {name: getattr(block, name) for name in PRICES}
    for name in LIMITS:
        default = SynthesisSettings.model_fields[name].default
        if getattr(settings, name) == default and getattr(block, name) is not None:
            found[name] = getattr(block, name)
    return settings.model_copy(update=found)


def _require_no_clash(settings: SynthesisSettings, block: EndpointFields) -> None:
    default = SynthesisSettings.model_fields["provider"].default
    clashes = {
        "provider": settings.provider not in (default, block.provider),
        "base_url": settings.base_url not in (None, block.base_url),
        "api_key_env": settings.api_key_env is not None and block.api_key is not None,
    }
    for name, clashing in clashes.items():
        if clashing:
            raise InputError(
                "The endpoint {endpoint} brings its own {setting}, and {setting} is given too. Leave {setting} out, or "
                "name another endpoint: a key is sent nowhere but where it was given for.",
                endpoint=settings.endpoint,
                setting=name,
            )

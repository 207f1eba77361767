"""Where a model is reached: providers, their protocols, addresses, key variables and default models."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import ENDPOINT, endpoint_block

Protocol = Literal["anthropic", "openai"]


@dataclass(frozen=True)
class Provider:
    """A preset. `base_url` None means the SDK's own; a provider without `key_env` needs no key."""

    name: str
    protocol: Protocol = "openai"
    base_url: str | None = None
    key_env: str | None = None
    default_model: str | None = None
    structured: bool = False
    """Takes a JSON Schema for its answer (others get JSON by instruction and tolerant parsing)."""
    price_id: str | None = None
    """The provider's id in genai-prices; None where it lists no such provider."""
    free: bool = False
    """Runs on the user's own machine: a call costs nothing."""


PROVIDERS: dict[str, Provider] = {
    p.name: p
    for p in (
        Provider(
            "anthropic",
            "anthropic",
            None,
            "ANTHROPIC_API_KEY",
            "claude-sonnet-5-5",
            structured=True,
            price_id="anthropic",
        ),
        Provider("openai", "openai", None, "OPENAI_API_KEY", "gpt-5.4-mini", structured=True, price_id="openai"),
        Provider("deepseek", base_url="https://api.deepseek.com", key_env="DEEPSEEK_API_KEY", price_id="deepseek"),
        Provider(
            "dashscope", base_url="https://dashscope.aliyuncs.com/compatible-mode/v1", key_env="DASHSCOPE_API_KEY"
        ),
        Provider("qianfan", base_url="https://qianfan.baidubce.com/v2", key_env="QIANFAN_API_KEY"),
        Provider("moonshot", base_url="https://api.moonshot.cn/v1", key_env="MOONSHOT_API_KEY", price_id="moonshotai"),
        Provider(
            "zhipu", base_url="https://open.bigmodel.cn/api/paas/v4", key_env="ZHIPUAI_API_KEY", price_id="zhipuai"
        ),
        Provider("ollama", base_url="http://localhost:11434/v1", structured=True, free=True),
        Provider("vllm", base_url="http://localhost:8000/v1", structured=True, free=True),
        Provider("simulated", "anthropic", None, None, "simulated", structured=True, free=True),
    )
}


@dataclass(frozen=True)
class Endpoint:
    """One model at one address. The key stays out of `repr`, so that no log or error can show it."""

    provider: Provider
    model: str
    base_url: str | None
    key: str = field(repr=False, default="")
    key_env: str | None = None
    block: str | None = None
    """The ModelEndpoint that the key came from."""

    @property
    def key_source(self) -> Message:
        """Where somebody has to look whose key is refused."""
        if self.block:
            return say("the key in the block {block}", block=f"{ENDPOINT}/{self.block}")
        return say("the environment variable {variable}", variable=self.key_env or "-")

    @property
    def protocol(self) -> Protocol:
        return self.provider.protocol

    @property
    def simulated(self) -> bool:
        return self.provider.name == "simulated"


def resolve_endpoint(settings: SynthesisSettings, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The endpoint that `settings` name, with its key from their ModelEndpoint, else from the environment.

    Raises:
        InputError: unknown provider, no model where the provider has no default, a secret in the base URL, the
            key's variable is unset, or a ModelEndpoint that is for another address.
    """
    provider = PROVIDERS.get(settings.provider)
    if provider is None:
        raise InputError(
            "There is no provider {name}. Choose one of {known}; for any other OpenAI-compatible endpoint give "
            "--provider openai with --base-url.",
            name=settings.provider,
            known=", ".join(PROVIDERS),
        )
    if settings.base_url and not _is_web_address(settings.base_url):
        raise InputError(
            "{url} is no address of an endpoint. Give one such as http://127.0.0.1:8000/v1.", url=settings.base_url
        )
    if settings.base_url and "@" in urlsplit(settings.base_url).netloc:
        raise InputError(
            "The base URL holds a user name or a password, which every report would show. Leave them out, and give "
            "the key in the environment variable that --api-key-env names."
        )
    # A model of the preset's own house says nothing about what another address serves.
    own_house = settings.base_url is None or provider.name in ("anthropic", "simulated")
    model = settings.model or (provider.default_model if own_house else None)
    if not model:
        raise InputError(
            "No model given, and {provider} has no default. Name one with --model.",
            provider=provider.name,
        )
    base_url = settings.base_url or provider.base_url
    if key := key_of_block(settings):
        return Endpoint(provider, model, base_url, key, block=settings.endpoint)
    key_env = settings.api_key_env or provider.key_env
    key = environ.get(key_env, "") if key_env else ""
    if key_env and not key.strip():
        raise InputError(
            "{provider} needs a key: the environment variable {variable} is not set. Set it, or try "
            "--provider simulated, which needs none.",
            provider=provider.name,
            variable=key_env,
        )
    return Endpoint(provider, model, base_url, key.strip(), key_env)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def key_of_block(settings: SynthesisSettings) -> str:
    """The key of the ModelEndpoint that `settings` name, read where it is needed and kept in no setting; empty without.

    Args:
        settings: As `datasynth.tasks.blocks.naming.with_endpoint` made them.

    Raises:
        InputError: the block is gone, or has become one for another provider or address.
    """
    if settings.endpoint is None:
        return ""
    block = endpoint_block(settings.endpoint)
    if (block.provider, block.base_url) != (settings.provider, settings.base_url):
        raise InputError(
            "The endpoint {endpoint} is for {there} now, and the run for {here}. Change the block back, or start a new "
            "run.",
            endpoint=settings.endpoint,
            there=f"{block.provider} {block.base_url or ''}".strip(),
            here=f"{settings.provider} {settings.base_url or ''}".strip(),
        )
    return block.api_key.get_secret_value().strip() if block.api_key else ""


SAMPLING_CLAUDE = re.compile(r"claude-(instant|2|3|haiku-4|(opus|sonnet)-4(-0|-1|-5|-6)?(-\d{8})?$)")
REASONING_OPENAI = re.compile(r"^(gpt-([5-9]|\d\d)|o\d)")


def takes_temperature(endpoint: Endpoint) -> bool:
    """Whether the model accepts a temperature: Claude since Opus 4.7 and OpenAI's reasoning models refuse it."""
    if endpoint.provider.name == "anthropic":
        return bool(SAMPLING_CLAUDE.match(endpoint.model))
    if endpoint.provider.name == "openai" and endpoint.base_url is None:
        return not REASONING_OPENAI.match(endpoint.model)
    return True

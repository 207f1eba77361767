"""Providers, keys and default models; the key never shows."""

from dataclasses import asdict
from typing import Any

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint, resolve_endpoint

KEY = "sk-secret-0123456789"


def resolved(environ: dict[str, str] | None = None, **values: Any) -> Endpoint:
    return resolve_endpoint(SynthesisSettings(analysis_dir="x", **values), environ or {})


@pytest.mark.parametrize("name", [name for name, p in PROVIDERS.items() if p.key_env])
def test_a_provider_takes_its_key_from_its_variable(name: str) -> None:
    variable = PROVIDERS[name].key_env or ""
    found = resolved({variable: f"  {KEY}\n"}, provider=name, model="m")
    assert (found.key, found.key_env, found.base_url) == (KEY, variable, PROVIDERS[name].base_url)


@pytest.mark.parametrize("name", [name for name, p in PROVIDERS.items() if p.key_env])
@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_missing_or_empty_key_names_its_variable(name: str, value: str | None) -> None:
    variable = PROVIDERS[name].key_env or ""
    with pytest.raises(InputError, match=variable):
        resolved({} if value is None else {variable: value}, provider=name, model="m")


def test_a_variable_of_ones_own_wins() -> None:
    found = resolved({"MINE": KEY, "OPENAI_API_KEY": "other"}, provider="openai", api_key_env="MINE")
    assert (found.key, found.key_env) == (KEY, "MINE")


@pytest.mark.parametrize("name", ["ollama", "vllm", "simulated"])
def test_ones_own_machine_needs_no_key(name: str) -> None:
    assert resolved(provider=name, model="m").key == ""


def test_ones_own_machine_may_have_a_key() -> None:
    assert resolved({"MINE": KEY}, provider="vllm", model="m", api_key_env="MINE").key == KEY


def test_the_key_is_in_no_text_of_an_endpoint() -> None:
    found = resolved({"OPENAI_API_KEY": KEY}, provider="openai")
    assert KEY not in repr(found)
    assert KEY not in str(found)
    assert asdict(found)["key"] == KEY


def test_an_unknown_provider_is_told_which_there_are() -> None:
    with pytest.raises(InputError, match="deepseek"):
        resolved(provider="opnai")


@pytest.mark.parametrize(
    ("name", "model"),
    [("anthropic", "claude-sonnet-5-5"), ("openai", "gpt-5.4-mini"), ("simulated", "simulated")],
)
def test_a_provider_with_a_default_model_needs_none(name: str, model: str) -> None:
    assert resolved({"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}, provider=name).model == model


@pytest.mark.parametrize("name", ["deepseek", "ollama"])
def test_a_provider_without_a_default_model_asks_for_one(name: str) -> None:
    with pytest.raises(InputError, match="--model"):
        resolved({"DEEPSEEK_API_KEY": KEY}, provider=name)


def test_another_address_serves_other_models_so_it_asks_for_one() -> None:
    with pytest.raises(InputError, match="--model"):
        resolved({"OPENAI_API_KEY": KEY}, provider="openai", base_url="http://localhost:1/v1")


@pytest.mark.parametrize("url", ["http://me:secret@gateway/v1", "https://token@gateway:8000/v1"])
def test_a_secret_in_the_base_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="user name or a password") as caught:
        resolved(provider="vllm", model="m", base_url=url)
    assert "secret" not in str(caught.value)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("url", ["notaurl", "localhost:8000/v1", "ftp://host/v1", "http://", "http://[::1/v1"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no address of an endpoint"):
        resolved(provider="vllm", model="m", base_url=url)

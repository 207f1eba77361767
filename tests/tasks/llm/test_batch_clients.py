"""What the providers' batch endpoints may say and the simulated server never does."""

from typing import Any

import httpx2
import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.batch_choice import require_batches, tier_of
from datasynth.tasks.llm.batch_clients import AnthropicBatchClient, OpenAIBatchClient
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.failures import CallFailure

KEY = "sk-very-secret"
NOTHING = frozenset[str]()
HEADERS = httpx2.Headers()


def settings(**values: Any) -> SynthesisSettings:
    return SynthesisSettings(analysis_dir="-", **values)


@pytest.fixture(scope="module")
def claude() -> AnthropicBatchClient:
    return AnthropicBatchClient(Endpoint(PROVIDERS["anthropic"], "m", None, KEY), timeout=1, in_flight=1)


@pytest.fixture(scope="module")
def gpt() -> OpenAIBatchClient:
    return OpenAIBatchClient(Endpoint(PROVIDERS["openai"], "m", None, KEY), timeout=1, in_flight=1)


def failure(outcome: object) -> tuple[str, str, bool]:
    assert isinstance(outcome, CallFailure)
    return outcome.miss, outcome.remedy, outcome.maybe_billed


@pytest.mark.parametrize(
    ("kind", "miss", "remedy"),
    [
        ("invalid_request_error", "bad_request", "give_up"),
        ("authentication_error", "bad_request", "stop_run"),
        ("not_found_error", "bad_request", "stop_run"),
        ("rate_limit_error", "rate_limited", "wait"),
        ("api_error", "server_error", "retry"),
        ("timeout_error", "server_error", "retry"),
        ("overloaded_error", "rate_limited", "wait"),
        ("something_new", "server_error", "retry"),
    ],
)
def test_an_errored_anthropic_result_means_what_its_status_means_and_is_not_billed(
    claude: AnthropicBatchClient, kind: str, miss: str, remedy: str
) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "r"}
    for body in (error, error["error"]):
        assert failure(claude._result({"type": "errored", "error": body}, HEADERS, NOTHING)) == (miss, remedy, False)


def test_an_expired_request_is_a_timeout_that_costs_nothing(
    claude: AnthropicBatchClient, gpt: OpenAIBatchClient
) -> None:
    expired = {"response": None, "error": {"code": "batch_expired", "message": "This request could not be executed."}}
    for outcome in (claude._result({"type": "expired"}, HEADERS, NOTHING), gpt._result(expired, HEADERS, NOTHING)):
        assert failure(outcome) == ("timeout", "give_up", False)


def test_a_result_of_an_unknown_kind_may_have_been_billed(claude: AnthropicBatchClient) -> None:
    assert failure(claude._result({"type": "surprise"}, HEADERS, NOTHING)) == ("server_error", "retry", True)


@pytest.mark.parametrize(
    ("code", "miss", "remedy"),
    [
        ("token_limit_exceeded", "rate_limited", "wait"),
        ("billing_hard_limit_reached", "bad_request", "stop_run"),
        ("model_not_found", "bad_request", "stop_run"),
        ("invalid_json_line", "bad_request", "give_up"),
        (None, "bad_request", "give_up"),
    ],
)
def test_an_openai_batch_that_failed_as_a_whole_says_why(
    gpt: OpenAIBatchClient, code: str | None, miss: str, remedy: str
) -> None:
    state = {"status": "failed", "errors": {"object": "list", "data": [{"code": code, "message": "because"}]}}
    outcome = gpt._failed(state, NOTHING)
    assert failure(outcome) == (miss, remedy, False)
    assert "because" in outcome.detail


def test_an_error_that_echoes_the_key_does_not_show_it(gpt: OpenAIBatchClient) -> None:
    line = {"response": {"status_code": 400, "body": {"error": {"message": f"bad key {KEY}"}}}, "error": None}
    outcome = gpt._result(line, HEADERS, NOTHING)
    assert isinstance(outcome, CallFailure)
    assert KEY not in outcome.detail


@pytest.mark.parametrize("provider", ["deepseek", "ollama", "moonshot"])
def test_a_provider_without_a_batch_endpoint_is_refused_by_name(provider: str) -> None:
    where = Endpoint(PROVIDERS[provider], "m", None)
    with pytest.raises(InputError, match=f"{provider} has no batch endpoint"):
        require_batches(where, settings(provider=provider, batch_api=True))
    require_batches(where, settings(provider=provider))


def test_the_batch_tier_is_that_of_runs_through_the_batch_endpoint() -> None:
    assert [tier_of(settings(batch_api=choice)) for choice in (True, False)] == ["batch", "standard"]

"""HTTP statuses and error bodies as providers send them, and what is done about each.

Sources: platform.claude.com/docs/en/api/errors, platform.openai.com/docs/guides/error-codes, and bodies quoted in
issues of those who met them.
"""

import email.utils
import time
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.llm.failures import CallFailure, Remedy, failure_of_status, retry_after

EVERYTHING = frozenset({"temperature", "thinking", "json_schema", "max_completion_tokens", "cache_control"})


def anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def openai(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    # The SDK unwraps {"error": ...} before it hands the body on.
    return {"message": message, "type": kind, "param": None, "code": code}


def failure(status: int, body: Any = None, sent: frozenset[str] = EVERYTHING, **headers: str) -> CallFailure:
    return failure_of_status(status, body, httpx2.Headers({k.replace("_", "-"): v for k, v in headers.items()}), sent)


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (400, anthropic("invalid_request_error", "messages: roles must alternate"), "give_up"),
        (401, anthropic("authentication_error", "invalid x-api-key"), "stop_run"),
        (402, anthropic("billing_error", "There's an issue with your billing"), "stop_run"),
        (403, anthropic("permission_error", "Your API key does not have permission"), "stop_run"),
        (404, anthropic("not_found_error", "model: claude-none"), "stop_run"),
        (404, openai("The model `gpt-none` does not exist", code="model_not_found"), "stop_run"),
        (408, None, "retry"),
        (409, None, "retry"),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), "give_up"),
        (422, {"detail": [{"msg": "field required"}]}, "give_up"),
        (429, anthropic("rate_limit_error", "Number of request tokens has exceeded your rate limit"), "wait"),
        (429, openai("Rate limit reached for gpt-5.4-mini on requests per min", "requests"), "wait"),
        (500, anthropic("api_error", "Internal server error"), "retry"),
        (502, "<html>bad gateway</html>", "retry"),
        (503, openai("The engine is currently overloaded", "server_error"), "retry"),
        (504, anthropic("timeout_error", "The request timed out while processing"), "retry"),
        (524, "A timeout occurred", "retry"),
        (529, anthropic("overloaded_error", "Overloaded"), "wait"),
        (418, None, "give_up"),
    ],
)
def test_each_status_has_its_remedy(status: int, body: Any, remedy: Remedy) -> None:
    assert failure(status, body).remedy == remedy


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota")),
        (400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API.")),
        (402, openai("Insufficient Balance", "unknown_error", "invalid_request_error")),
    ],
)
def test_an_account_without_credit_ends_the_run_whatever_the_status(status: int, body: Any) -> None:
    assert failure(status, body).remedy == "stop_run"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_to_be_one(status: int) -> None:
    assert failure(status).authentication


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (openai("Unsupported value: 'temperature' does not support 0.8 with this model."), "temperature"),
        (anthropic("invalid_request_error", "thinking: Extra inputs are not permitted"), "thinking"),
        (anthropic("invalid_request_error", "output_config: Extra inputs are not permitted"), "json_schema"),
        (openai("Invalid schema for response_format 'records'"), "json_schema"),
        (openai("Unrecognized request argument supplied: max_completion_tokens"), "max_completion_tokens"),
        (anthropic("invalid_request_error", "system.0.cache_control: Extra inputs are not permitted"), "cache_control"),
    ],
)
def test_an_optional_parameter_that_is_refused_is_left_out(body: Any, parameter: str) -> None:
    found = failure(400, body)
    assert (found.remedy, found.parameter) == ("adapt", parameter)


def test_a_server_that_only_knows_the_newer_name_of_max_tokens_gets_it() -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    found = failure(400, openai(words, code="unsupported_parameter"), frozenset({"max_tokens"}))
    assert (found.remedy, found.parameter) == ("adapt", "max_tokens")


def test_a_parameter_that_was_not_sent_is_not_left_out() -> None:
    body = openai("Unsupported value: 'temperature' does not support 0.8 with this model.")
    assert failure(400, body, EVERYTHING - {"temperature"}).remedy == "give_up"


@pytest.mark.parametrize("status", [504, 524])
def test_a_gateway_that_gave_up_waiting_may_have_been_billed(status: int) -> None:
    assert failure(status).maybe_billed


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503, 529])
def test_an_error_of_the_api_itself_is_not_billed(status: int) -> None:
    assert not failure(status).maybe_billed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (anthropic("overloaded_error", "Overloaded"), "529: overloaded_error · Overloaded"),
        ({"error": "plain words"}, "529: plain words"),
        ({"detail": "fastapi"}, "529: {'detail': 'fastapi'}"),
        ("text", "529: text"),
        (None, "529: no explanation"),
        ({}, "529: no explanation"),
        ([], "529: no explanation"),
    ],
)
def test_the_detail_says_what_the_server_said(body: Any, words: str) -> None:
    assert failure(529, body).detail == words


def test_a_long_explanation_is_shortened() -> None:
    assert len(failure(400, {"error": {"message": "x" * 10_000}}).detail) < 600


def test_the_key_is_never_in_the_detail_even_if_the_server_echoes_it() -> None:
    body = {"error": {"message": "x" * 490 + "Invalid proxy token: sk-secret-0123456789"}}
    found = failure_of_status(401, body, httpx2.Headers(), EVERYTHING, hidden="sk-secret-0123456789")
    assert "sk-" not in found.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "type", "message"]), inner),
    max_leaves=5,
)


@given(st.integers(400, 599), json_values)
def test_any_body_of_any_status_is_sorted(status: int, body: Any) -> None:
    assert failure(status, body).detail.startswith(str(status))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "rubbish", "retry-after": "1"}, 1.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 99999 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx2.Headers(headers)) == seconds


def test_a_date_to_come_is_waited_for() -> None:
    date = email.utils.formatdate(time.time() + 3600, usegmt=True)
    assert 3500 < (retry_after({"retry-after": date}) or 0) <= 3600


@given(st.text())
def test_no_retry_after_text_breaks_it(text: str) -> None:
    wait = retry_after({"retry-after": text})
    assert wait is None or 0 <= wait < float("inf")


@given(st.integers(-40, 40), st.integers(0, 13), st.integers(-1, 99999999), st.integers(0, 99), st.integers(0, 99))
def test_no_date_breaks_it(day: int, month: int, year: int, hour: int, minute: int) -> None:
    name = ["Xxx", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", ""][month]
    wait = retry_after({"retry-after": f"Wed, {day} {name} {year} {hour}:{minute}:00 GMT"})
    assert wait is None or wait >= 0


@pytest.mark.parametrize("status", [429, 500, 529])
def test_the_wait_asked_for_goes_with_the_failure(status: int) -> None:
    assert failure(status, retry_after="7").retry_after == 7.0

"""Requests in each protocol's form, and whatever a server answers as a reply or a sorted failure."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import Reply, Request, Usage
from datasynth.tasks.llm.anthropic_client import AnthropicClient, anthropic_reply
from datasynth.tasks.llm.clients import connect, import_sdk
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.endpoints import takes_temperature as takes
from datasynth.tasks.llm.failures import CallFailure
from datasynth.tasks.llm.openai_client import OpenAIClient, openai_reply
from datasynth.tasks.llm.simulated.process import SimulatedServer

KEY = "sk-secret-0123456789"
NONE = httpx2.Headers()
SCHEMA = {"type": "object", "properties": {"records": {"type": "array", "items": {"type": "object"}}}}
ASK = Request("m", "the system", "the user", 500, temperature=0.8, json_schema=SCHEMA)
PROTOCOLS = ["anthropic", "openai"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def endpoint_at(url: str, protocol: str, model: str = "m") -> Endpoint:
    # As an address of the user's own: the simulated provider speaks Anthropic's protocol, vLLM OpenAI's.
    provider = PROVIDERS["simulated" if protocol == "anthropic" else "vllm"]
    return Endpoint(provider, model, url if protocol == "anthropic" else f"{url}/v1", KEY, "KEY")


def client(provider: str, model: str, base_url: str | None = None) -> Any:
    endpoint = Endpoint(PROVIDERS[provider], model, base_url or PROVIDERS[provider].base_url, KEY, "KEY")
    return connect(endpoint, in_flight=4)


@asynccontextmanager
async def answering(handler: Handler, protocol: str) -> AsyncIterator[Any]:
    """A client of a server that answers everything with `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = connect(endpoint_at(f"http://127.0.0.1:{runner.addresses[0][1]}", protocol), in_flight=4)
    try:
        yield made
    finally:
        await made.close()
        await runner.cleanup()


async def last_failure(made: Any, ask: Request = ASK) -> CallFailure:
    """How the last call of a client fails, which is closed then."""
    try:
        with pytest.raises(CallFailure) as caught:
            await made.send(ask)
    finally:
        await made.close()
    return caught.value


def always(status: int, body: Any, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status, body=raw, content_type="application/json", headers=headers)

    return handler


@pytest.mark.parametrize(
    ("provider", "model", "base_url", "answer"),
    [
        ("anthropic", "claude-3-5-haiku-latest", None, True),
        ("anthropic", "claude-sonnet-4-20250514", None, True),
        ("anthropic", "claude-haiku-4-5-20251001", None, True),
        ("anthropic", "claude-opus-4-6", None, True),
        ("anthropic", "claude-opus-4-7", None, False),
        ("anthropic", "claude-sonnet-5-5", None, False),
        ("openai", "gpt-4o-mini", None, True),
        ("openai", "gpt-5.4-mini", None, False),
        ("openai", "o3", None, False),
        ("openai", "gpt-5.4-mini", "http://localhost/v1", True),
        ("deepseek", "deepseek-chat", None, True),
    ],
)
def test_a_temperature_goes_only_to_models_that_take_one(
    provider: str, model: str, base_url: str | None, answer: bool
) -> None:
    assert takes(Endpoint(PROVIDERS[provider], model, base_url)) is answer


async def test_anthropic_is_asked_in_its_form_with_the_system_prompt_marked_for_caching() -> None:
    assert client("anthropic", "claude-haiku-4-5").body(ASK) == {
        "model": "m",
        "max_tokens": 500,
        "system": [{"type": "text", "text": "the system", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "the user"}],
        "temperature": 0.8,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "thinking": {"type": "disabled"},
    }


async def test_anthropics_temperature_ends_at_one() -> None:
    hot = Request("m", "s", "u", 5, temperature=1.4)
    assert client("anthropic", "claude-haiku-4-5").body(hot)["temperature"] == 1.0


async def test_openai_is_asked_with_the_newer_name_of_max_tokens_and_a_strict_schema() -> None:
    body = client("openai", "gpt-4o").body(ASK)
    assert body["max_completion_tokens"] == 500
    assert "max_tokens" not in body
    assert body["messages"][0] == {"role": "system", "content": "the system"}
    assert body["response_format"]["json_schema"] == {"name": "records", "schema": SCHEMA, "strict": True}


async def test_another_server_gets_the_older_name_until_it_asks_for_the_newer() -> None:
    made = client("openai", "gpt-5", "http://localhost/v1")
    assert made.body(ASK)["max_tokens"] == 500
    made.dropped.add("max_tokens")
    assert made.body(ASK)["max_completion_tokens"] == 500


@pytest.mark.parametrize("dropped", ["temperature", "json_schema", "thinking", "cache_control"])
async def test_a_dropped_parameter_is_in_no_body(dropped: str) -> None:
    words = {"json_schema": "output_config"}.get(dropped, dropped)
    made = client("anthropic", "claude-haiku-4-5")
    assert words.encode() in orjson.dumps(made.body(ASK))
    made.dropped.add(dropped)
    assert words.encode() not in orjson.dumps(made.body(ASK))


async def test_a_provider_without_structured_output_gets_no_schema() -> None:
    assert "response_format" not in client("deepseek", "deepseek-chat").body(ASK)


def anthropic_message(**changed: Any) -> dict[str, Any]:
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 11, "output_tokens": 13}
    return {
        "model": "claude-x",
        "content": [{"type": "text", "text": "a"}, {"type": "tool_use"}, {"type": "text", "text": "b"}],
        "stop_reason": "end_turn",
        "usage": usage | {"service_tier": "standard"},
    } | changed


def openai_message(**changed: Any) -> dict[str, Any]:
    details = {"cached_tokens": 64, "audio_tokens": 0}
    return {
        "model": "gpt-x",
        "choices": [{"message": {"role": "assistant", "content": "ab", "refusal": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 13, "prompt_tokens_details": details},
    } | changed


def test_an_anthropic_message_becomes_a_reply() -> None:
    headers = httpx2.Headers({"request-id": "req_1", "x-datasynth-simulated": "1"})
    assert anthropic_reply(anthropic_message(), headers) == Reply(
        "ab", "end", Usage(5, 13, 11, 7), "claude-x", "req_1", "standard", simulated=True
    )


def test_a_chat_completion_becomes_a_reply_with_cached_tokens_taken_out_of_the_input() -> None:
    headers = httpx2.Headers({"x-request-id": "req_1"})
    assert openai_reply(openai_message(), headers) == Reply("ab", "end", Usage(36, 13, 64, 0), "gpt-x", "req_1")


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"), ("stop_sequence", "end"), ("max_tokens", "length"), ("refusal", "refusal"),
        ("tool_use", "tool"), ("model_context_window_exceeded", "length"), ("pause_turn", "other"), (None, "other"),
    ],
)  # fmt: skip
def test_anthropics_stop_reasons_are_known(reason: str | None, stop: str) -> None:
    assert anthropic_reply(anthropic_message(stop_reason=reason), NONE).stop == stop


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("stop", "end"), ("length", "length"), ("content_filter", "refusal"), ("tool_calls", "tool"), (None, "other")],
)
def test_openais_finish_reasons_are_known(reason: str | None, stop: str) -> None:
    choice = {"message": {"content": "x"}, "finish_reason": reason}
    assert openai_reply(openai_message(choices=[choice]), NONE).stop == stop


def test_a_refusal_in_words_is_a_refusal() -> None:
    choice = {"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}
    reply = openai_reply(openai_message(choices=[choice]), NONE)
    assert (reply.text, reply.stop) == ("I cannot.", "refusal")


def test_content_in_parts_is_put_together() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    assert openai_reply(openai_message(choices=[choice]), NONE).text == "ab"


@pytest.mark.parametrize("usage", [None, {}, "many", {"total_tokens": 5}, {"prompt_tokens": None}])
def test_a_reply_whose_usage_says_too_little_is_unmetered(usage: Any) -> None:
    assert not openai_reply(openai_message(usage=usage), NONE).metered
    assert not anthropic_reply(anthropic_message(usage=usage), NONE).metered


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["content", "stop_reason", "usage", "model"]), json_values)
def test_no_odd_anthropic_message_breaks_it(field: str, value: Any) -> None:
    reply = anthropic_reply(anthropic_message(**{field: value}), NONE)
    assert isinstance(reply.text, str)
    assert reply.usage.total >= 0


@given(st.sampled_from(["choices", "usage", "model", "service_tier"]), json_values)
def test_no_odd_chat_completion_breaks_it(field: str, value: Any) -> None:
    reply = openai_reply(openai_message(**{field: value}), NONE)
    assert isinstance(reply.text, str)
    assert reply.usage.total >= 0


@given(st.sampled_from(["message", "finish_reason"]), json_values)
def test_no_odd_choice_breaks_it(field: str, value: Any) -> None:
    choice = {"message": {"content": "x"}, "finish_reason": "stop"} | {field: value}
    assert isinstance(openai_reply(openai_message(choices=[choice]), NONE).text, str)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("most", [500, 20_000])
async def test_a_real_call_brings_text_usage_and_headers(endpoint: SimulatedServer, protocol: str, most: int) -> None:
    made = connect(endpoint_at(endpoint.url, protocol), in_flight=2)
    try:
        ask = Request("m", "system " * 50, "Write one record.", most, temperature=0.8, json_schema=SCHEMA)
        reply, headers = await made.send(ask)
    finally:
        await made.close()
    billed = endpoint.stats()["tokens"]
    assert reply.stop == "end"
    assert reply.simulated
    assert reply.metered
    assert reply.request_id.startswith("req_")
    assert headers["x-datasynth-simulated"] == "1"
    assert reply.usage == Usage(billed["input"], billed["output"], billed["cache_read"], billed["cache_write"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("most", [500, 20_000])
@pytest.mark.parametrize(
    ("knobs", "miss", "billed"),
    [
        ({"rate_429": 1.0}, "rate_limited", False),
        ({"rate_500": 1.0}, "server_error", False),
        ({"rate_reset": 1.0}, "connection", True),
        ({"rate_half": 1.0}, "connection", True),
        ({"bad_request": True}, "bad_request", False),
        ({"api_key": "another-key"}, "bad_request", False),
    ],
)
@pytest.mark.parametrize("answered", [0, 1], ids=["the first call", "a later one"])
async def test_a_fault_of_the_server_is_sorted(
    endpoint: SimulatedServer, protocol: str, most: int, knobs: dict[str, Any], miss: str, billed: bool, answered: int
) -> None:
    made = connect(endpoint_at(endpoint.url, protocol), in_flight=2)
    for _ in range(answered):
        await made.send(Request("m", "s", "u", most))
    endpoint.set(**knobs)
    failure = await last_failure(made, Request("m", "s", "u", most))
    assert (failure.miss, failure.maybe_billed) == (miss, billed)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_that_is_not_there_was_never_asked_and_billed_nothing(protocol: str) -> None:
    failure = await last_failure(connect(endpoint_at("http://127.0.0.1:9", protocol), in_flight=2))
    assert (failure.miss, failure.maybe_billed, failure.remedy) == ("connection", False, "retry")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_that_has_gone_since_the_last_call_billed_nothing(protocol: str) -> None:
    with SimulatedServer.start() as server:
        made = connect(endpoint_at(server.url, protocol), in_flight=2)
        await made.send(ASK)
    await asyncio.sleep(0.1)  # else it leaves by a connection whose end is not known yet
    failure = await last_failure(made)
    assert (failure.miss, failure.maybe_billed, failure.remedy) == ("connection", False, "retry")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_nobody_foresaw_is_a_lost_connection(
    endpoint: SimulatedServer, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd(_client: Any, _request: httpx2.Request, **_options: Any) -> httpx2.Response:
        raise ValueError("an odd answer")

    made: Any = connect(endpoint_at(endpoint.url, protocol), in_flight=2)
    await made.send(ASK)
    monkeypatch.setattr(type(made._sdk._client), "send", odd)
    failure = await last_failure(made)
    assert (failure.miss, failure.maybe_billed, failure.remedy) == ("connection", True, "retry")
    assert "ValueError: an odd answer" in failure.detail


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_that_is_silent_too_long_timed_out_and_may_bill(protocol: str) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with answering(silent, protocol) as made:
        hasty = import_sdk(made.endpoint.protocol)(made.endpoint, timeout=0.05, in_flight=1)
        failure = await last_failure(hasty)
    assert (failure.miss, failure.maybe_billed) == ("timeout", True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff\xfe", b'{"content"'])
async def test_a_200_without_a_json_object_is_a_failure_that_may_be_billed(protocol: str, body: bytes) -> None:
    async with answering(always(200, body), protocol) as made:
        with pytest.raises(CallFailure) as caught:
            await made.send(ASK)
    assert (caught.value.remedy, caught.value.maybe_billed) == ("retry", True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_a_gateway_that_echoes_the_key_does_not_get_it_into_the_failure(protocol: str, status: int) -> None:
    async def echo(request: web.Request) -> web.Response:
        words = f"no such key: {request.headers.get('authorization')} {request.headers.get('x-api-key')}"
        return web.json_response({"error": {"message": words}}, status=status)

    async with answering(echo, protocol) as made:
        with pytest.raises(CallFailure) as caught:
            await made.send(ASK)
        assert KEY not in repr(made)
    assert "no such key" in caught.value.detail
    assert KEY not in caught.value.detail
    assert KEY not in repr(caught.value)


async def test_a_stream_that_ends_before_its_message_does_is_no_reply() -> None:
    start = anthropic_message(id="msg_1", type="message", role="assistant", content=[], stop_reason=None)
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"records": ['}}
    events = [{"type": "message_start", "message": start}, block, delta]

    async def cut(_request: web.Request) -> web.Response:
        lines = [f"event: {e['type']}\ndata: {orjson.dumps(e).decode()}\n\n" for e in events]
        return web.Response(text="".join(lines), content_type="text/event-stream")

    async with answering(cut, "anthropic") as made:
        with pytest.raises(CallFailure) as caught:
            await made.send(Request("m", "s", "u", 20_000))
    assert (caught.value.remedy, caught.value.maybe_billed) == ("retry", True)


START = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    '"content":[],"model":"c","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
)


def failed_within(kind: str) -> str:
    """A stream in which an error of this kind comes after its beginning."""
    error = {"type": "error", "error": {"type": kind, "message": f"for {KEY}"}}
    return f"{START}event: error\ndata: {orjson.dumps(error).decode()}\n\n"


@pytest.mark.parametrize(
    ("stream", "miss", "remedy"),
    [
        (failed_within("overloaded_error"), "rate_limited", "wait"),
        (failed_within("rate_limit_error"), "rate_limited", "wait"),
        (failed_within("api_error"), "server_error", "retry"),
        (failed_within("new_error"), "server_error", "retry"),
        (failed_within("invalid_request_error"), "bad_request", "give_up"),
        (f'{START}event: content_block_start\ndata: {{"type":"content_bl\n\n', "server_error", "retry"),
        ('event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n', "server_error", "retry"),
        ("<html>busy</html>", "server_error", "retry"),
        ("", "server_error", "retry"),
    ],
)
async def test_a_stream_that_breaks_off_fails_as_what_it_says_and_may_be_billed(
    stream: str, miss: str, remedy: str
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=stream, content_type="text/event-stream")

    async with answering(answer, "anthropic") as made:
        with pytest.raises(CallFailure) as caught:
            await made.send(Request("m", "s", "u", 20_000))
    assert (caught.value.miss, caught.value.remedy, caught.value.maybe_billed) == (miss, remedy, True)
    assert KEY not in caught.value.detail


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_half_a_surrogate_pair_in_a_reply_spoils_nothing_but_itself(protocol: str) -> None:
    text = "x\ud83d y \U0001f600"
    usage = {"input_tokens": 1, "output_tokens": 2, "prompt_tokens": 1, "completion_tokens": 2}
    message = {
        "content": [{"type": "text", "text": text}],
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "stop_reason": "end_turn",
        "usage": usage,
    }

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(message), content_type="application/json")

    async with answering(answer, protocol) as made:
        reply, _ = await made.send(ASK)
    assert (reply.text, reply.stop, reply.usage.total) == ("x\ufffd y \U0001f600", "end", 3)


def test_each_protocol_has_its_client() -> None:
    assert isinstance(client("anthropic", "m"), AnthropicClient)
    assert isinstance(client("moonshot", "m"), OpenAIClient)


@pytest.mark.parametrize(
    ("error", "miss", "remedy"),
    [
        ({"code": 429, "message": "upstream is busy"}, "rate_limited", "wait"),
        ({"code": 401, "message": f"no user for {KEY}"}, "bad_request", "stop_run"),
        ({"code": "upstream", "message": "failed"}, "server_error", "retry"),
        ("failed", "server_error", "retry"),
    ],
)
def test_an_error_within_a_200_is_a_failure_of_what_it_names(error: Any, miss: str, remedy: str) -> None:
    async def ask() -> CallFailure:
        async with answering(always(200, {"error": error}), "openai") as model:
            with pytest.raises(CallFailure) as caught:
                await model.send(ASK)
            return caught.value

    failure = asyncio.run(ask())
    assert (failure.miss, failure.remedy, failure.maybe_billed) == (miss, remedy, True)
    assert KEY not in failure.detail

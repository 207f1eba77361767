"""The simulated model server as the official SDKs meet it: both protocols, every fault."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import openai
import pytest

from datasynth.tasks.llm.simulated.process import SimulatedServer

SEEDS = [
    {
        "question": "How do I reset the router after a power cut?",
        "answer": "Hold the button for 10 seconds. Then wait.",
    },
    {"question": "Why does my bread not rise?", "answer": "The water was too hot. Use it lukewarm, and wait 2 hours."},
]
SYSTEM = "You write records for a data set of household questions and answers."
PROMPT = "\n\n".join(f"```json\n{json.dumps(seed)}\n```" for seed in SEEDS) + "\n\nNow write exactly 3 new records."
RECORD: dict[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
    "required": ["question", "answer"],
    "additionalProperties": False,
}
SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"records": {"type": "array", "items": RECORD}},
    "required": ["records"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedServer]:
    with SimulatedServer.start() as server:
        yield server


@pytest.fixture
def server(running: SimulatedServer) -> Iterator[SimulatedServer]:
    """The module's server as if just started."""
    before = running.set()
    running.reset()
    yield running
    running.set(**vars(before))


@pytest.fixture
async def claude(server: SimulatedServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        api_key="any", base_url=server.url, max_retries=0, http_client=anthropic.DefaultAioHttpClient()
    ) as client:
        yield client


@pytest.fixture
async def gpt(server: SimulatedServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        api_key="any", base_url=f"{server.url}/v1", max_retries=0, http_client=openai.DefaultAioHttpClient()
    ) as client:
        yield client


async def ask_claude(client: anthropic.AsyncAnthropic, prompt: str = PROMPT, **more: Any) -> anthropic.types.Message:
    given: dict[str, Any] = {"model": "claude-x", "max_tokens": 4000, "system": SYSTEM} | more
    return await client.messages.create(messages=[{"role": "user", "content": prompt}], **given)


async def ask_gpt(client: openai.AsyncOpenAI, prompt: str = PROMPT, **more: Any) -> Any:
    messages: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
    return await client.chat.completions.create(model="gpt-x", messages=messages, **more)


def said(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def records_in_fence(text: str) -> list[dict[str, Any]]:
    return json.loads(text[text.index("```json") + 7 : text.rindex("```")])


STRUCTURED_CLAUDE: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": SHAPE}}}
STRUCTURED_GPT: dict[str, Any] = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "records", "schema": SHAPE, "strict": True}}
}
CACHED: dict[str, Any] = {"system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]}


async def test_anthropic_gives_the_records_in_a_fence_after_a_sentence(claude: anthropic.AsyncAnthropic) -> None:
    message = await ask_claude(claude)
    assert message.stop_reason == "end_turn"
    assert [set(r) for r in records_in_fence(said(message))] == [{"question", "answer"}] * 3


async def test_openai_gives_the_same_text_as_anthropic_to_the_same_prompt(
    claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    message = await ask_claude(claude, model="same")
    completion: Any = await gpt.chat.completions.create(
        model="same", messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}]
    )
    assert completion.choices[0].message.content == said(message)


async def test_anthropic_structured_output_is_bare_json_of_the_shape(claude: anthropic.AsyncAnthropic) -> None:
    message = await ask_claude(claude, **STRUCTURED_CLAUDE)
    assert [set(r) for r in json.loads(said(message))["records"]] == [{"question", "answer"}] * 3


async def test_openai_structured_output_is_bare_json_of_the_shape(gpt: openai.AsyncOpenAI) -> None:
    completion = await ask_gpt(gpt, **STRUCTURED_GPT)
    assert [set(r) for r in json.loads(completion.choices[0].message.content)["records"]] == [
        {"question", "answer"}
    ] * 3


async def test_openai_json_mode_is_bare_json(gpt: openai.AsyncOpenAI) -> None:
    completion = await ask_gpt(gpt, response_format={"type": "json_object"})
    assert len(json.loads(completion.choices[0].message.content)["records"]) == 3


async def test_an_anthropic_stream_adds_up_to_the_unstreamed_message(claude: anthropic.AsyncAnthropic) -> None:
    whole = await ask_claude(claude)
    async with claude.messages.stream(
        model="claude-x", max_tokens=4000, system=SYSTEM, messages=[{"role": "user", "content": PROMPT}]
    ) as stream:
        pieces = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert len(pieces) > 1
    assert (said(final), final.stop_reason, final.usage.output_tokens) == (
        said(whole),
        whole.stop_reason,
        whole.usage.output_tokens,
    )


async def test_an_openai_stream_adds_up_to_the_unstreamed_completion(gpt: openai.AsyncOpenAI) -> None:
    whole = await ask_gpt(gpt)
    chunks = [c async for c in await ask_gpt(gpt, stream=True, stream_options={"include_usage": True})]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


async def test_anthropic_bills_the_cached_prompt_as_written_once_and_read_after(
    claude: anthropic.AsyncAnthropic,
) -> None:
    first, second = [(await ask_claude(claude, f"{PROMPT} {n}", **CACHED)).usage for n in range(2)]
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (len(SYSTEM) // 4, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, len(SYSTEM) // 4)
    assert first.input_tokens == second.input_tokens


async def test_anthropic_caches_nothing_that_is_not_marked(claude: anthropic.AsyncAnthropic) -> None:
    usage = [(await ask_claude(claude)).usage for _ in range(2)][1]
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


async def test_openai_counts_the_cached_prompt_among_the_prompt_tokens(gpt: openai.AsyncOpenAI) -> None:
    first, second = [(await ask_gpt(gpt, f"{PROMPT} {n}")).usage for n in range(2)]
    assert (first.prompt_tokens_details.cached_tokens, second.prompt_tokens_details.cached_tokens) == (
        0,
        len(SYSTEM) // 4,
    )
    assert first.prompt_tokens == second.prompt_tokens


async def test_every_answer_says_that_no_model_wrote_it(gpt: openai.AsyncOpenAI) -> None:
    raw: Any = await gpt.chat.completions.with_raw_response.create(
        model="m", messages=[{"role": "user", "content": "Write exactly 1 new record."}]
    )
    assert raw.headers["x-datasynth-simulated"] == "1"
    assert raw.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("knob", "status", "claude_error", "gpt_error"),
    [
        ("rate_429", 429, anthropic.RateLimitError, openai.RateLimitError),
        ("rate_500", 500, anthropic.InternalServerError, openai.InternalServerError),
        ("rate_503", 503, anthropic.InternalServerError, openai.InternalServerError),
        ("bad_request", 400, anthropic.BadRequestError, openai.BadRequestError),
    ],
)
async def test_a_refused_request_becomes_the_error_of_its_status_in_both_sdks(
    server: SimulatedServer,
    claude: anthropic.AsyncAnthropic,
    gpt: openai.AsyncOpenAI,
    knob: str,
    status: int,
    claude_error: type[anthropic.APIStatusError],
    gpt_error: type[openai.APIStatusError],
) -> None:
    server.set(**{knob: 1})
    with pytest.raises(claude_error) as from_claude:
        await ask_claude(claude)
    with pytest.raises(gpt_error) as from_gpt:
        await ask_gpt(gpt)
    assert (from_claude.value.status_code, from_gpt.value.status_code) == (status, status)
    assert server.stats()["by_status"] == {str(status): 2}


async def test_overload_is_529_at_anthropic_and_503_at_openai(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_529=1)
    with pytest.raises(anthropic.APIStatusError) as from_claude:
        await ask_claude(claude)
    with pytest.raises(openai.APIStatusError) as from_gpt:
        await ask_gpt(gpt)
    assert (from_claude.value.status_code, from_gpt.value.status_code) == (529, 503)
    assert "overloaded_error" in str(from_claude.value.body)


@pytest.mark.parametrize("wanted", [2.0, 0.5])
async def test_a_429_names_the_seconds_to_wait_where_the_knob_says_so(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, wanted: float
) -> None:
    server.set(rate_429=1, retry_after=wanted)
    with pytest.raises(anthropic.RateLimitError) as found:
        await ask_claude(claude)
    assert float(found.value.response.headers["retry-after"]) == wanted


async def test_a_429_names_no_wait_unless_told(server: SimulatedServer, claude: anthropic.AsyncAnthropic) -> None:
    server.set(rate_429=1)
    with pytest.raises(anthropic.RateLimitError) as found:
        await ask_claude(claude)
    assert "retry-after" not in found.value.response.headers


async def test_requests_beyond_the_minute_are_refused_and_headers_count_down(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(requests_per_minute=2)
    raw: Any = await claude.messages.with_raw_response.create(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "2"
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "1"
    assert raw.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    other: Any = await gpt.chat.completions.with_raw_response.create(
        model="m", messages=[{"role": "user", "content": "Hi"}]
    )
    assert other.headers["x-ratelimit-remaining-requests"] == "0"
    with pytest.raises(openai.RateLimitError):
        await ask_gpt(gpt)


async def test_one_request_more_than_the_capacity_is_refused(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(capacity=2, latency=0.5)
    outcomes = await asyncio.gather(*(ask_claude(claude, f"{PROMPT} {n}") for n in range(3)), return_exceptions=True)
    assert [type(o) for o in outcomes].count(anthropic.RateLimitError) == 1
    assert server.stats()["max_in_flight"] == 3


@pytest.mark.parametrize("knob", ["rate_reset", "rate_half"])
async def test_a_cut_connection_is_a_connection_error_and_is_not_billed(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI, knob: str
) -> None:
    server.set(**{knob: 1})
    with pytest.raises(anthropic.APIConnectionError):
        await ask_claude(claude)
    with pytest.raises(openai.APIConnectionError):
        await ask_gpt(gpt)
    stats = server.stats()
    assert (stats["by_status"], stats["replies"]) == ({knob.removeprefix("rate_"): 2}, 0)


async def test_a_hanging_request_ends_with_the_clients_patience(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(rate_hang=1)
    with pytest.raises(anthropic.APITimeoutError):
        await ask_claude(claude, timeout=0.3)


async def test_after_its_last_reply_the_server_hangs(server: SimulatedServer, gpt: openai.AsyncOpenAI) -> None:
    server.set(stop_after=1)
    await ask_gpt(gpt)
    with pytest.raises(openai.APITimeoutError):
        await ask_gpt(gpt, f"{PROMPT} again", timeout=0.3)
    assert server.stats()["replies"] == 1


async def test_a_wrong_key_is_an_authentication_error(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(api_key="another")
    with pytest.raises(anthropic.AuthenticationError):
        await ask_claude(claude)
    with pytest.raises(openai.AuthenticationError):
        await ask_gpt(gpt)


async def test_the_right_key_is_accepted(server: SimulatedServer, gpt: openai.AsyncOpenAI) -> None:
    server.set(api_key="any")
    assert (await ask_gpt(gpt)).choices


async def test_a_rejected_parameter_is_named_in_the_error(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(reject_parameters=("temperature", "cache_control"))
    with pytest.raises(openai.BadRequestError) as from_gpt:
        await ask_gpt(gpt, temperature=0.5)
    assert (from_gpt.value.param, from_gpt.value.code) == ("temperature", "unsupported_parameter")
    with pytest.raises(anthropic.BadRequestError, match="cache_control"):
        await ask_claude(claude, **CACHED)


async def test_a_reply_longer_than_max_tokens_is_cut_there(
    claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    message, completion = await ask_claude(claude, max_tokens=20), await ask_gpt(gpt, max_tokens=20)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 20)
    assert (completion.choices[0].finish_reason, completion.usage.completion_tokens) == ("length", 20)


async def test_a_truncated_reply_is_no_whole_json_and_says_so(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_truncated=1)
    message, completion = await ask_claude(claude, **STRUCTURED_CLAUDE), await ask_gpt(gpt, **STRUCTURED_GPT)
    assert (message.stop_reason, completion.choices[0].finish_reason) == ("max_tokens", "length")
    for text in (said(message), completion.choices[0].message.content):
        assert text.startswith('{"records":[')
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


async def test_a_malformed_reply_is_no_json(server: SimulatedServer, claude: anthropic.AsyncAnthropic) -> None:
    server.set(rate_malformed=1)
    for number in range(8):
        message = await ask_claude(claude, f"{PROMPT} {number}", **STRUCTURED_CLAUDE)
        with pytest.raises(json.JSONDecodeError):
            json.loads(said(message))


async def test_an_empty_answer_has_no_text(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_empty=1)
    assert (await ask_claude(claude)).content == []
    assert (await ask_gpt(gpt)).choices[0].message.content == ""


async def test_a_refusal_is_said_in_each_providers_way(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_refusal=1)
    assert (await ask_claude(claude)).stop_reason == "refusal"
    message = (await ask_gpt(gpt)).choices[0].message
    assert message.content is None
    assert message.refusal


async def test_an_unasked_tool_call_has_no_text(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_tool_call=1)
    message, choice = await ask_claude(claude), (await ask_gpt(gpt)).choices[0]
    assert (message.stop_reason, [b.type for b in message.content]) == ("tool_use", ["tool_use"])
    assert (choice.finish_reason, choice.message.content, len(choice.message.tool_calls)) == ("tool_calls", None, 1)


async def test_a_streamed_tool_call_arrives_whole(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_tool_call=1)
    async with claude.messages.stream(
        model="m", max_tokens=99, messages=[{"role": "user", "content": PROMPT}]
    ) as stream:
        assert [b.type for b in (await stream.get_final_message()).content] == ["tool_use"]
    chunks = [c async for c in await ask_gpt(gpt, stream=True)]
    assert [c.choices[0].finish_reason for c in chunks][-1] == "tool_calls"


async def test_a_stream_cut_in_the_middle_is_an_error(server: SimulatedServer, gpt: openai.AsyncOpenAI) -> None:
    server.set(rate_half=1)
    with pytest.raises(Exception, match=r"(?i)closed|payload|connection|incomplete|reset"):
        _ = [c async for c in await ask_gpt(gpt, stream=True)]


async def test_duplicates_repeat_a_seed_or_an_earlier_record(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(rate_duplicate=1)
    records = json.loads(said(await ask_claude(claude, **STRUCTURED_CLAUDE)))["records"]
    assert all(r in SEEDS for r in records)


async def test_a_near_duplicate_differs_from_its_source_in_one_field(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(rate_near_duplicate=1)
    first = json.loads(said(await ask_claude(claude, **STRUCTURED_CLAUDE)))["records"][0]
    differences = [sum(first[name] != seed[name] for name in seed) for seed in SEEDS]
    assert min(differences) == 1


async def test_half_of_the_faults_strike_at_a_rate_of_one_half(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(rate_500=0.5)
    outcomes = await asyncio.gather(*(ask_claude(claude, f"{PROMPT} {n}") for n in range(60)), return_exceptions=True)
    failed = sum(isinstance(o, anthropic.InternalServerError) for o in outcomes)
    assert 15 <= failed <= 45
    assert server.stats()["faults"] == {"500": failed}


async def test_a_request_meets_the_same_fates_in_the_same_order_after_a_reset(
    server: SimulatedServer, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_500=0.5)

    async def fates() -> list[bool]:
        server.reset()
        return [
            isinstance(o, Exception) for o in [(await asyncio.gather(ask_gpt(gpt), return_exceptions=True))[0]] * 1
        ] + [isinstance((await asyncio.gather(ask_gpt(gpt), return_exceptions=True))[0], Exception) for _ in range(11)]

    first = await fates()
    assert first == await fates()
    assert set(first) == {True, False}


async def test_a_request_without_messages_is_a_bad_request(claude: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        await claude.messages.create(model="m", max_tokens=9, messages=[])


async def test_both_sdks_list_the_model(claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI) -> None:
    assert [m.id async for m in claude.models.list()] == ["simulated"]
    assert [m.id async for m in gpt.models.list()] == ["simulated"]


async def test_stats_count_what_was_answered_and_billed(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    usages = [(await ask_claude(claude, prompt)).usage for prompt in (PROMPT, PROMPT, f"{PROMPT} more")]
    stats = server.stats()
    assert (stats["requests"], stats["replies"], stats["distinct"], stats["repeats"]) == (3, 3, 2, 1)
    assert (stats["paid_again"], stats["in_flight"]) == (1, 0)
    assert stats["tokens"]["output"] == sum(u.output_tokens for u in usages)


async def test_canned_replies_fit_the_shape_too(server: SimulatedServer, claude: anthropic.AsyncAnthropic) -> None:
    server.set(canned=True)
    message = await ask_claude(claude, **STRUCTURED_CLAUDE)
    assert [set(r) for r in json.loads(said(message))["records"]] == [{"question", "answer"}] * 3

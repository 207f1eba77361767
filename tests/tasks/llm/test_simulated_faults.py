"""The simulated model server when things go wrong, as the official SDKs meet it."""

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest
from household import CACHED, PROMPT, SEEDS, STRUCTURED_CLAUDE, STRUCTURED_GPT, ask_claude, ask_gpt, said

from datasynth.tasks.llm.simulated.process import SimulatedServer

# One loop for the module, and so one client: a new one would read the machine's certificates again.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("server")]


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

    async def statuses() -> list[int]:
        server.reset()
        found = []
        for _ in range(12):
            try:
                await ask_gpt(gpt)
                found.append(200)
            except openai.InternalServerError as error:
                found.append(error.status_code)
        return found

    first = await statuses()
    assert first == await statuses()
    assert set(first) == {200, 500}

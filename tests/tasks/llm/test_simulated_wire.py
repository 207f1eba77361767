"""The simulated model server as the official SDKs meet it: replies, streams, usage."""

import json
from typing import Any

import anthropic
import openai
import pytest
from household import (
    CACHED,
    PROMPT,
    STRUCTURED_CLAUDE,
    STRUCTURED_GPT,
    SYSTEM,
    ask_claude,
    ask_gpt,
    records_in_fence,
    said,
)

from datasynth.tasks.llm.simulated.process import SimulatedServer

# One loop for the module, and so one client: a new one would read the machine's certificates again.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("server")]


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

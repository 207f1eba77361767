"""Both providers' batch endpoints of the simulated model server, through the official SDKs."""

import json
from typing import Any

import anthropic
import openai
import pytest

from datasynth.tasks.llm.simulated.process import SimulatedServer

PROMPTS = [f"Write exactly 2 new records about subject {n}." for n in range(3)]


# One loop for the module, and so one client: a new one would read the machine's certificates again.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("server")]


def message_params(prompt: str) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": prompt}]}


async def create_claude(client: anthropic.AsyncAnthropic) -> Any:
    requests: Any = [{"custom_id": f"r{n}", "params": message_params(p)} for n, p in enumerate(PROMPTS)]
    return await client.messages.batches.create(requests=requests)


async def create_gpt(client: openai.AsyncOpenAI, lines: list[dict[str, Any]] | None = None) -> Any:
    if lines is None:
        lines = [
            {"custom_id": f"r{n}", "method": "POST", "url": "/v1/chat/completions", "body": message_params(p)}
            for n, p in enumerate(PROMPTS)
        ]
    content = "\n".join(map(json.dumps, lines)).encode()
    file = await client.files.create(file=("requests.jsonl", content), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"run": "1"}
    )


async def results_of(client: anthropic.AsyncAnthropic, batch_id: str) -> dict[str, Any]:
    return {entry.custom_id: entry.result async for entry in await client.messages.batches.results(batch_id)}


async def lines_of(client: openai.AsyncOpenAI, file_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await client.files.content(file_id)).text.splitlines()]


async def test_an_anthropic_batch_ends_with_a_message_for_each_request(claude: anthropic.AsyncAnthropic) -> None:
    batch = await create_claude(claude)
    batch = await claude.messages.batches.retrieve(batch.id)
    results = await results_of(claude, batch.id)
    assert (batch.processing_status, batch.request_counts.succeeded) == ("ended", 3)
    assert {k: v.type for k, v in results.items()} == dict.fromkeys(("r0", "r1", "r2"), "succeeded")
    assert results["r0"].message.usage.service_tier == "batch"


async def test_a_batched_request_gets_the_text_of_an_ordinary_one(claude: anthropic.AsyncAnthropic) -> None:
    single: Any = await claude.messages.create(**message_params(PROMPTS[1]))
    batch = await create_claude(claude)
    await claude.messages.batches.retrieve(batch.id)
    results = await results_of(claude, batch.id)
    assert results["r1"].message.content[0].text == single.content[0].text


async def test_an_anthropic_batch_is_in_progress_until_its_time(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(batch_seconds=600)
    batch = await create_claude(claude)
    batch = await claude.messages.batches.retrieve(batch.id)
    assert (batch.processing_status, batch.request_counts.processing, batch.results_url) == ("in_progress", 3, None)
    with pytest.raises(anthropic.AnthropicError):
        await results_of(claude, batch.id)


async def test_a_cancelled_anthropic_batch_ends_with_cancelled_requests(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(batch_seconds=600)
    batch = await create_claude(claude)
    await claude.messages.batches.cancel(batch.id)
    batch = await claude.messages.batches.retrieve(batch.id)
    assert (batch.processing_status, batch.request_counts.canceled) == ("ended", 3)
    assert {r.type for r in (await results_of(claude, batch.id)).values()} == {"canceled"}
    assert server.stats()["replies"] == 0


async def test_faults_strike_single_requests_of_an_anthropic_batch(
    server: SimulatedServer, claude: anthropic.AsyncAnthropic
) -> None:
    server.set(rate_500=1)
    batch = await create_claude(claude)
    batch = await claude.messages.batches.retrieve(batch.id)
    assert batch.request_counts.errored == 3
    assert {r.type for r in (await results_of(claude, batch.id)).values()} == {"errored"}


async def test_an_anthropic_batch_refuses_a_custom_id_twice(claude: anthropic.AsyncAnthropic) -> None:
    requests: Any = [{"custom_id": "same", "params": message_params(p)} for p in PROMPTS]
    with pytest.raises(anthropic.BadRequestError, match="unique"):
        await claude.messages.batches.create(requests=requests)


async def test_batches_are_listed_newest_first(claude: anthropic.AsyncAnthropic) -> None:
    made = [(await create_claude(claude)).id for _ in range(2)]
    listed = [batch.id async for batch in claude.messages.batches.list()]
    assert listed[:2] == made[::-1]


async def test_an_unknown_batch_is_not_found(claude: anthropic.AsyncAnthropic, gpt: openai.AsyncOpenAI) -> None:
    with pytest.raises(anthropic.NotFoundError):
        await claude.messages.batches.retrieve("msgbatch_none")
    with pytest.raises(openai.NotFoundError):
        await gpt.batches.retrieve("batch_none")


async def test_an_openai_batch_completes_with_an_output_file(gpt: openai.AsyncOpenAI) -> None:
    batch: Any = await create_gpt(gpt)
    assert batch.status == "validating"
    batch = await gpt.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, batch.error_file_id) == ("completed", 3, None)
    lines = await lines_of(gpt, batch.output_file_id)
    assert [line["custom_id"] for line in lines] == ["r0", "r1", "r2"]
    assert all(line["response"]["body"]["choices"][0]["message"]["content"] for line in lines)
    assert batch.metadata == {"run": "1"}


async def test_the_usage_of_an_openai_batch_is_the_sum_of_its_requests(gpt: openai.AsyncOpenAI) -> None:
    batch: Any = await gpt.batches.retrieve((await create_gpt(gpt)).id)
    lines = await lines_of(gpt, batch.output_file_id)
    usages = [line["response"]["body"]["usage"] for line in lines]
    assert batch.usage.output_tokens == sum(u["completion_tokens"] for u in usages)


async def test_failed_requests_of_an_openai_batch_stand_in_its_error_file(
    server: SimulatedServer, gpt: openai.AsyncOpenAI
) -> None:
    server.set(rate_500=1)
    batch: Any = await gpt.batches.retrieve((await create_gpt(gpt)).id)
    assert (batch.status, batch.request_counts.failed, batch.output_file_id) == ("completed", 3, None)
    assert [line["response"]["status_code"] for line in await lines_of(gpt, batch.error_file_id)] == [500] * 3


async def test_an_openai_batch_is_in_progress_until_its_time_and_can_be_cancelled(
    server: SimulatedServer, gpt: openai.AsyncOpenAI
) -> None:
    server.set(batch_seconds=600)
    batch: Any = await gpt.batches.retrieve((await create_gpt(gpt)).id)
    assert batch.status == "in_progress"
    assert (await gpt.batches.cancel(batch.id)).status == "cancelling"
    assert (await gpt.batches.retrieve(batch.id)).status == "cancelled"


async def test_an_openai_batch_with_a_bad_line_fails_and_names_it(gpt: openai.AsyncOpenAI) -> None:
    batch = await create_gpt(gpt, [{"custom_id": "a", "body": {}}])
    assert batch.status == "failed"
    assert batch.errors.data[0].line == 1


async def test_an_uploaded_file_can_be_read_and_deleted(gpt: openai.AsyncOpenAI) -> None:
    file = await gpt.files.create(file=("requests.jsonl", b"{}\n"), purpose="batch")
    assert (await gpt.files.retrieve(file.id)).bytes == 3
    assert (await gpt.files.content(file.id)).content == b"{}\n"
    assert (await gpt.files.delete(file.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await gpt.files.retrieve(file.id)


async def test_a_batch_body_that_is_no_object_is_a_bad_request(gpt: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        await gpt.post("/batches", cast_to=object, body=[])

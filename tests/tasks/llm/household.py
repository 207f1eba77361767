"""What the tests of the simulated endpoint ask for, through both SDKs: three questions with answers."""

import json
from typing import Any

import anthropic
import openai

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
STRUCTURED_CLAUDE: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": SHAPE}}}
STRUCTURED_GPT: dict[str, Any] = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "records", "schema": SHAPE, "strict": True}}
}
CACHED: dict[str, Any] = {"system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]}


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

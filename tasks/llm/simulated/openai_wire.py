"""OpenAI's Chat Completions API. Source: types of the `openai` SDK 3.52 and platform.openai.com/docs/api-reference."""

import time
from collections.abc import Iterator
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.replies import Answer, Ask, tokens
from datasynth.tasks.llm.simulated.wire import (
    Billed,
    Limit,
    dialogue_text,
    messages_of,
    pieces,
    prompt_tokens,
    schema_text,
)

STOP = {"end": "stop", "length": "length", "refusal": "stop", "tool": "tool_calls"}
ERRORS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", None),
    429: ("requests", "rate_limit_exceeded"),
    503: ("server_error", "service_unavailable"),
}


class OpenAIWire:
    name = "openai"
    request_id_header = "x-request-id"
    parameters = frozenset[str]()

    def ask(self, body: dict[str, Any]) -> Ask:
        messages = messages_of(body)
        system = [m for m in messages if m.get("role") in ("system", "developer")]
        text = dialogue_text(system) if system else ""
        shape = body.get("response_format") or {}
        return Ask(
            model=body["model"],
            system=text,
            user=dialogue_text([m for m in messages if m not in system] or [{}]),
            schema=schema_text((shape.get("json_schema") or {}).get("schema")),
            bare_json=shape.get("type") == "json_object",
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            temperature=body.get("temperature"),
            cached=text,
            stream=bool(body.get("stream")),
            stream_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )

    def billed(self, ask: Ask, answer: Answer, *, seen: bool) -> Billed:
        read = tokens(ask.cached) if seen else 0
        return Billed(prompt_tokens(ask) - read, max(1, tokens(answer.text)), read)

    def reply(self, ask: Ask, answer: Answer, billed: Billed, id_: str, *, batch: bool = False) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
        if answer.stop == "refusal":
            message |= {"content": None, "refusal": answer.text}
        if answer.stop == "tool":
            call = {"name": "save_records", "arguments": '{"records":[]}'}
            message |= {"content": None, "tool_calls": [{"id": f"call_{id_}", "type": "function", "function": call}]}
        prompt = billed.input + billed.cache_read
        return {
            "id": f"chatcmpl-{id_}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": ask.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": STOP[answer.stop]}],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": billed.output,
                "total_tokens": prompt + billed.output,
                "prompt_tokens_details": {"cached_tokens": billed.cache_read, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
        }

    def events(self, reply: dict[str, Any], ask: Ask) -> Iterator[bytes]:
        head = {k: reply[k] for k in ("id", "created", "model", "service_tier", "system_fingerprint")}
        head["object"] = "chat.completion.chunk"
        if ask.stream_usage:
            head["usage"] = None
        choice = reply["choices"][0]
        message = choice["message"]

        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            return _data(head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for number, call in enumerate(message.get("tool_calls") or ()):
            yield chunk({"tool_calls": [{"index": number, **call}]})
        field = "refusal" if message["refusal"] else "content"
        for piece in pieces(message[field] or ""):
            yield chunk({field: piece})
        yield chunk({}, choice["finish_reason"])
        if ask.stream_usage:
            yield _data(head | {"choices": [], "usage": reply["usage"]})
        yield b"data: [DONE]\n\n"

    def error(self, status: int, message: str, id_: str, parameter: str | None = None) -> dict[str, Any]:
        kind, code = ERRORS.get(status, ("server_error", None))
        if parameter:
            code = "unsupported_parameter"
        return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}

    def limit_headers(self, limit: Limit) -> dict[str, str]:
        return {
            "x-ratelimit-limit-requests": str(limit.limit),
            "x-ratelimit-remaining-requests": str(limit.remaining),
            "x-ratelimit-reset-requests": _duration(limit.reset),
        }


def _data(value: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(value)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


OPENAI = OpenAIWire()

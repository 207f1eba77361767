"""Anthropic's Messages API. Source: types of the `anthropic` SDK 2.11 and platform.claude.com/docs/en/api."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.replies import Answer, Ask, tokens
from datasynth.tasks.llm.simulated.wire import (
    Billed,
    Limit,
    MalformedError,
    content_text,
    dialogue_text,
    messages_of,
    pieces,
    schema_text,
)

STOP = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal", "tool": "tool_use"}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class AnthropicWire:
    name = "anthropic"
    request_id_header = "request-id"
    parameters = frozenset({"cache_control"})

    def ask(self, body: dict[str, Any]) -> Ask:
        messages = messages_of(body)
        limit = body.get("max_tokens")
        if not isinstance(limit, int) or limit < 1:
            raise MalformedError("max_tokens: Field required")
        system, cached = _system(body.get("system"))
        shape = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
        return Ask(
            model=body["model"],
            system=system,
            user=dialogue_text(messages),
            schema=schema_text(shape.get("schema")),
            max_tokens=limit,
            temperature=body.get("temperature"),
            cached=cached,
            stream=bool(body.get("stream")),
        )

    def billed(self, ask: Ask, answer: Answer, *, seen: bool) -> Billed:
        cached = tokens(ask.cached) if ask.cached else 0
        # The rest of the system prompt follows the cached part, so one text may be measured without the other.
        rest = tokens(ask.system[len(ask.cached) :]) + tokens(ask.user)
        return Billed(rest, max(1, tokens(answer.text)), cached if seen else 0, 0 if seen else cached)

    def reply(self, ask: Ask, answer: Answer, billed: Billed, id_: str, *, batch: bool = False) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
        if answer.stop == "tool":
            content = [{"type": "tool_use", "id": f"toolu_{id_}", "name": "save_records", "input": {"records": []}}]
        return {
            "id": f"msg_{id_}",
            "type": "message",
            "role": "assistant",
            "model": ask.model,
            "content": content,
            "stop_reason": STOP[answer.stop],
            "stop_sequence": None,
            "stop_details": {"type": "refusal", "category": None, "explanation": None}
            if answer.stop == "refusal"
            else None,
            "usage": {
                "input_tokens": billed.input,
                "cache_creation_input_tokens": billed.cache_write,
                "cache_read_input_tokens": billed.cache_read,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": billed.cache_write,
                    "ephemeral_1h_input_tokens": 0,
                },
                "output_tokens": billed.output,
                "service_tier": "batch" if batch else "standard",
            },
        }

    def events(self, reply: dict[str, Any], ask: Ask) -> Iterator[bytes]:
        usage = reply["usage"] | {"output_tokens": 1}
        start = reply | {"content": [], "stop_reason": None, "stop_details": None, "usage": usage}
        yield _event("message_start", {"message": start})
        yield _event("ping", {})
        for index, block in enumerate(reply["content"]):
            text = block["type"] == "text"
            opened = block | ({"text": ""} if text else {"input": {}})
            yield _event("content_block_start", {"index": index, "content_block": opened})
            for piece in pieces(block["text"] if text else orjson.dumps(block["input"]).decode()):
                delta = (
                    {"type": "text_delta", "text": piece}
                    if text
                    else {"type": "input_json_delta", "partial_json": piece}
                )
                yield _event("content_block_delta", {"index": index, "delta": delta})
            yield _event("content_block_stop", {"index": index})
        delta = {k: reply[k] for k in ("stop_reason", "stop_sequence", "stop_details")}
        output = {"output_tokens": reply["usage"]["output_tokens"]}
        yield _event("message_delta", {"delta": delta, "usage": output})
        yield _event("message_stop", {})

    def error(self, status: int, message: str, id_: str, parameter: str | None = None) -> dict[str, Any]:
        kind = ERRORS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{id_}"}

    def limit_headers(self, limit: Limit) -> dict[str, str]:
        reset = datetime.now(UTC) + timedelta(seconds=math.ceil(limit.reset))
        return {
            "anthropic-ratelimit-requests-limit": str(limit.limit),
            "anthropic-ratelimit-requests-remaining": str(limit.remaining),
            "anthropic-ratelimit-requests-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps({"type": kind, **data}))


def _system(system: Any) -> tuple[str, str]:
    """The whole system prompt, and its beginning up to the last block marked for caching."""
    if not isinstance(system, list):
        return content_text(system), ""
    texts = [content_text([block]) for block in system]
    marked = max((i for i, b in enumerate(system, 1) if isinstance(b, dict) and b.get("cache_control")), default=0)
    return "\n".join(texts), "\n".join(texts[:marked])


ANTHROPIC = AnthropicWire()

"""Anthropic's Messages API through its SDK."""

from typing import Any

import anthropic
import httpx2

from datasynth.schemas.calls import Reply, Request, Stop, Usage
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure, failure_of_status
from datasynth.tasks.llm.sdk import Repeating, SdkClient, count, counted, json_object, object_of, text_of, unanswered
from datasynth.tasks.llm.transport import http_client

STREAM_FROM = 16_000
"""Output tokens from which an Anthropic answer is streamed: the API closes longer silent connections."""


ANTHROPIC_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""HTTP status of each kind of error: streams and batch results name the kind alone.

Source: platform.claude.com/docs/en/api/errors.
"""


class _Anthropic(Repeating, anthropic.AsyncAnthropic):  # type: ignore[misc]
    pass


class AnthropicClient(SdkClient):
    """Anthropic's Messages API."""

    def __init__(self, endpoint: Endpoint, *, in_flight: int, timeout: float | None = None) -> None:
        """`timeout` is as `http_client` takes it."""
        super().__init__(endpoint)
        http = http_client("anthropic", timeout=timeout, limit=in_flight)
        self._sdk = _Anthropic(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
            # Prefect brings OpenTelemetry along; a span for each call would go nowhere.
            open_telemetry=False,
        )

    def body(self, request: Request) -> dict[str, Any]:
        """The request's JSON. The system prompt is marked for caching: all calls of a run share it."""
        send = self._optional(request)
        system: dict[str, Any] = {"type": "text", "text": request.system}
        if "cache_control" in send:
            system["cache_control"] = {"type": "ephemeral"}
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "system": [system],
            "messages": [{"role": "user", "content": request.user}],
        }
        if "temperature" in send:
            # Anthropic's scale ends at 1.
            body["temperature"] = min(request.temperature or 0.0, 1.0)
        if "json_schema" in send:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.json_schema}}
        if "thinking" in send and self.endpoint.provider.name == "anthropic":
            # On by default since Claude 5; it would be billed as output and eat into max_tokens.
            body["thinking"] = {"type": "disabled"}
        return body

    async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
        body, sent = self.body(request), self._optional(request)
        try:
            if request.max_tokens > STREAM_FROM:
                return await self._stream(body)
            response = await self._sdk.post_json("/v1/messages", body)
        except anthropic.APIStatusError as error:
            raise self._refused(error, sent) if error.status_code >= 400 else self._broken_off(error, sent) from error
        except (anthropic.APIError, httpx2.RequestError) as error:
            late = isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException)
            raise unanswered(error, timed_out=late) from error
        return anthropic_reply(json_object(response), response.headers), response.headers

    async def _stream(self, body: dict[str, Any]) -> tuple[Reply, httpx2.Headers]:
        # The SDK's typed method no longer takes a temperature, though older models still do.
        extra = {"temperature": body.pop("temperature")} if "temperature" in body else None
        try:
            async with self._sdk.messages.stream(**body, extra_body=extra) as stream:
                message = await stream.get_final_message()
                headers = stream.response.headers
        except (anthropic.APIError, httpx2.RequestError):
            raise
        except Exception as error:
            # What the SDK makes of events that are none (a gateway's page, half a line) is anything: AssertionError,
            # JSONDecodeError, IndexError.
            detail = f"200 with a stream that is no message ({type(error).__name__})"
            raise CallFailure("server_error", "retry", detail, maybe_billed=True) from error
        if message.stop_reason is None:
            # Closed in good order, yet before its end: neither the text nor the usage is whole.
            raise CallFailure("connection", "retry", "the stream ended before its message did", maybe_billed=True)
        return anthropic_reply(message.model_dump(mode="json"), headers), headers

    def _broken_off(self, error: anthropic.APIStatusError, sent: frozenset[str]) -> CallFailure:
        """What an error means that comes in the middle of a stream, whose status was 200; its beginning is billed."""
        body = object_of(error.body)
        status = ANTHROPIC_STATUS.get(str(object_of(body.get("error")).get("type")), 500)
        failure = failure_of_status(status, body, error.response.headers, sent, hidden=self.endpoint.key)
        failure.maybe_billed = True
        return failure

    async def close(self) -> None:
        await self._sdk.close()


ANTHROPIC_STOP: dict[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tool",
}


def anthropic_reply(message: dict[str, Any], headers: httpx2.Headers) -> Reply:
    """A Messages API message as a reply."""
    usage = object_of(message.get("usage"))
    return Reply(
        text=text_of(message.get("content")),
        stop=ANTHROPIC_STOP.get(str(message.get("stop_reason")), "other"),
        usage=Usage(
            input=count(usage, "input_tokens"),
            output=count(usage, "output_tokens"),
            cache_read=count(usage, "cache_read_input_tokens"),
            cache_write=count(usage, "cache_creation_input_tokens"),
        ),
        model=str(message.get("model") or ""),
        request_id=headers.get("request-id", ""),
        service_tier=str(usage.get("service_tier") or "standard"),
        metered=counted(usage, "input_tokens", "output_tokens"),
        simulated="x-datasynth-simulated" in headers,
    )

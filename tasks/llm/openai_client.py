"""OpenAI's Chat Completions API, as many servers speak it, through its SDK."""

from typing import Any

import httpx2
import openai

from datasynth.schemas.calls import Reply, Request, Stop, Usage
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure, failure_of_status
from datasynth.tasks.llm.sdk import Repeating, SdkClient, count, counted, json_object, object_of, text_of, unanswered
from datasynth.tasks.llm.transport import http_client


class _OpenAI(Repeating, openai.AsyncOpenAI):
    pass


class OpenAIClient(SdkClient):
    """OpenAI's Chat Completions API, as many servers speak it."""

    def __init__(self, endpoint: Endpoint, *, in_flight: int, timeout: float | None = None) -> None:
        """`timeout` is as `http_client` takes it."""
        super().__init__(endpoint)
        if endpoint.provider.name != "openai" or endpoint.base_url is not None:
            # Only OpenAI itself knows the newer name of max_tokens for certain.
            self.dropped.add("max_completion_tokens")
        http = http_client("openai", timeout=timeout, limit=in_flight)
        self._sdk = _OpenAI(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )

    def body(self, request: Request) -> dict[str, Any]:
        """The request's JSON. The system prompt comes first and never changes, as automatic caching needs it."""
        send = self._optional(request)
        # A server that refused the older name as well knows the newer one alone, whatever it said of that before.
        newer = "max_completion_tokens" in send or "max_tokens" not in send
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
            "max_completion_tokens" if newer else "max_tokens": request.max_tokens,
        }
        if "temperature" in send:
            body["temperature"] = request.temperature
        if "json_schema" in send:
            shape = {"name": "records", "schema": request.json_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return body

    async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
        body, sent = self.body(request), self._optional(request)
        try:
            response = await self._sdk.post_json("/chat/completions", body)
        except openai.APIStatusError as error:
            raise self._refused(error, sent) from error
        except (openai.APIError, httpx2.RequestError) as error:
            late = isinstance(error, openai.APITimeoutError | httpx2.TimeoutException)
            raise unanswered(error, timed_out=late) from error
        message = json_object(response)
        if "error" in message and not message.get("choices"):
            raise self._failed_within(message, response.headers, sent)
        return openai_reply(message, response.headers), response.headers

    def _failed_within(self, message: dict[str, Any], headers: httpx2.Headers, sent: frozenset[str]) -> CallFailure:
        """What a 200 means that holds an error in place of a reply: gateways answer so for the model behind them."""
        code = object_of(message["error"]).get("code")
        status = code if isinstance(code, int) and 400 <= code < 600 else 502
        failure = failure_of_status(status, message, headers, sent, hidden=self.endpoint.key)
        failure.maybe_billed = True
        return failure

    async def close(self) -> None:
        await self._sdk.close()


OPENAI_STOP: dict[str, Stop] = {"stop": "end", "length": "length", "content_filter": "refusal", "tool_calls": "tool"}


def openai_reply(message: dict[str, Any], headers: httpx2.Headers) -> Reply:
    """A chat completion as a reply."""
    usage = object_of(message.get("usage"))
    choices = message.get("choices")
    choice = object_of(choices[0]) if isinstance(choices, list) and choices else {}
    answer = object_of(choice.get("message"))
    details = object_of(usage.get("prompt_tokens_details"))
    cached, written = count(details, "cached_tokens"), count(details, "cache_write_tokens")
    refused = bool(answer.get("refusal"))
    return Reply(
        text=text_of(answer.get("content")) or text_of(answer.get("refusal")),
        stop="refusal" if refused else OPENAI_STOP.get(str(choice.get("finish_reason")), "other"),
        usage=Usage(
            input=max(0, count(usage, "prompt_tokens") - cached - written),
            output=count(usage, "completion_tokens"),
            cache_read=cached,
            cache_write=written,
        ),
        model=str(message.get("model") or ""),
        request_id=headers.get("x-request-id", ""),
        service_tier=str(message.get("service_tier") or "standard"),
        metered=counted(usage, "prompt_tokens", "completion_tokens"),
        simulated="x-datasynth-simulated" in headers,
    )

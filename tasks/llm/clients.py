"""The official SDKs behind one call: a request in, a reply out, every failure sorted.

Requests go through the SDKs' `post`, which gives their authentication, headers, time limits and error classes
without building typed models of each message: that costs a millisecond of CPU a call. Retries are ours alone
(`max_retries=0`), so that two layers never multiply.
"""

from typing import Any, Protocol, cast

import anthropic
import httpx2
import openai
import orjson

from datasynth.schemas.calls import Reply, Request, Stop, Usage
from datasynth.tasks.llm.endpoints import Endpoint, takes_temperature
from datasynth.tasks.llm.failures import CallFailure, failure_of_status
from datasynth.tasks.llm.transport import http_client, repeated

STREAM_FROM = 16_000
"""Output tokens from which an Anthropic answer is streamed: the API closes longer silent connections."""


class ModelClient(Protocol):
    """One endpoint. `dropped` are optional parameters it was found not to take."""

    dropped: set[str]

    async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
        """The reply, and the response's headers.

        Raises:
            CallFailure: there is none.
        """
        ...

    async def close(self) -> None: ...


def connect(endpoint: Endpoint, *, timeout: float, in_flight: int, structured: bool = False) -> ModelClient:
    """A client for `endpoint`; opens no connection yet.

    Args:
        endpoint: Where to ask.
        timeout: Seconds for a whole call.
        in_flight: Most connections.
        structured: Send the reply's schema even where the provider's preset does not.
    """
    kind = AnthropicClient if endpoint.protocol == "anthropic" else OpenAIClient
    client = kind(endpoint, timeout=timeout, in_flight=in_flight)
    client.structured = client.structured or structured
    return client


class _Client:
    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.dropped: set[str] = set() if takes_temperature(endpoint) else {"temperature"}
        self.structured = endpoint.provider.structured

    def _optional(self, request: Request) -> frozenset[str]:
        """The optional parameters that `request` will carry here."""
        wanted = {"thinking", "cache_control", "max_completion_tokens", "max_tokens"}
        wanted |= {"temperature"} if request.temperature is not None else set()
        wanted |= {"json_schema"} if request.json_schema is not None and self.structured else set()
        return frozenset(wanted - self.dropped)

    def _refused(self, error: anthropic.APIStatusError | openai.APIStatusError, sent: frozenset[str]) -> CallFailure:
        headers, key = error.response.headers, self.endpoint.key
        return failure_of_status(error.status_code, error.body, headers, sent, hidden=key)


class _Repeating:
    """Mixed into an SDK's client: what the SDK makes of the first call, but for the body, serves all that follow.

    A run's calls differ in their bodies alone. Making options, URL and headers anew took a third of a call's CPU.
    """

    _options: Any = None
    _first: httpx2.Request | None = None

    async def post_json(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """The response to a POST of `body` to `path`, which is the same for all calls."""
        # As bytes: the SDKs walk through a body and dump it in Python.
        content, sdk = orjson.dumps(body), cast(Any, self)
        if self._options is None:
            return await sdk.post(path, cast_to=httpx2.Response, content=content)
        return await sdk.request(httpx2.Response, self._options.model_copy(update={"content": content}))

    async def request(self, cast_to: Any, options: Any, **others: Any) -> Any:
        if self._options is None and type(options.content) is bytes:
            self._options = options
        return await super().request(cast_to, options, **others)  # type: ignore[misc]

    def _build_request(self, options: Any, *, retries_taken: int = 0) -> httpx2.Request:
        plain = self._options is not None and options.url == self._options.url and type(options.content) is bytes
        if plain and self._first is not None:
            return repeated(self._first, options.content)
        request: httpx2.Request = super()._build_request(options, retries_taken=retries_taken)  # type: ignore[misc]
        if plain:
            self._first = request
        return request


class _Anthropic(_Repeating, anthropic.AsyncAnthropic):  # type: ignore[misc]
    pass


class _OpenAI(_Repeating, openai.AsyncOpenAI):
    pass


class AnthropicClient(_Client):
    """Anthropic's Messages API."""

    def __init__(self, endpoint: Endpoint, *, timeout: float, in_flight: int) -> None:
        super().__init__(endpoint)
        self._sdk = _Anthropic(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client(timeout=timeout, limit=in_flight),
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
            raise self._refused(error, sent) from error
        except (anthropic.APIError, httpx2.RequestError) as error:
            # A stream that breaks off in the middle raises httpx2's own errors.
            late = isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException)
            raise _unanswered(error, timed_out=late) from error
        return anthropic_reply(_json(response), response.headers), response.headers

    async def _stream(self, body: dict[str, Any]) -> tuple[Reply, httpx2.Headers]:
        # The SDK's typed method no longer takes a temperature, though older models still do.
        extra = {"temperature": body.pop("temperature")} if "temperature" in body else None
        async with self._sdk.messages.stream(**body, extra_body=extra) as stream:
            message = await stream.get_final_message()
            headers = stream.response.headers
        if message.stop_reason is None:
            # Closed in good order, yet before its end: neither the text nor the usage is whole.
            raise CallFailure("connection", "retry", "the stream ended before its message did", maybe_billed=True)
        return anthropic_reply(message.model_dump(mode="json"), headers), headers

    async def close(self) -> None:
        await self._sdk.close()


class OpenAIClient(_Client):
    """OpenAI's Chat Completions API, as many servers speak it."""

    def __init__(self, endpoint: Endpoint, *, timeout: float, in_flight: int) -> None:
        super().__init__(endpoint)
        if endpoint.provider.name != "openai" or endpoint.base_url is not None:
            # Only OpenAI itself knows the newer name of max_tokens for certain.
            self.dropped.add("max_completion_tokens")
        self._sdk = _OpenAI(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client(timeout=timeout, limit=in_flight),
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
        except openai.APIError as error:
            raise _unanswered(error, timed_out=isinstance(error, openai.APITimeoutError)) from error
        return openai_reply(_json(response), response.headers), response.headers

    async def close(self) -> None:
        await self._sdk.close()


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        message = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        raise CallFailure("server_error", "retry", "200 with a body that is no JSON object", maybe_billed=True)
    return message


def _unanswered(error: Exception, *, timed_out: bool) -> CallFailure:
    cause = error.__cause__
    detail = f"{type(error).__name__}: {error}" + (f" ({type(cause).__name__})" if cause else "")
    never_left = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    return CallFailure("timeout" if timed_out else "connection", "retry", detail[:500], maybe_billed=not never_left)


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
    usage = _object(message.get("usage"))
    return Reply(
        text=_text(message.get("content")),
        stop=ANTHROPIC_STOP.get(str(message.get("stop_reason")), "other"),
        usage=Usage(
            input=_count(usage, "input_tokens"),
            output=_count(usage, "output_tokens"),
            cache_read=_count(usage, "cache_read_input_tokens"),
            cache_write=_count(usage, "cache_creation_input_tokens"),
        ),
        model=str(message.get("model") or ""),
        request_id=headers.get("request-id", ""),
        service_tier=str(usage.get("service_tier") or "standard"),
        metered=_counted(usage, "input_tokens", "output_tokens"),
        simulated="x-datasynth-simulated" in headers,
    )


OPENAI_STOP: dict[str, Stop] = {"stop": "end", "length": "length", "content_filter": "refusal", "tool_calls": "tool"}


def openai_reply(message: dict[str, Any], headers: httpx2.Headers) -> Reply:
    """A chat completion as a reply."""
    usage = _object(message.get("usage"))
    choices = message.get("choices")
    choice = _object(choices[0]) if isinstance(choices, list) and choices else {}
    answer = _object(choice.get("message"))
    details = _object(usage.get("prompt_tokens_details"))
    cached, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    refused = bool(answer.get("refusal"))
    return Reply(
        text=_text(answer.get("content")) or _text(answer.get("refusal")),
        stop="refusal" if refused else OPENAI_STOP.get(str(choice.get("finish_reason")), "other"),
        usage=Usage(
            input=max(0, _count(usage, "prompt_tokens") - cached - written),
            output=_count(usage, "completion_tokens"),
            cache_read=cached,
            cache_write=written,
        ),
        model=str(message.get("model") or ""),
        request_id=headers.get("x-request-id", ""),
        service_tier=str(message.get("service_tier") or "standard"),
        metered=_counted(usage, "prompt_tokens", "completion_tokens"),
        simulated="x-datasynth-simulated" in headers,
    )


def _object(value: Any) -> dict[str, Any]:
    """`value` if it is what the protocol says; a gateway may put anything there, and it was paid for."""
    return value if isinstance(value, dict) else {}


def _text(content: Any) -> str:
    """The text of a message: a string, or blocks of which only those of text count."""
    if isinstance(content, str):
        return content
    blocks = [_object(block) for block in content] if isinstance(content, list) else []
    return "".join(str(b.get("text") or "") for b in blocks if b.get("type") == "text")


def _counted(usage: dict[str, Any], *names: str) -> bool:
    return all(isinstance(usage.get(name), int) for name in names)


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0

"""The providers' batch endpoints through the official SDKs: requests in as one batch, replies out once it has ended.

Bodies and replies are those of single calls; results are read as the providers write them. Nothing here waits.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote

import anthropic
import httpx2
import openai
import orjson

from datasynth.schemas.calls import Reply, Request
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.anthropic_client import ANTHROPIC_STATUS, AnthropicClient, anthropic_reply
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure, failure_of_status
from datasynth.tasks.llm.openai_client import OpenAIClient, openai_reply

TRANSFER_SECONDS = 600.0
"""At least this long for a file of requests or results, however short a call may be."""
IN_FLIGHT = 16
"""Connections: batches of one run that are sent or collected at once."""


class UnknownBatchError(Exception):
    """The endpoint knows no such batch: it was deleted, or was sent with another key or to another address."""


@dataclass(frozen=True)
class Ended:
    """What became of a batch."""

    results: dict[str, Reply | CallFailure] = field(default_factory=dict)
    """By custom id."""
    rest: CallFailure = field(default_factory=lambda: NO_RESULT)
    """What it means that a request is not among them."""


NO_RESULT = CallFailure("server_error", "retry", "the batch ended without this request's result", maybe_billed=True)
RESULTS_GONE = CallFailure("server_error", "retry", "the batch's results are no longer kept", maybe_billed=True)
# Asking again would take another day, or defy whoever cancelled: the next round decides.
EXPIRED = CallFailure("timeout", "give_up", "the batch expired before this request's turn")
CANCELED = CallFailure("server_error", "give_up", "the batch was cancelled at the provider")


class BatchClient(Protocol):
    """One endpoint's batches. `dropped` are optional parameters it was found not to take."""

    dropped: set[str]
    most_requests: int
    most_bytes: int

    def optional(self, request: Request) -> frozenset[str]:
        """The optional parameters that `request` will carry."""
        ...

    def line(self, custom_id: str, request: Request) -> bytes:
        """`request` as it stands in a batch."""
        ...

    async def create(self, lines: Sequence[bytes], optional: frozenset[str]) -> str:
        """Sends a batch, whose requests carry the parameters `optional`; returns its id.

        Raises:
            CallFailure: it was not taken, or nobody knows (`maybe_billed`).
        """
        ...

    async def collect(self, batch: str, optional: frozenset[str]) -> Ended | None:
        """The batch's results, or None while it is under way; its requests carried the parameters `optional`.

        Raises:
            CallFailure: the endpoint does not say.
            UnknownBatchError: the endpoint has no such batch.
        """
        ...

    async def close(self) -> None: ...


def connect_batches(endpoint: Endpoint, settings: SynthesisSettings) -> BatchClient:
    """A client for the batches of `endpoint`; opens no connection yet."""
    kind = AnthropicBatchClient if endpoint.protocol == "anthropic" else OpenAIBatchClient
    client = kind(endpoint, timeout=max(settings.request_timeout, TRANSFER_SECONDS), in_flight=IN_FLIGHT)
    client.structured = client.structured or settings.structured_output == "on"
    return client


@contextlib.contextmanager
def _sorted_failures(key: str, optional: frozenset[str] = frozenset(), *, billed: bool = False) -> Iterator[None]:
    """Turns the SDKs' errors into a `CallFailure`.

    Args:
        key: hidden in what the server says.
        optional: optional parameters that the request carried.
        billed: whether a request that got no answer may be billed.
    """
    try:
        yield
    except (anthropic.APIStatusError, openai.APIStatusError) as error:
        failure = failure_of_status(error.status_code, error.body, error.response.headers, optional, hidden=key)
        raise replace(failure, maybe_billed=failure.maybe_billed and billed) from error
    except (anthropic.APIError, openai.APIError, httpx2.RequestError) as error:
        late = isinstance(error, anthropic.APITimeoutError | openai.APITimeoutError | httpx2.TimeoutException)
        cause = error.__cause__ or error
        never_left = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        detail = f"{type(error).__name__}: {error} ({type(cause).__name__})"[:500]
        raise CallFailure(
            "timeout" if late and not never_left else "connection",
            "retry",
            detail,
            maybe_billed=billed and not never_left,
        ) from error


def _object(content: bytes | str, *, billed: bool = False) -> dict[str, Any]:
    with contextlib.suppress(orjson.JSONDecodeError):
        if isinstance(value := orjson.loads(content), dict):
            return value
    raise CallFailure("server_error", "retry", "200 with a body that is no JSON object", maybe_billed=billed)


def _lines(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Custom id and object of each line; a spoilt line is left out, and so is without a result."""
    for line in filter(None, content.split(b"\n")):
        with contextlib.suppress(CallFailure):
            entry = _object(line)
            yield str(entry.get("custom_id")), entry


def _id_of(content: bytes) -> str:
    if isinstance(id_ := _object(content, billed=True).get("id"), str) and id_:
        return id_
    raise CallFailure("server_error", "retry", "200 without a batch's id", maybe_billed=True)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class AnthropicBatchClient(AnthropicClient):
    """Anthropic's Message Batches API. Limits: platform.claude.com/docs/en/build-with-claude/batch-processing."""

    most_requests = 100_000
    most_bytes = 256_000_000
    _path = "/v1/messages/batches"

    def optional(self, request: Request) -> frozenset[str]:
        return self._optional(request)

    def line(self, custom_id: str, request: Request) -> bytes:
        return orjson.dumps({"custom_id": custom_id, "params": self.body(request)})

    async def create(self, lines: Sequence[bytes], optional: frozenset[str]) -> str:
        content = b'{"requests":[' + b",".join(lines) + b"]}"
        with _sorted_failures(self.endpoint.key, optional, billed=True):
            response = await self._sdk.post(self._path, cast_to=httpx2.Response, content=content)
        return _id_of(response.content)

    async def collect(self, batch: str, optional: frozenset[str]) -> Ended | None:
        path = f"{self._path}/{quote(batch, safe='')}"
        with _sorted_failures(self.endpoint.key):
            try:
                state = _object((await self._sdk.get(path, cast_to=httpx2.Response)).content)
            except anthropic.NotFoundError as error:
                raise UnknownBatchError(batch) from error
            if state.get("processing_status") != "ended":
                return None
            try:
                # Not the `results_url` that it names: an address from a response gets no key of ours.
                response = await self._sdk.get(f"{path}/results", cast_to=httpx2.Response)
            except anthropic.NotFoundError:
                return Ended(rest=RESULTS_GONE)
        results = {
            id_: self._result(_dict(entry.get("result")), response.headers, optional)
            for id_, entry in _lines(response.content)
        }
        return Ended(results)

    def _result(self, result: dict[str, Any], headers: httpx2.Headers, optional: frozenset[str]) -> Reply | CallFailure:
        kind = result.get("type")
        if kind == "succeeded":
            message = _dict(result.get("message"))
            reply = anthropic_reply(message, headers)
            return replace(reply, service_tier="batch", request_id=str(message.get("id") or ""))
        if kind == "errored":
            body = _dict(result.get("error"))
            error = _dict(body.get("error")) or body
            status = ANTHROPIC_STATUS.get(str(error.get("type")), 500)
            # Whatever errored, expired or was cancelled in a batch is not billed, its documentation says.
            return replace(failure_of_status(status, body, {}, optional, hidden=self.endpoint.key), maybe_billed=False)
        return {"expired": EXPIRED, "canceled": CANCELED}.get(str(kind), NO_RESULT)


OPENAI_UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
OPENAI_REST = {"expired": EXPIRED, "cancelled": CANCELED}
OPENAI_CODES = {"batch_expired": EXPIRED, "batch_cancelled": CANCELED}
OPENAI_STATUS = {
    "invalid_api_key": 401,
    "billing_hard_limit_reached": 402,
    "insufficient_quota": 402,
    "model_not_found": 404,
    "token_limit_exceeded": 429,
}
"""HTTP status that a code means for which a whole batch failed; others: 400. `token_limit_exceeded` says that too
many tokens wait in batches already."""


class OpenAIBatchClient(OpenAIClient):
    """OpenAI's Batch API. Limits: types of the `openai` SDK 3.52, `batch_create_params`."""

    most_requests = 50_000
    most_bytes = 200_000_000

    def __init__(self, endpoint: Endpoint, *, in_flight: int, timeout: float | None = None) -> None:
        super().__init__(endpoint, in_flight=in_flight, timeout=timeout)
        # For uploads alone: the client of single calls sends no multipart forms.
        self._uploads = openai.AsyncOpenAI(
            api_key=endpoint.key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultAioHttpClient(timeout=timeout),
        )

    def optional(self, request: Request) -> frozenset[str]:
        return self._optional(request)

    def line(self, custom_id: str, request: Request) -> bytes:
        entry = {
            "custom_id": custom_id,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": self.body(request),
        }
        return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)

    async def create(self, lines: Sequence[bytes], optional: frozenset[str]) -> str:
        with _sorted_failures(self.endpoint.key):
            file = await self._uploads.files.create(file=("requests.jsonl", b"".join(lines)), purpose="batch")
        body = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        with _sorted_failures(self.endpoint.key, optional, billed=True):
            response = await self._sdk.post("/batches", cast_to=httpx2.Response, content=orjson.dumps(body))
        return _id_of(response.content)

    async def collect(self, batch: str, optional: frozenset[str]) -> Ended | None:
        with _sorted_failures(self.endpoint.key):
            try:
                response = await self._sdk.get(f"/batches/{quote(batch, safe='')}", cast_to=httpx2.Response)
            except openai.NotFoundError as error:
                raise UnknownBatchError(batch) from error
            state = _object(response.content)
            status = str(state.get("status"))
            if status in OPENAI_UNDER_WAY:
                return None
            if status == "failed":
                return Ended(rest=self._failed(state, optional))
            results: dict[str, Reply | CallFailure] = {}
            for file in filter(None, (state.get("output_file_id"), state.get("error_file_id"))):
                try:
                    found = await self._sdk.get(f"/files/{quote(file, safe='')}/content", cast_to=httpx2.Response)
                except openai.NotFoundError:
                    return Ended(results, rest=RESULTS_GONE)
                results |= {id_: self._result(line, found.headers, optional) for id_, line in _lines(found.content)}
        return Ended(results, rest=OPENAI_REST.get(status, NO_RESULT))

    def _failed(self, state: dict[str, Any], optional: frozenset[str]) -> CallFailure:
        """Why a whole batch was refused after it had been taken."""
        errors = _dict(state.get("errors")).get("data")
        error = _dict(errors[0]) if isinstance(errors, list) and errors else {}
        status = OPENAI_STATUS.get(str(error.get("code")), 400)
        return failure_of_status(status, {"error": error}, {}, optional, hidden=self.endpoint.key)

    def _result(self, line: dict[str, Any], headers: httpx2.Headers, optional: frozenset[str]) -> Reply | CallFailure:
        response, error = _dict(line.get("response")), _dict(line.get("error"))
        status, body = response.get("status_code"), response.get("body")
        if status == 200:
            reply = openai_reply(_dict(body), headers)
            return replace(reply, service_tier="batch", request_id=str(response.get("request_id") or ""))
        if code := OPENAI_CODES.get(str(error.get("code"))):
            return code
        status = status if isinstance(status, int) else 500
        failure = failure_of_status(status, body or {"error": error}, {}, optional, hidden=self.endpoint.key)
        return replace(failure, maybe_billed=False)

    async def close(self) -> None:
        await self._uploads.close()
        await super().close()

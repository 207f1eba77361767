"""What both SDKs' clients share.

Requests go through the SDKs' `post`, which gives their authentication, headers, time limits and error classes
without building typed models of each message: that costs a millisecond of CPU a call. Retries are ours alone
(`max_retries=0`), so that two layers never multiply. Each SDK takes seconds to import, so neither is imported here.
"""

import json
from typing import Any, cast

import httpx2
import orjson

from datasynth.schemas.calls import Request
from datasynth.tasks.llm.endpoints import Endpoint, takes_temperature
from datasynth.tasks.llm.failures import CallFailure, failure_of_status
from datasynth.tasks.llm.transport import repeated


class SdkClient:
    """What an endpoint takes, and what its refusals mean."""

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

    def _refused(self, error: Any, sent: frozenset[str]) -> CallFailure:
        """What an SDK's `APIStatusError` means."""
        headers, key = error.response.headers, self.endpoint.key
        return failure_of_status(error.status_code, error.body, headers, sent, hidden=key)


class Repeating:
    """Mixed into an SDK's client: the request that it made of the first call serves, but for the body, all that follow.

    A run's calls differ in their bodies alone, and what an SDK does around a call took a third of its CPU.
    """

    _first: httpx2.Request | None = None

    async def post_json(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """The response to a POST of `body` to `path`, which is the same for all calls.

        Raises:
            httpx2.RequestError: none came; so does the SDK's `APIConnectionError`, whose cause it is.
        """
        # As bytes: the SDKs walk through a body and dump it in Python.
        content, sdk = orjson.dumps(body), cast(Any, self)
        if self._first is not None:
            try:
                response: httpx2.Response = await sdk._client.send(repeated(self._first, content))
            except httpx2.RequestError:
                raise
            except Exception as error:  # as the SDKs take it: whatever a server did, it does not end a run
                raise httpx2.ReadError(f"{type(error).__name__}: {error}", request=self._first) from error
            if response.is_error:
                raise sdk._make_status_error_from_response(response)
            return response
        response = await sdk.post(path, cast_to=httpx2.Response, content=content)
        if not response.history:  # else it is the request that was redirected
            self._first = response.request
        return response


def json_object(response: httpx2.Response) -> dict[str, Any]:
    """A response's JSON object.

    Raises:
        CallFailure: there is none in it.
    """
    try:
        message = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        message = _json_with_halves(response.content)
    if not isinstance(message, dict):
        raise CallFailure("server_error", "retry", "200 with a body that is no JSON object", maybe_billed=True)
    return message


def _json_with_halves(content: bytes) -> Any:
    r"""JSON that orjson refuses for half of a surrogate pair ("\ud83d"), which models write now and then; None for what
    is no JSON either way.
    """
    try:
        return orjson.loads(_writable(json.dumps(json.loads(content), ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None


def unanswered(error: Exception, *, timed_out: bool) -> CallFailure:
    """What it means that there was no response, by an SDK's `APIConnectionError` or by what is the cause of one."""
    cause = error if isinstance(error, httpx2.RequestError) else error.__cause__
    detail = f"{type(error).__name__}: {error}" + (f" ({type(cause).__name__})" if cause else "")
    never_left = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    return CallFailure("timeout" if timed_out else "connection", "retry", detail[:500], maybe_billed=not never_left)


def object_of(value: Any) -> dict[str, Any]:
    """`value` if it is what the protocol says; a gateway may put anything there, and it was paid for."""
    return value if isinstance(value, dict) else {}


def text_of(content: Any) -> str:
    """The text of a message: a string, or blocks of which only those of text count."""
    if isinstance(content, str):
        return _writable(content)
    blocks = [object_of(block) for block in content] if isinstance(content, list) else []
    return _writable("".join(str(b.get("text") or "") for b in blocks if b.get("type") == "text"))


def _writable(text: str) -> str:
    """`text`, with U+FFFD for half of a surrogate pair without its other half: no file can hold that."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def counted(usage: dict[str, Any], *names: str) -> bool:
    """Whether a usage says all of these figures."""
    return all(isinstance(usage.get(name), int) for name in names)


def count(usage: dict[str, Any], name: str) -> int:
    """A figure of a usage, 0 where it is absent or no count."""
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0

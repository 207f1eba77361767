"""The official SDKs behind one call: a request in, a reply out, every failure sorted."""

import asyncio
import gc
from functools import partial
from typing import TYPE_CHECKING, Protocol

import httpx2

from datasynth.schemas.calls import Reply, Request
from datasynth.tasks.llm.endpoints import Endpoint

if TYPE_CHECKING:
    from datasynth.tasks.llm.anthropic_client import AnthropicClient
    from datasynth.tasks.llm.openai_client import OpenAIClient


class ModelClient(Protocol):
    """One endpoint."""

    @property
    def dropped(self) -> set[str]:
        """Optional parameters that it was found not to take; whoever finds another one adds it."""
        ...

    async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
        """The reply, and the response's headers, however long it takes: whoever asks holds a clock over the call.

        Raises:
            CallFailure: there is none.
        """
        ...

    async def close(self) -> None: ...


def connect(endpoint: Endpoint, *, in_flight: int, structured: bool = False) -> ModelClient:
    """A client for `endpoint`; opens no connection yet.

    Args:
        endpoint: Where to ask.
        in_flight: Most connections.
        structured: Send the reply's schema even where the provider's preset does not.
    """
    client = import_sdk(endpoint.protocol)(endpoint, in_flight=in_flight)
    client.structured = client.structured or structured
    return client


class LateClient:
    """A client that is connected by its first request: an SDK takes seconds to import.

    A run whose replies are all in the journal, from another process or an earlier one, never needs it.
    """

    def __init__(self, endpoint: Endpoint, *, in_flight: int, structured: bool = False) -> None:
        self._endpoint = endpoint
        self._connect = partial(connect, endpoint, in_flight=in_flight, structured=structured)
        self._connecting = asyncio.Lock()
        self._client: ModelClient | None = None

    @property
    def dropped(self) -> set[str]:
        """As `ModelClient.dropped`; nothing is found out about an endpoint before the first request."""
        return set() if self._client is None else self._client.dropped

    async def send(self, request: Request) -> tuple[Reply, httpx2.Headers]:
        if self._client is None:
            async with self._connecting:
                if self._client is None:
                    await asyncio.to_thread(import_sdk, self._endpoint.protocol)
                    self._client = self._connect()
                    gc.freeze()  # half a million objects that stay, and every full collection would walk over them
        return await self._client.send(request)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def import_sdk(protocol: str) -> "type[AnthropicClient] | type[OpenAIClient]":
    """The client class that speaks `protocol`; its SDK takes seconds to import, and the other one is not needed."""
    if protocol == "anthropic":
        from datasynth.tasks.llm.anthropic_client import AnthropicClient  # noqa: PLC0415

        return AnthropicClient
    from datasynth.tasks.llm.openai_client import OpenAIClient  # noqa: PLC0415

    return OpenAIClient

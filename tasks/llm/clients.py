"""The official SDKs behind one call: a request in, a reply out, every failure sorted."""

from typing import Protocol

import httpx2

from datasynth.schemas.calls import Reply, Request
from datasynth.tasks.llm.endpoints import Endpoint


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
    # Each SDK takes seconds to import; the other one is not needed.
    if endpoint.protocol == "anthropic":
        from datasynth.tasks.llm.anthropic_client import AnthropicClient as Client  # noqa: PLC0415
    else:
        from datasynth.tasks.llm.openai_client import OpenAIClient as Client  # noqa: PLC0415
    client = Client(endpoint, timeout=timeout, in_flight=in_flight)
    client.structured = client.structured or structured
    return client

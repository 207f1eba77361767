"""What the two wire protocols have in common: both carry a prompt to a model and a billed text back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from datasynth.tasks.llm.simulated.replies import Answer, Ask, tokens


class MalformedError(ValueError):
    """A request body that the provider would answer with 400; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Billed:
    """Tokens of one reply. `input` excludes what was read from or written to the cache."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """The state of a request limit."""

    limit: int
    remaining: int
    reset: float
    """Seconds until it is whole again."""


class Wire(Protocol):
    """One provider's protocol."""

    name: str
    request_id_header: str
    parameters: frozenset[str]
    """Parameters that may stand elsewhere than at the top of a body."""

    def ask(self, body: dict[str, Any]) -> Ask:
        """What a request's `body` asks for.

        Raises:
            MalformedError: the provider would refuse it.
        """
        ...

    def billed(self, ask: Ask, answer: Answer, *, seen: bool) -> Billed:
        """The tokens of `answer`; `seen`: the part of the prompt that can be cached was sent before."""
        ...

    def reply(self, ask: Ask, answer: Answer, billed: Billed, id_: str, *, batch: bool = False) -> dict[str, Any]:
        """The body of a 200."""
        ...

    def events(self, reply: dict[str, Any], ask: Ask) -> Iterator[bytes]:
        """The same as server-sent events."""
        ...

    def error(self, status: int, message: str, id_: str, parameter: str | None = None) -> dict[str, Any]:
        """The body of an error."""
        ...

    def limit_headers(self, limit: Limit) -> dict[str, str]:
        """The provider's rate-limit headers."""
        ...


def content_text(content: Any) -> str:
    """The text of a message's content: a string, or the text blocks of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(c.get("text") or "") for c in content if isinstance(c, dict) and c.get("type") == "text")


def dialogue_text(messages: list[dict[str, Any]]) -> str:
    """All messages as one prompt."""
    if len(messages) == 1:
        return content_text(messages[0].get("content"))
    return "\n\n".join(content_text(m.get("content")) for m in messages)


def messages_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The request's messages.

    Raises:
        MalformedError: there are none, or they are no objects; or the model is missing.
    """
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise MalformedError("model: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise MalformedError("messages: at least one message is required")
    return messages


def schema_text(schema: Any) -> bytes:
    """A structured-output schema as JSON text; empty where there is none."""
    return orjson.dumps(schema) if isinstance(schema, dict) else b""


def pieces(text: str, size: int = 160) -> Iterator[str]:
    """`text` in the pieces that a stream sends it in."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


def prompt_tokens(ask: Ask) -> int:
    """Tokens of all messages, the system prompt's included."""
    return tokens(ask.system) + tokens(ask.user)

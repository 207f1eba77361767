"""Texts to vectors: by an OpenAI-compatible `/v1/embeddings` endpoint, or by a sentence-transformers model here."""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.failures import failure_of_status
from datasynth.tasks.llm.prices import Price, listed_price

LOCAL = "local:"
"""What the name of a model in this process begins with."""

AT_ONCE = 128
"""Texts in a request. OpenAI takes 2,048 and 300,000 tokens, other servers fewer; more saves nothing worth having."""

MOST_CHARACTERS = 6_000
"""Of a text, as many are embedded: 8,192 tokens is what OpenAI's models take, and a Chinese character may be one."""

ADDED_TOKENS = 16
"""Allowed for what an endpoint adds to a text on its own: marks of its beginning and end, a prefix."""


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, in their order, and what they took."""

    vectors: np.ndarray
    """float32, shape (texts, dimensions)."""
    tokens: int = 0
    metered: bool = True
    """Whether the endpoint said how many tokens."""


class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def name(self) -> str:
        """Vectors of another name cannot be compared with these."""
        ...

    @property
    def where(self) -> str:
        """The address, for people."""
        ...

    @property
    def billed(self) -> bool:
        """Whether anybody may send a bill: False in this process."""
        ...

    def embed(self, texts: Sequence[str]) -> Embedded:
        """The vectors of at most `AT_ONCE` texts, by one request.

        Raises:
            CallFailure: it brought none.
            RunError: it brought something else than vectors.
        """
        ...


def sent(text: str) -> str:
    """What of a text is embedded; never empty, for endpoints refuse an empty text."""
    return text[:MOST_CHARACTERS] or " "


def most_billed(texts: Sequence[str]) -> int:
    """Tokens that a request for vectors of `texts` is billed at most: each covers a byte at least."""
    return sum(len(sent(text).encode("utf-8", "surrogatepass")) + ADDED_TOKENS for text in texts)


class EndpointEmbedder:
    """The embeddings of an OpenAI-compatible endpoint."""

    billed = True

    def __init__(self, endpoint: Endpoint, *, timeout: float) -> None:
        # Only a run that embeds imports the SDK, which takes seconds.
        import openai  # noqa: PLC0415

        from datasynth.tasks.llm.sdk import unanswered  # noqa: PLC0415

        self._unanswered = unanswered
        self.name = endpoint.model
        self.where = endpoint.base_url or "api.openai.com"
        self._key = endpoint.key
        self._errors: Any = openai
        # Whoever pays asks again: each request has a worst case of its own.
        self._sdk = openai.OpenAI(
            api_key=endpoint.key or "none", base_url=endpoint.base_url, timeout=timeout, max_retries=0
        )

    def embed(self, texts: Sequence[str]) -> Embedded:
        try:
            # Numbers as text, for not every server knows base64; both say the same float32.
            answer = self._sdk.embeddings.create(model=self.name, input=list(map(sent, texts)), encoding_format="float")
        except self._errors.APIStatusError as error:
            headers = error.response.headers
            raise failure_of_status(error.status_code, error.body, headers, frozenset(), hidden=self._key) from error
        except self._errors.APIError as error:
            raise self._unanswered(error, timed_out=isinstance(error, self._errors.APITimeoutError)) from error
        vectors = self._vectors(answer, len(texts))
        told = int(answer.usage.prompt_tokens) if answer.usage else 0
        return Embedded(vectors, told, metered=told > 0)

    def _vectors(self, answer: Any, wanted: int) -> np.ndarray:
        ordered = sorted(answer.data or (), key=lambda item: item.index)
        sizes = {len(item.embedding) for item in ordered}
        if [item.index for item in ordered] != list(range(wanted)) or len(sizes) != 1 or 0 in sizes:
            raise RunError(
                "The embedding endpoint {where} gave {found} vectors for {wanted} texts. Check that {model} is an "
                "embedding model.",
                where=self.where,
                found=len(ordered),
                wanted=wanted,
                model=self.name,
            )
        return np.array([item.embedding for item in ordered], np.float32)


class LocalEmbedder:
    """A sentence-transformers model in this process."""

    billed = False
    where = "-"

    def __init__(self, model: str) -> None:
        # An extra that type checkers here do not find; its PyTorch takes many seconds to import.
        library: Any = import_module("sentence_transformers")
        self.name = f"{LOCAL}{model}"
        self._model: Any = library.SentenceTransformer(model)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Vectors depend a little on batch and processor, so they are stored and never made again."""
        cut = list(map(sent, texts))
        return Embedded(np.asarray(self._model.encode(cut, convert_to_numpy=True, show_progress_bar=False), np.float32))


def embedder_of(settings: SynthesisSettings, environ: Mapping[str, str] = os.environ) -> Embedder:
    """The embedder that `settings` name; raises as `require_embedder` does."""
    endpoint = require_embedder(settings, environ)
    if endpoint is None:
        return _local(embedding_model_of(settings).removeprefix(LOCAL))
    return EndpointEmbedder(endpoint, timeout=settings.request_timeout)


def require_embedder(settings: SynthesisSettings, environ: Mapping[str, str] = os.environ) -> Endpoint | None:
    """Makes sure, without asking anybody, that vectors can be made; returns where, None for in this process.

    Raises:
        InputError: no model is named, its extra is not installed, its key's variable is not set, or nobody knows its
            price and `max_cost` is set.
    """
    model = embedding_model_of(settings)
    if model.startswith(LOCAL):
        if find_spec("sentence_transformers") is None:
            raise InputError(
                "{model} needs the extra semantic. Install it: pip install 'datasynth[semantic]'.", model=model
            )
        return None
    variable = settings.embedding_api_key_env or (None if settings.embedding_base_url else "OPENAI_API_KEY")
    key = environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise InputError(
            "The embedding model needs a key: the environment variable {variable} is not set. Set it, or give "
            "--embedding-base-url for an endpoint that needs none.",
            variable=variable,
        )
    embedding_price(settings)
    return Endpoint(PROVIDERS["openai"], model, settings.embedding_base_url, key, variable)


@functools.lru_cache(maxsize=1)
def _local(model: str) -> LocalEmbedder:
    """Loaded once a process: it takes seconds and much memory."""
    return LocalEmbedder(model)


def compares_meanings(settings: SynthesisSettings) -> bool:
    """Whether records are compared by their vectors."""
    return settings.semantic_threshold is not None and settings.validate_records


def embedding_model_of(settings: SynthesisSettings) -> str:
    """The name of the embedding model.

    Raises:
        InputError: none is named.
    """
    model = settings.embedding_model
    if not model or model == LOCAL:
        raise InputError(
            "--semantic needs a model that turns texts into vectors. Name one with --embedding-model, such as "
            "text-embedding-3-small, or local:NAME for sentence-transformers."
        )
    return model


def embedding_price(settings: SynthesisSettings) -> Price | None:
    """What the embedding model costs: the user's price, the list's, nothing in this process; None where nobody knows.

    A model at an address of the user's own is not the provider's, whatever it is called.

    Raises:
        InputError: no model is named; nobody knows its price and `max_cost` is set.
    """
    model = embedding_model_of(settings)
    if model.startswith(LOCAL):
        return Price("free")
    price = None
    if settings.embedding_price is not None:
        price = Price("user", Decimal(str(settings.embedding_price)))
    elif settings.embedding_base_url is None:
        price = listed_price(model, "openai")
    if price is None and settings.max_cost is not None:
        raise InputError(
            "The price of the embedding model {model} is unknown, so --max-cost cannot hold. Give --embedding-price "
            "(USD per million tokens), or limit --max-tokens or --max-calls.",
            model=model,
        )
    return price

"""Texts to vectors: by an OpenAI-compatible `/v1/embeddings` endpoint, or by a sentence-transformers model here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from datasynth.schemas.errors import AuthenticationError, InputError, RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.prices import Price, listed_price
from datasynth.tasks.llm.tokens import count_tokens

LOCAL = "local:"
"""What the name of a model in this process begins with."""

AT_ONCE = 128
"""Texts in a request. OpenAI takes 2,048 and 300,000 tokens, other servers fewer; more saves nothing worth having."""

MOST_CHARACTERS = 6_000
"""Of a text, as many are embedded: 8,192 tokens is what OpenAI's models take, and a Chinese character may be one."""


@dataclass(frozen=True)
class Embedded:
    """Vectors of texts, in their order, and what they took."""

    vectors: np.ndarray
    """float32, shape (texts, dimensions)."""
    tokens: int
    metered: bool
    """Whether the endpoint said how many tokens; else they are counted here."""


class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def name(self) -> str:
        """Vectors of another name cannot be compared with these."""
        ...

    @property
    def price(self) -> Price | None:
        """None where nobody knows it."""
        ...

    def embed(self, texts: Sequence[str]) -> Embedded: ...


class EndpointEmbedder:
    """The embeddings of an OpenAI-compatible endpoint."""

    def __init__(self, endpoint: Endpoint, *, timeout: float, retries: int) -> None:
        # Only a run that embeds imports the SDK, which takes seconds.
        import openai  # noqa: PLC0415

        self.name = endpoint.model
        self.price = _price_of(endpoint)
        self._where = endpoint.base_url or "api.openai.com"
        self._errors: Any = openai
        self._sdk = openai.OpenAI(
            api_key=endpoint.key or "none", base_url=endpoint.base_url, timeout=timeout, max_retries=retries
        )

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Raises RunError where the endpoint fails, AuthenticationError where it refuses the key."""
        parts, tokens, metered = [], 0, True
        for first in range(0, len(texts), AT_ONCE):
            some = [text[:MOST_CHARACTERS] or " " for text in texts[first : first + AT_ONCE]]
            answer = self._asked(some)
            parts.append(self._vectors(answer, len(some)))
            told = int(answer.usage.prompt_tokens) if answer.usage else 0
            metered = metered and told > 0
            tokens += told or sum(count_tokens(text, self.name) for text in some)
        return Embedded(np.concatenate(parts) if parts else np.zeros((0, 0), np.float32), tokens, metered)

    def _asked(self, texts: list[str]) -> Any:
        try:
            # Numbers as text, for not every server knows base64; both say the same float32.
            return self._sdk.embeddings.create(model=self.name, input=texts, encoding_format="float")
        except self._errors.AuthenticationError as error:
            raise AuthenticationError(
                "The embedding endpoint {where} refused the key. Set the right one.", where=self._where
            ) from error
        except self._errors.OpenAIError as error:
            raise RunError(
                "The embedding endpoint {where} gave no vectors for model {model} ({error}). What was paid for is "
                "kept: resume the run when it answers.",
                where=self._where,
                model=self.name,
                error=f"{type(error).__name__}: {error}"[:300],
            ) from error

    def _vectors(self, answer: Any, wanted: int) -> np.ndarray:
        ordered = sorted(answer.data or (), key=lambda item: item.index)
        sizes = {len(item.embedding) for item in ordered}
        if [item.index for item in ordered] != list(range(wanted)) or len(sizes) != 1 or 0 in sizes:
            raise RunError(
                "The embedding endpoint {where} gave {found} vectors for {wanted} texts. Check that {model} is an "
                "embedding model.",
                where=self._where,
                found=len(ordered),
                wanted=wanted,
                model=self.name,
            )
        return np.array([item.embedding for item in ordered], np.float32)


class LocalEmbedder:
    """A sentence-transformers model in this process."""

    def __init__(self, model: str) -> None:
        # An extra that type checkers here do not find; its PyTorch takes many seconds to import.
        library: Any = import_module("sentence_transformers")
        self.name = f"{LOCAL}{model}"
        self.price = Price("free")
        self._model: Any = library.SentenceTransformer(model)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Vectors depend a little on batch and processor, so they are stored and never made again."""
        cut = [text[:MOST_CHARACTERS] for text in texts]
        vectors = np.asarray(self._model.encode(cut, convert_to_numpy=True, show_progress_bar=False), np.float32)
        return Embedded(vectors, 0, metered=True)


def embedder_of(settings: SynthesisSettings, environ: Mapping[str, str] = os.environ) -> Embedder:
    """The embedder that `settings` name.

    Raises:
        InputError: no model is named, its extra is not installed, or its key's variable is not set.
    """
    model = settings.embedding_model
    if not model or model == LOCAL:
        raise InputError(
            "--semantic needs a model that turns texts into vectors. Name one with --embedding-model, such as "
            "text-embedding-3-small, or local:NAME for sentence-transformers."
        )
    if model.startswith(LOCAL):
        if find_spec("sentence_transformers") is None:
            raise InputError(
                "{model} needs the extra semantic. Install it: pip install 'datasynth[semantic]'.", model=model
            )
        return LocalEmbedder(model.removeprefix(LOCAL))
    variable = settings.embedding_api_key_env or (None if settings.embedding_base_url else "OPENAI_API_KEY")
    key = environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise InputError(
            "The embedding model needs a key: the environment variable {variable} is not set. Set it, or give "
            "--embedding-base-url for an endpoint that needs none.",
            variable=variable,
        )
    endpoint = Endpoint(PROVIDERS["openai"], model, settings.embedding_base_url, key, variable)
    return EndpointEmbedder(endpoint, timeout=settings.request_timeout, retries=settings.max_retries)


def require_embedder(settings: SynthesisSettings) -> None:
    """Makes sure, before any money is spent on records, that one word gets its vector.

    Raises:
        InputError: as `embedder_of`.
        RunError: the endpoint fails.
    """
    embedder_of(settings).embed(["word"])


def _price_of(endpoint: Endpoint) -> Price | None:
    """A model at an address of the user's own is not the provider's, whatever it is called."""
    return listed_price(endpoint.model, "openai") if endpoint.base_url is None else None

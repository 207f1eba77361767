"""Counting tokens without asking anybody: OpenAI's own vocabulary offline, and safe bounds."""

import functools
import importlib.machinery
import importlib.util
from typing import Protocol

CLAUDE_TO_O200K = 1.25
"""Tokens of current Claude models to those of OpenAI's o200k vocabulary on prose and JSON. Anthropic publishes no
tokenizer; this is a round figure between 1.1 (Chinese) and 1.35 (English, models since 2026), and the pilot
round replaces it with what the API counted."""


class _Tokenizer(Protocol):
    def count(self, text: str) -> int: ...


@functools.cache
def _o200k() -> _Tokenizer:
    """OpenAI's vocabulary as the Rust half of `bpe_openai` has it built in.

    The Python half reads three vocabularies from files when it is imported, which takes a second and 100 MB; counting
    needs none of them. Loaded once something is counted, for it takes a tenth of a second all the same.
    """
    name = "bpe_openai._bindings"
    package = importlib.util.find_spec("bpe_openai")
    places = package.submodule_search_locations if package else None
    spec = importlib.machinery.PathFinder.find_spec(name, places)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} is not where bpe-openai 0.1 has it", name=name)
    bindings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bindings)
    return bindings.tokenizer_for_encoding("o200k_base")


def count_tokens(text: str, model: str) -> int:
    """About how many tokens `model` sees in `text`: exact for OpenAI's models since GPT-4o, else an estimate."""
    # Half a surrogate pair, which no UTF-8 has, counts as the replacement character that an endpoint would see.
    tokens = _o200k().count(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if "claude" in model.lower():
        return min(round(tokens * CLAUDE_TO_O200K), len(text.encode("utf-8", "surrogatepass")))
    return tokens


ENVELOPE_TOKENS = 1024
"""Allowed for what an endpoint adds to a prompt on its own: role markers, and the instructions that
structured output puts before it (a few hundred tokens at Anthropic)."""


def most_tokens(*texts: str) -> int:
    """A bound that the real count never passes: every token of a byte-level vocabulary covers at least one byte."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + ENVELOPE_TOKENS

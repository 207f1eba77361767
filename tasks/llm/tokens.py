"""Counting tokens without asking anybody: OpenAI's own vocabulary offline, and safe bounds."""

import functools
from typing import Any

CLAUDE_TO_O200K = 1.25
"""Tokens of current Claude models to those of OpenAI's o200k vocabulary on prose and JSON. Anthropic publishes no
tokenizer; this is a round figure between 1.1 (Chinese) and 1.35 (English, models since 2026), and the pilot
round replaces it with what the API counted."""


@functools.cache
def _encoding() -> Any:
    # A third of a second to load, so only once something is counted.
    import bpe_openai  # noqa: PLC0415

    return bpe_openai.get_encoding("o200k_base")


def count_tokens(text: str, model: str) -> int:
    """About how many tokens `model` sees in `text`: exact for OpenAI's models since GPT-4o, else an estimate."""
    tokens = len(_encoding().encode_ordinary(text))
    if "claude" in model.lower():
        return min(round(tokens * CLAUDE_TO_O200K), len(text.encode("utf-8", "surrogatepass")))
    return tokens


ENVELOPE_TOKENS = 1024
"""Allowed for what an endpoint adds to a prompt on its own: role markers, and the instructions that
structured output puts before it (a few hundred tokens at Anthropic)."""


def most_tokens(*texts: str) -> int:
    """A bound that the real count never passes: every token of a byte-level vocabulary covers at least one byte."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + ENVELOPE_TOKENS

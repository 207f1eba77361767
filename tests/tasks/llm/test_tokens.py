"""Token counts and the bound they never pass."""

import bpe_openai
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datasynth.tasks.llm.tokens import ENVELOPE_TOKENS, count_tokens, most_tokens

MODELS = ["gpt-5.4-mini", "claude-sonnet-5-5"]


@pytest.mark.parametrize("model", MODELS)
@settings(deadline=None)  # the vocabulary is loaded by whoever counts first
@given(text=st.text())
@example(text="\U00012345" * 20)
@example(text="\x00" * 20)
def test_no_count_passes_the_bound(model: str, text: str) -> None:
    assert 0 <= count_tokens(text, model) <= most_tokens(text) - ENVELOPE_TOKENS


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4))
def test_the_bound_of_texts_holds_for_them_joined(texts: list[str]) -> None:
    assert count_tokens("".join(texts), "gpt-5.4-mini") <= most_tokens(*texts)


def test_openai_counts_are_exact() -> None:
    # As tiktoken counts with o200k_base.
    assert count_tokens("hello world", "gpt-5.4-mini") == 2
    assert count_tokens("", "gpt-5.4-mini") == 0


@settings(deadline=None)
@given(st.text())
@example("<|endoftext|> <|endofprompt|>")
@example("写一封信。 " * 200)
def test_counts_are_those_of_the_packages_own_python_side(text: str) -> None:
    ordinary = bpe_openai.get_encoding("o200k_base").encode_ordinary(text)
    assert count_tokens(text, "gpt-5.4-mini") == len(ordinary)


def test_words_that_are_special_to_a_model_are_counted_as_text() -> None:
    assert count_tokens("<|endoftext|>", "gpt-5.4-mini") > 1


@pytest.mark.parametrize("model", MODELS)
def test_half_a_surrogate_pair_is_counted(model: str) -> None:
    assert count_tokens("a\ud800b", model) > 0
    assert most_tokens("a\ud800b") == ENVELOPE_TOKENS + 5

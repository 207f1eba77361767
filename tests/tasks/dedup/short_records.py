"""Records of a few words out of eight, so that many are alike, and the two views they are compared in."""

from typing import Any

from hypothesis import strategies as st

from datasynth.schemas.record import Field
from datasynth.tasks.dedup.views import View

TWO_VIEWS = (
    View("record", (Field(name="question"), Field(name="answer")), least_units=0),
    View("question", (Field(name="question"),)),
)
WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta", "你", "好", "!", "3"])
PHRASES = st.lists(WORDS, max_size=7).map(" ".join)


def short_records(most: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to `most` of them."""
    return st.lists(st.fixed_dictionaries({"question": PHRASES, "answer": PHRASES}), max_size=most)

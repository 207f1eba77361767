"""Texts with known overlaps."""

import itertools
import random
from dataclasses import dataclass

import hypothesis
import pytest

from datasynth.schemas.record import Field
from datasynth.tasks.dedup.views import View

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

IDEOGRAPHS = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
ENGLISH = [
    f"{a}{b}{c}" for a in ("ba", "co", "di", "fu", "ge") for b in "lmnrst" for c in ("ay", "er", "ing", "o", "y")
]
CHINESE = [a + b for a, b in zip(IDEOGRAPHS[::2], IDEOGRAPHS[1::2], strict=True)]


@dataclass(frozen=True)
class Language:
    """How texts of a language are put together, and their shingles by the plainest means."""

    words: list[str]
    joint: str

    def text(self, words: list[str]) -> str:
        return self.joint.join(words)

    def reworded(self, words: list[str], count: int, rng: random.Random) -> list[str]:
        places = set(rng.sample(range(len(words)), count))
        return [rng.choice(self.words) if i in places else word for i, word in enumerate(words)]

    def shingles(self, text: str) -> set[tuple[str, ...]]:
        units = text.split() if self.joint else list(text)
        return set(itertools.pairwise(units))

    def jaccard(self, a: str, b: str) -> float:
        left, right = self.shingles(a), self.shingles(b)
        return len(left & right) / len(left | right)


@pytest.fixture(params=["en", "zh"])
def language(request) -> Language:
    return Language(ENGLISH, " ") if request.param == "en" else Language(CHINESE, "")


@pytest.fixture
def whole() -> tuple[View, ...]:
    """One view, of records such as {"text": "..."}."""
    return (View("record", (Field(name="text"),), least_units=0),)

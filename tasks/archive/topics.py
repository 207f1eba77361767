"""What the seeds speak of: a few topics, each named by its most telling words, found by clustering their texts.

Whole numbers throughout, so that another processor's rounding never makes another plan.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from datasynth.schemas.recipe import Recipe

LEAST_SEEDS = 24
"""Seeds below which a cluster says more of chance than of the data."""
MOST_SEEDS = 2_000
"""Seeds looked at, evenly picked: the clusters of more would not be other ones."""
MOST_TOPICS = 12
MOST_TERMS = 4_000
"""Terms kept, those in the most seeds first."""
TOO_COMMON = 0.4
"""Share of the seeds from which a term tells nothing about a seed's topic."""
LEAST_MEMBERS = 3
ROUNDS = 20
"""Steps of k-means, which mostly settles in ten."""
SCALE = 1 << 10
"""A vector's length after scaling: dot products stay far below 2**63."""
NAMED_BY = 3
LONGEST_TEXT = 1_000
"""Characters of a text that are read."""

WORD = re.compile(r"[^\W\d_]{3,}")
HAN = re.compile(r"[㐀-鿿]+")
FUNCTION_CHARACTERS = frozenset(
    "的了是我你他她它们在有和与及或吗呢吧啊不就都也还被把给到要会能可以请问一个这那么什怎如何多少为"
)
"""Characters of grammar: a pair with one of them names nothing."""
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the and for with that this from are was were you your can could should would will have has had not but "
        "how what when where why who which does did they them their there then than its into about please some "
        "any all one out our",
    )
)
"""Words of English grammar; of other languages, those in most texts are left out in any case."""


@dataclass(frozen=True)
class Topics:
    """Clusters of the seeds."""

    names: tuple[str, ...]
    terms: dict[str, int]
    """Column by term."""
    weights: np.ndarray
    """int64, by column: how telling a term is."""
    centres: np.ndarray
    """int64, shape (terms, topics)."""
    texts: tuple[str, ...]
    """Fields whose text is read."""

    def nearest(self, record: dict[str, Any]) -> int | None:
        """The topic that `record` is closest to; None where they have no telling word in common."""
        counts = Counter(term for term in terms_of(text_of(record, self.texts)) if term in self.terms)
        if not counts:
            return None
        columns = [self.terms[term] for term in counts]
        told = np.minimum(np.fromiter(counts.values(), np.int64), 4) * self.weights[columns]
        closeness = told @ self.centres[columns]
        return int(closeness.argmax()) if closeness.any() else None


def find_topics(recipe: Recipe) -> Topics | None:
    """The topics of the recipe's seeds; None where there are too few seeds or they do not fall into groups."""
    if len(recipe.seeds) < LEAST_SEEDS:
        return None
    texts = tuple(f.name for f in recipe.record_schema.asked if f.type in ("string", "array", "any") and f.enum is None)
    step = -(-len(recipe.seeds) // MOST_SEEDS)
    found = [Counter(terms_of(text_of(seed, texts))) for seed in recipe.seeds[::step]]
    spread = Counter(term for counts in found for term in counts)
    kept = sorted(t for t, n in spread.items() if 2 <= n <= TOO_COMMON * len(found))
    kept = sorted(sorted(kept, key=lambda term: -spread[term])[:MOST_TERMS])
    if len(kept) < MOST_TOPICS:
        return None
    terms = {term: column for column, term in enumerate(kept)}
    # The binary logarithm of the inverse document frequency in 16ths, as whole numbers.
    weights = np.array([((len(found) // spread[term]) ** 16).bit_length() for term in kept], np.int64)
    vectors = _vectors(found, terms, weights)
    number = max(2, min(MOST_TOPICS, math.isqrt(len(found) // 2)))
    labels, centres = _clusters(vectors, number)
    sizes = np.bincount(labels, minlength=len(centres))
    centres = centres[sizes >= LEAST_MEMBERS]
    named = [(name, centre) for name, centre in zip(_names(centres, kept), centres, strict=True) if name]
    if len(named) < 2:
        return None
    return Topics(tuple(name for name, _ in named), terms, weights, np.stack([c for _, c in named], axis=1), texts)


def text_of(record: dict[str, Any], fields: Sequence[str]) -> str:
    """The beginnings of the record's texts, one after the other."""
    return "\n".join(text[:LONGEST_TEXT] for name in fields for text in _strings(record.get(name)))


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _strings(each)]


def terms_of(text: str) -> list[str]:
    """Words, and pairs of Chinese characters."""
    text = text.casefold()
    pairs = [
        a + b
        for run in HAN.findall(text)
        for a, b in zip(run, islice(run, 1, None), strict=False)
        if a not in FUNCTION_CHARACTERS and b not in FUNCTION_CHARACTERS
    ]
    return pairs + [word for word in WORD.findall(HAN.sub(" ", text)) if word not in FUNCTION_WORDS]


def _vectors(found: list[Counter[str]], terms: dict[str, int], weights: np.ndarray) -> np.ndarray:
    """TF-IDF, each row scaled to length `SCALE`; a row of zeros where a seed has no telling term."""
    vectors = np.zeros((len(found), len(terms)), np.int64)
    for row, counts in enumerate(found):
        for term, times in counts.items():
            if (column := terms.get(term)) is not None:
                vectors[row, column] = min(times, 4) * weights[column]
    return _scaled(vectors)


def _scaled(vectors: np.ndarray) -> np.ndarray:
    squares = (vectors * vectors).sum(axis=1)
    lengths = np.array([max(1, math.isqrt(int(square))) for square in squares], np.int64)
    return vectors * SCALE // lengths[:, None]


def _clusters(vectors: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Spherical k-means from centres as far apart as can be, the first one the seed most like all others.

    Source: Dhillon and Modha 2001, "Concept decompositions for large sparse text data using clustering".
    """
    first = int((vectors @ vectors.sum(axis=0)).argmax())
    chosen = [first]
    closest = vectors @ vectors[first]
    while len(chosen) < number:
        # A seed without a telling term is far from everything and would be a cluster of its own.
        closest[~vectors.any(axis=1)] = np.iinfo(np.int64).max
        chosen.append(int(closest.argmin()))
        closest = np.maximum(closest, vectors @ vectors[chosen[-1]])
    centres = vectors[chosen]
    labels = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        nearest = (vectors @ centres.T).argmax(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, vectors)
        filled = np.flatnonzero(sums.any(axis=1))
        centres[filled] = _scaled(sums[filled])
    return labels, centres


def _names(centres: np.ndarray, terms: list[str]) -> tuple[str, ...]:
    """The terms that stand out in each centre, none in two names; empty where nothing is left to name one by."""
    names: list[str] = []
    told: set[str] = set()
    others = centres.sum(axis=0)
    for centre in centres:
        # What is said here and not elsewhere; ties by the term, so that the order is everywhere the same.
        salience = centre * 2 - others
        order = np.lexsort((np.arange(len(terms)), -salience))
        mine = [terms[i] for i in order[:24] if centre[i] > 0 and not _overlaps(terms[i], told)]
        picked: list[str] = []
        for term in mine:
            if len(picked) < NAMED_BY and not _overlaps(term, set(picked)):
                picked.append(term)
        told.update(picked)
        names.append(" / ".join(picked))
    return tuple(names)


def _overlaps(term: str, others: set[str]) -> bool:
    """Whether a name holds `term`, or, of a pair of Chinese characters, one of its characters."""
    if term in others:
        return True
    return bool(HAN.match(term)) and any(HAN.match(other) and set(term) & set(other) for other in others)

"""How varied a set of texts is, by measures that need no model."""

import gzip
from collections.abc import Callable, Sequence

import numpy as np

from datasynth.schemas.measures import TextMeasures
from datasynth.tasks.archive.space import draws
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import Shingled, shingled
from datasynth.tasks.measure.bleu import self_bleu
from datasynth.tasks.measure.neighbours import nearest
from datasynth.tasks.measure.vendi import vendi_score

MOST_TEXTS = 2_000
"""Texts measured of a larger set: neighbours cost time by the square of it, about two seconds here."""

MOST_CHARACTERS = 4_000_000
"""Of those texts together, where they are long; it bounds memory to some 100 MB."""

REPEATED_GRAM = 8
"""Words in a run of words that two records should not share (Shaib et al. 2024, section 3)."""

DRAWS = 10
"""Draws of like size that are averaged: with five seeds, one draw of five would say as much of chance as of the
output."""

Embedder = Callable[[Sequence[str]], np.ndarray | None]
"""From texts to their embeddings, shape (texts, dimensions); None where one of them has none."""


def measured_part(texts: Sequence[str]) -> Sequence[str]:
    """As many of `texts`, from the first, as are measured. Give them in random order."""
    characters = 0
    for i, text in enumerate(texts[:MOST_TEXTS]):
        characters += len(text)
        if characters > MOST_CHARACTERS and i:
            return texts[:i]
    return texts[:MOST_TEXTS]


def measure_texts(texts: Sequence[str], *, records: int | None = None, embed: Embedder | None = None) -> TextMeasures:
    """All measures over `texts`, at most `MOST_TEXTS` and `MOST_CHARACTERS` from the first on.

    Args:
        texts: One a record, in random order where there are more than are measured.
        records: Records that the texts are a sample of; by default their number.
        embed: For the Vendi score, which is None without.
    """
    some = measured_part(texts)
    facts: dict[str, float | None] = {}
    if len(some) > 1:
        pairs = shingled(some, DedupSettings())
        facts = {
            "distinct_1": distinct(some, 1),
            "distinct_2": distinct(some, 2),
            "compression_ratio": compression_ratio(some),
            "self_repetition": self_repetition(some),
            "self_bleu": self_bleu(some),
            "self_similarity": float(nearest(pairs, pairs)[1].mean()),
            "vendi": _vendi(some, embed),
        }
    # Rounded, so that the last bits, which depend on the processor, do not reach a report.
    rounded = {name: None if value is None else round(value, 4) for name, value in facts.items()}
    return TextMeasures(records=len(texts) if records is None else records, sampled=len(some), **rounded)


def _vendi(texts: Sequence[str], embed: Embedder | None) -> float | None:
    vectors = embed(texts) if embed else None
    return None if vectors is None else vendi_score(vectors)


def measure_like(
    texts: Sequence[str], size: int, *, key: str, records: int | None = None, embed: Embedder | None = None
) -> TextMeasures | None:
    """The mean of all measures over draws of `size` texts: what to compare another set of that size with.

    None where there are fewer than `size` texts, or `size` is less than two. Up to ten draws; fewer of large ones.

    Args:
        texts: One a record.
        size: Texts in a draw.
        key: Seeds the draws.
        records: Records that the texts are a sample of; by default their number.
        embed: For the Vendi score.
    """
    pool = measured_part(texts)
    if not 2 <= size <= len(pool):
        return None
    draw = draws(key, "like sizes")
    number = 1 if size == len(pool) else min(DRAWS, max(1, MOST_TEXTS // size))
    found = [measure_texts(draw.sample(pool, size), embed=embed) for _ in range(number)]
    names = [name for name in TextMeasures.model_fields if name not in ("records", "sampled")]
    means = {name: _mean([getattr(one, name) for one in found]) for name in names}
    return TextMeasures(records=len(texts) if records is None else records, sampled=size, **means)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


def _of_length(texts: Sequence[str], n: int) -> Shingled:
    """The sets of n-grams of all scripts' units; a text of fewer units is one shorter gram."""
    return shingled(texts, DedupSettings(word_ngram=n, char_ngram=n, letter_ngram=n))


def distinct(texts: Sequence[str], n: int) -> float | None:
    """Different n-grams over all n-grams of `texts`, 0 to 1; None where no text is so long.

    Source: Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 5.
    """
    grams = _of_length(texts, n)
    grams = grams.take(grams.units >= n)
    total = int((grams.units - n + 1).sum())
    return len(np.unique(grams.values)) / total if total else None


def compression_ratio(texts: Sequence[str]) -> float | None:
    """Bytes of all texts over their bytes as gzip writes them; None without a byte.

    Source: Shaib et al. 2024 (arXiv:2403.00553), section 3.
    """
    joined = "\n".join(texts).encode("utf-8", "surrogatepass")
    return len(joined) / len(gzip.compress(joined, mtime=0)) if joined else None


def self_repetition(texts: Sequence[str]) -> float | None:
    """Share of texts that hold an 8-gram of another one; None for no texts. Texts of fewer words hold none.

    Source: after Salkar et al. 2022, "Self-Repetition in Abstractive Neural Summarizers", as used by Shaib et al.
    """
    if not texts:
        return None
    grams = _of_length(texts, REPEATED_GRAM)
    grams = grams.take(grams.units >= REPEATED_GRAM)
    found, counts = np.unique(grams.values, return_counts=True)
    repeated = (counts > 1)[np.searchsorted(found, grams.values)]
    holders = np.repeat(np.arange(len(grams)), grams.sizes)[repeated]
    return len(np.unique(holders)) / len(texts)

"""Self-BLEU: how much each text of a set can be put together from pieces of the others."""

from collections.abc import Iterator, Sequence

import numpy as np

from datasynth.tasks.measure.words import words

LONGEST_GRAM = 4
FLOOR = 0.1
"""Matches that an n-gram length without any counts as, so that one missing length does not make the product 0: the
"floor" smoothing of sacrebleu, method 1 of Chen and Cherry 2014."""


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU-4 of each text against all others as its references, 0 to 1; None for fewer than two with a word.

    Exact, and linear in the number of words rather than quadratic in the number of texts: of an n-gram only the
    largest count in any text, and the largest in any other, are needed to clip by. A text of fewer than four words
    is measured by the lengths it has.

    Source: Zhu et al. 2018, "Texygen" (arXiv:1802.01886), with BLEU of Papineni et al. 2002.
    """
    found = [tokens for text in texts if (tokens := words(text))]
    if len(found) < 2:
        return None
    lengths = np.array([len(tokens) for tokens in found])
    logs, matched = np.zeros(len(found)), np.zeros(len(found), bool)
    for n, (grams, owners) in enumerate(_grams(found, lengths), start=1):
        correct = _clipped_matches(grams, owners, len(found))
        total = np.maximum(lengths - n + 1, 0)
        matched |= correct > 0
        precision = np.where(correct > 0, correct, FLOOR) / np.maximum(total, 1)
        logs += np.where(total > 0, np.log(precision), 0)
    scores = np.exp(logs / np.minimum(lengths, LONGEST_GRAM)) * _brevity(lengths)
    return float(np.mean(np.where(matched, scores, 0)))


def _grams(texts: list[list[str]], lengths: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each length from 1 to 4: the n-grams of all texts as dense numbers, and the text that each is of."""
    numbers: dict[str, int] = {}
    ids = np.array([numbers.setdefault(word, len(numbers)) for tokens in texts for word in tokens], np.int64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(ids))
    beginning = np.zeros(len(ids), np.int64)
    for n in range(1, LONGEST_GRAM + 1):
        places = np.flatnonzero(left >= n)
        keys = beginning[places] * len(numbers) + ids[places + n - 1]
        grams = np.unique(keys, return_inverse=True)[1]
        beginning[places] = grams
        yield grams, owners[places]


def _clipped_matches(grams: np.ndarray, owners: np.ndarray, texts: int) -> np.ndarray:
    """For each text, its n-grams that another text has too, each as often as that one has it at most."""
    if not len(grams):
        return np.zeros(texts)
    pairs, counts = np.unique(grams * texts + owners, return_counts=True)
    gram, owner = np.divmod(pairs, texts)
    starts = np.flatnonzero(np.diff(gram, prepend=-1))
    places = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(gram)))
    most = np.maximum.reduceat(counts, starts)[places]
    at_most = counts == most
    alone = np.add.reduceat(at_most.astype(np.int64), starts)[places] == 1
    next_most = np.maximum.reduceat(np.where(at_most, 0, counts), starts)[places]
    elsewhere = np.where(at_most & alone, next_most, most)
    return np.bincount(owner, np.minimum(counts, elsewhere), texts)


def _brevity(lengths: np.ndarray) -> np.ndarray:
    """The penalty of texts that are shorter than the reference nearest in length; of two the shorter one counts."""
    ordered = np.sort(lengths)
    place = np.searchsorted(ordered, lengths)
    again = np.searchsorted(ordered, lengths, "right") - place > 1
    before = np.where(place > 0, ordered[place - 1], -np.inf)
    after = np.append(ordered, np.inf)[place + 1]
    nearest = np.where(again, lengths, np.where(lengths - before <= after - lengths, before, after))
    return np.where(nearest > lengths, np.exp(1 - nearest / lengths), 1.0)

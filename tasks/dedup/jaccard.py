"""Exact Jaccard similarity of many pairs of shingle sets at once."""

import numpy as np

from datasynth.tasks.dedup.columns import SetColumn, slices
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import shingled

CHUNK_VALUES = 1 << 20
"""Shingles compared at once: 8 MB of sort keys."""


def jaccard(sets: SetColumn, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64: |A and B| / |A or B| of the sets at `left[i]` and `right[i]`; 0 where both are empty."""
    sizes = sets.sizes(left) + sets.sizes(right)
    similarity = np.zeros(len(left))
    for first, last in slices(sizes, CHUNK_VALUES):
        similarity[first:last] = _jaccard_chunk(sets, left[first:last], right[first:last])
    return similarity


def _jaccard_chunk(sets: SetColumn, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left_values, left_sizes = sets.take(left)
    right_values, right_sizes = sets.take(right)
    pairs = np.arange(len(left), dtype=np.uint64) << np.uint64(32)
    keys = np.concatenate([np.repeat(pairs, left_sizes) | left_values, np.repeat(pairs, right_sizes) | right_values])
    keys.sort()
    shared = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    common = np.bincount(shared.astype(np.int64), minlength=len(left))
    return common / np.maximum(left_sizes + right_sizes - common, 1)


def similarity(a: str, b: str, settings: DedupSettings) -> float:
    """Jaccard similarity of two texts' shingle sets; 1 for equal texts, even those without a shingle."""
    texts = shingled([a, b], settings)
    if texts.exact[0] == texts.exact[1]:
        return 1.0
    sets = SetColumn()
    sets.extend(texts.values, texts.sizes)
    return float(jaccard(sets, np.array([0]), np.array([1]))[0])

"""For each text of a set, the most similar text of another, or of the same, set."""

import numpy as np

from datasynth.tasks.dedup.columns import ragged
from datasynth.tasks.dedup.text import Shingled


def nearest(queries: Shingled, others: Shingled) -> tuple[np.ndarray, np.ndarray]:
    """Place in `others` of the text most similar to each of `queries` (the first, where several are), and how similar.

    Exact Jaccard similarity of shingle sets, 1 for equal texts. Where both are the same object, a text is not its own
    neighbour. For a few thousand texts: every pair that shares a shingle is counted.

    Returns:
        int64 and float64, a value each for every query; place -1 and similarity 0 where there is no other text.
    """
    count = len(others)
    places, similarity = np.full(len(queries), -1), np.zeros(len(queries))
    if count < (2 if queries is others else 1):
        return places, similarity
    order = np.argsort(others.values, kind="stable")
    values = others.values[order]
    owners = np.repeat(np.arange(count), others.sizes)[order]
    first = np.searchsorted(values, queries.values, "left")
    sizes = np.searchsorted(values, queries.values, "right") - first
    for i, (start, end) in enumerate(zip(queries.offsets[:-1], queries.offsets[1:], strict=True)):
        sharing = owners[ragged(first[start:end], sizes[start:end])]
        common = np.bincount(sharing, minlength=count)
        alike = common / np.maximum(end - start + others.sizes - common, 1)
        alike[others.exact == queries.exact[i]] = 1.0
        if queries is others:
            alike[i] = -1.0
        places[i] = alike.argmax()
        similarity[i] = alike[places[i]]
    return places, similarity

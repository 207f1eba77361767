"""What a search needs of signatures: sorted LSH entries, and sketches. They are saved with them, for a quick reload."""

from dataclasses import dataclass

import numpy as np

from datasynth.tasks.dedup.buckets import sorted_entries
from datasynth.tasks.dedup.minhash import band_keys, sketches
from datasynth.tasks.dedup.settings import DedupSettings

ROWS_AT_ONCE = 1 << 16
"""Signatures turned into keys and sketches at once, to bound the memory of it."""


@dataclass(frozen=True)
class Tables:
    """Of one view of records that are numbered from 0."""

    near: np.ndarray
    """uint64, sorted: the key of a band in the upper half, the record's number in the lower. They depend on how many
    bands there are, which the threshold decides."""
    sketches: np.ndarray
    """uint64, shape (records, words of a sketch)."""


def tables_of(signed: np.ndarray, sizes: np.ndarray, settings: DedupSettings) -> Tables:
    """The tables of records with these signatures; one whose set has no value is under no key."""
    bands, _ = settings.bands
    filled = np.flatnonzero(sizes)
    keys, bits = [np.zeros((0, bands), np.uint32)], [np.zeros((0, settings.sketch_words), np.uint64)]
    for first in range(0, len(signed), ROWS_AT_ONCE):
        bits.append(sketches(signed[first : first + ROWS_AT_ONCE]).view(np.uint64))
        keys.append(band_keys(signed[filled[first : first + ROWS_AT_ONCE]], *settings.bands))
    return Tables(sorted_entries(np.concatenate(keys), filled), np.concatenate(bits))

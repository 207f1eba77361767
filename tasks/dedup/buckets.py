"""The LSH tables: which records share a key, in 8 bytes a record and key.

datasketch's `MinHashLSH` keeps a dict of sets a band: about 9 KB a record at 26 bands, so 9 GB a million, and one
Python call a band and record. Here all keys stand in a few sorted arrays that are searched for a whole batch at once.
An implementation on Redis has the same two methods to offer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datasynth.tasks.dedup.columns import ragged, slices, sorted_unique

MERGE_FACTOR = 4
"""A sorted run is merged into the one before it unless that is at least this many times larger: with n records some
log4(n) runs to search, and each entry merged about as many times (a log-structured merge tree, O'Neil et al. 1996)."""

PAIRS_AT_ONCE = 1 << 22
"""Pairs handed out at once, 8 bytes each: a bucket that half of all records share must not fill the memory."""


LOWER = np.uint64(0xFFFFFFFF)
"""The half of an entry that holds a record's or a row's number."""


class Buckets:
    """Records by 32-bit key. A record may stand under several keys; a key may hold any number of records."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []
        """uint64, sorted: the key in the upper half, the record's number in the lower."""

    def insert(self, keys: np.ndarray, records: np.ndarray) -> None:
        """Puts `records` (shape (n,)) under their `keys` (uint32, shape (n, keys of a record))."""
        self.insert_sorted(sorted_entries(keys, records))

    def insert_sorted(self, run: np.ndarray) -> None:
        """As `insert`, with what `sorted_entries` makes of keys and records."""
        if not run.size:
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) < MERGE_FACTOR * len(self._runs[-1]):
            merged = np.concatenate([self._runs[-2], self._runs[-1]])
            del self._runs[-2:]
            merged.sort()
            self._runs.append(merged)

    def candidates(self, keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of a row of `keys` and a record that shares a key with it, each pair once, ordered by both."""
        yield from _shared(keys, self._runs)


def candidates_within(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (row, earlier row) of `keys` that share a key, each once, ordered by both."""
    run = sorted_entries(keys, np.arange(len(keys)))
    for rows, earlier in _shared(keys, [run]):
        before = earlier < rows
        yield rows[before], earlier[before]


def sorted_entries(keys: np.ndarray, records: np.ndarray) -> np.ndarray:
    """uint64, sorted: a key in the upper half and a record that stands under it in the lower."""
    entries = (keys.astype(np.uint64) << np.uint64(32)) | records.astype(np.uint64)[:, None]
    entries = entries.ravel()
    entries.sort()
    return entries


@dataclass(frozen=True)
class _Spans:
    """Where a run holds the keys that rows ask for."""

    run: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def pairs(self, first: int, last: int) -> np.ndarray:
        """row << 32 | record for the rows from `first` up to `last`."""
        chosen = (self.rows >= first) & (self.rows < last)
        rows, starts, sizes = self.rows[chosen], self.starts[chosen], self.sizes[chosen]
        records = self.run[ragged(starts, sizes)] & LOWER
        return np.repeat(rows.astype(np.uint64) << np.uint64(32), sizes) | records


def _spans(run: np.ndarray, wanted: np.ndarray) -> _Spans:
    lowest = wanted & ~LOWER
    starts = np.searchsorted(run, lowest)
    held = np.flatnonzero(starts < len(run))
    held = held[run[starts[held]] & ~LOWER == lowest[held]]
    ends = np.searchsorted(run, lowest[held] | LOWER, "right")
    return _Spans(run, (wanted[held] & LOWER).astype(np.int64), starts[held], ends - starts[held])


def _shared(keys: np.ndarray, runs: list[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    wanted = sorted_entries(keys, np.arange(len(keys)))  # sorted, so that the searches walk through each run once
    found = [_spans(run, wanted) for run in runs]
    load = sum((np.bincount(s.rows, s.sizes, len(keys)) for s in found), np.zeros(len(keys)))
    for first, last in slices(load, PAIRS_AT_ONCE):
        pairs = np.concatenate([np.zeros(0, np.uint64), *(spans.pairs(first, last) for spans in found)])
        pairs = sorted_unique(pairs)
        yield (pairs >> np.uint64(32)).astype(np.int64), (pairs & LOWER).astype(np.int64)

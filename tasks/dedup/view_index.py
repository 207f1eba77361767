"""One view's share of the index: hashes, sets and tables by record number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasynth.tasks.dedup.buckets import Buckets, candidates_within
from datasynth.tasks.dedup.columns import Column, SetColumn
from datasynth.tasks.dedup.jaccard import jaccard
from datasynth.tasks.dedup.minhash import band_keys, signatures, sketches
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.tables import Tables, tables_of
from datasynth.tasks.dedup.text import Shingled, shingled
from datasynth.tasks.dedup.views import View


@dataclass(frozen=True)
class Pairs:
    """Records that are duplicates in one view, by number; the left one is being screened and came later."""

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray
    """float64, exact. Above 1 for an exact duplicate, so that it comes before any near one."""

    def before(self, number: int) -> "Pairs":
        """Those whose right record is numbered lower."""
        old = self.right < number
        return Pairs(self.left[old], self.right[old], self.similarity[old])


EXACT = 2.0
"""The `Pairs.similarity` of records that are equal in their whole sequence of units."""


NUMBERS = np.zeros(0, np.int64)
"""No record's number; gives empty results their type."""


class ViewIndex:
    """Everything kept of the records in one view. Records are numbered in the order of `place`."""

    def __init__(self, view: View, settings: DedupSettings) -> None:
        self.view = view
        self._settings = settings
        self._exact = Column(np.uint64)
        """0 where the view has too little text to judge by."""
        self._sets = SetColumn()
        self._sketches = Column(np.uint64, settings.sketch_words)
        self._exact_table = Buckets()
        self._near_table = Buckets()
        self._unindexed: list[tuple[int, np.ndarray | Tables]] = []
        """First number, and signatures or what is made of them, of loaded records that no search has needed yet."""

    def __len__(self) -> int:
        return len(self._exact)

    def fingerprints(self, records: Sequence[dict[str, Any]]) -> Shingled:
        """Shingles and exact hashes of `records`; those with too little text have none, and hash 0."""
        texts = shingled([self.view.text(record) for record in records], self._settings)
        judged = texts.units >= self.view.least_units
        exact = np.where(judged, np.maximum(texts.exact, 1), 0).astype(np.uint64)
        sizes = np.where(judged, texts.sizes, 0)
        values = texts.values[np.repeat(judged, texts.sizes)]
        return Shingled(values, np.append(0, np.cumsum(sizes)), texts.units, exact)

    def signatures(self, prints: Shingled) -> np.ndarray:
        """MinHash signatures of fingerprints: uint32, shape (records, num_perm)."""
        return signatures(prints.values, prints.offsets, num_perm=self._settings.num_perm, seed=self._settings.seed)

    def signatures_of(self, values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """MinHash signatures of sets that follow one another in `values`."""
        offsets = np.append(0, np.cumsum(sizes, dtype=np.int64))
        return signatures(values, offsets, num_perm=self._settings.num_perm, seed=self._settings.seed)

    def exact_matches(self, exact: np.ndarray) -> list[tuple[int, int]]:
        """Row and record of every indexed record that has one of the hashes `exact`, ordered by both."""
        self._index_loaded()
        judged = np.flatnonzero(exact)
        known = self._exact.view()
        found: list[tuple[int, int]] = []
        for rows, records in self._exact_table.candidates(_exact_keys(exact[judged])):
            same = exact[judged[rows]] == known[records]
            found += zip(judged[rows[same]].tolist(), records[same].tolist(), strict=True)
        return found

    def place(self, prints: Shingled, signed: np.ndarray) -> int:
        """Appends records, not yet to be found; returns the number of the first."""
        self._index_loaded()
        first = len(self)
        self._exact.extend(prints.exact)
        self._sets.extend(prints.values, prints.sizes)
        self._sketches.extend(sketches(signed).view(np.uint64))
        return first

    def matches(self, first: int, signed: np.ndarray) -> Pairs:
        """Duplicate pairs of the records placed from `first` on, among themselves and with indexed ones."""
        self._index_loaded()
        numbers = np.arange(first, len(self))
        judged = numbers[self._exact.view()[first:] > 0]
        exact_keys = _exact_keys(self._exact.view()[judged])
        shingled_ones = numbers[self._sets.sizes(numbers) > 0]
        keys = self._keys(signed[shingled_ones - first])
        found = [self._exact_pairs(judged[rows], judged[others]) for rows, others in candidates_within(exact_keys)]
        for rows, others in self._exact_table.candidates(exact_keys):
            found.append(self._exact_pairs(judged[rows], others))
        for rows, others in candidates_within(keys):
            found.append(self._near_pairs(shingled_ones[rows], shingled_ones[others]))
        for rows, others in self._near_table.candidates(keys):
            found.append(self._near_pairs(shingled_ones[rows], others))
        return Pairs(
            np.concatenate([NUMBERS, *(pairs.left for pairs in found)]),
            np.concatenate([NUMBERS, *(pairs.right for pairs in found)]),
            np.concatenate([np.zeros(0), *(pairs.similarity for pairs in found)]),
        )

    def keep(self, first: int, kept: np.ndarray, signed: np.ndarray) -> None:
        """Of the records placed from `first` on, keeps those of the mask `kept`, to be found from now on."""
        if not kept.all():
            places = first + np.flatnonzero(kept)
            exact, sketched = self._exact.view()[places], self._sketches.view()[places]
            values, sizes = self._sets.take(places)
            for column in (self._exact, self._sketches, self._sets):
                column.truncate(first)
            self._exact.extend(exact)
            self._sketches.extend(sketched)
            self._sets.extend(values, sizes)
        numbers = self._index_exact(first, len(self))
        self._near_table.insert(self._keys(signed[kept][numbers - first]), numbers)

    def slice(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Copies of what is kept of the records from `first` up to `last`, but for their signatures."""
        values, sizes = self._sets.slice(first, last)
        return {"exact": self._exact.view()[first:last].copy(), "sizes": sizes.astype(np.uint32), "shingles": values}

    def load(self, arrays: dict[str, np.ndarray], tables: Tables | None = None) -> None:
        """Appends records from what `slice` gave and their `signatures`, of which large `shingles` are not copied.

        `tables` spare the signatures a reading; these or those are read when the next record is screened.
        """
        first = len(self)
        self._exact.extend(arrays["exact"])
        self._sets.adopt(arrays["shingles"], arrays["sizes"])
        if len(self) > first:
            self._unindexed.append((first, tables or arrays["signatures"]))

    def _index_loaded(self) -> None:
        for i, (first, loaded) in enumerate(self._unindexed, 1):
            last = self._unindexed[i][0] if i < len(self._unindexed) else len(self)
            sizes = self._sets.sizes(np.arange(first, last))
            tables = loaded if isinstance(loaded, Tables) else tables_of(loaded, sizes, self._settings)
            self._sketches.extend(tables.sketches)
            self._near_table.insert_sorted(tables.near + np.uint64(first))
            self._index_exact(first, last)
        self._unindexed.clear()

    def _index_exact(self, first: int, last: int) -> np.ndarray:
        """Indexes the exact hashes of the records from `first` up to `last`; returns which of them have shingles."""
        numbers = np.arange(first, last)
        exact = self._exact.view()[first:last]
        judged = exact > 0
        self._exact_table.insert(_exact_keys(exact[judged]), numbers[judged])
        return numbers[self._sets.sizes(numbers) > 0]

    def _keys(self, signed: np.ndarray) -> np.ndarray:
        return band_keys(signed, *self._settings.bands)

    def _exact_pairs(self, left: np.ndarray, right: np.ndarray) -> Pairs:
        exact = self._exact.view()
        same = exact[left] == exact[right]
        return Pairs(left[same], right[same], np.full(int(same.sum()), EXACT))

    def _near_pairs(self, left: np.ndarray, right: np.ndarray) -> Pairs:
        """Verifies candidates, cheapest test first: sizes, sketches, then the sets themselves."""
        threshold = self._settings.threshold
        sizes, others = self._sets.sizes(left), self._sets.sizes(right)
        left, right = _where(np.minimum(sizes, others) / np.maximum(sizes, others) >= threshold, left, right)
        bits = self._sketches.view()
        apart = np.bitwise_count(bits[left] ^ bits[right]).sum(axis=1, dtype=np.int64)
        left, right = _where(self._settings.num_perm - apart >= self._settings.sketch_floor, left, right)
        exact = self._exact.view()
        left, right = _where(exact[left] != exact[right], left, right)
        similarity = jaccard(self._sets, left, right)
        near = similarity >= threshold
        return Pairs(left[near], right[near], similarity[near])


def _where(wanted: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return left[wanted], right[wanted]


def _exact_keys(exact: np.ndarray) -> np.ndarray:
    return (exact & np.uint64(0xFFFFFFFF)).astype(np.uint32)[:, None]

"""The near-duplicate index in Redis: several workers, on any machines, fill one data set and none repeats another.

A batch is screened under a lock: candidates are looked up in Redis, and judged in this process by the very code that
judges without Redis. So one writer gets the same verdicts, and of several, whoever comes first keeps the record. What
counts is still on storage: the index files are written as ever, and an empty Redis is filled from them.
"""

import hashlib
from collections.abc import Sequence
from mmap import mmap
from typing import Any

import numpy as np

from datasynth.tasks.dedup.index import BATCH, NearDuplicateIndex
from datasynth.tasks.dedup.match import Match, Shared
from datasynth.tasks.dedup.redis_storage import RedisStorage
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.snapshot import ARRAYS, Snapshot, batches, made_with, packed, taken, unpacked
from datasynth.tasks.dedup.view_index import ViewIndex
from datasynth.tasks.dedup.views import View


class RedisIndex:
    """As `NearDuplicateIndex`, but for records of any number of processes."""

    def __init__(self, settings: DedupSettings, views: tuple[View, ...], address: str, shared: Shared) -> None:
        self._settings = settings
        self._views = views
        self._owner = shared.owner
        name = f"{shared.name} {made_with(settings, views)}"
        self._storage = RedisStorage(address, settings, name, len(views))
        self._unsaved: list[Snapshot] = []
        self._known: set[str] = set()
        """Ids of this run's own records that it has on storage or has kept just now."""
        self._settled = False
        """Whether records that an earlier process of this run left without finishing its round are out."""

    def __len__(self) -> int:
        with self._storage.locked():
            return len(self._storage)

    @property
    def unsaved(self) -> int:
        return sum(len(snapshot.ids) for snapshot in self._unsaved)

    def add(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> None:
        """Keeps `records` unjudged. One that is there already, by id and content, stays where it stands."""
        for first in range(0, len(records), BATCH):
            batch = self._scratch()
            batch.add(records[first : first + BATCH], ids[first : first + BATCH])
            self._unsaved.append(batch.snapshot())
            self._insert_new(self._unsaved[-1])
        self._known.update(id_ for id_ in ids if id_.startswith(self._owner))

    def screen(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[Match | None]:
        """As `NearDuplicateIndex.screen`."""
        if len(records) != len(ids):
            raise ValueError(f"{len(records)} records but {len(ids)} ids")
        matches: list[Match | None] = []
        for first in range(0, len(records), BATCH):
            with self._storage.locked():
                self._settle()
                matches += self._screened(records[first : first + BATCH], ids[first : first + BATCH])
        return matches

    def peek(self, records: Sequence[dict[str, Any]]) -> list[Match | None]:
        """As `NearDuplicateIndex.peek`."""
        matches: list[Match | None] = []
        for first in range(0, len(records), BATCH):
            batch = records[first : first + BATCH]
            with self._storage.locked():
                self._settle()
                matches += self._around(batch).peek(batch)
        return matches

    def dump(self) -> bytes:
        """As `NearDuplicateIndex.dump`, to the byte."""
        data = packed(_joined(self._unsaved, self._scratch().snapshot()), self._settings, self._views)
        self._unsaved.clear()
        return data

    def load(self, data: bytes | mmap) -> None:
        """Makes sure that the records of a dump are in Redis.

        Raises:
            InputError: the dump was made with other shingles, signatures or views, or is damaged.
            StorageError: the Redis cannot be used.
        """
        snapshot = unpacked(data, self._settings, self._views)
        digest = hashlib.blake2b(data, digest_size=16).digest()
        with self._storage.locked():
            if self._storage.was_loaded(digest):
                return
        for batch in batches(snapshot, BATCH):
            self._insert_new(batch)
        with self._storage.locked():
            self._storage.note_loaded(digest)

    def _scratch(self) -> NearDuplicateIndex:
        return NearDuplicateIndex(self._settings, self._views)

    def _insert_new(self, snapshot: Snapshot) -> None:
        names = _names(snapshot)
        with self._storage.locked():
            known = self._storage.numbers(names)
            # A batch may hold one name twice; the first stands for both.
            missing = [
                n is None and names.index(name) == i for i, (n, name) in enumerate(zip(known, names, strict=True))
            ]
            if any(missing):
                new = taken(snapshot, np.array(missing))
                self._insert(new)

    def _insert(self, snapshot: Snapshot) -> None:
        own = np.array([id_.startswith(self._owner) for id_ in snapshot.ids], bool)
        for mask, owner in ((~own, ""), (own, self._owner)):
            if mask.any():
                some = taken(snapshot, mask)
                self._storage.insert(some, _names(some), owner)

    def _settle(self) -> None:
        """Takes out what this run's round left that was not finished: its records come again."""
        if self._settled:
            return
        numbers = self._storage.owned(self._owner)
        held = self._storage.records(numbers)
        left = [i for i, id_ in enumerate(held.ids) if id_ not in self._known]
        if left:
            names = _names(held)
            self._storage.remove([numbers[i] for i in left], [names[i] for i in left], self._owner)
        self._settled = True

    def _around(self, records: Sequence[dict[str, Any]]) -> NearDuplicateIndex:
        """An index of what is kept that any of `records` may be a duplicate of, in the order in which it was kept."""
        found: set[bytes] = set()
        for place, view in enumerate(self._views):
            index = ViewIndex(view, self._settings)
            prints = index.fingerprints(records)
            signed = index.signatures(prints)[prints.sizes > 0]
            found |= self._storage.candidates(place, prints.exact[prints.exact > 0], signed)
        scratch = self._scratch()
        if found:
            scratch.take(self._signed(self._storage.records(sorted(found))))
        return scratch

    def _screened(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[Match | None]:
        scratch = self._around(records)
        matches = scratch.screen(records, ids)
        kept = scratch.snapshot()
        if kept.ids:
            self._insert(kept)
            self._known.update(kept.ids)
            self._unsaved.append(kept)
        return matches

    def _signed(self, held: Snapshot) -> Snapshot:
        """`held` with its signatures, which follow from the sets."""
        for view, arrays in zip(self._views, held.views, strict=True):
            arrays["signatures"] = ViewIndex(view, self._settings).signatures_of(arrays["shingles"], arrays["sizes"])
        return held


def _names(snapshot: Snapshot) -> list[bytes]:
    """A record's id and content: two runs may call different seeds by one id."""
    exact = snapshot.views[0]["exact"].tolist() if snapshot.views else []
    return [b"%016x %s" % (e, id_.encode("utf-8", "surrogatepass")) for e, id_ in zip(exact, snapshot.ids, strict=True)]


def _joined(snapshots: Sequence[Snapshot], empty: Snapshot) -> Snapshot:
    """All of `snapshots` as one; `empty` has none of the records and every type."""
    return Snapshot(
        [id_ for snapshot in snapshots for id_ in snapshot.ids],
        [
            {name: np.concatenate([none[name], *(s.views[view][name] for s in snapshots)]) for name in ARRAYS}
            for view, none in enumerate(empty.views)
        ],
    )

"""Near-duplicates of everything kept so far, in order."""

from collections.abc import Sequence
from importlib.util import find_spec
from mmap import mmap
from typing import Any

import numpy as np

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.match import DuplicateIndex, Match, Shared
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.snapshot import Snapshot, packed, unpacked
from datasynth.tasks.dedup.text import Shingled
from datasynth.tasks.dedup.view_index import EXACT, Pairs, ViewIndex
from datasynth.tasks.dedup.views import View, views_for

__all__ = [
    "DedupSettings",
    "DuplicateIndex",
    "Match",
    "NearDuplicateIndex",
    "Shared",
    "View",
    "index_for",
    "require_index_storage",
    "views_for",
]

BATCH = 512
"""Records screened at once: enough that NumPy's overhead vanishes, few enough that a model which says the same thing
all the time makes no more than 130,000 pairs to compare. Outcomes do not depend on it."""


class NearDuplicateIndex:
    """Every record kept so far, to be compared by any of its views.

    Outcomes depend on the order of records alone: not on how they are batched, on the process, or on when an index is
    saved and loaded.
    """

    def __init__(self, settings: DedupSettings, views: tuple[View, ...]) -> None:
        self._settings = settings
        self._views = views
        self._indexes = [ViewIndex(view, settings) for view in views]
        self._ids: list[str] = []
        self._unsaved: list[tuple[int, list[np.ndarray]]] = []
        """First number and, for each view, signatures of records added since the last dump."""

    def __len__(self) -> int:
        """Records kept."""
        return len(self._ids)

    @property
    def unsaved(self) -> int:
        """Records that the next `dump` would hold."""
        return sum(len(signed[0]) for _, signed in self._unsaved)

    def add(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> None:
        """Keeps `records` unjudged: seeds, and what was accepted before."""
        for batch, batch_ids in _batches(records, ids):
            prints = [index.fingerprints(batch) for index in self._indexes]
            first, signed = self._placed(prints)
            self._keep(first, np.ones(len(batch), bool), signed, batch_ids)

    def screen(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[Match | None]:
        """Judges `records` in order; one that is no duplicate is kept at once, so that the next is compared with it.

        Returns:
            For each record None if it was kept, else what it duplicates.
        """
        matches: list[Match | None] = []
        for batch, batch_ids in _batches(records, ids):
            matches += self._screened(batch, batch_ids)
        return matches

    def peek(self, records: Sequence[dict[str, Any]]) -> list[Match | None]:
        """What each of `records` duplicates of all that is kept; none is kept, nor compared with the others."""
        matches: list[Match | None] = []
        for batch, ids in _batches(records, [""] * len(records)):
            matches += self._screened(batch, ids, peeking=True)
        return matches

    def dump(self) -> bytes:
        """Everything added or kept since the last dump, seeds included; what was loaded is not among it.

        Dumps add up: loading them in order restores the index. Equal content gives equal bytes.
        """
        return packed(self.snapshot(), self._settings, self._views)

    def snapshot(self) -> Snapshot:
        """What `dump` saves, as arrays; the next one holds what comes after."""
        last = [first + len(signed[0]) for first, signed in self._unsaved]
        spans = [(first, end) for (first, _), end in zip(self._unsaved, last, strict=True)]
        ids = [id_ for first, end in spans for id_ in self._ids[first:end]]
        views = [self._arrays(i, spans) for i in range(len(self._views))]
        self._unsaved.clear()
        return Snapshot(ids, views)

    def load(self, data: bytes | mmap) -> None:
        """Adds the records of a dump, whose bytes stay in use; of a file mapped into memory little is read at all.

        Raises:
            InputError: the dump was made with other shingles, signatures or views, or is damaged.
        """
        self.take(unpacked(data, self._settings, self._views))

    def take(self, snapshot: Snapshot) -> None:
        """Adds the records of a snapshot, as `load` does."""
        tables = snapshot.tables or [None] * len(self._indexes)
        for index, arrays, of_view in zip(self._indexes, snapshot.views, tables, strict=True):
            index.load(arrays, of_view)
        self._ids += snapshot.ids

    def _arrays(self, view: int, spans: list[tuple[int, int]]) -> dict[str, np.ndarray]:
        index = self._indexes[view]
        empty = index.slice(0, 0) | {"signatures": np.zeros((0, self._settings.num_perm), np.uint32)}
        parts = [index.slice(first, end) for first, end in spans]
        for part, (_, signed) in zip(parts, self._unsaved, strict=True):
            part["signatures"] = signed[view]
        return {name: np.concatenate([none, *(part[name] for part in parts)]) for name, none in empty.items()}

    def _screened(
        self, records: Sequence[dict[str, Any]], ids: Sequence[str], *, peeking: bool = False
    ) -> list[Match | None]:
        """Exact duplicates of a whole record that is kept leave first, unsigned; the rest is placed and paired.

        Only the first view may do so: a record alike in several is reported in the first of them, and in another view
        than that it may be alike to a record of this very batch.
        """
        matches: list[Match | None] = [None] * len(records)
        prints = [index.fingerprints(records) for index in self._indexes]
        whole = self._indexes[0]
        for row, record in whole.exact_matches(prints[0].exact):
            matches[row] = matches[row] or Match("exact_duplicate", self._ids[record], 1.0, whole.view.name)
        rest = [row for row, match in enumerate(matches) if match is None]
        if not rest:
            return matches
        first, signed = self._placed([p.take(np.array(rest)) for p in prints])
        rest_ids = [ids[row] for row in rest]
        pairs = [index.matches(first, s) for index, s in zip(self._indexes, signed, strict=True)]
        if peeking:
            pairs = [p.before(first) for p in pairs]
        kept, found = self._resolved(first, rest_ids, pairs)
        kept &= not peeking
        self._keep(first, kept, signed, [id_ for id_, keep in zip(rest_ids, kept, strict=True) if keep])
        for row, match in zip(rest, found, strict=True):
            matches[row] = match
        return matches

    def _placed(self, prints: list[Shingled]) -> tuple[int, list[np.ndarray]]:
        signed = [index.signatures(of_view) for index, of_view in zip(self._indexes, prints, strict=True)]
        places = [index.place(p, s) for index, p, s in zip(self._indexes, prints, signed, strict=True)]
        return places[0], signed

    def _resolved(self, first: int, ids: Sequence[str], pairs: list[Pairs]) -> tuple[np.ndarray, list[Match | None]]:
        """Walks through the pairs in the records' order: a pair counts only if its earlier record was kept."""
        kept = np.ones(len(ids), bool)
        found: list[Match | None] = [None] * len(ids)
        views = np.repeat(np.arange(len(pairs)), [len(p.left) for p in pairs])
        left = np.concatenate([p.left for p in pairs]) - first
        right = np.concatenate([p.right for p in pairs])
        similarity = np.concatenate([p.similarity for p in pairs])
        order = np.lexsort((right, views, -similarity, left))
        columns = (column[order] for column in (left, right, views))
        rows, others, places = (map(int, column) for column in columns)
        for row, other, view, alike in zip(rows, others, places, map(float, similarity[order]), strict=True):
            if found[row] is not None or (other >= first and not kept[other - first]):
                continue
            kept[row] = False
            id_ = ids[other - first] if other >= first else self._ids[other]
            reason = "exact_duplicate" if alike == EXACT else "near_duplicate"
            found[row] = Match(reason, id_, min(alike, 1.0), self._views[view].name)
        return kept, found

    def _keep(self, first: int, kept: np.ndarray, signed: list[np.ndarray], ids: Sequence[str]) -> None:
        for index, of_view in zip(self._indexes, signed, strict=True):
            index.keep(first, kept, of_view)
        self._ids += ids
        if kept.any():
            self._unsaved.append((first, [s[kept] for s in signed]))


def _batches(
    records: Sequence[dict[str, Any]], ids: Sequence[str]
) -> list[tuple[Sequence[dict[str, Any]], Sequence[str]]]:
    if len(records) != len(ids):
        raise ValueError(f"{len(records)} records but {len(ids)} ids")
    return [(records[i : i + BATCH], ids[i : i + BATCH]) for i in range(0, len(records), BATCH)]


def index_for(
    schema: RecordSchema, detection: Detection, settings: SynthesisSettings, shared: Shared | None = None
) -> DuplicateIndex:
    """An empty index for records of `schema`, compared as `settings` or their kind of data ask for.

    Args:
        schema: Of the records.
        detection: Their kind.
        settings: `dedup_threshold`, `dedup_on` and `index_storage`.
        shared: Whose index it is; without it, it is held in this process even where `index_storage` is set.
    """
    rules = DedupSettings(threshold=settings.dedup_threshold)
    views = views_for(schema, detection, settings.dedup_on)
    if shared is None or settings.index_storage is None:
        return NearDuplicateIndex(rules, views)
    # Redis is an extra.
    from datasynth.tasks.dedup.redis_index import RedisIndex  # noqa: PLC0415

    return RedisIndex(rules, views, settings.index_storage, shared)


def require_index_storage(address: str) -> None:
    """Makes sure, before any money is spent, that an index can be kept in the Redis at `address`.

    Raises:
        InputError: the extra is not installed; nobody answers there, or refuses the user or the password.
    """
    if find_spec("redis") is None:
        raise InputError("--index-storage needs the extra redis. Install it: pip install 'datasynth[redis]'.")
    from datasynth.tasks.dedup.redis_storage import require_reachable  # noqa: PLC0415

    require_reachable(address)

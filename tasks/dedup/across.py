"""Near-duplicates between the runs of a data set, from their saved signatures and shingle sets: no text is read."""

from typing import Any

import numpy as np

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.dedup.match import Match
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.snapshot import Snapshot, batches, taken
from datasynth.tasks.dedup.text import Shingled
from datasynth.tasks.dedup.view_index import EXACT, Pairs, ViewIndex
from datasynth.tasks.dedup.views import View

BATCH = 4096
"""Records compared at once; outcomes do not depend on it."""


def rules_of(conditions: dict[str, Any], threshold: float) -> DedupSettings:
    """The settings by which an index was made whose `conditions` these are, with another threshold."""
    names = ("num_perm", "seed", "word_ngram", "char_ngram", "letter_ngram")
    return DedupSettings(threshold=threshold, **{name: conditions[name] for name in names})


def views_of(conditions: dict[str, Any], schema: RecordSchema) -> tuple[View, ...]:
    """The views by which an index was made whose `conditions` these are, over the fields of `schema`."""
    return tuple(
        View(name, tuple(schema.field(field) or Field(name=field) for field in fields), first_turn, least_units)
        for name, fields, first_turn, least_units in conditions["views"]
    )


class EarlierRuns:
    """The kept records of earlier runs, for a later run's to be compared with; never those of one run among
    themselves.
    """

    def __init__(self, rules: DedupSettings, views: tuple[View, ...]) -> None:
        self.rules = rules
        self.views = views
        self._indexes = [ViewIndex(view, rules) for view in views]
        self._ids: list[str] = []
        self._run: tuple[str, int] = ("", 0)
        """The run whose records come now, and how many were kept of others before it."""

    def __len__(self) -> int:
        return len(self._ids)

    def matches(self, records: Snapshot, run: str, *, least: float) -> list[Match | None]:
        """For each of the `records` of `run` the most similar one kept of other runs; None where none is alike enough.

        Args:
            records: Of one run; all of its records come before those of the next run.
            run: Its id.
            least: Jaccard similarity from which two records are alike.
        """
        if run != self._run[0]:
            self._run = run, len(self)
        found: list[Match | None] = []
        for batch in batches(records, BATCH):
            found += self._matches(batch, least)
        return found

    def keep(self, records: Snapshot, kept: np.ndarray) -> None:
        """Adds those of `records` at the mask `kept`, to be found by the runs that follow."""
        some = taken(records, kept)
        for index, arrays in zip(self._indexes, some.views, strict=True):
            index.load(arrays)
        self._ids += some.ids

    def _matches(self, batch: Snapshot, least: float) -> list[Match | None]:
        pairs = [self._pairs(index, arrays) for index, arrays in zip(self._indexes, batch.views, strict=True)]
        columns = [np.concatenate(column) for column in zip(*pairs, strict=True)]
        views = np.repeat(np.arange(len(pairs)), [len(rows) for rows, _, _ in pairs])
        rows, others, alike = columns
        found: list[Match | None] = [None] * len(batch.ids)
        # As the index of a run reports it: the most similar one, in the first view that shows it, the one kept first.
        for i in np.lexsort((others, views, -alike, rows)).tolist():
            row, similarity = int(rows[i]), float(alike[i])
            if found[row] is None and similarity >= least:
                reason = "exact_duplicate" if similarity == EXACT else "near_duplicate"
                view = self.views[int(views[i])].name
                found[row] = Match(reason, self._ids[int(others[i])], min(similarity, 1.0), view)
        return found

    def _pairs(self, index: ViewIndex, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, earlier record and similarity of every pair of a batch in one view; the batch is not kept."""
        offsets = np.append(0, np.cumsum(arrays["sizes"], dtype=np.int64))
        # How many words a text had decided on its hashes when they were made, and counts no more.
        prints = Shingled(arrays["shingles"], offsets, np.zeros(len(offsets) - 1, np.int64), arrays["exact"])
        first = index.place(prints, arrays["signatures"])
        found: Pairs = index.matches(first, arrays["signatures"]).before(self._run[1])
        index.keep(first, np.zeros(len(prints), bool), arrays["signatures"])
        return found.left - first, found.right, found.similarity

"""Records that say in other words what one before them said."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from datasynth.schemas.report import Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.views import View
from datasynth.tasks.semantic.embedders import embedder_of
from datasynth.tasks.semantic.neighbours import Neighbour, Neighbours
from datasynth.tasks.semantic.shelf import Kept, VectorShelf
from datasynth.tasks.storage.store import Store


class SemanticScreen:
    """Semantic comparison for one run. What it decides depends on the order of records and their stored vectors."""

    def __init__(self, shelf: VectorShelf, threshold: float, whole: View) -> None:
        """
        Args:
            shelf: Of the run's vectors.
            threshold: Cosine from which two records say the same.
            whole: The view of a whole record.
        """
        self._shelf = shelf
        self._neighbours = Neighbours(threshold)
        self._whole = whole
        self._unsaved: list[Kept] = []

    def add(self, round: int, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> None:
        """Keeps `records` unjudged: seeds (round 0), and what was accepted in a round."""
        if records:
            kept = Kept(list(ids), self._vectors(round, records))
            self._neighbours.keep(kept.vectors, kept.ids)
            self._unsaved.append(kept)

    def load(self, names: Iterable[str]) -> list[str]:
        """Takes over what earlier runs kept, by the names of their index files; returns those without vectors."""
        lacking = []
        for name in names:
            if (kept := self._shelf.kept(name)) is None:
                lacking.append(name)
            else:
                self._neighbours.keep(kept.vectors, kept.ids)
        return lacking

    def begin(self) -> None:
        """What was added up to now is on storage, or known to every run: the next `save` holds what comes after."""
        self._unsaved.clear()

    def save(self, name: str) -> None:
        """Leaves what was added since `begin` to later runs, under the name of the round's index file."""
        if self._unsaved:
            ids = [id_ for kept in self._unsaved for id_ in kept.ids]
            self._shelf.save_kept(name, Kept(ids, np.concatenate([kept.vectors for kept in self._unsaved])))
        self.begin()

    def judged(self, round: int, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[Neighbour | None]:
        """For each record what says the same: a kept record, or one before it that is new. Nothing is kept by it."""
        return self._neighbours.judged(self._vectors(round, records), list(ids)) if records else []

    def spend(self, round: int) -> Spend:
        """What a round's vectors cost; those of the seeds count to the first round."""
        return self._shelf.spend(0) + self._shelf.spend(1) if round == 1 else self._shelf.spend(round)

    def _vectors(self, round: int, records: Sequence[dict[str, Any]]) -> np.ndarray:
        return self._shelf.vectors(round, [self._whole.text(record) for record in records])


def semantic_screen(settings: SynthesisSettings, dataset: Store, run: str, whole: View) -> SemanticScreen | None:
    """The run's semantic comparison, None where it is off.

    Raises:
        InputError: the embedding model cannot be used.
    """
    if settings.semantic_threshold is None:
        return None
    return SemanticScreen(VectorShelf(dataset, run, embedder_of(settings)), settings.semantic_threshold, whole)

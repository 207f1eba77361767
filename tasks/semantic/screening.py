"""Records that say in other words what one before them said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasynth.schemas.report import Spend, StopReason
from datasynth.tasks.dedup.views import View
from datasynth.tasks.semantic.buying import Account, Text, purchasing
from datasynth.tasks.semantic.embedders import AT_ONCE, Embedder
from datasynth.tasks.semantic.neighbours import Neighbour, Neighbours
from datasynth.tasks.semantic.shelf import Kept, VectorShelf, digest_of


@dataclass(frozen=True)
class Uncompared:
    """A record of which nobody knows what it is like: a limit was met before its vector."""

    limit: StopReason


class SemanticScreen:
    """Semantic comparison for one run. What it decides depends on the order of records and their stored vectors."""

    def __init__(
        self, embedder: Embedder, shelf: VectorShelf, account: Account, *, threshold: float, whole: View
    ) -> None:
        """
        Args:
            embedder: Makes what the shelf lacks.
            shelf: Of the run's vectors.
            account: What they are paid from.
            threshold: Cosine from which two records say the same.
            whole: The view of a whole record.
        """
        self._embedder = embedder
        self._shelf = shelf
        self._account = account
        self._neighbours = Neighbours(threshold)
        self._whole = whole
        self._unsaved: list[Kept] = []
        self.limit: StopReason | None = None
        """The limit that a vector might have passed. From then on none is bought: what is on the shelf is all."""
        if embedder.billed and shelf.bought:
            with purchasing(embedder, shelf, account):
                pass  # what a process that died had not written down, is now

    def add(self, round: int, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> None:
        """Keeps `records` unjudged: seeds (round 0), and what was accepted in a round."""
        places, vectors = self._vectors(round, records)
        if places:
            kept = Kept([ids[n] for n in places], vectors)
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

    def judged(
        self, round: int, records: Sequence[dict[str, Any]], ids: Sequence[str]
    ) -> list[Neighbour | Uncompared | None]:
        """For each record what says the same: a kept record, or one before it that is new. Nothing is kept by it."""
        places, vectors = self._vectors(round, records)
        found: list[Neighbour | Uncompared | None] = [None] * len(records)
        if self.limit is not None:
            found = [Uncompared(self.limit)] * len(records)
        if places:
            for n, verdict in zip(places, self._neighbours.judged(vectors, [ids[n] for n in places]), strict=True):
                found[n] = verdict
        return found

    def try_out(self, seeds: Sequence[dict[str, Any]]) -> None:
        """Makes sure, before any money is spent on records, that seeds get their vectors; without seeds, a word does.

        It is one request, for vectors that are needed anyway.

        Raises:
            RunError: the endpoint fails.
        """
        self._bought(0, [self._whole.text(seed) for seed in seeds[:AT_ONCE]] or ["word"])

    def spend(self, round: int) -> Spend:
        """What a round's vectors cost; those of the seeds count to the first round."""
        if not self._embedder.billed:
            return Spend()
        own = self._account.spend(round)
        return self._account.spend(0) + own if round == 1 else own

    def _vectors(self, round: int, records: Sequence[dict[str, Any]]) -> tuple[list[int], np.ndarray]:
        """Places of the records that have a vector, which is all of them unless a limit was met, and the vectors."""
        digests = self._bought(round, [self._whole.text(record) for record in records])
        places = [n for n, digest in enumerate(digests) if digest in self._shelf]
        return places, self._shelf.rows([digests[n] for n in places])

    def _bought(self, round: int, texts: Sequence[str]) -> list[bytes]:
        """The digests of `texts`, whose vectors are on the shelf now, or a limit was met."""
        digests = list(map(digest_of, texts))
        missing = {d: text for d, text in zip(digests, texts, strict=True) if d not in self._shelf}
        if missing and self.limit is None:
            self._buy(round, list(missing.items()))
        return digests

    def _buy(self, round: int, texts: list[Text]) -> None:
        if self._embedder.billed:
            with purchasing(self._embedder, self._shelf, self._account) as purchase:
                self.limit = purchase.of(round, texts)
            return
        for first in range(0, len(texts), AT_ONCE):
            some = texts[first : first + AT_ONCE]
            vectors = self._embedder.embed([text for _, text in some]).vectors
            self._shelf.put(round, [digest for digest, _ in some], vectors, tokens=0, metered=True, token="")

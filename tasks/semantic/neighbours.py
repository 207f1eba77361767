"""Which vectors point the same way as one kept before, the same on every machine.

A matrix product proposes, block by block; the exactly rounded cosine of the pair decides. What a product of float32
matrices says in its last digits depends on the processor, the threads and the size of the blocks.
"""

import math
from dataclasses import dataclass

import numpy as np

BLOCK = 1 << 14
"""Kept vectors compared at once: 64 MB of cosines for a batch of 1,000."""
MARGIN = 1e-3
"""How far below the threshold a proposed cosine may lie. Rounding errors of float32 products over a few thousand
dimensions stay below 1e-4."""


@dataclass(frozen=True)
class Neighbour:
    """A kept record that says the same."""

    id: str
    cosine: float


class Neighbours:
    """Vectors of all that is kept, in order."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._ids: list[str] = []
        self._vectors: list[np.ndarray] = []
        self._blocks: list[np.ndarray] = []
        """The same as unit vectors, in blocks of `BLOCK` but for the last."""

    def keep(self, vectors: np.ndarray, ids: list[str]) -> None:
        """Adds vectors (float32, shape (ids, dimensions)) unjudged."""
        if not ids:
            return
        self._ids += ids
        self._vectors += list(vectors)
        units = _units(vectors)
        while len(units):
            if not self._blocks or len(self._blocks[-1]) == BLOCK:
                self._blocks.append(units[:0])
            room = BLOCK - len(self._blocks[-1])
            self._blocks[-1] = np.concatenate([self._blocks[-1], units[:room]])
            units = units[room:]

    def judged(self, vectors: np.ndarray, ids: list[str]) -> list[Neighbour | None]:
        """For each of `vectors` its nearest neighbour at or above the threshold; None where it says something new.

        They are compared with what is kept and with those before them that are new. Nothing is kept by it.
        """
        units = _units(vectors)
        best: list[Neighbour | None] = [None] * len(ids)
        for first, block in zip(range(0, len(self._ids), BLOCK), self._blocks, strict=True):
            for row, place in np.argwhere(units @ block.T >= self._threshold - MARGIN).tolist():
                self._improve(best, row, vectors[row], self._vectors[first + place], self._ids[first + place])
        for row, place in np.argwhere(np.tril(units @ units.T >= self._threshold - MARGIN, -1)).tolist():
            if best[place] is None:  # rows come in order, so whether an earlier one is new is known
                self._improve(best, row, vectors[row], vectors[place], ids[place])
        return best

    def _improve(
        self, best: list[Neighbour | None], row: int, one: np.ndarray, other: np.ndarray, other_id: str
    ) -> None:
        alike = cosine(one, other)
        before = best[row]
        if alike >= self._threshold and (before is None or alike > before.cosine):
            best[row] = Neighbour(other_id, alike)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine between two float32 vectors; 0 where one of them has no direction.

    Products of float32 numbers are exact as doubles, and `math.fsum` rounds their sum once, in any order.
    """
    a, b = one.astype(np.float64), other.astype(np.float64)
    size = math.sqrt(math.fsum((a * a).tolist())) * math.sqrt(math.fsum((b * b).tolist()))
    return min(1.0, math.fsum((a * b).tolist()) / size) if size else 0.0


def _units(vectors: np.ndarray) -> np.ndarray:
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(sizes > 0, sizes, 1)).astype(np.float32)

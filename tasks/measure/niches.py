"""How the records of a run fill the space that its attributes span."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from datasynth.schemas.measures import Coverage, NicheMeasures

MOST_GRIDS = 6
"""Pairs of attributes that are shown; four attributes have as many."""

MOST_LABELS = 20
"""Values of an attribute in a grid; of longer lists the most frequent."""


@dataclass(frozen=True)
class Axis:
    """An attribute: its name, and its values as text."""

    name: str
    values: tuple[str, ...]


@dataclass
class NicheCounts:
    """Records by place: for each axis the number of the record's value, or of values for any other one."""

    axes: tuple[Axis, ...]
    counts: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def measures(self) -> NicheMeasures | None:
        """What the counts say; None without an axis. Records with a value beyond the axes' are in no niche."""
        if not self.axes:
            return None
        sizes = [len(axis.values) for axis in self.axes]
        niches = math.prod(sizes)
        inside = Counter(
            {
                place: n
                for place, n in self.counts.items()
                if all(at < size for at, size in zip(place, sizes, strict=True))
            }
        )
        return NicheMeasures(
            attributes={axis.name: len(axis.values) for axis in self.axes},
            niches=niches,
            filled=len(inside),
            entropy=_entropy(tuple(inside.values()), niches),
            grids=tuple(self._grids()),
        )

    def _grids(self) -> list[Coverage]:
        if len(self.axes) == 1:
            return [self._coverage(0, None)]
        pairs = itertools.islice(itertools.combinations(range(len(self.axes)), 2), MOST_GRIDS)
        return [self._coverage(*pair) for pair in pairs]

    def _coverage(self, row: int, column: int | None) -> Coverage:
        cells: Counter[tuple[int, int]] = Counter()
        for place, n in self.counts.items():
            cells[place[row], 0 if column is None else place[column]] += n
        rows = _shown(self.axes[row], [(at, n) for (at, _), n in cells.items()])
        columns = [0] if column is None else _shown(self.axes[column], [(at, n) for (_, at), n in cells.items()])
        return Coverage(
            row_name=self.axes[row].name,
            column_name="" if column is None else self.axes[column].name,
            rows=_labels(self.axes[row], rows),
            columns=("",) if column is None else _labels(self.axes[column], columns),
            counts=tuple(tuple(cells[r, c] for c in columns) for r in rows),
        )


def _shown(axis: Axis, found: Sequence[tuple[int, int]]) -> list[int]:
    """Numbers of the values to show, in order; that of "any other" last, where a record has one."""
    totals: Counter[int] = Counter()
    for at, n in found:
        totals[at] += n
    values = sorted(range(len(axis.values)), key=lambda at: (-totals[at], at))[:MOST_LABELS]
    return sorted(values) + [len(axis.values)] * bool(totals[len(axis.values)])


def _labels(axis: Axis, places: Sequence[int]) -> tuple[str, ...]:
    """The values' texts; empty for any other value."""
    return tuple(axis.values[at] if at < len(axis.values) else "" for at in places)


def _entropy(numbers: Sequence[int], niches: int) -> float | None:
    """Shannon entropy over the most that so many records could have in so many niches, 0 to 1."""
    total = sum(numbers)
    most = min(niches, total)
    if most < 2:
        return None
    return round(-math.fsum(n / total * math.log(n / total) for n in numbers) / math.log(most), 4) + 0.0

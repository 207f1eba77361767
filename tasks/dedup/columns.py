"""Growing arrays that neither copy themselves whole nor waste what they reserve."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


class Column:
    """Rows of one type in one piece of memory, appended to in place.

    A bytearray grows by an eighth through `realloc`, which for large blocks remaps pages instead of copying them; a
    NumPy array that doubles would hold three times its content while it does.
    """

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._shape = (-1,) if width is None else (-1, width)
        self._row_bytes = self._dtype.itemsize * (width or 1)
        self._bytes: Any = bytearray()

    @classmethod
    def over(cls, rows: np.ndarray) -> "Column":
        """A column of `rows` where they are, which cannot grow."""
        column = cls(rows.dtype)
        column._bytes = rows.data.cast("B")
        return column

    def __len__(self) -> int:
        return len(self._bytes) // self._row_bytes

    def extend(self, rows: np.ndarray) -> None:
        """Appends `rows`. Python refuses this while an array from `view` is alive."""
        self._bytes += np.ascontiguousarray(rows, self._dtype).data.cast("B") if rows.size else b""

    def truncate(self, rows: int) -> None:
        """Forgets all but the first `rows` rows."""
        del self._bytes[rows * self._row_bytes :]

    def view(self) -> np.ndarray:
        """All rows, without a copy. Not to be kept: let it go before the next `extend`."""
        return np.frombuffer(self._bytes, self._dtype).reshape(self._shape)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a column stays in its process; the index is saved by dump()")


ADOPTED_BYTES = 1 << 24
"""Sets that take up as much stay where they were loaded; less is copied, so that there are few pieces to look in."""


class SetColumn:
    """Ragged sets of uint32 values, each sorted: the shingle sets of every record of an index.

    They stand in pieces: large saved ones that are never copied, and what grows before, between and after these.
    """

    def __init__(self) -> None:
        self._pieces = [_Piece(0, Column(np.uint32), Column(np.int64))]

    def __len__(self) -> int:
        last = self._pieces[-1]
        return last.first + len(last.ends)

    def extend(self, values: np.ndarray, sizes: np.ndarray) -> None:
        """Appends a copy of sets that follow one another in `values`."""
        last = self._pieces[-1]
        last.ends.extend(np.cumsum(sizes) + len(last.values))
        last.values.extend(values)

    def adopt(self, values: np.ndarray, sizes: np.ndarray) -> None:
        """As `extend`, but large `values`, of a file in memory for instance, are not copied: they must not change."""
        if values.nbytes < ADOPTED_BYTES:
            self.extend(values, sizes)
            return
        ends = np.cumsum(sizes, dtype=np.int64)
        self._pieces.append(_Piece(len(self), Column.over(values), Column.over(ends)))
        self._pieces.append(_Piece(len(self), Column(np.uint32), Column(np.int64)))

    def truncate(self, sets: int) -> None:
        """Forgets all but the first `sets` sets, none of those that stood there at the last `adopt`."""
        last = self._pieces[-1]
        left = sets - last.first
        if left < len(last.ends):
            last.values.truncate(int(last.ends.view()[left - 1]) if left else 0)
            last.ends.truncate(left)

    def sizes(self, places: np.ndarray) -> np.ndarray:
        """int64: how many values the sets at `places` have."""
        sizes = np.zeros(len(places), np.int64)
        for piece, rows, inner in self._by_piece(places):
            sizes[rows] = piece.bounds(inner)[1]
        return sizes

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A copy of the sets at `places`, one after the other, and their sizes."""
        found = list(self._by_piece(places))
        if len(found) == 1:  # the rule; a copy less
            piece, _, inner = found[0]
            starts, sizes = piece.bounds(inner)
            return piece.values.view()[ragged(starts, sizes)], sizes
        sizes = self.sizes(places)
        begins = np.cumsum(sizes) - sizes
        values = np.empty(int(sizes.sum()), np.uint32)
        for piece, rows, inner in found:
            values[ragged(begins[rows], sizes[rows])] = piece.values.view()[ragged(*piece.bounds(inner))]
        return values, sizes

    def slice(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """A copy of the sets from `first` up to `last`, one after the other, and their sizes."""
        return self.take(np.arange(first, last))

    def _by_piece(self, places: np.ndarray) -> Iterator[tuple["_Piece", np.ndarray, np.ndarray]]:
        """Pieces that have some of the sets at `places`, which of `places` these are, and their places in the piece."""
        if len(self._pieces) == 1 and len(places):
            yield self._pieces[0], np.arange(len(places)), places
            return
        of = np.searchsorted([piece.first for piece in self._pieces], places, "right") - 1
        for i in np.unique(of).tolist():
            rows = np.flatnonzero(of == i)
            yield self._pieces[i], rows, places[rows] - self._pieces[i].first


@dataclass(frozen=True)
class _Piece:
    """Sets one after the other."""

    first: int
    """The place of its first set among all."""
    values: Column
    ends: Column
    """Where each set ends in `values`."""

    def bounds(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the sets at `places` begin in `values`, and their sizes."""
        ends = self.ends.view()
        starts = np.where(places > 0, ends[places - 1], 0)
        return starts, ends[places] - starts


def ragged(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The indices start, start + 1, ... of every segment, one segment after the other."""
    before = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(starts - before, sizes)


def slices(sizes: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """Cuts rows of the given `sizes` into runs (first, last) whose sizes sum to at most `limit`, one row at least."""
    ends = np.cumsum(sizes)
    first = 0
    while first < len(ends):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + limit, "right")))
        yield first, last
        first = last


def sorted_unique(values: np.ndarray) -> np.ndarray:
    """`values` sorted and without repeats; a quarter of the time that `np.unique` takes."""
    values = np.sort(values)
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values

"""The index as bytes: arrays one after the other behind a JSON header, the same bytes for the same content.

The layout is that of safetensors (huggingface.co/docs/safetensors), so that other tools can read it. Nothing is copied
but into the index, where a NumPy archive would checksum and copy every array three times.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

import numpy as np
import orjson

from datasynth.schemas.errors import InputError
from datasynth.tasks.dedup.columns import ragged
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.tables import Tables, tables_of
from datasynth.tasks.dedup.views import View

FORMAT = 1
"""Raise it whenever shingles, hashes or this layout change: older indexes are then rebuilt instead of misread."""

ARRAYS = ("exact", "sizes", "shingles", "signatures")
"""Per view: exact hashes, set sizes, the sets one after the other, and signatures of shape (records, num_perm)."""

_TYPES = {"U8": np.dtype("u1"), "U32": np.dtype("<u4"), "U64": np.dtype("<u8")}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


@dataclass(frozen=True)
class Snapshot:
    """Records of an index: their ids, and for each view its arrays by the names of `ARRAYS`."""

    ids: list[str]
    views: list[dict[str, np.ndarray]]
    tables: list[Tables] = field(default_factory=list)
    """For each view, as saved; none where they must be built from the signatures."""


def taken(snapshot: Snapshot, rows: np.ndarray) -> Snapshot:
    """The records of `snapshot` at the mask `rows`."""
    views = []
    for arrays in snapshot.views:
        sizes = arrays["sizes"].astype(np.int64)
        starts = np.cumsum(sizes) - sizes
        part = {name: array[rows] for name, array in arrays.items() if name != "shingles"}
        views.append(part | {"shingles": arrays["shingles"][ragged(starts[rows], sizes[rows])]})
    return Snapshot([id_ for id_, taken in zip(snapshot.ids, rows, strict=True) if taken], views)


def batches(snapshot: Snapshot, most: int) -> Iterator[Snapshot]:
    """`snapshot` in pieces of at most `most` records."""
    ends = [np.append(0, np.cumsum(arrays["sizes"], dtype=np.int64)) for arrays in snapshot.views]
    for first in range(0, len(snapshot.ids), most):
        last = min(first + most, len(snapshot.ids))
        views = []
        for arrays, at in zip(snapshot.views, ends, strict=True):
            part = {name: array[first:last] for name, array in arrays.items() if name != "shingles"}
            views.append(part | {"shingles": arrays["shingles"][at[first] : at[last]]})
        yield Snapshot(snapshot.ids[first:last], views)


def packed(snapshot: Snapshot, settings: DedupSettings, views: Sequence[View]) -> bytes:
    """`snapshot` as bytes, with what its hashes depend on."""
    arrays = {f"{name}_{i}": of_view[name] for i, of_view in enumerate(snapshot.views) for name in ARRAYS}
    for i, of_view in enumerate(snapshot.views):
        tables = tables_of(of_view["signatures"], of_view["sizes"], settings)
        arrays |= {f"near_{i}": tables.near, f"sketches_{i}": tables.sketches}
    arrays["ids"] = np.frombuffer(orjson.dumps(snapshot.ids), np.uint8)
    conditions = {name: orjson.dumps(value).decode() for name, value in made_with(settings, views).items()}
    # Other bands are no obstacle: tables are then built from the signatures, as for an index saved without any.
    conditions["bands"] = orjson.dumps(settings.bands).decode()
    header: dict[str, Any] = {"__metadata__": conditions}
    end = 0
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # wide types first keeps all of them aligned
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = orjson.dumps(header)
    text += b" " * (-len(text) % 8)
    parts = (np.ascontiguousarray(array).data.cast("B") for _, array in ordered if array.size)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def conditions_of(data: bytes) -> dict[str, Any]:
    """What the index in `data` was made with, as `made_with` gives it.

    Raises:
        InputError: it is not an index.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        return {name: orjson.loads(text) for name, text in orjson.loads(data[8 : 8 + size])["__metadata__"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(error) from error


def unpacked(data: bytes | mmap, settings: DedupSettings, views: Sequence[View]) -> Snapshot:
    """What `packed` was given, as arrays over `data` itself.

    Raises:
        InputError: it was made with other settings, views or an earlier version, or is not an index.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        header = orjson.loads(data[8 : 8 + size])
        _check(header["__metadata__"], made_with(settings, views))
        content = memoryview(data)[8 + size :]
        ids = orjson.loads(_array(header["ids"], content).tobytes())
        arrays = [{name: _array(header[f"{name}_{i}"], content) for name in ARRAYS} for i in range(len(views))]
        if header["__metadata__"].get("bands") != orjson.dumps(settings.bands).decode():
            return Snapshot(ids, arrays)
        tables = (
            Tables(_array(header[f"near_{i}"], content), _array(header[f"sketches_{i}"], content))
            for i in range(len(views))
        )
        return Snapshot(ids, arrays, list(tables))
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> InputError:
    return InputError(
        "The saved near-duplicate index cannot be read: {error}. Rebuild it from the data set's records.",
        error=f"{type(error).__name__}: {error}",
    )


def _array(entry: Mapping[str, Any], content: memoryview) -> np.ndarray:
    begin, end = entry["data_offsets"]
    dtype, shape = _TYPES[entry["dtype"]], entry["shape"]
    if len(content) < end or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("it is cut short")
    return np.frombuffer(content[begin:end], dtype).reshape(shape)


def made_with(settings: DedupSettings, views: Sequence[View]) -> dict[str, Any]:
    """Everything that signatures and sets depend on; the threshold is not among it."""
    return {
        "format": FORMAT,
        "num_perm": settings.num_perm,
        "seed": settings.seed,
        "word_ngram": settings.word_ngram,
        "char_ngram": settings.char_ngram,
        "letter_ngram": settings.letter_ngram,
        "views": [[view.name, [f.name for f in view.fields], view.first_turn, view.least_units] for view in views],
    }


def _check(found: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        if found.get(name) != (expected := orjson.dumps(value).decode()):
            raise InputError(
                "The saved near-duplicate index was made with {name} = {found}, this run has {wanted}. Rebuild the "
                "index from the data set's records, or use the settings it was made with.",
                name=name,
                found=str(found.get(name)),
                wanted=expected,
            )

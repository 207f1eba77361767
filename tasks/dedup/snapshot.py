"""The index as bytes: arrays one after the other behind a JSON header, the same bytes for the same content.

The layout is that of safetensors (huggingface.co/docs/safetensors), so that other tools can read it. Nothing is copied
but into the index, where a NumPy archive would checksum and copy every array three times.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from datasynth.schemas.errors import InputError
from datasynth.tasks.dedup.settings import DedupSettings
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


def packed(snapshot: Snapshot, settings: DedupSettings, views: Sequence[View]) -> bytes:
    """`snapshot` as bytes, with what its hashes depend on."""
    arrays = {f"{name}_{i}": of_view[name] for i, of_view in enumerate(snapshot.views) for name in ARRAYS}
    arrays["ids"] = np.frombuffer(orjson.dumps(snapshot.ids), np.uint8)
    conditions = {name: orjson.dumps(value).decode() for name, value in made_with(settings, views).items()}
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


def unpacked(data: bytes, settings: DedupSettings, views: Sequence[View]) -> Snapshot:
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
        return Snapshot(
            ids, [{name: _array(header[f"{name}_{i}"], content) for name in ARRAYS} for i in range(len(views))]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "The saved near-duplicate index cannot be read: {error}. Rebuild it from the data set's records.",
            error=f"{type(error).__name__}: {error}",
        ) from error


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

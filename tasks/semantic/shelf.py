"""Vectors on storage: every one is paid for once, whatever happens afterwards.

<store>/<dataset>/vectors/<model>/paid/<run>-00001-<digest>.npz   what a request brought, before anything else is
                                                                  done with it
                                 /<run>-00001.npz                 of what a round accepted, for the runs to come
"""

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np

from datasynth.schemas.calls import Usage
from datasynth.schemas.errors import StorageError
from datasynth.schemas.report import Spend
from datasynth.tasks.semantic.embedders import AT_ONCE, Embedder
from datasynth.tasks.storage.store import Store, safe_name


@dataclass(frozen=True)
class Kept:
    """Ids and vectors of records that were accepted."""

    ids: list[str]
    vectors: np.ndarray


class VectorShelf:
    """The vectors of one run's texts, and those that earlier runs left."""

    def __init__(self, dataset: Store, run: str, embedder: Embedder) -> None:
        """
        Args:
            dataset: The data set's folder.
            run: Id of the run.
            embedder: Makes what is missing.
        """
        self._embedder = embedder
        self._run = run
        model = f"{safe_name(embedder.name)}-{hashlib.blake2b(embedder.name.encode(), digest_size=4).hexdigest()}"
        self._kept = dataset.at(f"vectors/{model}")
        self._paid = dataset.at(f"vectors/{model}/paid")
        self._vectors: dict[bytes, np.ndarray] = {}
        self._spent: dict[int, Spend] = {}
        ours = re.compile(rf"{re.escape(run)}-(\d{{5}})-[0-9a-f]{{16}}\.npz")
        for name in self._paid.names("", ".npz"):
            if found := ours.fullmatch(name):
                self._take(int(found[1]), _read(self._paid, name))

    def vectors(self, round: int, texts: Sequence[str]) -> np.ndarray:
        """float32, one row a text; what is not on the shelf is embedded, and put there before it is returned.

        Raises:
            RunError: the endpoint fails; what it gave before that is kept.
        """
        digests = [_digest(text) for text in texts]
        missing = {d: text for d, text in zip(digests, texts, strict=True) if d not in self._vectors}
        wanted = list(missing.items())
        for first in range(0, len(wanted), AT_ONCE):
            some = wanted[first : first + AT_ONCE]
            embedded = self._embedder.embed([text for _, text in some])
            content = {
                "digests": np.frombuffer(b"".join(d for d, _ in some), np.uint8).reshape(-1, 16),
                "vectors": embedded.vectors,
                "tokens": np.array([embedded.tokens]),
            }
            name = f"{self._run}-{round:05d}-{hashlib.blake2b(content['digests'].tobytes(), digest_size=8).hexdigest()}"
            self._paid.write(f"{name}.npz", _packed(content))
            self._take(round, content)
        rows = [self._vectors[d] for d in digests]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def spend(self, round: int) -> Spend:
        """What the vectors of a round cost."""
        return self._spent.get(round, Spend())

    def save_kept(self, name: str, kept: Kept) -> None:
        """Leaves the vectors of a round's accepted records to later runs, under the name of its index file."""
        ids = np.array([id_.encode() for id_ in kept.ids], dtype=np.bytes_)
        self._kept.write(name, _packed({"ids": ids, "vectors": kept.vectors}))

    def kept(self, name: str) -> Kept | None:
        """What `save_kept` was given; None where a run without semantic comparison, or with another model, made it."""
        try:
            content = _read(self._kept, name)
        except FileNotFoundError:
            return None
        return Kept([id_.decode() for id_ in content["ids"].tolist()], content["vectors"])

    def _take(self, round: int, content: dict[str, np.ndarray]) -> None:
        for digest, vector in zip(content["digests"], content["vectors"], strict=True):
            self._vectors[digest.tobytes()] = vector
        usage, price = Usage(input=int(content["tokens"][0])), self._embedder.price
        cost = float(price.cost(usage)) if price else None
        self._spent[round] = self._spent.get(round, Spend()) + Spend(calls=1, usage=usage, cost_usd=cost)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _read(store: Store, name: str) -> dict[str, np.ndarray]:
    data = store.read(name)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            return dict(content.items())
    except (ValueError, OSError, KeyError, EOFError, BadZipFile) as error:
        raise StorageError(
            "The vectors in {path} cannot be read: {error}. Remove the file: they are made again.",
            path=store.url(name),
            error=f"{type(error).__name__}: {error}",
        ) from error

"""Vectors on storage: every one is paid for once, whatever happens afterwards.

<store>/<dataset>/vectors/<model>/paid/<run>-00001-<digest>.npz   what a request brought, before anything else is
                                                                  done with it
                                 /<run>-00001.npz                 of what a round accepted, for the runs to come
"""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np

from datasynth.schemas.errors import StorageError
from datasynth.tasks.storage.store import Store, safe_name

Content = dict[str, np.ndarray]


@dataclass(frozen=True)
class Kept:
    """Ids and vectors of records that were accepted."""

    ids: list[str]
    vectors: np.ndarray


@dataclass(frozen=True)
class Bought:
    """What one request brought, apart from its vectors."""

    name: str
    round: int
    tokens: int
    metered: bool
    """Whether the endpoint said how many tokens."""
    token: str
    """Of the intent that announced the request, if one did."""


class VectorShelf:
    """The vectors of one run's texts, and those that earlier runs left."""

    def __init__(self, dataset: Store, run: str, model: str) -> None:
        """
        Args:
            dataset: The data set's folder.
            run: Id of the run.
            model: Name of the embedder.
        """
        self._run = run
        self._kept = dataset.at(_folder(model))
        self._paid = dataset.at(f"{_folder(model)}/paid")
        self._vectors: dict[bytes, np.ndarray] = {}
        self.bought: list[Bought] = []
        """By this run, in no order that means anything."""
        for name, round in _paid_by(self._paid, run):
            self._take(name, round, _read(self._paid, name))

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._vectors

    def rows(self, digests: Sequence[bytes]) -> np.ndarray:
        """The vectors of texts that are all on the shelf: float32, a row each."""
        return np.stack([self._vectors[d] for d in digests]) if digests else np.zeros((0, 0), np.float32)

    def put(
        self, round: int, digests: Sequence[bytes], vectors: np.ndarray, *, tokens: int, metered: bool, token: str
    ) -> Bought:
        """Puts on storage what a request brought."""
        if len(vectors) != len(digests):
            raise ValueError(f"{len(vectors)} vectors for {len(digests)} texts")
        content = {
            "digests": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16),
            "vectors": vectors,
            "tokens": np.array([tokens]),
            "metered": np.array([metered]),
            "token": np.array([token.encode()], np.bytes_),
        }
        name = f"{self._run}-{round:05d}-{hashlib.blake2b(b''.join(digests), digest_size=8).hexdigest()}.npz"
        self._paid.write(name, _packed(content))
        return self._take(name, round, content)

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

    def _take(self, name: str, round: int, content: Content) -> Bought:
        for digest, vector in zip(content["digests"], content["vectors"], strict=True):
            self._vectors[digest.tobytes()] = vector
        # Files of earlier versions have neither of the last two.
        metered, token = content.get("metered", np.array([True])), content.get("token", np.array([b""], np.bytes_))
        bought = Bought(name, round, int(content["tokens"][0]), bool(metered[0]), token[0].decode())
        self.bought.append(bought)
        return bought


class StoredVectors:
    """The vectors that a run paid for, read back for its report: nothing is bought, and only what is asked for kept."""

    def __init__(self, dataset: Store, run: str, model: str) -> None:
        self._paid = dataset.at(f"{_folder(model)}/paid")
        self._run = run
        self._found: dict[bytes, np.ndarray] = {}
        self._sought: set[bytes] = set()

    def __call__(self, texts: Sequence[str]) -> np.ndarray | None:
        """float32, a row a text; None where the run has no vector of one of them."""
        digests = list(map(digest_of, texts))
        if missing := set(digests) - self._sought:
            self._seek(missing)
        if not digests or not all(digest in self._found for digest in digests):
            return None
        return np.stack([self._found[digest] for digest in digests])

    def _seek(self, missing: set[bytes]) -> None:
        self._sought |= missing
        for name, _ in _paid_by(self._paid, self._run):
            content = _read(self._paid, name)
            for digest, vector in zip(content["digests"], content["vectors"], strict=True):
                if (key := digest.tobytes()) in missing:
                    self._found[key] = vector.copy()
            if missing <= self._found.keys():
                return


def has_bought(dataset: Store, run: str, model: str) -> bool:
    """Whether the run has vectors on storage."""
    return next(_paid_by(dataset.at(f"{_folder(model)}/paid"), run), None) is not None


def without_vectors(dataset: Store, model: str, names: Iterable[str]) -> list[str]:
    """Those of the index files `names` whose records have no vectors by `model`: nothing semantic is known of them."""
    there = set(dataset.at(_folder(model)).names("", ".npz"))
    return [name for name in names if name not in there]


def digest_of(text: str) -> bytes:
    """What a text's vector is found by."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _folder(model: str) -> str:
    return f"vectors/{safe_name(model)}-{hashlib.blake2b(model.encode(), digest_size=4).hexdigest()}"


def _paid_by(paid: Store, run: str) -> Iterator[tuple[str, int]]:
    """Names and rounds of what a run paid for."""
    ours = re.compile(rf"{re.escape(run)}-(\d{{5}})-[0-9a-f]{{16}}\.npz")
    for name in paid.names("", ".npz"):
        if found := ours.fullmatch(name):
            yield name, int(found[1])


def _packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _read(store: Store, name: str) -> Content:
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

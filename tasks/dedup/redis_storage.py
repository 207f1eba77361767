"""What a near-duplicate index keeps in Redis: datasketch's own LSH tables, and beside them what verifies candidates.

Every record has a number, its place in the index, as eight bytes: the key under which the tables know it. By number
stand its id, its owner and, for each view, its exact hash and shingle set; by exact hash, the numbers that have it.
Nothing in it is a pickle, which whoever can write to the Redis could fill with code.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import redis
from datasketch import LeanMinHash, MinHashLSH

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.record import content_digest
from datasynth.schemas.settings import REDIS_ADDRESS
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.snapshot import Snapshot

PASSWORD_VARIABLE = "DATASYNTH_REDIS_PASSWORD"  # noqa: S105 - its name
LOCK_SECONDS = 300
"""A worker that died in the middle of a batch of records holds the others up for so long; a batch takes seconds."""
CONNECT_SECONDS = 10
ANSWER_SECONDS = 120


def connection_of(address: str) -> dict[str, Any]:
    """What `redis.Redis` is opened with; the password is the environment's.

    Raises:
        InputError: not the form of `REDIS_ADDRESS`.
    """
    found = REDIS_ADDRESS.fullmatch(address)
    if found is None:
        raise InputError("--index-storage: this is no address such as redis://localhost:6379/0.")
    return {
        "host": found["host"].strip("[]"),
        "port": int(found["port"] or 6379),
        "db": int(found["db"] or 0),
        "username": found["user"],
        "password": os.environ.get(PASSWORD_VARIABLE) or None,
        "ssl": found["scheme"] == "rediss",
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
    }


def require_reachable(address: str) -> None:
    """Makes sure, before any money is spent, that the Redis at `address` answers.

    Raises:
        InputError: it does not, or refuses the user or the password.
    """
    try:
        with redis.Redis(**connection_of(address)) as client:
            client.ping()
    except redis.RedisError as error:
        raise InputError(
            "--index-storage: the Redis at {address} cannot be used ({error}). Start it, mend the address, or set its "
            "password in {variable}.",
            address=address,
            error=_words(error),
            variable=PASSWORD_VARIABLE,
        ) from error


def _words(error: redis.RedisError) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    words = f"{type(error).__name__}: {error}"
    return words.replace(password, "***") if password else words


class RedisStorage:
    """The tables of one index, for one process. Every method but `locked` wants the lock held, and all of them may
    raise `redis.RedisError` then; `locked` turns it into a `StorageError`."""

    def __init__(self, address: str, settings: DedupSettings, name: str, views: int) -> None:
        """
        Args:
            address: Of the Redis.
            settings: Of the signatures; the threshold decides the bands.
            name: Of the index. Indexes of another name share nothing.
            views: How many views a record has.
        """
        self._address = address
        self._settings = settings
        self._views = views
        bands, rows = settings.bands
        # datasketch wants two bands at least; equal signatures share both halves of one.
        self._bands = (2, rows // 2) if bands < 2 else (bands, rows)
        self._base = f"datasynth:{content_digest([name, settings.num_perm, settings.seed, *self._bands])}".encode()
        self._connection = connection_of(address)
        self._client: Any = redis.Redis(**self._connection)
        self._lsh: list[MinHashLSH] = []
        self._born = b""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The index to oneself, and the certainty that it still holds what it held the last time.

        Raises:
            StorageError: the Redis cannot be reached, or has lost the index.
        """
        try:
            with self._client.lock(self._base + b":lock", timeout=LOCK_SECONDS):
                self._require_whole()
                yield
        except redis.RedisError as error:
            raise StorageError(
                "The near-duplicate index in the Redis at {address} cannot be used ({error}). Nothing is lost: resume "
                "the run when it can.",
                address=self._address,
                error=_words(error),
            ) from error

    def _require_whole(self) -> None:
        key = self._base + b":born"
        self._client.set(key, os.urandom(8).hex(), nx=True)
        born = self._client.get(key)
        if self._born and born != self._born:
            raise StorageError(
                "The Redis at {address} has lost the near-duplicate index. Give it a disk or more memory "
                "(maxmemory-policy noeviction) and resume the run: the index is built again from storage.",
                address=self._address,
            )
        if not self._lsh:
            self._lsh = [self._tables(view) for view in range(self._views)]
        self._born = born

    def _tables(self, view: int) -> MinHashLSH:
        config = {"type": "redis", "basename": self._base + b":lsh%d" % view, "redis": self._connection}
        return MinHashLSH(num_perm=self._settings.num_perm, params=self._bands, storage_config=config, prepickle=False)

    def __len__(self) -> int:
        return int(self._client.hlen(self._base + b":ids"))

    def numbers(self, names: Sequence[bytes]) -> list[bytes | None]:
        """The numbers of the records that stand under `names`, None where there is none."""
        return self._client.hmget(self._base + b":names", names) if names else []

    def was_loaded(self, digest: bytes) -> bool:
        """Whether all records of the saved index with this digest are here."""
        return bool(self._client.sismember(self._base + b":loaded", digest))

    def note_loaded(self, digest: bytes) -> None:
        self._client.sadd(self._base + b":loaded", digest)

    def candidates(self, view: int, exact: np.ndarray, signed: np.ndarray) -> set[bytes]:
        """Numbers of the records that have one of the hashes `exact`, or share a band with a row of `signed`."""
        found: set[bytes] = set()
        with self._client.pipeline(transaction=False) as pipe:
            for value in np.unique(exact).tolist():
                pipe.smembers(self._exact_key(view, value))
            found.update(*pipe.execute())
        lsh = self._lsh[view]
        for table, (first, last) in zip(lsh.hashtables, lsh.hashranges, strict=True):
            # The keys of a whole batch at once; `MinHashLSH.query` asks for one row and band at a time. They are the
            # bytes of the band in network order.
            keys = {row[first:last].astype(">u4").tobytes() for row in signed}
            members: Any = table.getmany(*sorted(keys))
            found.update(*members)
        return found

    def _exact_key(self, view: int, value: int) -> bytes:
        return self._base + b":exact%d:" % view + value.to_bytes(8, "big")

    def records(self, numbers: Sequence[bytes]) -> Snapshot:
        """The records with these numbers, in this order."""
        if not numbers:
            return Snapshot([], [])
        ids = [id_.decode("utf-8", "surrogatepass") for id_ in self._client.hmget(self._base + b":ids", numbers)]
        views = []
        for view in range(self._views):
            held = self._client.hmget(self._base + b":sets%d" % view, numbers)
            sizes = np.array([len(entry) // 4 - 2 for entry in held], np.uint32)
            views.append(
                {
                    "exact": np.frombuffer(b"".join(entry[:8] for entry in held), "<u8"),
                    "sizes": sizes,
                    "shingles": np.frombuffer(b"".join(entry[8:] for entry in held), "<u4"),
                }
            )
        return Snapshot(ids, views)

    def insert(self, records: Snapshot, names: Sequence[bytes], owner: str) -> None:
        """Adds `records`, which have signatures; with an owner, `owned` finds them again."""
        last = int(self._client.incrby(self._base + b":count", len(records.ids)))
        numbers = [n.to_bytes(8, "big") for n in range(last - len(records.ids), last)]
        for view, arrays in enumerate(records.views):
            with self._lsh[view].insertion_session() as session:
                for number, signed, size in zip(numbers, arrays["signatures"], arrays["sizes"], strict=True):
                    if size:
                        sketch = LeanMinHash(seed=self._settings.seed, hashvalues=signed, scheme="affine32")
                        session.insert(number, sketch, check_duplication=False)
        ids = [id_.encode("utf-8", "surrogatepass") for id_ in records.ids]
        with self._client.pipeline(transaction=True) as pipe:
            for view, arrays in enumerate(records.views):
                ends = np.cumsum(arrays["sizes"], dtype=np.int64)
                sets = np.split(arrays["shingles"].astype("<u4"), ends[:-1])
                for number, exact, values in zip(numbers, arrays["exact"].tolist(), sets, strict=True):
                    pipe.hset(self._base + b":sets%d" % view, number, exact.to_bytes(8, "little") + values.tobytes())
                    if exact:
                        pipe.sadd(self._exact_key(view, exact), number)
            pipe.hset(self._base + b":ids", mapping=dict(zip(numbers, ids, strict=True)))
            pipe.hset(self._base + b":names", mapping=dict(zip(names, numbers, strict=True)))
            if owner:
                pipe.sadd(self._base + b":owned:" + owner.encode(), *numbers)
            pipe.execute()

    def owned(self, owner: str) -> list[bytes]:
        """Numbers of the records that were added under `owner`."""
        return sorted(self._client.smembers(self._base + b":owned:" + owner.encode()))

    def remove(self, numbers: Sequence[bytes], names: Sequence[bytes], owner: str) -> None:
        """Takes the records with these numbers out again."""
        held = self.records(numbers)
        for view, lsh in enumerate(self._lsh):
            for number, size in zip(numbers, held.views[view]["sizes"], strict=True):
                if size and number in lsh:
                    lsh.remove(number)
        with self._client.pipeline(transaction=True) as pipe:
            for view, arrays in enumerate(held.views):
                pipe.hdel(self._base + b":sets%d" % view, *numbers)
                for number, exact in zip(numbers, arrays["exact"].tolist(), strict=True):
                    pipe.srem(self._exact_key(view, exact), number)
            pipe.hdel(self._base + b":ids", *numbers)
            pipe.hdel(self._base + b":names", *names)
            pipe.srem(self._base + b":owned:" + owner.encode(), *numbers)
            pipe.execute()

"""An append-only log below a store: lines that are durable when `append` returns, on disks and object stores.

A disk takes appends to one file for each writer. An object store has no append, so there a write is an object of
its own; callers group lines into few writes. Every line carries its CRC-32: a line torn by a crash, or spoilt
later, is left out on reading and costs only itself.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from datasynth.schemas.errors import StorageError
from datasynth.tasks.storage.store import Store, make_folder, sync_folder

LINE_HEAD = 10
"""Bytes before a line's payload: a newline, eight hex digits of its checksum and a space."""


def frame_line(payload: bytes) -> bytes:
    """One line of the log: checksum, space, payload. `payload` holds no newline (JSON on one line).

    A newline stands before it as well as after it, so that one that is spoilt never joins two lines.
    """
    return b"\n%08x %s\n" % (zlib.crc32(payload), payload)


@dataclass(frozen=True)
class Place:
    """Where a line's payload stands."""

    segment: str
    offset: int
    length: int


class LogWriter(Protocol):
    """What appends framed lines."""

    def append(self, lines: bytes) -> tuple[str, int]:
        """Makes `lines` durable; returns the segment they went to and the offset of the first one."""
        ...

    def close(self) -> None: ...


def open_writer(store: Store, writer: str) -> LogWriter:
    """A writer of segments named after `writer`, which no other writer may use."""
    return _FileWriter(store, writer) if store.local else _ObjectWriter(store, writer)


class _FileWriter:
    def __init__(self, store: Store, writer: str) -> None:
        self._segment = f"{writer}.log"
        self._path = store.url(self._segment)
        self._fd: int | None = None
        self._offset = 0

    def append(self, lines: bytes) -> tuple[str, int]:
        try:
            if self._fd is None:
                folder = os.path.dirname(self._path)
                make_folder(folder)
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
                sync_folder(folder)
            at = self._offset
            view = memoryview(lines)
            while view:
                written = os.write(self._fd, view)
                self._offset += written
                view = view[written:]
            os.fdatasync(self._fd)
        except OSError as error:
            raise StorageError(
                "Cannot append to the reply journal {path}: {error}. Free some space or check the permissions, then "
                "resume the run; replies written so far are kept.",
                path=self._path,
                error=str(error),
            ) from error
        return self._segment, at

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            # Every append was synced, so an error here loses nothing.
            with contextlib.suppress(OSError):
                os.close(fd)


class _ObjectWriter:
    def __init__(self, store: Store, writer: str) -> None:
        self._store = store
        self._writer = writer
        self._number = 0

    def append(self, lines: bytes) -> tuple[str, int]:
        self._number += 1
        segment = f"{self._writer}-{self._number:08d}.log"
        self._store.write(segment, lines)
        return segment, 0

    def close(self) -> None:
        pass


def read_segment(store: Store, segment: str, *, start: int = 0) -> Iterator[tuple[Place, bytes]]:
    """Whole lines of a segment from byte `start` on with their places, in order; torn or spoilt lines are left out."""
    data = store.read(segment)
    while (end := data.find(b"\n", start)) >= 0:
        at = start + LINE_HEAD - 1
        if end > start and _intact(data[start:at], payload := data[at:end]):
            yield Place(segment, at, len(payload)), payload
        start = end + 1


def _intact(head: bytes, payload: bytes) -> bool:
    try:
        return int(head[:8], 16) == zlib.crc32(payload) and head[8:9] == b" "
    except ValueError:
        return False

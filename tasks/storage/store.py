"""A folder on any fsspec address whose files appear whole or not at all."""

import os
import re
import secrets
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from datasynth.schemas.errors import DataSynthError, InputError, StorageError
from datasynth.tasks.storage import patience
from datasynth.tasks.storage.named import SCHEME, opening_of

T = TypeVar("T")

NAME = re.compile(r"[^\w.\-]+")
LONGEST_NAME = 240
"""Bytes in a path segment, which leaves room for a temporary ending."""


def safe_name(text: str) -> str:
    """`text` as one path segment: letters (of any script), digits, `_`, `-` and inner dots; never empty or hidden."""
    name = NAME.sub("-", text).strip("-.")[:100]
    # A file system counts bytes, 255 of them, and a letter may have four.
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").strip("-.") or "dataset"


_answered: set[str] = set()
"""Hosts or buckets that have taken or given a file: should one fail now, its address and its keys were right."""


class Store:
    """Files below one address. A file is written whole (temporary name and rename, or one object upload)."""

    def __init__(self, url: str) -> None:
        """Opens nothing yet.

        Args:
            url: A folder, an fsspec address, or `block:NAME` for what a person calls so on a Prefect server.

        Raises:
            InputError: the address has an unknown protocol, or one whose library is not installed; there is no such
                block.
        """
        opening = opening_of(url)
        self._block = opening.name
        try:
            self.fs, self.root = fsspec.core.url_to_fs(opening.url, **opening.options)
        except (ValueError, ImportError, OSError) as error:  # some file systems connect when they are made
            raise InputError(
                "Cannot use {url} as storage: {error}. Give a folder or an address such as s3://bucket/folder.",
                url=opening.url,
                error=str(error),
            ) from error
        self.local = isinstance(self.fs, LocalFileSystem)

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.address(),)

    def url(self, path: str = "") -> str:
        """The full address of `path`, as people and other tools write it."""
        return self._shown(self._full(path))

    def address(self, path: str = "") -> str:
        """What `Store` takes to open `path` in any process: the address, and the block that has its keys, if any."""
        return f"{SCHEME}{self._block}:{self.url(path)}" if self._block else self.url(path)

    def at(self, path: str) -> "Store":
        """The same storage one folder down."""
        below = Store.__new__(Store)
        below.fs, below.root, below.local = self.fs, self._full(path), self.local
        below._block = self._block
        return below

    def _full(self, path: str) -> str:
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    def write(self, path: str, data: bytes) -> None:
        """Writes `data` as the whole content of `path`; on return it is durable, on failure nothing is visible."""
        self._carried_out("write", path, lambda: self._put(path, data))

    def _put(self, path: str, data: bytes) -> None:
        full = self._full(path)
        if self.local:
            _write_local(full, data)
            return
        try:
            self.fs.pipe_file(full, data)
        except FileNotFoundError as error:
            # To a reader this says that a file is missing. To a writer, that there is no such bucket.
            raise OSError(str(error)) from error
        self.take_as_right()

    def read(self, path: str) -> bytes:
        """The whole content of `path`.

        Raises:
            FileNotFoundError: nothing is there.
        """
        return self._carried_out("read", path, lambda: self._content(path))

    def _content(self, path: str) -> bytes:
        try:
            content = self.fs.cat_file(self._full(path))
        except NotADirectoryError as error:
            # A stray file such as .DS_Store where a folder would be: as little is there as in an object store.
            raise FileNotFoundError(str(error)) from error
        except FileNotFoundError:
            if self.local:
                raise
            content = self.fs.cat_file(self._unlisted(path))
        self.take_as_right()
        return content

    def _unlisted(self, path: str) -> str:
        """The full path of `path`, of which s3fs has forgotten all listings: it answers from the last one, and so knows
        nothing of what another process has written since.
        """
        full = self._full(path)
        self.fs.invalidate_cache(full)
        return full

    def view(self, path: str) -> bytes | mmap:
        """As `read`; a file on a disk is mapped into memory, so that of what nobody looks at nothing is read."""
        return self._carried_out("read", path, lambda: self._mapped(path)) if self.local else self.read(path)

    def _mapped(self, path: str) -> bytes | mmap:
        with open(self._full(path), "rb") as file:
            return mmap(file.fileno(), 0, access=ACCESS_READ) if os.fstat(file.fileno()).st_size else b""

    def exists(self, path: str = "") -> bool:
        return self._carried_out("look up", path, lambda: self.fs.exists(self._unlisted(path)))

    def names(self, path: str = "", suffix: str = "") -> list[str]:
        """Names directly in the folder `path`, sorted; empty if there is no such folder."""
        try:
            entries = self._carried_out("list", path, lambda: self.fs.ls(self._unlisted(path), detail=False))
        except FileNotFoundError:
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return sorted(n for n in names if n.endswith(suffix) and not n.endswith(".tmp"))

    def remove(self, path: str) -> None:
        """Removes the file or folder `path`, if it is there."""
        self._carried_out("remove", path, lambda: self._removed(path))

    def _removed(self, path: str) -> None:
        if self.fs.exists(full := self._unlisted(path)):
            self.fs.rm(full, recursive=True)

    def _carried_out(self, doing: str, path: str, action: Callable[[], T]) -> T:
        """What `action` returns; where an object store is away for a moment, once it is back."""
        full = self._full(path)
        try:
            return self._patiently(doing, full, action)
        except (DataSynthError, FileNotFoundError):
            raise
        except Exception as error:
            raise StorageError(
                "Cannot {doing} {path}: {error}. Check the address, the free space and the permissions or keys.",
                doing=doing,
                path=self._shown(full),
                error=f"{type(error).__name__}: {error}".rstrip("."),
            ) from error

    def take_as_right(self) -> None:
        """Whatever fails from now on is not for a wrong address or key: this or another process has used it."""
        _answered.add(self._host)

    def _patiently(self, doing: str, full: str, action: Callable[[], T]) -> T:
        try:
            return action()
        except Exception as error:
            if self.local or self._host not in _answered or not patience.may_pass(error):
                raise
        try:
            return patience.tried_again(action, f"{doing} {self._shown(full)}")
        except BaseException:
            _answered.discard(self._host)  # patience is had once: steps that are tried again would each wait anew
            raise

    @property
    def _host(self) -> str:
        return "/".join(self._shown(self.root).split("/")[:3])

    def _shown(self, full: str) -> str:
        return full if self.local else self.fs.unstrip_protocol(full)


def make_folder(folder: str) -> None:
    """Makes a local folder and its parents durably: a file synced in a folder that a crash undoes is lost with it."""
    if folder and not os.path.isdir(folder):
        above = os.path.dirname(folder)
        make_folder(above)
        os.makedirs(folder, exist_ok=True)
        sync_folder(above)


def sync_folder(folder: str) -> None:
    """Makes the names in a local folder durable."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write_local(full: str, data: bytes) -> None:
    folder = os.path.dirname(full)
    make_folder(folder)
    temporary = f"{full}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, full)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    sync_folder(folder)

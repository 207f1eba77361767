"""Files that a command leaves: found writable before anything is paid for, then written whole or not at all."""

import os
import posixpath
import secrets
import tempfile

from datasynth.schemas.errors import InputError, StorageError
from datasynth.tasks.storage.store import Store


def check_writable(target: str) -> None:
    """Makes sure that the file `target` can be written; leaves nothing behind, no folder either.

    Raises:
        InputError: it is a folder, or its folder cannot be made or written to.
    """
    store = Store(target)
    if store.local:
        _check_local(store.root, target)
    else:
        _check_remote(store, target)


def _check_local(path: str, target: str) -> None:
    if os.path.isdir(path) or target.endswith(os.sep):
        raise InputError("{path}: a folder, and a file is to be written. Name a file in it.", path=target)
    folder = os.path.dirname(path)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error


def _check_remote(store: Store, target: str) -> None:
    folder, name = posixpath.split(store.url())
    beside, probe = Store(folder), f".{name}.{secrets.token_hex(4)}"
    try:
        beside.write(probe, b"")
    except StorageError as error:
        raise _unwritable(target, str(error)) from error
    try:
        beside.remove(probe)
    except StorageError:
        # Storage that lets nobody delete can still be written to; an empty object stays.
        return


def _unwritable(target: str, problem: str) -> InputError:
    return InputError(
        "{path}: cannot be written: {problem}. Choose another place with -o.", path=target, problem=problem
    )


def write_whole(target: str, data: bytes) -> str:
    """Writes `data` as the file `target`, whole or not at all; returns its full address.

    Raises:
        StorageError: it cannot be written.
    """
    store = Store(target)
    store.write("", data)
    return store.url()

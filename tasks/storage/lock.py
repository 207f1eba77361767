"""One process at a time on a folder of a local disk. Object stores have no locks that all of them keep."""

import contextlib
import errno
import fcntl
import os
import time

from datasynth.schemas.errors import RunError
from datasynth.tasks.storage.store import Store, make_folder

WAIT_SECONDS = 10.0
"""A process that was stopped takes up to five to end."""
LOOK_SECONDS = 0.1


class FolderLock:
    """Held until it is released, or the process ends in whatever way."""

    def __init__(self, folder: Store) -> None:
        """Waits some seconds for another process to release it.

        Raises:
            RunError: that goes on.
        """
        self._fd = _locked(folder.url("lock")) if folder.local else None

    def release(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _locked(path: str) -> int | None:
    """The open file at `path`, locked; None where the file system has no locks, or cannot be written."""
    give_up = time.monotonic() + WAIT_SECONDS
    fd = None
    with contextlib.suppress(OSError):  # whoever writes there says why it cannot
        make_folder(os.path.dirname(path))
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    while fd is not None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(fd)
                return None
        if time.monotonic() > give_up:
            os.close(fd)
            raise RunError(
                "Another process makes the calls of this run ({path} is locked). Both would pay for the same replies, "
                "and pass the limits together. Wait until it has ended, or start a run of its own with another "
                "--run-id.",
                path=path,
            )
        time.sleep(LOOK_SECONDS)
    return None

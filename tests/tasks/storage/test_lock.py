"""One process at a time makes a run's calls, where that can be seen to."""

import subprocess
import sys
from pathlib import Path

import pytest

from datasynth.schemas.errors import RunError
from datasynth.tasks.storage import lock
from datasynth.tasks.storage.lock import FolderLock
from datasynth.tasks.storage.store import Store

HOLDS = (
    "import sys; from datasynth.tasks.storage.lock import FolderLock; from datasynth.tasks.storage.store import Store; "
    "held = FolderLock(Store(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_a_folder_is_one_processs_until_it_ends_however(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Store(str(tmp_path / "journal"))
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.2)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, folder.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="Another process"):
            FolderLock(folder)
        other.kill()
    monkeypatch.setattr(lock, "WAIT_SECONDS", 30)
    FolderLock(folder).release()


def test_a_lock_that_is_released_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0)
    folder = Store(str(tmp_path))
    FolderLock(folder).release()
    held = FolderLock(folder)
    with pytest.raises(RunError):
        FolderLock(folder)
    held.release()


def test_an_object_store_is_not_locked() -> None:
    folder = Store("memory://unlocked")
    FolderLock(folder)
    FolderLock(folder)
    assert folder.names() == []

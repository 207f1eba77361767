"""An object store that is away for a moment is waited for; a wrong address, a refusal and a disk are not."""

import errno
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from datasynth.schemas.errors import StorageError
from datasynth.tasks.rounds.progress import ProgressBoard
from datasynth.tasks.storage import patience, store
from datasynth.tasks.storage.store import Store

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


class Failing:
    """A file system's method that fails before it works."""

    def __init__(self, method: Callable[..., Any], failures: list[BaseException]) -> None:
        self._method, self._failures = method, failures
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return self._method(*args, **kwargs)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(patience, "_hasty_until", float("-inf"))
    monkeypatch.setattr(store, "_answered", set[str]())


@pytest.fixture
def place() -> Store:
    """A store of its own, which has answered."""
    place = Store(f"memory://{uuid.uuid4().hex}")
    place.write("before.txt", b"before")
    return place


def failing(monkeypatch: pytest.MonkeyPatch, place: Store, method: str, *failures: BaseException) -> Failing:
    fails = Failing(getattr(place.fs, method), list(failures))
    monkeypatch.setattr(place.fs, method, fails)
    return fails


@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        ConnectionResetError("reset"),
        TimeoutError("no answer"),
        OSError(errno.EBUSY, "SlowDown"),
        OSError(errno.EIO, "InternalError"),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    ("method", "use"),
    [
        ("pipe_file", lambda place: place.write("new.txt", b"new")),
        ("cat_file", lambda place: place.read("before.txt")),
        ("exists", lambda place: place.exists("before.txt")),
        ("ls", lambda place: place.names()),
        ("rm", lambda place: place.remove("before.txt")),
    ],
)
def test_what_a_store_that_is_away_fails_is_done_once_it_is_back(
    method: str, use: Callable[[Store], Any], error: Exception, place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = failing(monkeypatch, place, method, error, error)
    use(place)
    assert fails.calls == 3


def test_one_that_another_process_has_used_is_waited_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Store(f"memory://{uuid.uuid4().hex}")
    place.take_as_right()
    fails = failing(monkeypatch, place, "pipe_file", AWAY)
    place.write("new.txt", b"new")
    assert fails.calls == 2


def test_one_that_never_answered_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Store(f"memory://{uuid.uuid4().hex}")
    fails = failing(monkeypatch, place, "pipe_file", AWAY, AWAY)
    with pytest.raises(StorageError, match=r"Cannot write memory://.*Could not connect"):
        place.write("new.txt", b"new")
    assert fails.calls == 1


@pytest.mark.parametrize("error", [PermissionError("expired"), OSError(errno.EINVAL, "invalid"), ValueError("odd")])
def test_a_refusal_is_final(error: Exception, place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = failing(monkeypatch, place, "pipe_file", error)
    with pytest.raises(StorageError):
        place.write("new.txt", b"new")
    assert fails.calls == 1


def test_a_refusal_after_a_wait_is_final(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = failing(monkeypatch, place, "pipe_file", AWAY, PermissionError("the keys have expired"))
    with pytest.raises(StorageError, match="the keys have expired"):
        place.write("new.txt", b"new")
    assert fails.calls == 2


def test_patience_ends_with_the_error_of_the_last_try(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.05)
    fails = failing(monkeypatch, place, "pipe_file", *[AWAY] * 100_000)
    with pytest.raises(StorageError, match="Could not connect"):
        place.write("new.txt", b"new")
    assert (before := fails.calls) > 2
    with pytest.raises(StorageError, match="Could not connect"):
        place.write("new.txt", b"new")
    assert fails.calls == before + 1, "nobody waits a second time"


def test_a_process_that_was_told_to_end_tries_once_more_and_gives_up(
    place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = failing(monkeypatch, place, "pipe_file", *[AWAY] * 100_000)
    patience.make_haste()
    with pytest.raises(StorageError, match="Could not connect"):
        place.write("new.txt", b"new")
    assert fails.calls == 2


def test_progress_says_while_the_storage_is_waited_for(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    board, seen = ProgressBoard(), list[bool]()
    write = place.fs.pipe_file

    def watched(*args: Any) -> None:
        seen.append(board.now().storage_away)
        if len(seen) < 3:
            raise AWAY
        write(*args)

    monkeypatch.setattr(place.fs, "pipe_file", watched)
    place.write("new.txt", b"new")
    assert [*seen, board.now().storage_away] == [False, True, True, False]


def test_a_disk_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Store(str(tmp_path))
    place.write("before.txt", b"before")
    fails = failing(monkeypatch, place, "cat_file", OSError(errno.EIO, "the disk is broken"))
    with pytest.raises(StorageError, match="the disk is broken"):
        place.read("before.txt")
    assert fails.calls == 1

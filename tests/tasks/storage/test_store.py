"""Files appear whole or not at all, below their folder, and every fault of the storage is said."""

import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError, StorageError
from datasynth.tasks.storage.store import Store, safe_name


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store on disk, and one in memory."""
    return Store(str(tmp_path / "store") if request.param == "file" else f"memory://{uuid.uuid4().hex}")


def test_what_was_written_is_read_back(store: Store) -> None:
    store.write("a/b/c.bin", b"\x00\xff")
    assert store.read("a/b/c.bin") == b"\x00\xff"
    assert store.exists("a/b/c.bin")


def test_a_second_write_replaces_the_first(store: Store) -> None:
    store.write("a", b"a longer one")
    store.write("a", b"short")
    assert store.read("a") == b"short"


def test_reading_what_is_not_there_is_file_not_found(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("no/such/file")


def test_names_are_sorted_filtered_and_only_of_the_folder_itself(store: Store) -> None:
    for path in ("d/b.log", "d/a.log", "d/c.txt", "d/deeper/z.log"):
        store.write(path, b"x")
    assert store.names("d") == ["a.log", "b.log", "c.txt", "deeper"]
    assert store.names("d", ".log") == ["a.log", "b.log"]


def test_a_folder_that_is_not_there_has_no_names(store: Store) -> None:
    assert store.names("nowhere") == []


def test_a_file_written_after_a_listing_is_in_the_next_one(store: Store) -> None:
    store.write("d/a", b"")
    store.names("d")
    store.write("d/b", b"")
    assert store.names("d") == ["a", "b"]


def test_what_another_process_writes_after_a_listing_is_read_from_s3(at_s3: Callable[..., None]) -> None:
    at_s3()
    url = f"s3://bucket/{uuid.uuid4().hex}"
    store = Store(url)
    store.write("rounds/1", b"one")
    assert store.names("rounds") == ["1"]
    writes = "import sys; from datasynth.tasks.storage.store import Store; Store(sys.argv[1]).write('rounds/2', b'two')"
    subprocess.run([sys.executable, "-c", writes, url], check=True)
    assert store.exists("rounds/2")
    store.names("rounds")
    subprocess.run([sys.executable, "-c", writes.replace("/2", "/3"), url], check=True)
    assert store.read("rounds/3") == b"two"
    with pytest.raises(FileNotFoundError):
        store.read("rounds/4")
    store.names("rounds")
    subprocess.run([sys.executable, "-c", writes.replace("/2", "/5"), url], check=True)
    store.remove("rounds/5")
    assert not store.exists("rounds/5")


def test_a_folder_is_removed_with_all_below_it(store: Store) -> None:
    store.write("d/a", b"")
    store.write("d/e/b", b"")
    store.write("other", b"")
    store.remove("d")
    assert not store.exists("d/e/b")
    assert store.exists("other")


def test_removing_what_is_not_there_does_nothing(store: Store) -> None:
    store.remove("no/such")


def test_a_store_one_folder_down_sees_the_same_files(store: Store) -> None:
    store.at("a").at("b").write("c", b"x")
    assert store.read("a/b/c") == b"x"


def test_a_store_crosses_processes_by_its_address(store: Store) -> None:
    store.at("a").write("b", b"x")
    assert pickle.loads(pickle.dumps(store.at("a"))).read("b") == b"x"


def test_the_address_of_a_file_opens_it_again(store: Store) -> None:
    store.write("a/b", b"x")
    assert Store(store.url("a")).read("b") == b"x"


@pytest.mark.parametrize("stray", [".DS_Store", "notes.txt"])
def test_a_file_where_a_folder_would_be_holds_no_files(store: Store, stray: str) -> None:
    store.write(f"runs/{stray}", b"")
    with pytest.raises(FileNotFoundError):
        store.read(f"runs/{stray}/run.json")


def test_an_unknown_protocol_is_an_input_error_that_names_it() -> None:
    with pytest.raises(InputError, match="nosuchprotocol://bucket/x"):
        Store("nosuchprotocol://bucket/x")


def test_a_write_that_fails_says_where_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(StorageError, match="file/below"):
        Store(str(tmp_path)).write("file/below", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_write_over_a_folder_fails_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(StorageError):
        Store(str(tmp_path)).write("folder", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.fixture
def _nobody() -> Iterator[None]:
    """Root may write anywhere, so a test as root becomes another user for a moment."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


def test_a_folder_without_permission_is_a_storage_error(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    tmp_path.chmod(0o500)
    request.getfixturevalue("_nobody")
    with pytest.raises(StorageError, match="PermissionError"):
        Store(str(tmp_path)).write("a", b"x")


FULL_DISK = """
import resource, sys
from datasynth.schemas.errors import StorageError
from datasynth.tasks.storage.log import open_writer
from datasynth.tasks.storage.store import Store
store = Store(sys.argv[1])
store.write("kept", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for act in (lambda: store.write("kept", b"x" * 2000), lambda: open_writer(store, "w").append(b"x" * 2000)):
    try:
        act()
    except StorageError as error:
        print(error)
"""


def test_a_full_disk_is_a_storage_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert [line.split(":")[0].startswith("Cannot ") for line in done.stdout.splitlines()] == [True, True]
    assert (tmp_path / "kept").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "w.log"]


def test_a_half_written_file_of_another_process_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "part.parquet.1a2b3c4d.tmp").write_bytes(b"half")
    assert Store(str(tmp_path)).names() == []


@given(st.text())
def test_a_safe_name_is_one_visible_path_segment(text: str) -> None:
    name = safe_name(text)
    assert name
    assert not set(name) & set("/\\\0:\n")
    assert name[0] != "."
    assert name not in (".", "..")
    assert len(os.fsencode(name)) <= 255 - len(".12345678.tmp")


@given(st.text())
def test_a_safe_name_is_safe_already(text: str) -> None:
    assert safe_name(safe_name(text)) == safe_name(text)


def test_a_name_in_any_script_is_kept() -> None:
    assert safe_name("客服对话_v1.2") == "客服对话_v1.2"


def test_the_longest_chinese_name_can_be_written(tmp_path: Path) -> None:
    Store(str(tmp_path)).write(f"{safe_name('数' * 300)}/a", b"x")


@pytest.mark.parametrize("content", [b"", b"something"])
def test_a_view_is_the_content_also_after_the_file_was_replaced(tmp_path: Path, content: bytes) -> None:
    store = Store(str(tmp_path))
    store.write("a/file", content)
    view = store.view("a/file")
    store.write("a/file", b"another content")
    assert bytes(view) == content


def test_a_view_of_what_is_not_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Store(str(tmp_path)).view("missing")


def test_an_address_whose_host_is_not_there_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"Cannot use ftp://127\.0\.0\.1:9/x as storage"):
        Store("ftp://127.0.0.1:9/x")

"""Lines of the log: what is torn or spoilt costs itself and nothing else."""

import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import StorageError
from datasynth.tasks.storage.log import frame_line, open_writer, read_segment
from datasynth.tasks.storage.store import Store

PAYLOADS = st.lists(st.text().map(lambda text: json.dumps(text).encode()), min_size=1, max_size=6)


def in_memory() -> Store:
    return Store(f"memory://{uuid.uuid4().hex}")


def read_back(data: bytes) -> list[bytes]:
    store = in_memory()
    store.write("s", data)
    return [payload for _, payload in read_segment(store, "s")]


@given(PAYLOADS)
def test_lines_come_back_in_order_each_at_its_place(payloads: list[bytes]) -> None:
    store = in_memory()
    data = b"".join(map(frame_line, payloads))
    store.write("s", data)
    read = list(read_segment(store, "s"))
    assert [payload for _, payload in read] == payloads
    assert [data[p.offset : p.offset + p.length] for p, _ in read] == payloads


@given(PAYLOADS, st.data())
def test_a_cut_anywhere_costs_only_the_line_it_falls_in(payloads: list[bytes], data: st.DataObject) -> None:
    lines = [frame_line(payload) for payload in payloads]
    cut = data.draw(st.integers(0, sum(map(len, lines))))
    whole = [p for i, p in enumerate(payloads) if sum(map(len, lines[: i + 1])) <= cut]
    read = read_back(b"".join(lines)[:cut])
    assert read[: len(whole)] == whole
    assert len(read) <= len(whole) + 1


@given(PAYLOADS, st.data())
def test_a_spoilt_byte_costs_only_its_own_line(payloads: list[bytes], data: st.DataObject) -> None:
    lines = [frame_line(payload) for payload in payloads]
    spoilt = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[spoilt]) - 1))
    line = bytearray(lines[spoilt])
    line[at] ^= data.draw(st.integers(1, 255))
    read = read_back(b"".join([*lines[:spoilt], bytes(line), *lines[spoilt + 1 :]]))
    others = payloads[:spoilt] + payloads[spoilt + 1 :]
    assert read in (others, payloads)


def test_no_byte_of_a_line_can_spoil_another_line() -> None:
    payloads = [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    lines = [frame_line(payload) for payload in payloads]
    for spoilt, line in enumerate(lines):
        for at in range(len(line)):
            for byte in (0, ord("\n"), line[at] ^ 1, line[at] ^ 0xFF):
                damaged = line[:at] + bytes([byte]) + line[at + 1 :]
                read = read_back(b"".join([*lines[:spoilt], damaged, *lines[spoilt + 1 :]]))
                assert read in (payloads, payloads[:spoilt] + payloads[spoilt + 1 :]), (spoilt, at, byte)


@given(st.binary())
def test_rubbish_is_no_line(rubbish: bytes) -> None:
    assert read_back(rubbish) == []


def test_a_line_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    writer = open_writer(Store(str(tmp_path)), "w")
    writer.append(frame_line(b"1"))
    assert [p for _, p in read_segment(Store(str(tmp_path)), "w.log")] == [b"1"]
    writer.append(frame_line(b"2"))
    assert [p for _, p in read_segment(Store(str(tmp_path)), "w.log")] == [b"1", b"2"]
    writer.close()


@pytest.mark.parametrize("where", ["file", "memory"])
def test_append_says_where_its_lines_went(where: str, tmp_path: Path) -> None:
    store = Store(str(tmp_path)) if where == "file" else in_memory()
    writer = open_writer(store, "w")
    for text in (b"first", b"second"):
        segment, offset = writer.append(frame_line(text))
        assert store.read(segment)[offset:] == frame_line(text)
    writer.close()


def test_two_writers_on_a_folder_do_not_meet(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for name in ("a", "b"):
        open_writer(store, name).append(frame_line(name.encode()))
    assert [p for s in store.names(suffix=".log") for _, p in read_segment(store, s)] == [b"a", b"b"]


def test_a_writer_never_goes_on_in_a_segment_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "w.log").write_bytes(b"half a li")
    with pytest.raises(StorageError, match=r"w\.log"):
        open_writer(Store(str(tmp_path)), "w").append(frame_line(b"1"))

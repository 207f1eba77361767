"""Saved indexes: tables beside the signatures, files of before there were any, and large ones that are not copied."""

import mmap

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.record import Field
from datasynth.tasks.dedup import columns
from datasynth.tasks.dedup.columns import SetColumn
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.views import View

VIEWS = (View("record", (Field(name="text"),), least_units=0), View("question", (Field(name="text"),)))
WORDS = [f"w{n}" for n in range(12)]
TEXTS = ["", "!", *(" ".join(WORDS[i : i + 7]) for i in range(6)), "w0 w1 w2 w3 w4 w5 new"]
RECORDS = st.lists(st.sampled_from(TEXTS), max_size=8).map(lambda texts: [{"text": text} for text in texts])
SETS = st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=4), max_size=4)


def names(records, prefix: str) -> list[str]:
    return [f"{prefix}{n}" for n in range(len(records))]


def without_tables(data: bytes) -> bytes:
    """The index as it was saved when signatures were all it held."""
    size = int.from_bytes(data[:8], "little")
    header, content = orjson.loads(data[8 : 8 + size]), data[8 + size :]
    del header["__metadata__"]["bands"]
    kept, parts, end = {"__metadata__": header.pop("__metadata__")}, [], 0
    for name, entry in header.items():
        if not name.startswith(("near", "sketches")):
            part = content[slice(*entry["data_offsets"])]
            kept[name] = entry | {"data_offsets": [end, end + len(part)]}
            parts.append(part)
            end += len(part)
    text = orjson.dumps(kept)
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


@pytest.fixture(params=["copied", "adopted"])
def _size(request, monkeypatch):
    monkeypatch.setattr(columns, "ADOPTED_BYTES", 1 << 24 if request.param == "copied" else 1)


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("threshold", [0.7, 0.9])
def test_an_index_saved_without_tables_gives_the_same_verdicts(threshold):
    saved = NearDuplicateIndex(DedupSettings(), VIEWS)
    saved.add([{"text": text} for text in TEXTS], names(TEXTS, "s"))
    data = saved.dump()
    found = []
    for version in (data, without_tables(data)):
        index = NearDuplicateIndex(DedupSettings(threshold=threshold), VIEWS)
        index.add([{"text": "a seed of its own"}], ["seed"])
        index.load(version)
        later = [{"text": text} for text in (*TEXTS, "w1 w2 w3 w4 w5 w6 other", "a seed of its own")]
        found.append((index.screen(later, names(later, "n")), index.dump()))
    assert len(without_tables(data)) < len(data)
    assert found[0] == found[1]
    assert found[0][0][-1].id == "seed"


@given(RECORDS, RECORDS, RECORDS)
def test_sets_left_where_they_were_loaded_change_no_verdict_and_no_dump(first, second, third):
    usual, found = columns.ADOPTED_BYTES, []
    for limit in (usual, 1):
        columns.ADOPTED_BYTES = limit
        try:
            index = NearDuplicateIndex(DedupSettings(), VIEWS)
            for records, prefix in ((first, "a"), (second, "b")):
                saved = NearDuplicateIndex(DedupSettings(), VIEWS)
                saved.add(records, names(records, prefix))
                index.load(saved.dump())
                index.add(third[:1], names(third[:1], f"{prefix}c"))
            found.append((index.screen(third, names(third, "d")), index.dump()))
        finally:
            columns.ADOPTED_BYTES = usual
    assert found[0] == found[1]


@given(st.lists(st.tuples(st.booleans(), SETS), max_size=5), st.data())
def test_a_column_of_sets_in_pieces_gives_back_each_set(batches, data):
    usual, columns.ADOPTED_BYTES = columns.ADOPTED_BYTES, 1
    try:
        column, held = SetColumn(), []
        for adopted, sets in batches:
            values = np.array([value for one in sets for value in one], np.uint32)
            (column.adopt if adopted else column.extend)(values, np.array([len(one) for one in sets], np.int64))
            held += sets
    finally:
        columns.ADOPTED_BYTES = usual
    assert len(column) == len(held)
    places = data.draw(st.lists(st.integers(0, max(0, len(held) - 1)), max_size=6 if held else 0))
    values, sizes = column.take(np.array(places, np.int64))
    assert values.tolist() == [value for place in places for value in held[place]]
    assert sizes.tolist() == [len(held[place]) for place in places]


def test_a_file_mapped_into_memory_is_loaded_as_its_bytes_are(tmp_path):
    saved = NearDuplicateIndex(DedupSettings(), VIEWS)
    saved.add([{"text": text} for text in TEXTS], names(TEXTS, "s"))
    path = tmp_path / "index"
    path.write_bytes(saved.dump())
    index = NearDuplicateIndex(DedupSettings(), VIEWS)
    with path.open("rb") as file:
        index.load(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    matches = index.screen([{"text": text} for text in TEXTS], names(TEXTS, "n"))
    assert [match and match.id for match in matches] == names(TEXTS, "s")

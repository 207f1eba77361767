import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.tasks.sources.records import named, named_records, read_records

RECORDS = [{"question": "a"}, {"question": "b", "n": 1}]


@pytest.fixture
def put(tmp_path: Path):
    def write(content: Any, name: str = "samples.json") -> str:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    return write


def refusal(url: str) -> str:
    with pytest.raises(InputError) as caught:
        read_records(url)
    message = str(caught.value)
    assert url in message
    return message


@pytest.mark.parametrize("key", ["samples", "seeds", "data", "records"])
def test_a_document_may_hold_its_records_under_any_of_four_names(put, key):
    assert read_records(put({"_meta": {"version": 1}, key: RECORDS})) == RECORDS


def test_a_bare_list_is_read(put):
    assert read_records(put(RECORDS)) == RECORDS


def test_wrapped_records_are_unwrapped_and_keep_their_ids_as_names(put):
    url = put({"samples": [{"id": "SAMPLE_001", "task_type": "qa", "data": {"q": 1}}, {"id": 7, "data": {"q": 2}}]})
    assert named_records(url) == [("SAMPLE_001", {"q": 1}), ("7", {"q": 2})]


def test_records_without_an_id_are_named_by_their_position(put):
    assert [name for name, _ in named_records(put([{"q": 1}, {"id": "x", "q": 2}, {"q": 3}]))] == ["#1", "x", "#3"]


def test_a_records_own_field_data_is_left_in_place(put):
    bare = [{"instruction": "plot this", "data": {"x": [1, 2]}}]
    assert read_records(put(bare)) == bare
    rows = [{"id": "1", "data": [1, 2]}]
    assert read_records(put(rows)) == rows


def test_the_schema_decides_what_is_wrapped_where_it_is_known(put):
    wrapped = put([{"id": "1", "annotator": "kim", "data": {"question": "a"}}], "wrapped.json")
    assert named_records(wrapped, ["question"]) == [("1", {"question": "a"})]
    record = {"id": "1", "data": {"x": 1}}
    assert named_records(put([record], "bare.json"), ["data"]) == [("1", record)]
    both = put([{"id": "1", "data": {"data": {"x": 1}, "label": 2}}], "both.json")
    assert named_records(both, ["data", "label"]) == [("1", {"data": {"x": 1}, "label": 2})]


def test_json_lines_are_read_by_their_ending_or_because_every_line_is_an_object(put):
    lines = '\n{"q": 1}\n\n{"q": 2}\n'
    for name in ("a.jsonl", "a.ndjson", "a.JSONL", "a.json", "a.txt"):
        assert read_records(put(lines, name)) == [{"q": 1}, {"q": 2}]


def test_a_single_line_of_json_lines_is_one_record(put):
    assert read_records(put('{"q": 1}\n', "a.jsonl")) == [{"q": 1}]


def test_line_separators_inside_texts_do_not_end_a_line(put):
    assert read_records(put('{"q": "a\u2028b\x85c"}\n{"q": 1}', "a.jsonl")) == [{"q": "a\u2028b\x85c"}, {"q": 1}]


def test_a_first_line_of_meta_is_no_record(put):
    assert named_records(put('{"_meta": {"v": 1}}\n{"q": 1}', "a.jsonl")) == [("#2", {"q": 1})]


def test_a_byte_order_mark_is_no_part_of_the_text(put):
    assert read_records(put(b"\xef\xbb\xbf" + json.dumps(RECORDS).encode())) == RECORDS


def test_an_empty_list_has_no_records(put):
    assert read_records(put([])) == []
    assert read_records(put({"samples": []})) == []


def test_any_fsspec_address_is_read():
    fsspec.filesystem("memory").pipe_file("/records/samples.json", json.dumps(RECORDS).encode())
    assert read_records("memory://records/samples.json") == RECORDS


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refusal(str(tmp_path / "nothing.json"))


def test_a_folder_is_no_file(tmp_path):
    assert "a folder" in refusal(str(tmp_path))


def test_an_unknown_protocol_is_refused():
    assert "nope://x/y.json" in refusal("nope://x/y.json")


def test_text_that_is_not_utf_8_is_refused_with_its_byte(put):
    assert "not UTF-8 text (byte 8" in refusal(put('{"q": "问题"}'.encode("gb18030")[:7] + b'"\xff'))
    assert "not UTF-8" in refusal(put("[]".encode("utf-16")))


@pytest.mark.parametrize("blank", ["", "  \n\n"])
def test_an_empty_file_is_refused(put, blank):
    assert "the file is empty" in refusal(put(blank))
    assert "the file is empty" in refusal(put(blank, "a.jsonl"))


def test_half_a_json_is_refused_with_line_and_column(put):
    message = refusal(put('{"samples": [\n  {"id": 1,\n   "data": {"q": "a'))
    assert "line 3, column 20" in message


def test_a_bad_line_of_json_lines_is_refused_with_its_number(put):
    assert "line 3 is not valid JSON" in refusal(put('{"q": 1}\n\n{"q": \n', "a.jsonl"))
    assert "line 2 is a list, not an object" in refusal(put('{"q": 1}\n[1]\n', "a.jsonl"))


@pytest.mark.parametrize(("item", "found"), [("a", "a string"), (None, "null"), ([], "a list"), (3, "a number")])
def test_items_that_are_no_objects_are_refused_by_position(put, item, found):
    assert f"record 2 is {found}, not an object" in refusal(put([{"q": 1}, item]))


def test_a_document_without_a_list_says_what_it_found(put):
    assert "found: question, answer" in refusal(put({"question": "a", "answer": "b"}))
    assert "holds a number" in refusal(put("3"))


def test_a_container_that_is_no_list_is_named(put):
    assert '"samples" is an object, not a list' in refusal(put({"samples": {"question": "a"}}))
    assert '"seeds" is a string, not a list' in refusal(put({"seeds": "a, b"}))


def test_a_record_nested_beyond_use_is_refused_by_its_number(put):
    deep = '[{"q": 1}, {"q": ' + "[" * 250 + "]" * 250 + "}]"
    assert "record 2: nested more than 200 levels deep" in refusal(put(deep))


def test_two_lists_are_one_too_many(put):
    assert "samples, seeds" in refusal(put({"samples": RECORDS, "seeds": RECORDS}))


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3), max_size=4))
def test_bare_records_without_data_come_back_as_they_are(records):
    records = [record for record in records if "data" not in record and record.keys() != {"_meta"}]
    assert [record for _, record in named(records, where="x")] == records


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), max_size=4))
def test_wrapped_records_come_back_without_their_wrapper(records):
    items = [{"id": f"S{n}", "data": record, "synthetic": True} for n, record in enumerate(records)]
    assert named(items, where="x") == [(f"S{n}", record) for n, record in enumerate(records)]

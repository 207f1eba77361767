import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.tasks.sources.documents import plain_json, read_json, read_text, require_shallow

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("documents") / "file.json"

    def write(content: str | bytes) -> str:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def refusal(url: str) -> str:
    with pytest.raises(InputError) as caught:
        read_json(url)
    return str(caught.value)


def test_a_byte_order_mark_is_left_out(file):
    assert read_text(file(b"\xef\xbb\xbfabc")) == "abc"


def test_the_encoding_to_convert_from_is_named(file):
    assert "iconv -f GB18030" in refusal(file('{"问题": 1}'.encode("gb18030")))
    assert "iconv -f UTF-16" in refusal(file('{"a": 1}'.encode("utf-16")))


def test_half_a_document_is_refused_with_line_and_column(file):
    message = refusal(file('{\n  "a": [1,\n'))
    assert "not valid JSON at line 3, column 1" in message
    assert "the file was cut off" in message


def test_what_is_no_json_at_all_is_shown(file):
    assert 'no JSON: it begins with "id,question,answer"' in refusal(file("id,question,answer\n1,a,b\n"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(file, number):
    assert "not valid JSON at line 1, column" in refusal(file(f"[{number}]"))


def test_a_name_that_stands_twice_in_an_object_is_refused(file):
    assert 'the name "a" stands twice' in refusal(file('[{"a": 1, "b": 2, "a": 3}]'))


def test_whole_numbers_beyond_64_bits_become_floats_however_long(file):
    assert read_json(file(f"[{2**64 - 1}, {2**64}, {'1' * 300}]")) == [2**64 - 1, float(2**64), float("1" * 300)]


def test_nesting_beyond_use_is_refused(file):
    assert "more than 200 levels" in refusal(file("[" * 900 + "]" * 900))
    assert "not valid JSON" in refusal(file("[" * 5000 + "]" * 5000))
    require_shallow(json.loads("[" * 200 + "]" * 200), "x")
    with pytest.raises(InputError):
        require_shallow(json.loads("[" * 201 + "]" * 201), "x")


@pytest.mark.parametrize("name", ["nothing.json", "a\0b", "a" * 5000])
def test_what_is_not_there_is_said_to_be_missing(tmp_path: Path, name: str):
    assert "no such file" in refusal(str(tmp_path / name))


def test_a_name_below_a_file_is_missing(file):
    assert "no such file" in refusal(f"{file('{}')}/schema.json")


@pytest.mark.parametrize("value", [math.nan, {1, 2}, "\ud800", b"bytes", [object()]])
def test_values_that_json_cannot_say_are_refused_with_their_place(value: Any):
    with pytest.raises(InputError, match="seeds: cannot be written as JSON"):
        plain_json({"a": value}, "seeds")


def test_a_value_that_contains_itself_is_refused():
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(InputError, match="cannot be written as JSON"):
        plain_json(endless, "seeds")


def test_tuples_are_lists_in_json():
    assert plain_json({"a": (1, 2)}, "seeds") == {"a": [1, 2]}


@given(JSON)
def test_a_value_given_by_a_program_is_what_the_same_file_would_give(file, value):
    assert plain_json(value, "x") == read_json(file(json.dumps(value)))


@given(st.binary(max_size=60) | st.text('[]{}":,1ae. \n', max_size=40).map(str.encode))
def test_any_bytes_are_a_document_or_refused_in_a_sentence(file, content):
    url, message = file(content), ""
    try:
        read_json(url)
    except InputError as error:
        message = str(error)
    assert not message or message.startswith(url)

"""Whatever a model wraps its records in, they come back; what was cut off never does."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.generate.parse import ParsedReply, parse_reply

SCHEMA = RecordSchema(
    fields=(
        Field(name="id"),
        Field(name="question"),
        Field(name="answer", type="any"),
        Field(name="steps", type="array", items=Field(name="step"), required=False),
        Field(
            name="source",
            type="object",
            required=False,
            fields=(Field(name="question", required=False), Field(name="page", type="integer", required=False)),
        ),
        Field(
            name="turns",
            type="array",
            required=False,
            items=Field(name="turn", type="object", fields=(Field(name="question"), Field(name="role"))),
        ),
    )
)
A = {"question": "What is 2 + 2?", "answer": "4"}
B = {"question": 'He said "no" {twice}; why?', "answer": "[see], `there`\n```json\n{}\n```"}
C = {"question": "问：“今天”几号？", "answer": "C:\\dir, it's here", "steps": ["a", "b"]}


def parse(text: str, *, cut: bool = False) -> ParsedReply:
    return parse_reply(text, SCHEMA, cut=cut)


def records_of(text: str, *, cut: bool = False) -> list[dict[str, Any]]:
    return list(parse(text, cut=cut).records)


def dumps(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


WRAPPINGS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "a bare array": dumps,
    "an indented array": lambda records: dumps(records, indent=2),
    "escaped for ASCII": json.dumps,
    "the records object": lambda records: dumps({"records": records}),
    "another object with one list": lambda records: dumps({"count": len(records), "samples": records}),
    "two objects deep": lambda records: dumps({"result": {"data": records, "note": "[1]"}}, indent=1),
    "samples as DataRecipe writes them": lambda records: dumps(
        [{"id": f"S{i}", "data": r} for i, r in enumerate(records)]
    ),
    "a fence": lambda records: f"```json\n{dumps(records, indent=2)}\n```",
    "a fence for each record": lambda records: "\n\n".join(
        f"### {i}\n```\n{dumps(r)}\n```" for i, r in enumerate(records)
    ),
    "prose on both sides": lambda records: (
        f"Here are {{n}} [new] records, it's done:\n{dumps(records)}\nThat's \"all\" [end]."
    ),
    "lines": lambda records: "\n".join(map(dumps, records)),
    "lines with commas": lambda records: ",\n".join(map(dumps, records)),
    "thinking before": lambda records: f'<think>Draft: [{{"question": "draft"}}] don\'t</think>\n{dumps(records)}',
    "the end of thinking before": lambda records: f"Let's see, it's {{easy}}.</think>\n\n{dumps(records)}",
    "a trailing comma after the last record": lambda records: dumps(records)[:-1] + ",]",
    "a missing end of the array": lambda records: dumps(records)[:-1],
    "a missing end of the wrapper": lambda records: '{"records": ' + dumps(records),
    "no commas between records": lambda records: "[" + "\n".join(map(dumps, records)) + "]",
    "comments between records": lambda records: (
        "[" + ", // it's {next}\n /* [x */".join(map(dumps, records)) + "\n# end\n]"
    ),
    "a sketch before": lambda records: f'{{"records": [{{"question": …}}, …]}}\n{dumps({"records": records})}',
    "a byte order mark": lambda records: "\ufeff" + dumps(records),
    "a Python list": repr,
    "a Python wrapper": lambda records: repr({"records": records}),
}

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        '"',
        "'",
        "it's",
        "\\",
        '\\"',
        "{",
        "}",
        "[{",
        "}]",
        "```",
        "```json\n[",
        "</think>[",
        "<think>",
        "//",
        "/*",
        "“",
        '",',
        "': ",
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
valid_records = st.fixed_dictionaries(
    {"question": texts, "answer": values},
    optional={
        "steps": st.lists(texts, max_size=3),
        "source": st.fixed_dictionaries({}, optional={"question": texts, "page": st.integers(0, 9)}),
        "turns": st.lists(st.fixed_dictionaries({"question": texts, "role": texts}), max_size=2),
    },
)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@settings(deadline=None)
@given(records=st.lists(valid_records, min_size=1, max_size=4))
@example(records=[A, B, C])
def test_valid_records_come_back_from_any_wrapping(wrapping: str, records: list[dict[str, Any]]) -> None:
    parsed = parse(WRAPPINGS[wrapping](records))
    assert list(parsed.records) == records
    assert (parsed.miss, parsed.lost) == (None, 0)


def _ends(text: str, records: list[dict[str, Any]], written: Callable[[Any], str]) -> list[int]:
    ends, position = [], 0
    for record in records:
        position = text.index(written(record), position) + len(written(record))
        ends.append(position)
    return ends


CUTTABLE: dict[str, tuple[Callable[[Any], str], Callable[[list[dict[str, Any]]], str]]] = {
    "array": (dumps, dumps),
    "ASCII array": (json.dumps, json.dumps),
    "wrapper": (dumps, lambda records: dumps({"records": records})),
    "lines": (dumps, lambda records: "\n".join(map(dumps, records))),
    "fence": (dumps, lambda records: f"Here they are:\n```json\n{dumps(records)}\n```"),
    "Python": (repr, repr),
    "trailing commas": (
        lambda record: dumps(record)[:-1] + ",}",
        lambda records: "[" + "".join(dumps(record)[:-1] + ",}, " for record in records) + "]",
    ),
}


@pytest.mark.parametrize("form", CUTTABLE)
@settings(deadline=None)
@given(data=st.data(), records=st.lists(valid_records, min_size=1, max_size=3))
def test_a_cut_reply_yields_exactly_the_whole_records_before_the_cut(
    form: str, data: st.DataObject, records: list[dict[str, Any]]
) -> None:
    written, wrap = CUTTABLE[form]
    text = wrap(records)
    ends = _ends(text, records, written)
    position = data.draw(st.integers(0, len(text)))
    parsed = parse(text[:position], cut=True)
    whole = sum(end <= position for end in ends)
    assert list(parsed.records) == records[:whole]
    assert parsed.lost <= 1


@pytest.mark.parametrize("cut", [True, False])
def test_every_cut_of_nested_records_yields_the_whole_ones_only(cut: bool) -> None:
    nested = {"question": "q", "answer": {"question": "inner"}, "turns": [{"question": "t", "role": "user"}] * 2}
    text = dumps({"records": [nested, A, nested]}, indent=1)
    ends = [i + 1 for i in range(len(text)) if text[: i + 1].endswith("\n  }")]
    assert len(ends) == 3
    for position in range(len(text)):
        assert records_of(text[:position], cut=cut) == [nested, A, nested][: sum(end <= position for end in ends)]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("""{}[]",:'\\ /*#\n“”a1.-`<>tuple""")) | st.text(), st.booleans())
@example('{"a":' * 5000, False)
@example("[" * 20000, False)
@example('[{"question": ' * 5000, True)
@example('{"question": ' + "9" * 5000 + "}", False)
@example('{"question": "' + "{'" * 3000 + "}" * 3000, False)
def test_no_text_raises(text: str, cut: bool) -> None:
    parsed = parse(text, cut=cut)
    for record in parsed.records:
        orjson.dumps(record)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ['{"question": "x"', ', "answer"', ": ", '"', "'", "}", "{", "[", "]", ",", "\\", "1", "NaN", " // x\n"]
        )
    )
)
def test_no_heap_of_fragments_raises(fragments: list[str]) -> None:
    assert parse("".join(fragments)).lost >= 0


BROKEN = {
    "a trailing comma": '{"question": "q", "answer": [1, 2,],}',
    "raw line breaks": '{"question": "q", "answer": "line\nbreak\ttab"}',
    "unescaped quotation marks": '{"question": "He said "hi" to me, twice", "answer": "y"}',
    "unescaped marks before Chinese punctuation": '{"question": "他说"你好"，然后走了", "answer": "y"}',
    "one unescaped mark": '{"question": "a 5" disk", "answer": "y"}',
    "a missing comma": '{"question": "q"\n "answer": "y"}',
    "unquoted keys": '{question: "q", answer: "y"}',
    "single quotation marks": "{'question': 'it\\'s', 'answer': True}",
    "typographic quotation marks": "{“question”：“今天”，“answer”：“一”}",
    "a comment": '{"question": "q", // it\'s {open\n "answer": "y"}',
    "a hash comment": '{"question": "q", # it\'s {open\n "answer": "y"}',
    "a block comment": '{"question": "q", /* " { */ "answer": "y"}',
    "LaTeX": '{"question": "\\alpha \\sum", "answer": "y"}',
    "a missing bracket inside": '{"question": "q", "answer": [1, 2}',
}
REPAIRED = {
    "a trailing comma": {"question": "q", "answer": [1, 2]},
    "raw line breaks": {"question": "q", "answer": "line\nbreak\ttab"},
    "unescaped quotation marks": {"question": 'He said "hi" to me, twice', "answer": "y"},
    "unescaped marks before Chinese punctuation": {"question": '他说"你好"，然后走了', "answer": "y"},
    "one unescaped mark": {"question": 'a 5" disk', "answer": "y"},
    "a missing comma": {"question": "q", "answer": "y"},
    "unquoted keys": {"question": "q", "answer": "y"},
    "single quotation marks": {"question": "it's", "answer": True},
    "typographic quotation marks": {"question": "今天", "answer": "一"},
    "a comment": {"question": "q", "answer": "y"},
    "a hash comment": {"question": "q", "answer": "y"},
    "a block comment": {"question": "q", "answer": "y"},
    "LaTeX": {"question": "\\alpha \\sum", "answer": "y"},
    "a missing bracket inside": {"question": "q", "answer": [1, 2]},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_closed_object_is_repaired_and_its_neighbours_are_untouched(fault: str) -> None:
    assert records_of(f"[{dumps(B)}, {BROKEN[fault]}, {dumps(C)}]") == [B, REPAIRED[fault], C]


@pytest.mark.parametrize("fault", BROKEN)
def test_a_closed_object_is_repaired_in_a_cut_reply_too(fault: str) -> None:
    parsed = parse(f'{{"records": [{BROKEN[fault]}, {dumps(B)}, {{"question": "cut', cut=True)
    assert (list(parsed.records), parsed.lost) == ([REPAIRED[fault], B], 1)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_object_alone_is_repaired(fault: str) -> None:
    assert records_of(f"Sure!\n{BROKEN[fault]}\nDone.") == [REPAIRED[fault]]


SHORTENED = '{"question": "He said "hi", and } left", "answer": "y"}'


@pytest.mark.parametrize("text", [f"[{SHORTENED}, {dumps(A)}]", f"{SHORTENED}\n{dumps(A)}"], ids=["list", "lines"])
def test_an_object_that_seems_to_end_inside_of_a_string_is_lost_and_not_shortened(text: str) -> None:
    parsed = parse(text)
    assert (list(parsed.records), parsed.lost) == ([A], 1)


def test_typographic_quotation_marks_inside_valid_json_stay_as_they_are() -> None:
    assert records_of(dumps([C])) == [C]


def test_a_record_without_its_closing_brace_is_lost_and_the_next_one_is_not() -> None:
    parsed = parse('[{"question": "a", "answer": "b", {"question": "c", "answer": "d"}]')
    assert (parsed.records, parsed.lost) == (({"question": "c", "answer": "d"},), 1)


def test_a_cut_record_that_would_parse_after_repair_is_not_repaired() -> None:
    parsed = parse('[{"question": "a", "answer": "b"', cut=True)
    assert (parsed.records, parsed.lost) == ((), 1)


def test_a_record_whose_closing_brace_is_the_last_character_is_whole() -> None:
    parsed = parse(dumps([A, B])[:-1], cut=True)
    assert (parsed.records, parsed.lost, parsed.miss) == ((A, B), 0, None)


def test_a_single_object_that_is_a_record_is_read() -> None:
    assert records_of(dumps(A)) == [A]


def test_an_object_inside_of_a_record_is_no_record() -> None:
    nested = {"question": "q", "answer": [{"question": "inner", "answer": "x"}]}
    assert records_of(dumps(nested)) == [nested]


def test_objects_without_any_asked_field_are_no_records() -> None:
    parsed = parse('[{"topic": "x"}, {"id": "1"}, 3, "question"]')
    assert (parsed.records, parsed.miss) == ((), "unparsable")


def test_an_echo_of_the_schema_is_no_record() -> None:
    assert records_of(dumps(SCHEMA.json_schema()) + "\n" + dumps([A])) == [A]


def test_a_blank_reply_is_empty() -> None:
    assert parse(" \n\t").miss == "empty"


def test_prose_is_unparsable_and_shown() -> None:
    parsed = parse("I cannot help with that [sorry].")
    assert (parsed.miss, parsed.lost) == ("unparsable", 0)
    assert "I cannot help" in parsed.detail


@pytest.mark.parametrize("text", ["[]", '{"records": []}', "```json\n[ ]\n```"])
def test_an_empty_list_was_read_and_holds_nothing(text: str) -> None:
    assert parse(text) == ParsedReply()


def test_a_reply_cut_while_thinking_holds_no_records() -> None:
    assert records_of('<think>Maybe [{"question": "draft", "answer": "x"}]', cut=True) == []


def test_a_think_block_inside_of_a_record_is_kept() -> None:
    record = {"question": "q", "answer": "<think>a</think>[b]"}
    assert records_of(f"Here:\n{dumps([record])}") == [record]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "123456789012345678901234567890"])
def test_a_number_that_json_cannot_carry_loses_its_record_only(number: str) -> None:
    parsed = parse(f'[{dumps(A)}, {{"question": "q", "answer": {number}}}, {dumps(B)}]')
    assert (list(parsed.records), parsed.lost) == ([A, B], 1)


def test_a_lone_surrogate_loses_its_record_only() -> None:
    parsed = parse('[{"question": "\\ud800", "answer": "x"}, ' + dumps(A) + "]")
    assert (list(parsed.records), parsed.lost) == ([A], 1)


def test_of_a_repeated_key_the_last_value_holds() -> None:
    assert records_of('{"question": "a", "question": "b", "answer": "c"}') == [{"question": "b", "answer": "c"}]


def test_nulls_of_strict_output_are_left_out_at_any_depth() -> None:
    text = '{"question": "q", "answer": null, "steps": null, "source": {"question": null, "page": 3}, "id": null}'
    assert records_of(text) == [{"question": "q", "answer": None, "source": {"page": 3}, "id": None}]


def test_a_schema_with_a_field_called_records_is_told_from_the_wrapper() -> None:
    schema = RecordSchema(fields=(Field(name="records", type="array"), Field(name="title")))
    record = {"title": "t", "records": [{"x": 1}]}
    for text in (dumps([record]), dumps({"records": [record]}), dumps({"records": [record]})[:-1], dumps(record)):
        assert parse_reply(text, schema, cut=False).records == (record,)


def test_half_a_megabyte_of_broken_records_takes_a_bounded_number_of_attempts() -> None:
    # No clock: the budget of strict attempts bounds the work, and without it this test would not end in its time.
    text = "[" + ",".join('{"question": "q", "answer": [[{"x": "y"},],]}' for _ in range(10_000)) + "]"
    parsed = parse(text[:500_000])
    assert len(parsed.records) > 9_500


@pytest.mark.parametrize(
    "unit", ["[", "{", '{"a":', '[{"question":"x",', "[{", "{'", "}{[", "/*", '{"', "[ [", "“", "{a:1 "]
)
def test_a_megabyte_of_brackets_ends(unit: str) -> None:
    assert parse(unit * (1_000_000 // len(unit))).lost >= 0

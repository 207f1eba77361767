"""Which texts of a record are looked at, and what each is taken to be for."""

from typing import Any

import pytest

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.quality.passages import passages_of
from datasynth.tasks.validate.findings import path_text


def parts(record: dict[str, Any], roles: dict[str, str] | None = None, **fields: Field) -> dict[str, tuple[str, str]]:
    """Part and text by path."""
    schema = RecordSchema(fields=tuple(fields.get(name) or Field(name=name, type="any") for name in record))
    return {path_text(p.keys): (p.part, p.text) for p in passages_of([None, record], schema, roles or {}).all}


def test_roles_say_what_a_text_is_for():
    roles = {"instruction": "q", "input": "i", "response": "r"}
    assert parts({"q": "1", "i": "2", "r": "3", "note": "4", "n": 5}, roles) == {
        "q": ("ask", "1"),
        "i": ("context", "2"),
        "r": ("answer", "3"),
        "note": ("free", "4"),
    }


def test_without_roles_usual_names_say_it():
    assert parts({"question": "1", "solution": "2", "topic": "3"}) == {
        "question": ("ask", "1"),
        "solution": ("answer", "2"),
        "topic": ("free", "3"),
    }


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (
            [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "u"},
                {"role": "assistant", "content": "a"},
            ],
            {"m[0].content": ("context", "s"), "m[1].content": ("ask", "u"), "m[2].content": ("answer", "a")},
        ),
        (
            [{"value": "u", "from": "human"}, {"from": "gpt", "value": "a", "weight": 1}],
            {"m[0].value": ("ask", "u"), "m[1].value": ("answer", "a")},
        ),
        ([{"human": "u", "assistant": "a"}], {"m[0].human": ("ask", "u"), "m[0].assistant": ("answer", "a")}),
        (
            [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}],
            {"m[0].content[0].type": ("answer", "text"), "m[0].content[0].text": ("answer", "a")},
        ),
        (["x", "y"], {"m[0]": ("free", "x"), "m[1]": ("free", "y")}),
    ],
)
def test_messages_are_what_their_speakers_make_them(messages: list[Any], expected: dict[str, Any]):
    assert parts({"m": messages}, {"conversation": "m"}) == expected


def test_an_assistants_message_in_a_rejected_list_is_rejected():
    record = {"rejected": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
    assert parts(record, {"rejected": "rejected", "chosen": "c"}) == {
        "rejected[0].content": ("ask", "u"),
        "rejected[1].content": ("rejected", "a"),
    }


def test_labels_are_nobodys_words_and_codes_and_formats_are_no_prose():
    fields = (
        Field(name="label", enum=("TODO", "x")),
        Field(name="code", pattern="^X+$"),
        Field(name="mail", format="email"),
        Field(name="text"),
    )
    record = {"label": "TODO", "code": "XXX", "mail": "a@b.cc", "text": "t"}
    found = passages_of([record], RecordSchema(fields=fields), {}).all
    assert [(p.place, p.listed) for p in found] == [("code", True), ("mail", True), ("text", False)]


def test_a_place_is_the_same_for_all_items():
    schema = RecordSchema(fields=(Field(name="steps", type="array"),))
    assert {p.place for p in passages_of([{"steps": ["a", "b"]}], schema, {}).all} == {"steps"}

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.record import Field
from datasynth.tasks.detect.shapes import (
    may_hold_messages,
    message_keys,
    messages_form,
    schema_messages_form,
    utterances_form,
    values_of,
    why_no_text,
)

TURN = {"role": "user", "content": "hi"}
MESSAGE = Field(name="", type="object", fields=(Field(name="role"), Field(name="content")))


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (["role", "content"], "role/content"),
        (["from", "value"], "from/value"),
        (["Speaker", "Text", "id"], "Speaker/Text"),
        (["角色", "内容"], "角色/内容"),
        (["human", "assistant"], "human/assistant"),
        (["question", "answer", "score"], "question/answer"),
        (["role"], ""),
        (["name", "price"], ""),
        ([], ""),
    ],
)
def test_a_message_says_who_speaks_and_what(names, form):
    assert message_keys(names) == form


@pytest.mark.parametrize("value", [[], "hi", None, {"role": "user"}, ["hi"], [TURN, "hi"], [{"a": 1}]])
def test_what_is_no_list_of_messages_has_no_form(value):
    assert messages_form(value) == ""


def test_messages_of_two_forms_are_none():
    assert messages_form([TURN, TURN]) == "role/content"
    assert messages_form([TURN, {"from": "gpt", "value": "hi"}]) == ""


def test_bare_texts_and_pairs_are_utterances_of_a_field_called_a_conversation():
    assert utterances_form(["hi", "hello"]) == "text/text"
    assert utterances_form([["hi", "hello"], ["bye", "bye"]]) == "[text, text]"
    assert utterances_form([TURN]) == "role/content"
    assert utterances_form(["hi"]) == utterances_form([]) == utterances_form([["a", "b", "c"]]) == ""


def test_the_schema_tells_messages_by_the_fields_of_the_items():
    assert schema_messages_form(Field(name="x", type="array", items=MESSAGE)) == "role/content"
    assert schema_messages_form(Field(name="x", type="array")) == ""
    assert schema_messages_form(MESSAGE) == ""


@pytest.mark.parametrize(
    ("field", "may"),
    [
        (Field(name="x", type="any"), True),
        (Field(name="x", type="array"), True),
        (Field(name="x", type="array", items=Field(name="", type="object")), True),
        (Field(name="x", type="array", items=Field(name="", type="integer")), False),
        (Field(name="x", type="any", any_of=(Field(name=""), Field(name="", type="array"))), True),
        (Field(name="x", type="any", any_of=(Field(name=""), Field(name="", type="integer"))), False),
        (Field(name="x"), False),
    ],
)
def test_a_schema_may_leave_room_for_messages(field, may):
    assert may_hold_messages(field) is may


def test_missing_and_null_values_are_no_values():
    assert values_of(Field(name="a"), [{"a": 1}, {}, {"a": None}, {"a": 0}]) == [1, 0]


@pytest.mark.parametrize(
    "field",
    [
        Field(name="a"),
        Field(name="a", type="any"),
        Field(name="a", type="any", any_of=(Field(name="", type="integer"), Field(name=""))),
        Field(name="a", type="array", items=MESSAGE),
    ],
)
def test_a_schema_alone_can_promise_texts(field):
    assert why_no_text(field, []) is None


def test_values_decide_where_the_schema_leaves_it_open():
    field = Field(name="a", type="any")
    assert why_no_text(field, [{"a": "hi"}, {"a": [TURN]}]) is None
    assert str(why_no_text(field, [{"a": "hi"}, {"a": 3}])) == '"a" holds neither texts nor messages in the seeds.'


def test_labels_and_numbers_are_no_texts():
    assert str(why_no_text(Field(name="a", enum=("x", "y")), [])) == '"a" is one of 2 listed values, not a text.'
    assert str(why_no_text(Field(name="a", type="number"), [])) == '"a" is not a text but of the type number.'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "from", "value", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_value_has_a_form_or_none(value):
    form = messages_form(value)
    assert form in ("", utterances_form(value))
    if form:
        assert all(name in item for item in value for name in form.split("/"))

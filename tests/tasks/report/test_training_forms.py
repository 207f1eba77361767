"""Records in the forms of training programs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.conversations import Turn, UnfitError, turns_of
from datasynth.tasks.report.training import TrainingForm, TrainingFormat

ASKED = [Turn("user", "Why?"), Turn("assistant", "So.")]


def form(name: TrainingFormat, record: dict[str, Any]) -> TrainingForm:
    types = {str: "string", list: "array"}
    fields = tuple(Field(name=key, type=types.get(type(value), "any")) for key, value in record.items())  # pyright: ignore
    return TrainingForm(name, RecordSchema(fields=fields), [record])


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}],
        [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}],
        [{"content": "Why?", "role": "用户"}, {"content": "So.", "role": "助手"}],
        [{"human": "Why?", "assistant": "So."}],
        [{"question": "Why?", "answer": "So."}],
        ["Why?", "So."],
        [["Why?", "So."]],
        [["user", "Why?"], ["assistant", "So."]],
        [{"role": "Ann", "content": "Why?"}, {"role": "Bob", "content": "So."}],
        [{"speaker": "顾客", "text": "Why?"}, {"speaker": "店员", "text": "So."}],
    ],
)
def test_every_form_of_a_conversation_is_read(value: list[Any]):
    assert turns_of(value, set()) == ASKED


def test_a_clerk_who_speaks_first_is_still_no_user():
    value = [{"role": "客服", "content": "Hello."}, {"role": "客户", "content": "Why?"}]
    assert turns_of(value, set()) == [Turn("assistant", "Hello."), Turn("user", "Why?")]


@pytest.mark.parametrize(
    "value",
    [
        "Why?",
        [],
        [{"role": "user", "content": None}],
        [{"role": name, "content": "x"} for name in ("Ann", "Bob", "Cid")],
    ],
)
def test_what_is_no_conversation_of_two_is_refused(value: Any):
    with pytest.raises(UnfitError):
        turns_of(value, set())


@given(st.lists(st.text(), min_size=2))
def test_no_text_of_a_conversation_is_lost_or_changed(texts: list[str]):
    value = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    assert [turn.text for turn in turns_of(value, set())] == texts


def test_sharegpt_names_speakers_as_llama_factory_does():
    said = [("system", "s"), ("user", "u"), ("function_call", "c"), ("tool", "t"), ("assistant", "a")]
    record = {"messages": [{"role": who, "content": text} for who, text in said]}
    assert [turn["from"] for turn in form("sharegpt", record).of(record)["conversations"]] == [
        "system", "human", "function_call", "observation", "gpt",
    ]  # fmt: skip


def test_keys_of_messages_that_have_no_place_are_named():
    said = [("user", "Why?"), ("assistant", "So.")]
    record = {"messages": [{"role": who, "content": text, "time": 1} for who, text in said]}
    one = form("sharegpt", record)
    one.of(record)
    assert one.left_out == {"messages[].time"}


def test_an_input_stands_in_alpaca_by_itself_and_in_sharegpt_below_the_instruction():
    record = {"instruction": "Translate:", "input": "Hallo", "output": "Hello"}
    assert form("alpaca", record).of(record) == record
    assert form("sharegpt", record).of(record)["conversations"][0] == {"from": "human", "value": "Translate:\nHallo"}


def test_a_pair_with_messages_in_it_is_messages_throughout():
    record = {
        "prompt": "Why?",
        "chosen": [{"from": "gpt", "value": "So."}],
        "rejected": [{"from": "gpt", "value": "No."}],
    }
    assert form("dpo", record).of(record) == {
        "prompt": [{"role": "user", "content": "Why?"}],
        "chosen": [{"role": "assistant", "content": "So."}],
        "rejected": [{"role": "assistant", "content": "No."}],
    }


def test_a_pair_may_have_its_prompt_in_both_answers():
    record = {"chosen": "Why? So.", "rejected": "Why? No."}
    assert form("dpo", record).of(record) == record


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("alpaca", {"prompt": "a", "chosen": "b", "rejected": "c"}),
        ("dpo", {"instruction": "a", "response": "b"}),
        ("sharegpt", {"title": "a", "body": "b"}),
    ],
)
def test_data_of_another_kind_are_refused(name: TrainingFormat, record: dict[str, Any]):
    with pytest.raises(InputError, match="does not fit the fields"):
        form(name, record)


def test_a_record_that_lacks_its_answer_is_refused():
    one = form("alpaca", {"instruction": "a", "response": "b"})
    with pytest.raises(UnfitError):
        one.of({"instruction": "a"})

"""Records of the simulated model that fit their schema and are bad training data."""

from typing import Any

import pytest

from datasynth.tasks.llm.simulated.knobs import CONTENT_FAULTS
from datasynth.tasks.llm.simulated.reading import Reading, read_prompt
from datasynth.tasks.llm.simulated.spoiled import DECLINES, spoilt

RECORD = {"question": "How do I reset it?", "answer": "Hold the button.", "topic": "a very long text on something else"}
TALK = {"messages": [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "Hold the button."}]}


@pytest.fixture(scope="module")
def reading() -> Reading:
    return read_prompt("You write records in English.", "Now write exactly 1 new record.", b"")


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_every_fault_changes_the_answer_and_nothing_else(reading: Reading, fault: str):
    spoiled = spoilt(RECORD, fault, reading)
    assert spoiled["answer"] != RECORD["answer"]
    assert spoiled | {"answer": ""} == RECORD | {"answer": ""}


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_in_a_conversation_it_is_the_last_message(reading: Reading, fault: str):
    first, last = spoilt(TALK, fault, reading)["messages"]
    assert first == TALK["messages"][0]
    assert last["content"] != TALK["messages"][1]["content"]


@pytest.mark.parametrize(
    ("record", "spoiled"),
    [
        ({"chosen": "Good.", "rejected": "A bad answer."}, "chosen"),
        ({"title": "t", "story": "Once upon a time."}, "story"),
        ({"n": 3}, None),
        ({"messages": ["x"]}, None),
    ],
)
def test_without_a_field_called_an_answer_it_is_the_longest_text(
    reading: Reading, record: dict[str, Any], spoiled: str | None
):
    expected = record | ({spoiled: DECLINES["en"]} if spoiled else {})
    assert spoilt(record, "declined", reading) == expected

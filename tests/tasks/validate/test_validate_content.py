"""What a schema does not say: blank texts, the same answer twice, people who do not take turns."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.record import Field, JsonType, RecordSchema
from datasynth.tasks.validate.content import ContentRules
from datasynth.tasks.validate.findings import path_text

PAIR = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
TALK = {"conversation": "messages"}


def schema(*names: str, kind: JsonType = "string") -> RecordSchema:
    return RecordSchema(fields=tuple(Field(name=name, type=kind) for name in names))


def found(
    record_schema: RecordSchema, roles: dict[str, str], *records: Any, **options: Any
) -> list[tuple[int, str, str]]:
    problems = ContentRules(record_schema, roles, **options).check(records)
    return [(problem.row, path_text(problem.keys), problem.check) for problem in problems]


def talk(*turns: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def talks(*records: Any) -> list[tuple[int, str, str]]:
    return found(schema("messages", kind="array"), TALK, *records)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "　", "\u00a0\u2003"])
def test_a_required_text_says_something(text):
    assert found(schema("a"), {}, {"a": text}, {"a": "x"}) == [(0, "a", "blank")]


def test_an_optional_text_may_be_blank():
    optional = RecordSchema(fields=(Field(name="a", required=False),))
    assert found(optional, {}, {"a": ""}, {}) == []


def test_an_optional_text_with_a_role_of_its_own_may_not_be_blank():
    optional = RecordSchema(fields=(Field(name="a", required=False),))
    assert found(optional, {"response": "a"}, {"a": ""}, {}) == [(0, "a", "blank")]


def test_a_text_that_the_schema_allows_to_be_empty_may_be_blank():
    assert found(RecordSchema(fields=(Field(name="a", min_length=0),)), {}, {"a": ""}) == []
    assert found(RecordSchema(fields=(Field(name="a", enum=("", "x")),)), {}, {"a": ""}) == []


def test_the_input_of_an_instruction_may_be_blank():
    roles = {"instruction": "instruction", "input": "input", "response": "output"}
    record = {"instruction": "Sing.", "input": "", "output": ""}
    assert found(schema("instruction", "input", "output"), roles, record) == [(0, "output", "blank")]


def test_texts_that_are_blank_in_the_seeds_may_be_blank():
    assert found(schema("a", "b"), {}, {"a": "", "b": ""}, may_be_blank=("a",)) == [(0, "b", "blank")]


def test_the_rejected_answer_is_not_the_chosen_one():
    records = [{"prompt": "p", "chosen": "yes", "rejected": text} for text in ("yes", " yes\n", "no", "Yes")]
    assert found(schema("prompt", "chosen", "rejected"), PAIR, *records) == [
        (0, "rejected", "same"),
        (1, "rejected", "same"),
    ]


def test_chosen_and_rejected_conversations_are_compared_by_content():
    answers = RecordSchema(fields=(Field(name="chosen", type="array"), Field(name="rejected", type="array")))
    one, again = [{"role": "assistant", "content": "yes"}], [{"content": "yes", "role": "assistant"}]
    roles = {"chosen": "chosen", "rejected": "rejected"}
    assert found(answers, roles, {"chosen": one, "rejected": again}) == [(0, "rejected", "same")]


def test_a_chosen_conversation_may_be_the_answer_alone():
    answers = RecordSchema(fields=(Field(name="chosen", type="array"),))
    assert found(answers, {"chosen": "chosen"}, {"chosen": [{"role": "assistant", "content": "yes"}]}) == []


def test_refused_records_are_passed_over():
    assert found(schema("a"), {}, None, {"a": ""}, None) == [(1, "a", "blank")]


def test_no_records_have_no_problems():
    assert talks() == []


def test_people_take_turns():
    good = talk(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    bad = talk(("user", "a"), ("user", "b"), ("assistant", "c"))
    assert talks(good, bad) == [(1, "messages[1].role", "roles")]


def test_one_conversations_end_is_not_the_start_of_the_next():
    assert talks(talk(("user", "a")), talk(("user", "a"), ("assistant", "b"))) == []


def test_the_user_opens():
    assert talks(talk(("assistant", "hello"), ("user", "hi"))) == [(0, "messages[0].role", "roles")]


def test_the_user_opens_after_the_system_too():
    assert talks(talk(("system", "be kind"), ("user", "a"), ("assistant", "b"))) == []
    assert talks(talk(("system", "be kind"), ("assistant", "b"))) == [(0, "messages[1].role", "roles")]


def test_the_system_speaks_first_if_at_all():
    record = talk(("user", "a"), ("assistant", "b"), ("system", "c"))
    assert talks(record) == [(0, "messages[2].role", "roles")]


def test_tools_may_answer_several_times_in_a_row():
    assert talks(talk(("user", "a"), ("assistant", "b"), ("tool", "1"), ("tool", "2"), ("assistant", "c"))) == []


def test_there_is_no_third_party_beside_user_and_assistant():
    assert talks(talk(("user", "a"), ("assistant", "b"), ("narrator", "c"))) == [(0, "messages[2].role", "roles")]


def test_two_parties_of_other_names_may_talk():
    assert talks(talk(("Alice", "a"), ("Bob", "b"), ("Alice", "c"))) == []


@pytest.mark.parametrize(("user", "assistant"), [("human", "gpt"), ("用户", "助手"), (" User ", "ASSISTANT")])
def test_speakers_are_known_by_many_names(user, assistant):
    assert talks(talk((user, "a"), (assistant, "b"))) == []
    assert talks(talk((assistant, "a"), (user, "b"))) == [(0, "messages[0].role", "roles")]


def test_the_names_of_sharegpt_are_read_too():
    record = {"messages": [{"from": "human", "value": "a"}, {"from": "gpt", "value": " "}]}
    assert talks(record) == [(0, "messages[1].value", "blank")]


def test_every_message_says_something():
    assert talks(talk(("user", "a"), ("assistant", ""))) == [(0, "messages[1].content", "blank")]


def test_a_message_that_calls_a_tool_needs_no_text():
    record = {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [{"id": 1}]}]
    }
    assert talks(record) == []


def test_a_message_in_parts_says_something():
    assert talks(talk(("user", [{"type": "text", "text": "a"}]), ("assistant", "b"))) == []


def test_a_conversation_has_messages():
    assert talks({"messages": []}) == [(0, "messages", "blank")]


def test_a_message_without_a_role_is_named():
    assert talks({"messages": [{"content": "a"}]}) == [(0, "messages[0]", "roles")]


def test_a_conversation_of_bare_texts_names_nobody():
    assert talks({"messages": ["a", "b"]}) == []


def test_a_conversation_that_is_missing_has_no_turns():
    assert talks({}, {"messages": None}) == []


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "system", "tool", "User ", "gpt", "客服", "", 3, None]),
            "content": st.sampled_from(["words", " ", "", "\x1c", None, [{"type": "text"}]]),
            "from": st.sampled_from(["human", "gpt", "observation"]),
            "value": st.sampled_from(["words", ""]),
            "tool_calls": st.just([1]),
        },
    )
    | st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": st.sampled_from(["a", "b", ""])}
    ),
    max_size=5,
)


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=6), st.booleans())
def test_a_glance_at_a_conversation_clears_none_in_which_a_check_finds_something(given_talks, opens):
    roles = {"conversation": "talk"} if opens else {"chosen": "talk"}
    rules = ContentRules(schema("talk", kind="array"), roles)
    records: list[Any] = [{"talk": one} for one in given_talks]
    # A record without a list has all of them looked at closely.
    assert rules.check(records) == rules.check([*records, {}])

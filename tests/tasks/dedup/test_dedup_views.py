import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import DataKind, Detection
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.views import View, views_for

TURN = Field(name="", type="object", fields=(Field(name="role"), Field(name="content")))
CONVERSATION = Field(name="messages", type="array", items=TURN)


def schema(*fields: Field | str) -> RecordSchema:
    return RecordSchema(fields=tuple(Field(name=f) if isinstance(f, str) else f for f in fields))


def views(record_schema: RecordSchema, kind: DataKind = "generic", **roles: str) -> dict[str, View]:
    return {view.name: view for view in views_for(record_schema, Detection(kind=kind, roles=roles))}


def test_an_instruction_is_compared_on_its_own_too():
    found = views(
        schema("id", "instruction", "response"), "instruction_response", instruction="instruction", response="response"
    )
    assert list(found) == ["record", "instruction"]
    assert found["record"].text({"id": "7", "instruction": "Ask", "response": "Tell"}) == "Ask\nTell"
    assert found["instruction"].text({"id": "7", "instruction": "Ask", "response": "Tell"}) == "Ask"


def test_fields_named_by_the_user_alone_make_a_duplicate():
    level, number = Field(name="level", enum=("a", "b")), Field(name="n", type="integer")
    detection = Detection(kind="instruction_response", roles={"instruction": "instruction", "response": "response"})
    found = views_for(schema("instruction", "response", level, number), detection, ("response", "n", "response"))
    assert [view.name for view in found] == ["record", "response", "n"]
    index = NearDuplicateIndex(DedupSettings(), found)
    records = [
        {"instruction": "How far is it?", "response": "Three miles.", "level": "a", "n": 1},
        {"instruction": "How far is it?", "response": "No idea at all.", "level": "a", "n": 2},
        {"instruction": "What runs a horse before breakfast?", "response": "three miles", "level": "a", "n": 3},
        {"instruction": "Who comes?", "response": "Nobody that I know of.", "level": "a", "n": 2},
    ]
    matches = index.screen(records, list("abcd"))
    assert [match and (match.id, match.view) for match in matches] == [None, None, ("a", "response"), ("b", "n")]


@pytest.mark.parametrize(
    ("name", "words"), [("colour", "instruction, level"), ("level", "few values"), ("id", "no field")]
)
def test_a_field_that_is_not_there_or_only_a_choice_cannot_make_a_duplicate(name, words):
    record_schema = schema("id", "instruction", Field(name="level", enum=("a", "b")))
    with pytest.raises(InputError, match=words):
        views_for(record_schema, Detection(kind="generic"), (name,))


def test_an_instruction_counts_together_with_its_input():
    found = views(
        schema("instruction", "input", "output"),
        "instruction_response",
        instruction="instruction",
        input="input",
        response="output",
    )
    assert found["instruction+input"].text({"instruction": "Translate", "input": "Hund", "output": "dog"}) == (
        "Translate\nHund"
    )


def test_a_preference_pair_is_compared_by_prompt_and_by_chosen_answer():
    found = views(
        schema("prompt", "chosen", "rejected"), "preference", prompt="prompt", chosen="chosen", rejected="rejected"
    )
    assert list(found) == ["record", "prompt", "chosen"]


def test_chosen_answers_too_short_to_say_anything_may_repeat():
    views_ = views_for(
        schema("prompt", "chosen", "rejected"),
        Detection(kind="preference", roles={"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}),
    )
    index = NearDuplicateIndex(DedupSettings(), views_)
    records = [
        {"prompt": "Is water wet in the morning?", "chosen": "Yes.", "rejected": "No idea about that."},
        {"prompt": "Do cats like fish on Sundays?", "chosen": "Yes.", "rejected": "Ask a dog."},
    ]
    assert index.screen(records, ["a", "b"]) == [None, None]


def test_a_conversation_is_compared_by_what_the_user_says_first():
    found = views(schema(CONVERSATION), "multi_turn", conversation="messages")
    record = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Where is my order?"},
            {"role": "assistant", "content": "On its way."},
            {"role": "user", "content": "Thanks."},
        ]
    }
    assert found["first turn"].text(record) == "Where is my order?"
    assert found["record"].text(record) == "Be kind.\nWhere is my order?\nOn its way.\nThanks."


def test_greetings_may_open_many_conversations():
    views_ = views_for(schema(CONVERSATION), Detection(kind="multi_turn", roles={"conversation": "messages"}))
    index = NearDuplicateIndex(DedupSettings(), views_)

    def talk(answer: str) -> dict:
        return {"messages": [{"role": "用户", "content": "你好！"}, {"role": "客服", "content": answer}]}

    assert index.screen([talk("请问您的订单号是多少"), talk("欢迎光临本店")], ["a", "b"]) == [None, None]


@pytest.mark.parametrize("turns", [None, "text", [], ["hello"], [{"role": "system", "content": "x"}], [3], [{}]])
def test_any_shape_of_conversation_has_a_text(turns):
    found = views(schema(CONVERSATION), "multi_turn", conversation="messages")
    assert isinstance(found["first turn"].text({"messages": turns}), str)
    assert isinstance(found["record"].text({"messages": turns}), str)


def test_a_generic_record_with_a_question_is_compared_by_it():
    assert list(views(schema("id", "question", "steps", "answer"))) == ["record", "question"]
    assert list(views(schema("问题", "答案"))) == ["record", "问题"]


def test_a_generic_record_without_a_question_is_compared_whole():
    assert list(views(schema("name", "city"))) == ["record"]


def test_a_fixed_choice_of_values_is_no_key():
    assert list(views(schema(Field(name="question", enum=("a", "b")), "text"))) == ["record"]


def test_a_record_that_is_only_its_key_has_one_view():
    assert list(views(schema("id", "question"))) == ["record"]


def test_nested_values_are_read_in_the_schemas_order():
    nested = Field(name="source", type="object", fields=(Field(name="topic"), Field(name="page", type="integer")))
    record_schema = schema("title", nested, Field(name="steps", type="array", items=Field(name="")))
    view = views(record_schema)["record"]
    one = {"title": "T", "source": {"topic": "a", "page": 3, "z": None, "b": True}, "steps": ["x", "y"]}
    other = {"steps": ["x", "y"], "source": {"b": True, "z": None, "page": 3, "topic": "a"}, "title": "T"}
    assert view.text(one) == view.text(other) == "T\na\n3\ntrue\nx\ny"

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.sources.recipes import read_recipe

EXAMPLES = Path(__file__).parents[3] / "examples" / "datarecipe"
ROLE_CONTENT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
FROM_VALUE = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]


def schema_of(*fields: str | Field) -> RecordSchema:
    return RecordSchema(fields=tuple(Field(name=field) if isinstance(field, str) else field for field in fields))


def detected(*fields: str | Field, seeds: list[dict[str, Any]] | None = None) -> Detection:
    return detect_kind(schema_of(*fields), seeds or [])


def listed(name: str) -> Field:
    return Field(name=name, type="array", items=Field(name="", type="object"))


def why(detection: Detection) -> str:
    return " ".join(str(reason) for reason in detection.reasons)


class TestInstructions:
    @pytest.mark.parametrize(
        ("instruction", "response"),
        [
            ("instruction", "response"), ("instruction", "output"), ("question", "answer"), ("input", "output"),
            ("query", "response"), ("query", "answer"), ("prompt", "completion"), ("prompt", "response"),
            ("Question", "Answer"), ("user_input", "model_output"), ("problem", "solution"), ("问题", "回答"),
            ("指令", "输出"), ("context", "answer"),
        ],
    )  # fmt: skip
    def test_the_usual_names_are_known_in_either_order(self, instruction, response):
        roles = {"instruction": instruction, "response": response}
        for fields in ((instruction, "topic", response), (response, "topic", instruction)):
            found = detected(*fields)
            assert (found.kind, found.roles) == ("instruction_response", roles)
            assert f'The names "{instruction}" and "{response}"' in str(found.reasons[0])

    def test_an_input_beside_the_instruction_has_a_role_of_its_own(self):
        found = detected("instruction", "input", "output")
        assert found.roles == {"instruction": "instruction", "input": "input", "response": "output"}

    def test_a_history_beside_the_question_is_no_conversation(self):
        assert detected("question", "answer", listed("history")).kind == "instruction_response"

    @pytest.mark.parametrize("answer", [Field(name="answer", type="number"), Field(name="answer", enum=("yes", "no"))])
    def test_an_answer_that_is_no_text_makes_it_generic_and_says_so(self, answer):
        found = detected("question", answer)
        assert (found.kind, found.roles) == ("generic", {})
        assert '"answer" is' in why(found)

    def test_a_question_without_an_answer_is_generic(self):
        assert detected("question", "topic").kind == "generic"

    def test_values_refute_what_the_names_promise(self):
        open_type = Field(name="answer", type="any")
        assert detected("question", open_type, seeds=[{"question": "a", "answer": "b"}]).kind == "instruction_response"
        assert detected("question", open_type, seeds=[{"question": "a", "answer": 3}]).kind == "generic"


class TestPreferences:
    @pytest.mark.parametrize(
        ("chosen", "rejected"),
        [
            ("chosen", "rejected"),
            ("preferred", "rejected"),
            ("chosen_response", "rejected_response"),
            ("better", "worse"),
        ],
    )
    def test_the_usual_names_are_known_with_and_without_a_prompt(self, chosen, rejected):
        assert detected(chosen, rejected).roles == {"chosen": chosen, "rejected": rejected}
        found = detected("prompt", rejected, chosen)
        assert (found.kind, found.roles) == ("preference", {"prompt": "prompt", "chosen": chosen, "rejected": rejected})
        assert "a better and a worse answer" in str(found.reasons[0])

    @pytest.mark.parametrize("turns", [ROLE_CONTENT, FROM_VALUE])
    def test_both_answers_may_be_lists_of_messages(self, turns):
        found = detected("prompt", listed("chosen"), listed("rejected"), seeds=[{"chosen": turns, "rejected": turns}])
        assert found.kind == "preference"
        assert "messages" in why(found)

    def test_a_conversation_may_be_the_prompt(self):
        found = detected(listed("conversation"), "chosen", "rejected", seeds=[{"conversation": FROM_VALUE}])
        assert (found.kind, found.roles.get("prompt")) == ("preference", "conversation")

    def test_numbers_are_no_answers(self):
        scores = (Field(name="chosen", type="number"), Field(name="rejected", type="number"))
        assert detected("prompt", *scores).kind == "generic"

    def test_numbered_answers_without_a_verdict_prefer_the_first(self):
        found = detected("prompt", "response_a", "response_b")
        assert (found.kind, found.roles["chosen"]) == ("preference", "response_a")
        assert "No field says which is better" in why(found)

    @pytest.mark.parametrize(
        ("verdict", "chosen"), [("A", "response_a"), ("b", "response_b"), ("response_b", "response_b")]
    )
    def test_a_verdict_that_is_always_the_same_decides(self, verdict, chosen):
        seeds = [{"prompt": "p", "response_a": "x", "response_b": "y", "winner": verdict}] * 3
        found = detected("prompt", "response_a", "response_b", "winner", seeds=seeds)
        assert (found.kind, found.roles["chosen"]) == ("preference", chosen)

    def test_a_verdict_that_changes_from_record_to_record_makes_it_generic_and_says_so(self):
        seeds = [{"response_a": "x", "response_b": "y", "winner": verdict} for verdict in "ab"]
        found = detected("response_a", "response_b", "winner", seeds=seeds)
        assert found.kind == "generic"
        assert '"winner" in each record' in why(found)


class TestConversations:
    @pytest.mark.parametrize("name", ["messages", "conversations", "conversation", "dialogue", "turns", "对话"])
    @pytest.mark.parametrize("turns", [ROLE_CONTENT, FROM_VALUE, ["Hi", "Hello"], [["Hi", "Hello"]]])
    def test_the_usual_names_with_messages_of_any_form(self, name, turns):
        field = Field(name=name, type="array")
        found = detected("topic", field, seeds=[{"topic": "x", name: turns}])
        assert (found.kind, found.roles) == ("multi_turn", {"conversation": name})
        assert f'The name "{name}" means a conversation' in str(found.reasons[0])

    def test_a_name_and_a_list_are_enough_where_there_is_no_seed(self):
        assert detected(listed("messages")).kind == "multi_turn"
        assert detected("messages").kind == "generic"

    def test_a_conversation_beside_a_question_is_still_one(self):
        assert detected("question", listed("messages"), seeds=[{"messages": ROLE_CONTENT}]).kind == "multi_turn"

    def test_values_tell_a_conversation_of_any_name(self):
        found = detected("topic", listed("log"), seeds=[{"log": ROLE_CONTENT}, {"log": ROLE_CONTENT}])
        assert (found.kind, found.roles) == ("multi_turn", {"conversation": "log"})
        assert why(found) == 'In all 2 seeds that have it, "log" is a list of messages (role/content).'

    def test_the_schema_tells_a_conversation_of_any_name(self):
        turn = Field(name="", type="object", fields=(Field(name="from"), Field(name="value")))
        assert detected("topic", Field(name="log", type="array", items=turn)).kind == "multi_turn"

    def test_one_seed_that_holds_something_else_refutes_the_name_and_is_told(self):
        found = detected(listed("messages"), seeds=[{"messages": ROLE_CONTENT}, {"messages": [{"a": 1}]}])
        assert found.kind == "generic"
        assert '"messages" is called like a conversation but is no list of messages' in why(found)

    def test_a_history_alone_is_a_conversation(self):
        assert detected(listed("history"), seeds=[{"history": ROLE_CONTENT}]).kind == "multi_turn"


class TestGeneric:
    def test_anything_else_is_generic_and_says_what_was_looked_for(self):
        found = detected("title", "summary")
        assert (found.kind, found.roles) == ("generic", {})
        assert "Among the fields title, summary is no instruction with its response" in why(found)

    def test_an_id_and_optional_metadata_play_no_part(self):
        found = detected("id", "title", Field(name="metadata", type="object", required=False))
        assert "Among the fields title is" in why(found)


class TestChoice:
    @pytest.mark.parametrize("kind", ["instruction_response", "preference", "multi_turn", "generic"])
    def test_a_kind_that_fits_is_used_whatever_speaks_for_another(self, kind):
        schema = schema_of("prompt", "response", "chosen", "rejected", listed("messages"))
        found = detect_kind(schema, [{"messages": ROLE_CONTENT}], kind)
        assert found.kind == kind
        assert str(found.reasons[0]) == "Chosen by --data-type."

    def test_an_answer_that_is_a_number_is_a_response_if_the_user_says_so(self):
        found = detect_kind(schema_of("question", Field(name="answer", type="number")), [], "instruction_response")
        assert found.roles == {"instruction": "question", "response": "answer"}

    @pytest.mark.parametrize(
        ("kind", "needed"),
        [
            ("instruction_response", '"instruction" and "response"'),
            ("preference", '"chosen"'),
            ("multi_turn", '"messages"'),
        ],
    )
    def test_a_kind_that_the_fields_cannot_be_is_refused_with_what_it_needs(self, kind, needed):
        with pytest.raises(InputError) as caught:
            detect_kind(schema_of("title", "summary"), [], kind)
        assert f"--data-type {kind} does not fit the fields title, summary" in str(caught.value)
        assert needed in str(caught.value)

    def test_a_refusal_says_what_the_values_refuted(self):
        with pytest.raises(InputError, match='"messages" is called like a conversation'):
            detect_kind(schema_of("messages"), [], "multi_turn")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("support_zh", "instruction_response"), ("preference_en", "preference"), ("unit_conversion_spec", "generic")],
)
def test_real_analyses_are_what_they_are(name, kind):
    recipe = read_recipe(SynthesisSettings.model_validate({"analysis_dir": str(EXAMPLES / name)}))
    assert detect_kind(recipe.record_schema, recipe.seeds).kind == kind


ALIASES = "question answer input output chosen rejected messages history response_a response_b winner topic x"
NAMES = st.sampled_from(ALIASES.split())
VALUES = st.sampled_from([None, "text", 3, True, [], ROLE_CONTENT, FROM_VALUE, ["a", "b"], {"a": 1}])
SCHEMAS = st.lists(
    st.builds(
        lambda name, kind: Field(name=name, type=kind),
        NAMES,
        st.sampled_from(["string", "integer", "array", "object", "any"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda field: field.name,
).map(lambda fields: RecordSchema(fields=tuple(fields)))
ROLES = {
    "instruction_response": {"instruction", "response"},
    "preference": {"chosen", "rejected"},
    "multi_turn": {"conversation"},
    "generic": set(),
}


@given(SCHEMAS, st.lists(st.dictionaries(NAMES, VALUES, max_size=5), max_size=3))
def test_every_schema_has_a_kind_with_its_roles_each_a_field_of_its_own_and_a_reason(schema, seeds):
    found = detect_kind(schema, seeds)
    assert ROLES[found.kind] <= found.roles.keys()
    assert len(set(found.roles.values())) == len(found.roles)
    assert all(schema.field(name) for name in found.roles.values())
    assert why(found)
    assert detect_kind(schema, seeds, found.kind).kind == found.kind


@given(SCHEMAS)
def test_the_order_of_the_fields_does_not_change_the_kind(schema):
    backwards = RecordSchema(fields=schema.fields[::-1])
    assert detect_kind(backwards, []).kind == detect_kind(schema, []).kind

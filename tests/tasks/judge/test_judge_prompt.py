"""What a judge reads: the recipe's rubric or a general one, the scale, and records that are data."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.recipe import DataKind, Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema, RubricLevel
from datasynth.tasks.judge.prompt import judge_message, judge_prompt, scores_schema

SCHEMA = RecordSchema(
    fields=(Field(name="id"), Field(name="ask", description="What a $person asks"), Field(name="say"))
)
KINDS: list[DataKind] = ["instruction_response", "preference", "multi_turn", "generic"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def recipe(language: str = "en", **values: Any) -> Recipe:
    return Recipe(**({"name": "qa", "record_schema": SCHEMA, "language": language} | values))


def prompt(language: str = "en", kind: DataKind = "generic", **values: Any) -> str:
    return judge_prompt(
        recipe(language, **values), Detection(kind=kind, roles={"chosen": "better", "rejected": "worse"})
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_has_criteria_of_its_own_and_no_placeholder_is_left(language: str, kind: DataKind) -> None:
    text = prompt(language, kind)
    others = [prompt(language, other) for other in KINDS if other != kind]
    assert text not in others
    assert not re.search(r"\$(?!person)", text)
    assert '{"scores": [{"n": 1' in text


def test_a_preference_pair_is_judged_by_whether_the_chosen_answer_is_better_under_its_own_names() -> None:
    text = prompt(kind="preference")
    assert "`better` really is the better answer" in text
    assert "If `worse` is as good or better, the record has 3 points at most" in text


def test_the_recipes_rubric_comes_best_first_spread_over_our_scale() -> None:
    levels = (RubricLevel(score=0, label="bad"), RubricLevel(score=2, label="good"), RubricLevel(score=1, label="fair"))
    text = prompt(record_schema=SCHEMA.model_copy(update={"rubric": levels}))
    assert re.findall(r"- \*\*(\d+)\*\* (\w+)", text) == [("10", "good"), ("6", "fair"), ("1", "bad")]
    assert "9 and 10" not in text


def test_a_rubric_of_one_level_stands_at_the_top() -> None:
    text = prompt(record_schema=SCHEMA.model_copy(update={"rubric": (RubricLevel(score=3, label="fine"),)}))
    assert "- **10** fine" in text


def test_guidelines_and_fields_are_shown_and_what_stands_in_them_is_not_filled_in() -> None:
    text = prompt(guidelines="Pay $100. ```stop```")
    assert "````markdown\nPay $100. ```stop```\n````" in text
    assert "What a $person asks" in text
    assert "`id`" not in text


def test_the_static_part_depends_on_nothing_but_recipe_and_kind() -> None:
    assert prompt() == prompt()


@given(st.lists(st.dictionaries(st.text(max_size=5), JSON, min_size=1, max_size=3), min_size=1, max_size=6))
def test_whatever_a_record_holds_stands_as_json_in_a_fence_that_it_cannot_close(records: list[dict[str, Any]]) -> None:
    text = judge_message(records, "en")
    shown = re.findall(r"^### Record (\d+)\n\n(`{3,})json\n(.*?)\n\2$", text, re.DOTALL | re.MULTILINE)
    assert [int(number) for number, _, _ in shown] == list(range(1, len(records) + 1))
    assert [json.loads(body) for _, _, body in shown] == records


@pytest.mark.parametrize(("language", "one", "many"), [("en", "this 1 record", "these 2"), ("zh", "1 条", "2 条")])
def test_the_message_ends_with_how_many_to_score(language: str, one: str, many: str) -> None:
    assert one in judge_message([{"a": 1}], language).splitlines()[-1]
    assert many in judge_message([{"a": 1}, {"a": 2}], language).splitlines()[-1]


def test_the_reason_is_asked_for_before_the_score() -> None:
    (one,) = [scores_schema("en")["properties"]["scores"]["items"]]
    assert list(one["properties"]) == one["required"] == ["n", "reason", "score"]
    assert one["additionalProperties"] is False

"""The axes of the space, what the user adds to them, and where a record lies."""

from collections.abc import Sequence
from typing import Any

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.attributes import attributes, length_bin
from datasynth.tasks.archive.space import options, space_of

QA = Detection(kind="instruction_response", roles={"instruction": "question", "response": "answer"})
LEVEL = Field(name="level", enum=("easy", "medium", "hard"))


def recipe(*fields: Field, seeds: Sequence[dict[str, Any]] = ()) -> Recipe:
    schema = RecordSchema(fields=(Field(name="question"), Field(name="answer"), *fields))
    return Recipe(name="r", record_schema=schema, seeds=tuple(seeds))


def with_(**options_: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate({"analysis_dir": "x"} | options_)


def axes(recipe_: Recipe, **options_: Any) -> dict[str, Any]:
    return {axis.name: axis for axis in attributes(recipe_, QA, with_(**options_))}


def answers(lengths: Sequence[int]) -> list[dict[str, Any]]:
    return [{"question": f"q{i}", "answer": "a" * n} for i, n in enumerate(lengths)]


def test_an_attribute_that_is_a_field_narrows_its_axis() -> None:
    found = axes(recipe(LEVEL), attributes={"level": "easy, hard"})["level"]
    assert (found.values, found.kind, found.weights) == (("easy", "hard"), "field", ())


def test_an_attribute_with_one_value_is_aimed_at_by_every_call() -> None:
    space = space_of(recipe(LEVEL), QA, with_(attributes={"level": "hard"}))
    assert [[axis.values for axis in grid] for grid in space.grids] == [[("hard",)]]


def test_a_value_that_its_field_forbids_is_refused_with_its_name() -> None:
    with pytest.raises(InputError, match="impossible cannot stand in the field level"):
        axes(recipe(LEVEL), attributes={"level": "easy,impossible"})


def test_text_becomes_what_the_field_holds() -> None:
    grade = Field(name="grade", type="integer", minimum=1, maximum=9)
    flag = Field(name="urgent", type="boolean")
    found = axes(recipe(grade, flag), attributes={"grade": "3,7", "urgent": "true,false"})
    assert (found["grade"].values, found["urgent"].values) == ((3, 7), (True, False))


def test_an_attribute_that_is_no_field_is_free_and_known_by_the_aim_alone() -> None:
    space = space_of(recipe(), QA, with_(attributes={"tone": "friendly:3,curt:1"}))
    (tone,) = space.axes
    assert (tone.kind, tone.weights) == ("free", (3.0, 1.0))
    assert space.place({"tone": "curt"}, {"tone": "friendly"}) == {"tone": 0}
    assert space.place({"tone": "curt"}, {}) == {"tone": 2}


def test_a_value_with_no_share_is_not_wanted() -> None:
    (tone,) = space_of(recipe(), QA, with_(attributes={"tone": {"a": 1, "b": 0, "c": 2}})).axes
    assert options(tone) == [0, 2]


def test_lengths_are_thirds_of_the_seeds() -> None:
    found = axes(recipe(seeds=answers([5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300])))["answer.length"]
    assert found.values == ("1-40", "41-100", "101+")
    assert [length_bin("a" * n, found.values) for n in (1, 40, 41, 100, 101, 9999)] == [0, 0, 1, 1, 2, 2]
    assert length_bin(7, found.values) is None


@pytest.mark.parametrize("lengths", [[10, 90] * 5, [50, 51, 52] * 8])
def test_few_seeds_or_even_lengths_make_no_length_axis(lengths: list[int]) -> None:
    assert "answer.length" not in axes(recipe(seeds=answers(lengths)))


def test_topics_are_looked_for_only_where_no_field_says_what_a_record_is_about() -> None:
    words = ("flour dough oven yeast loaf", "pedal chain wheel brake tyre", "income deduction invoice audit filing")
    seeds = [{"question": f"{words[i % 3]} {i}", "answer": "same"} for i in range(30)]
    assert axes(recipe(seeds=seeds))["topic"].kind == "topic"
    subject = Field(name="subject", enum=("a", "b"))
    assert "topic" not in axes(recipe(subject, seeds=seeds))
    assert axes(recipe(seeds=seeds), attributes={"topic": "bread,bikes"})["topic"].kind == "free"


def test_without_diversity_there_is_no_space() -> None:
    assert space_of(recipe(LEVEL), QA, with_(diversity_factor=0)).grids == ()


def test_the_users_attributes_are_in_every_grid() -> None:
    fields = [Field(name=f"f{i}", enum=("a", "b")) for i in range(5)]
    space = space_of(recipe(*fields), QA, with_(attributes={"tone": "x:9,y:1"}))
    assert [len(grid) for grid in space.grids] == [3, 3, 2]
    assert all("tone" in {axis.name for axis in grid} for grid in space.grids)


def test_true_is_not_one() -> None:
    space = space_of(recipe(Field(name="f", type="any", enum=(1, True, "1"))), QA, with_())
    assert [space.place({"f": value}, {})["f"] for value in (1, True, "1", [1], None)] == [0, 1, 2, 3, 3]

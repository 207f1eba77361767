from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.sources.seeds import usable_seeds, without_nulls

SCHEMA = RecordSchema(
    fields=(
        Field(name="id"),
        Field(name="question", min_length=3),
        Field(name="level", type="integer", minimum=1, maximum=5),
        Field(name="unit", enum=("m", "kg"), required=False),
        Field(name="metadata", type="object", required=False),
    )
)


def judged(*seeds: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    named = [(f"S{n}", seed) for n, seed in enumerate(seeds, start=1)]
    usable, problems = usable_seeds(named, SCHEMA)
    return list(usable), [(p.seed, p.field, str(p.reason)) for p in problems]


def test_a_seed_that_fits_is_kept_as_it_is():
    seed = {"question": "How far?", "level": 3, "unit": "m"}
    assert judged(seed) == ([seed], [])


def test_bookkeeping_and_fields_outside_the_schema_are_left_out():
    seed = {"id": "7", "question": "How far?", "level": 3, "metadata": {"by": "kim"}, "annotator": "kim"}
    assert judged(seed) == ([{"question": "How far?", "level": 3}], [])


def test_what_can_be_repaired_without_loss_is_repaired():
    assert judged({"question": "How far?", "level": "3"}) == ([{"question": "How far?", "level": 3}], [])


def test_a_misfit_is_named_with_its_field_and_reason():
    usable, problems = judged(
        {"question": "How far?", "level": 9},
        {"question": "How big?"},
        {"question": "What?", "level": 1, "unit": "mile"},
    )
    assert usable == []
    assert [problem[:2] for problem in problems] == [("S1", "level"), ("S2", "level"), ("S3", "unit")]
    assert "at most 5" in problems[0][2]
    assert "missing" in problems[1][2]
    assert "m" in problems[2][2]


def test_a_placeholder_is_named_before_any_misfit():
    assert judged({"question": "[question]", "level": 0}) == (
        [],
        [("S1", "question", 'a placeholder, "[question]", where content should be.')],
    )


def test_seeds_that_only_count_up_are_left_out():
    usable, problems = judged(*({"question": f"Unit {n}?", "level": 1} for n in range(1, 4)))
    assert usable == []
    assert [reason for _, _, reason in problems] == [
        "its texts only count up from seed to seed, so a program wrote them, not a person."
    ] * 3


def test_an_equal_seed_counts_once_and_says_which_it_repeats():
    seed = {"question": "How far?", "level": 3}
    usable, problems = judged(seed, {"id": "other", **seed, "level": "3"})
    assert usable == [seed]
    assert problems == [("S2", "", "the same record as seed S1.")]


def test_without_seeds_there_is_nothing_to_say():
    assert judged() == ([], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SEEDS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "question": st.sampled_from(["How far?", "[step]", "How big is it?"]) | JSON,
        "level": st.integers(0, 6) | JSON,
        "unit": st.sampled_from(["m", "kg"]) | JSON,
        "other": JSON,
    },
)


@settings(max_examples=50, deadline=None)
@given(st.lists(SEEDS, max_size=8))
def test_every_seed_is_used_or_named_and_none_twice(seeds):
    usable, problems = judged(*seeds)
    assert len(usable) + len(problems) == len(seeds)
    assert len({name for name, _, _ in problems}) == len(problems)
    assert judged(*usable) == (usable, [])


ALPACA = RecordSchema(
    fields=(
        Field(name="instruction", min_length=1),
        Field(name="input"),
        Field(name="output"),
        Field(name="tag", required=False),
        Field(name="level", enum=("", "easy")),
    )
)


def without(*seeds: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    named, notes = without_nulls([(f"#{n}", seed) for n, seed in enumerate(seeds)], ALPACA)
    assert [name for name, _ in named] == [f"#{n}" for n in range(len(seeds))]
    return [seed for _, seed in named], [note.text() for note in notes]


def test_null_for_the_input_of_an_instruction_is_an_empty_text_and_said():
    seeds, notes = without({"instruction": "Sing.", "input": None}, {"input": "x"}, {"input": None}, {})
    assert seeds == [{"instruction": "Sing.", "input": ""}, {"input": "x"}, {"input": ""}, {}]
    assert notes == ["input: null is read as an empty text, for the schema wants a text (seeds: 2)."]


def test_null_is_an_empty_text_where_another_seed_has_one():
    assert without({"output": None, "level": None}, {"output": "", "level": ""})[0][0] == {"output": "", "level": ""}


def test_null_for_any_other_text_may_be_missing_by_mistake_and_stays():
    given = {"instruction": None, "output": None, "tag": None, "level": None, "more": None}
    assert without(given, {"instruction": "", "tag": "", "more": ""}) == (
        [given, {"instruction": "", "tag": "", "more": ""}],
        [],
    )


def test_null_that_the_schema_allows_stays():
    schema = RecordSchema(fields=(Field(name="input", nullable=True),))
    assert without_nulls([("#1", {"input": None})], schema) == ([("#1", {"input": None})], ())


def test_the_seeds_that_are_given_are_not_changed():
    seed: dict[str, Any] = {"instruction": "Sing.", "input": None}
    without(seed)
    assert seed["input"] is None

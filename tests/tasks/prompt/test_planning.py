"""Which seeds each call shows and what it aims at."""

import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.attributes import attributes
from datasynth.tasks.prompt.planning import plan_calls

GENERIC = Detection(kind="generic")
Examples = Callable[[str], Recipe]
Options = Callable[..., SynthesisSettings]


def _recipe(*fields: Field, seeds: int | tuple[dict[str, Any], ...] = 0) -> Recipe:
    records = tuple({"text": f"seed {i}"} for i in range(seeds)) if isinstance(seeds, int) else seeds
    return Recipe(name="r", record_schema=RecordSchema(fields=(Field(name="text"), *fields)), seeds=records)


def _settings(**options: Any) -> SynthesisSettings:
    return SynthesisSettings(analysis_dir="there", **options)


def _plan(recipe: Recipe, calls: int, *, round: int = 1, first: int = 0, **options: Any) -> tuple:
    return plan_calls(recipe, GENERIC, _settings(**options), round=round, first_index=first, asked=[5] * calls)


def _names(recipe: Recipe, **options: Any) -> list[str]:
    return [a.name for a in attributes(recipe, GENERIC, _settings(**options))]


@given(seeds=st.integers(0, 12), shown=st.integers(0, 8), calls=st.integers(0, 60), round=st.integers(1, 5))
def test_over_a_round_all_seeds_are_shown_equally_often(seeds: int, shown: int, calls: int, round: int) -> None:
    plan = _plan(_recipe(seeds=seeds), calls, round=round, seed_sample_count=shown)
    times = Counter(seed for call in plan for seed in call.seeds)
    counts = [times[i] for i in range(seeds)]
    assert not counts or max(counts) - min(counts) <= 1
    assert all(len(call.seeds) == len(set(call.seeds)) == min(shown, seeds) for call in plan)


@given(calls=st.integers(1, 40), more=st.integers(0, 40), random_seed=st.integers(0, 3))
def test_a_shorter_plan_is_the_beginning_of_a_longer_one(calls: int, more: int, random_seed: int) -> None:
    recipe = _recipe(Field(name="level", enum=("a", "b", "c")), seeds=7)
    longer = _plan(recipe, calls + more, random_seed=random_seed)
    assert longer[:calls] == _plan(recipe, calls, random_seed=random_seed)


PROGRAM = """
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.prompt.planning import plan_calls
fields = (Field(name="text"), Field(name="level", enum=("a", "b", "c")), Field(name="grade", enum=("x", "y")))
seeds = tuple({"text": f"seed {i}"} for i in range(9))
recipe = Recipe(name="r", record_schema=RecordSchema(fields=fields), seeds=seeds)
settings = SynthesisSettings(analysis_dir="there")
print(plan_calls(recipe, Detection(kind="generic"), settings, round=2, first_index=3, asked=[5] * 9))
"""


def test_a_plan_is_the_same_in_every_process() -> None:
    plans = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(plans) == 1


def test_seeds_come_in_varied_combinations() -> None:
    combinations = {frozenset(call.seeds) for call in _plan(_recipe(seeds=10), 40, seed_sample_count=3)}
    assert len(combinations) > 30


@given(seeds=st.integers(2, 9), shown=st.integers(1, 8), calls=st.integers(2, 40), random_seed=st.integers(0, 9))
def test_neighbouring_calls_show_different_seeds(seeds: int, shown: int, calls: int, random_seed: int) -> None:
    plan = _plan(_recipe(seeds=seeds), calls, seed_sample_count=min(shown, seeds - 1), random_seed=random_seed)
    assert all(set(a.seeds) != set(b.seeds) for a, b in itertools.pairwise(plan))


@given(sizes=st.lists(st.integers(2, 5), min_size=1, max_size=7), random_seed=st.integers(0, 9))
def test_neighbouring_calls_aim_at_different_niches(sizes: list[int], random_seed: int) -> None:
    fields = [Field(name=f"f{i}", enum=tuple(range(size)), type="integer") for i, size in enumerate(sizes)]
    plan = _plan(_recipe(*fields), 60, random_seed=random_seed)
    assert all(a.aim != b.aim for a, b in itertools.pairwise(plan))


@pytest.mark.parametrize("seeds", [0, 1, 3])
def test_a_recipe_with_no_more_seeds_than_a_call_shows_has_them_in_every_call(seeds: int) -> None:
    plan = _plan(_recipe(seeds=seeds), 4, seed_sample_count=3)
    assert [sorted(call.seeds) for call in plan] == [list(range(seeds))] * 4


def test_rounds_and_random_seeds_shuffle_differently() -> None:
    recipe = _recipe(seeds=10)
    plans = [_plan(recipe, 5), _plan(recipe, 5, round=2), _plan(recipe, 5, random_seed=1)]
    assert len({tuple(call.seeds for call in plan) for plan in plans}) == 3


def test_a_call_asks_for_what_it_was_given() -> None:
    plan = plan_calls(_recipe(), GENERIC, _settings(), round=1, first_index=4, asked=[5, 5, 2])
    assert [(call.index, call.asked, call.seeds, call.aim) for call in plan] == [
        (4, 5, (), {}),
        (5, 5, (), {}),
        (6, 2, (), {}),
    ]


def aims(
    recipe: Recipe, detection: Detection, settings: SynthesisSettings, *, first_index: int, count: int
) -> list[dict[str, Any]]:
    """What `count` calls from `first_index` on aim at while nothing is known."""
    calls = plan_calls(recipe, detection, settings, round=1, first_index=first_index, asked=[1] * count)
    return [call.aim for call in calls]


sizes = st.lists(st.integers(2, 6), min_size=1, max_size=3)


@given(sizes=sizes, cycles=st.integers(1, 2), random_seed=st.integers(0, 5))
def test_a_cycle_of_the_grid_holds_every_combination_once(sizes: list[int], cycles: int, random_seed: int) -> None:
    fields = [Field(name=f"f{i}", enum=tuple(range(size)), type="integer") for i, size in enumerate(sizes)]
    cells = list(product(*map(range, sizes)))
    found = aims(
        _recipe(*fields), GENERIC, _settings(random_seed=random_seed), first_index=0, count=len(cells) * cycles
    )
    met = Counter(tuple(aim[f.name] for f in fields) for aim in found)
    assert met == Counter(dict.fromkeys(cells, cycles))


@given(sizes=st.lists(st.integers(2, 6), min_size=2, max_size=3), count=st.integers(1, 100))
def test_at_any_moment_the_values_of_an_attribute_came_about_equally_often(sizes: list[int], count: int) -> None:
    fields = [Field(name=f"f{i}", enum=tuple(range(size)), type="integer") for i, size in enumerate(sizes)]
    found = aims(_recipe(*fields), GENERIC, _settings(), first_index=0, count=count)
    for field, size in zip(fields, sizes, strict=True):
        times = Counter(aim[field.name] for aim in found)
        counts = [times[value] for value in range(size)]
        # One more at each shift and at each new cycle; without balance it would grow with the root of the count.
        assert max(counts) - min(counts) <= 4


def test_the_rotation_goes_on_from_round_to_round() -> None:
    recipe = _recipe(Field(name="level", enum=("a", "b", "c", "d")))
    whole = aims(recipe, GENERIC, _settings(), first_index=0, count=8)
    assert whole == [aims(recipe, GENERIC, _settings(), first_index=i, count=1)[0] for i in range(8)]


def test_an_aim_names_three_attributes_at_most_and_all_take_turns() -> None:
    fields = [Field(name=f"f{i}", enum=("a", "b")) for i in range(7)]
    found = aims(_recipe(*fields), GENERIC, _settings(), first_index=0, count=30)
    assert max(map(len, found)) == 3
    assert set().union(*found) == {f.name for f in fields}


def test_without_diversity_nothing_is_aimed_at(example: Examples) -> None:
    assert aims(example("support_zh"), GENERIC, _settings(diversity_factor=0), first_index=0, count=3) == [{}] * 3


def test_the_support_example_is_spread_over_category_and_difficulty(example: Examples) -> None:
    detection = Detection(kind="instruction_response", roles={"instruction": "instruction", "response": "response"})
    found = {a.name: a for a in attributes(example("support_zh"), detection, _settings())}
    assert set(found) == {"category", "difficulty"}
    assert found["category"].values == ("物流", "支付", "售后", "会员", "发票")
    assert (found["category"].open, found["difficulty"].open) == (True, False)


def test_the_unit_example_is_spread_over_units_and_grades(example: Examples) -> None:
    found = {a.name: a.values for a in attributes(example("unit_conversion_spec"), GENERIC, _settings())}
    assert found == {"unit": ("m", "km", "kg", "g", "l", "ml", "min", "h"), "grade": (3, 4, 5, 6)}


def test_the_preference_example_has_only_free_text_and_no_aims(example: Examples) -> None:
    assert _names(example("preference_en")) == []


def test_a_repeated_short_value_makes_a_category_whatever_its_name() -> None:
    seeds = tuple({"text": f"t{i}", "wine": ("red", "white")[i % 2]} for i in range(6))
    assert _names(_recipe(Field(name="wine"), seeds=seeds)) == ["wine"]


def test_short_values_that_never_repeat_are_no_category() -> None:
    seeds = tuple({"text": f"t{i}", "answer": str(i)} for i in range(6))
    assert _names(_recipe(Field(name="answer"), seeds=seeds)) == []


def test_long_values_are_no_category() -> None:
    seeds = tuple({"text": f"t{i}", "topic": "a rather long-winded topic"[: 22 + i % 2]} for i in range(6))
    assert _names(_recipe(Field(name="topic"), seeds=seeds)) == []


def test_a_category_known_from_seeds_alone_is_sometimes_left_open() -> None:
    seeds = tuple({"text": f"t{i}", "topic": ("a", "b", "c")[i % 3]} for i in range(9))
    recipe = _recipe(Field(name="topic"), seeds=seeds)
    met = Counter(aim.get("topic") for aim in aims(recipe, GENERIC, _settings(), first_index=0, count=40))
    assert met == {"a": 10, "b": 10, "c": 10, None: 10}
    close = Counter(
        a.get("topic") for a in aims(recipe, GENERIC, _settings(diversity_factor=0.1), first_index=0, count=6)
    )
    assert close == {"a": 2, "b": 2, "c": 2}


def test_the_text_that_gives_the_data_its_kind_is_never_aimed_at() -> None:
    seeds = tuple({"text": "t", "task": ("a", "b")[i % 2]} for i in range(8))
    recipe = _recipe(Field(name="task"), seeds=seeds)
    assert attributes(recipe, Detection(kind="generic", roles={"instruction": "task"}), _settings()) == ()


def test_the_score_of_an_answer_is_no_aim_but_that_of_a_thing_is() -> None:
    recipe = _recipe(Field(name="quality", type="integer", minimum=1, maximum=5))
    assert attributes(recipe, Detection(kind="instruction_response"), _settings()) == ()
    assert _names(recipe) == ["quality"]


def test_a_flag_is_aimed_at_only_if_the_seeds_show_both_values() -> None:
    flag = Field(name="urgent", type="boolean")
    both = tuple({"text": "t", "urgent": value} for value in (True, False))
    assert _names(_recipe(flag, seeds=both)) == ["urgent"]
    assert _names(_recipe(flag, seeds=both[:1])) == []


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (Field(name="f", type="integer", minimum=1, maximum=5), (1, 2, 3, 4, 5)),
        (Field(name="f", type="integer", exclusive_minimum=0, maximum=3), (1, 2, 3)),
        (Field(name="f", type="integer", minimum=0, maximum=10, multiple_of=5), (0, 5, 10)),
        (Field(name="f", type="integer", minimum=0.5, maximum=2.5), (1, 2)),
        (Field(name="f", enum=("a", 1, None, "bb", "a"), max_length=2), ("a", "bb")),
        (Field(name="f", enum=("ab", "c"), pattern="^[a-b]+$"), ()),
        (Field(name="f", type="integer", enum=(1, 2, True, 2.5)), (1, 2)),
        (Field(name="f", type="any", enum=(1, True, "x", [1], None)), (1, True, "x")),
        (Field(name="f", type="integer", minimum=0, maximum=100), ()),
        (Field(name="f", type="integer", minimum=3), ()),
        (Field(name="f", enum=("only",)), ()),
        (Field(name="f", type="number", minimum=0, maximum=1), ()),
    ],
)
def test_an_aim_is_valid_under_the_schema(field: Field, values: tuple) -> None:
    found = attributes(_recipe(field), GENERIC, _settings())
    assert [(a.values, list(map(type, a.values))) for a in found] == (
        [(values, list(map(type, values)))] if values else []
    )


def test_id_and_metadata_are_not_aimed_at() -> None:
    schema = RecordSchema(fields=(Field(name="id", enum=("a", "b")), Field(name="text")))
    assert attributes(Recipe(name="r", record_schema=schema), GENERIC, _settings()) == ()

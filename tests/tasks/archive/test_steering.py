"""What the archive learns, and where it sends the next calls."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.archive import BEST, REPEATED, Archive, Findings, Made, Niche, Refused, new_archive
from datasynth.tasks.archive.steering import EXCERPTS, MOST_CELLS
from datasynth.tasks.prompt.planning import plan_calls

GENERIC = Detection(kind="generic")
COLOURS = ("red", "green", "blue", "black")
SIZES = ("small", "large", "huge")
Model = Callable[[PlannedCall, int], dict[str, Any] | None]


def recipe(*fields: Field, seeds: int = 0) -> Recipe:
    fields = fields or (Field(name="colour", enum=COLOURS), Field(name="size", enum=SIZES))
    shown = tuple({"text": f"seed {i}", "colour": COLOURS[i % 4]} for i in range(seeds))
    return Recipe(name="r", record_schema=RecordSchema(fields=(Field(name="text"), *fields)), seeds=shown)


def with_(**options: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate({"analysis_dir": "x"} | options)


def obedient(call: PlannedCall, n: int) -> dict[str, Any] | None:
    """A record with the values aimed at, and the first ones where nothing was."""
    return {"text": f"record {n} of {call.index}", "colour": "red", "size": "small"} | call.aim


def findings(calls: tuple[PlannedCall, ...], model: Model) -> Findings:
    made, refused = [], []
    for call in calls:
        for n in range(call.asked):
            record = model(call, n)
            if record is None:
                refused.append(Refused(call.index, {"text": "the same old thing"}, "r/0.0"))
            else:
                made.append(Made(call.index, record, call.aim))
    return Findings({call.index: call.aim for call in calls}, made, refused)


def grown(
    recipe_: Recipe, options: SynthesisSettings, rounds: int, calls: int, model: Model = obedient
) -> tuple[Archive, list[tuple[PlannedCall, ...]]]:
    """The archive after so many rounds, and their plans."""
    archive, plans = new_archive(recipe_, GENERIC, options), []
    for number in range(1, rounds + 1):
        first = sum(map(len, plans))
        plan = plan_calls(
            recipe_, GENERIC, options, round=number, first_index=first, asked=[5] * calls, archive=archive
        )
        archive.learn(number, findings(plan, model))
        plans.append(plan)
    return archive, plans


def counts(archive: Archive) -> Counter[tuple[int, ...]]:
    """By the numbers of colour and size."""
    names = [axis.name for axis in archive.grids[0]]
    places = [names.index(name) for name in ("colour", "size")]
    found: Counter[tuple[int, ...]] = Counter()
    for cell, niche in archive.niches[0].items():
        found[tuple(cell[place] for place in places)] += niche.count
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(6, 40), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 5))
def test_a_model_that_obeys_fills_all_niches_evenly(rounds: int, calls: int, diversity: float, seed: int) -> None:
    archive, _ = grown(recipe(), with_(diversity_factor=diversity, random_seed=seed), rounds, calls)
    met = [counts(archive)[c, s] for c in range(4) for s in range(3)]
    assert max(met) - min(met) <= 2 * 5


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 9), st.sampled_from([0.1, 0.5, 1.0]))
def test_the_users_shares_are_met(seed: int, diversity: float) -> None:
    options = with_(attributes={"colour": "red:6,green:3,blue:1"}, random_seed=seed, diversity_factor=diversity)
    archive, _ = grown(recipe(), options, 3, 40)
    met = Counter({c: sum(n for (a, _), n in counts(archive).items() if a == c) for c in range(3)})
    assert [round(met[c] / met.total(), 1) for c in range(3)] == pytest.approx([0.6, 0.3, 0.1], abs=0.051)


def test_shares_hold_from_the_first_round_on() -> None:
    _, plans = grown(recipe(), with_(attributes={"tone": "kind:3,curt:1"}), 1, 20)
    assert Counter(call.aim["tone"] for call in plans[0]) == {"kind": 15, "curt": 5}


def test_what_a_first_round_left_empty_is_aimed_at_next() -> None:
    def never_green(call: PlannedCall, n: int) -> dict[str, Any] | None:
        record = obedient(call, n)
        return record if record and record["colour"] != "green" else {"text": "x", "colour": "red", "size": "small"}

    options = with_()
    archive, plans = grown(recipe(), options, 1, 24, never_green)
    plan = plan_calls(recipe(), GENERIC, options, round=2, first_index=24, asked=[5] * 6, archive=archive)
    assert {call.aim["colour"] for call in plan} & {"green"}
    assert not [call for call in plan if call.aim == {"colour": "red", "size": "small"}]
    assert plans[0] != plan


def test_a_niche_that_has_run_dry_costs_little() -> None:
    def no_green(call: PlannedCall, n: int) -> dict[str, Any] | None:
        return None if call.aim.get("colour") == "green" else obedient(call, n)

    archive, plans = grown(recipe(), with_(diversity_factor=1), 3, 60, no_green)
    assert sum(call.aim["colour"] == "green" for call in plans[2]) <= 6
    assert counts(archive)[1, 0] == 0


def test_what_is_repeated_in_a_niche_is_named_to_the_calls_that_aim_there_first() -> None:
    def repeats_in_red(call: PlannedCall, n: int) -> dict[str, Any] | None:
        return None if call.aim.get("colour") == "red" and n else obedient(call, n)

    archive, _ = grown(recipe(), with_(), 2, 24, repeats_in_red)
    plan = plan_calls(recipe(), GENERIC, with_(), round=3, first_index=48, asked=[5] * 24, archive=archive)
    red = [call for call in plan if call.aim["colour"] == "red"]
    assert red
    assert all("the same old thing" in call.avoid[:3] for call in red)
    assert all(len(call.avoid) <= EXCERPTS / 2 for call in plan)


def test_nothing_is_named_and_all_rotates_while_nothing_is_known() -> None:
    options = with_(diversity_factor=1)
    plain = plan_calls(recipe(), GENERIC, options, round=1, first_index=0, asked=[5] * 30)
    assert not any(call.avoid or call.unlikely for call in plain)
    archive = new_archive(recipe(), GENERIC, options)
    assert plain == plan_calls(recipe(), GENERIC, options, round=1, first_index=0, asked=[5] * 30, archive=archive)


@pytest.mark.parametrize(("diversity", "asked_for"), [(0.5, False), (0.7, True)])
def test_unlikely_answers_are_asked_for_at_high_diversity_once_something_is_known(
    diversity: float, asked_for: bool
) -> None:
    _, plans = grown(recipe(), with_(diversity_factor=diversity), 2, 6)
    assert {call.unlikely for call in plans[1]} == {asked_for}


def test_seeds_of_the_aimed_niche_are_among_those_shown() -> None:
    seeded = recipe(seeds=12)
    _, plans = grown(seeded, with_(), 2, 24)
    for call in plans[1]:
        colours = [seeded.seeds[i]["colour"] for i in call.seeds]
        assert call.aim["colour"] in colours
        assert len(set(call.seeds)) == 3


def _only(archive: Archive) -> Niche:
    (niche,) = archive.niches[0].values()
    return niche


rounds_of = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.sampled_from([None, 0.2, 0.9])), max_size=20),
    min_size=1,
    max_size=3,
)


@settings(max_examples=30, deadline=None)
@given(rounds_of)
def test_the_plan_is_a_function_of_what_the_rounds_brought(
    brought: list[list[tuple[int, int, float | None]]],
) -> None:
    def after() -> tuple[PlannedCall, ...]:
        archive = new_archive(recipe(seeds=7), GENERIC, with_())
        for number, rows in enumerate(brought, 1):
            aims = {call: {"colour": COLOURS[call % 4], "size": SIZES[call % 3]} for call, _, _ in rows}
            made = [Made(call, {"text": f"t {n}", **aims[call]}, aims[call], q) for call, n, q in rows if n < 3]
            refused = [Refused(call, {"text": f"t {n}"}, f"r/{n}") for call, n, _ in rows if n >= 3]
            archive.learn(number, Findings(aims, made, refused))
            archive.learn(number, Findings(aims, made, refused))  # a second time changes nothing
        return plan_calls(recipe(seeds=7), GENERIC, with_(), round=9, first_index=40, asked=[5] * 20, archive=archive)

    assert after() == after()


def test_memory_of_a_niche_is_bounded() -> None:
    archive = new_archive(recipe(), GENERIC, with_())
    aim = {"colour": "red", "size": "small"}
    made = [Made(0, {"text": f"record {n} is unlike others", **aim}, aim) for n in range(500)]
    refused = [Refused(0, {"text": f"again {n}"}, f"r/0.{n}") for n in range(500)]
    archive.learn(1, Findings({0: aim}, made, refused))
    niche = _only(archive)
    assert (niche.count, len(niche.best)) == (500, BEST)
    assert len(niche.repeats.hits) <= 2 * REPEATED


def test_a_judges_scores_make_the_elites_and_a_guess_does_without_one() -> None:
    archive = new_archive(recipe(), GENERIC, with_())
    aim = {"colour": "red", "size": "small"}
    texts = {"poor": 0.1, "excellent": 0.9, "fair": 0.5}
    archive.learn(1, Findings({0: aim}, [Made(0, {"text": t, **aim}, aim, q) for t, q in texts.items()], []))
    assert [said for _, _, said in _only(archive).best] == ["excellent", "fair", "poor"]
    assert _only(archive).gained == pytest.approx(1.5)


def test_a_data_set_without_attributes_is_one_niche_that_still_learns_what_is_repeated() -> None:
    plain = Recipe(name="r", record_schema=RecordSchema(fields=(Field(name="text"),)))
    _, plans = grown(plain, with_(), 2, 4, lambda call, n: None if n else {"text": f"fresh {call.index}"})
    assert all(call.aim == {} for call in plans[1])
    assert all("the same old thing" in call.avoid for call in plans[1])


def test_a_space_of_very_many_cells_is_rotated_through_and_stays_sparse() -> None:
    wide = [Field(name=f"f{i}", type="integer", enum=tuple(range(60))) for i in range(3)]
    assert MOST_CELLS < 60**3
    archive, plans = grown(recipe(*wide), with_(), 2, 50)
    assert len(archive.niches[0]) <= 100
    assert len({tuple(call.aim.items()) for plan in plans for call in plan}) == 100

"""Seeds that repeat items of an evaluation set: told of, in no prompt, and no reason to lose a run."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt
from datasynth.tasks.rounds.runs import open_run, run_to_resume
from datasynth.tasks.sources.recipes import read_recipe

FIELDS = {"fields": [{"name": "question"}, {"name": "answer"}]}
ITEM = "Which river flows through the town in which the violin with the marble pegs was made?"
TESTED = {"id": "s-2", "question": f"Tell me: {ITEM}", "answer": "The Oglio does."}
SEEDS = [
    {"id": "s-1", "question": "How long does bread have to rest before it goes into the oven?", "answer": "An hour."},
    TESTED,
    {"id": "s-3", "question": "Why do lighthouses have lights of different colours?", "answer": "To be told apart."},
]


@pytest.fixture
def evaluation(tmp_path: Path) -> str:
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps({"id": "q-7", "question": ITEM}) + b"\n")
    return str(path)


def settings_with(evaluation: str | None, **values: Any) -> SynthesisSettings:
    sets = {"decontaminate": [evaluation]} if evaluation else {}
    return SynthesisSettings.model_validate({"record_schema": FIELDS, "seeds": SEEDS} | sets | values)


def recipe(evaluation: str | None, **values: Any) -> Recipe:
    return read_recipe(settings_with(evaluation, **values))


def test_such_a_seed_is_left_out_by_name_item_and_file(evaluation):
    read = recipe(evaluation)
    assert [seed["answer"] for seed in read.seeds] == ["An hour.", "To be told apart."]
    [problem] = read.seed_problems
    said = problem.reason.text()
    assert (problem.seed, "100%" in said, "q-7" in said, evaluation in said) == ("s-2", True, True, True)
    assert "Seeds that repeat items of an evaluation set: 1." in read.seed_notes[-1].text()


def test_without_an_evaluation_set_nothing_is_left_out():
    read = recipe(None)
    assert (len(read.seeds), read.seed_problems, read.seeds_with_tested) == (3, (), ())


def test_a_seed_that_only_has_the_items_words_outside_of_its_fields_is_kept(evaluation):
    seeds = [SEEDS[0] | {"metadata": {"from": ITEM}}]
    assert len(recipe(evaluation, seeds=seeds).seeds) == 1


def test_no_prompt_shows_it(evaluation):
    read = recipe(evaluation)
    detection = detect_kind(read.record_schema, read.seeds, "auto")
    options = settings_with(evaluation, seed_sample_count=3)
    for call in plan_calls(read, detection, options, round=1, first_index=0, asked=[5] * 20):
        assert "marble pegs" not in call_prompt(read, detection, call)


def test_the_language_is_that_of_all_seeds_also_where_none_is_left(tmp_path):
    chinese = "请问装有大理石琴轴的小提琴是在哪座城市制作的"
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps({"question": chinese}) + b"\n")
    read = recipe(str(path), seeds=[{"question": chinese, "answer": "克雷莫纳。"}])
    assert (read.seeds, read.language) == ((), "zh")


def test_the_fingerprint_is_that_of_the_recipe_with_all_of_its_seeds(evaluation):
    assert recipe(evaluation).fingerprint == recipe(None).fingerprint


def test_a_run_whose_evaluation_set_changed_is_still_found_and_refused(evaluation, tmp_path):
    options = settings_with(evaluation, store=str(tmp_path / "store"), run_id="r1", dataset="d", provider="simulated")
    open_run(options, read_recipe(options))
    Path(evaluation).write_bytes(orjson.dumps({"id": "q-8", "question": "Who wrote the song of the four seals?"}))
    changed = read_recipe(options)
    assert len(changed.seeds) == 3
    assert run_to_resume(options, changed) is not None
    with pytest.raises(InputError, match="changed"):
        open_run(options, changed)


def test_seeds_that_repeat_an_item_stand_in_no_file_of_the_run(evaluation, tmp_path):
    options = settings_with(evaluation, store=str(tmp_path / "store"), run_id="r1", dataset="d", provider="simulated")
    run = open_run(options, read_recipe(options))
    assert b"marble" not in run.folder.read("recipe.json")

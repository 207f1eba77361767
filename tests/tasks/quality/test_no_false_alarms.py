"""The checks cost nothing where nothing is wrong: no seed and no honest record is refused; every fault is named."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.llm.simulated.faults import fate_of
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.replies import Ask, answer
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.quality.screening import QualityChecks, checks_for
from datasynth.tasks.sources.recipes import read_recipe

EXAMPLES = Path(__file__).parents[3] / "examples/datarecipe"
SEED_FILES = {
    "support_zh": EXAMPLES / "support_zh/09_样例数据/samples.json",
    "preference_en": EXAMPLES / "preference_en/09_样例数据/samples.json",
}
KINDS = ("support_zh", "preference_en", "unit_conversion_spec")
FAULTS = {
    "declined": "refusal",
    "boilerplate": "boilerplate",
    "placeholder": "placeholder",
    "foreign": "language",
    "echo": "echo",
    "loop": "repetition",
    "personal": "personal_data",
}


def run_of(name: str, **options: Any) -> tuple[Recipe, Detection, SynthesisSettings]:
    settings = SynthesisSettings.model_validate({"analysis_dir": str(EXAMPLES / name), **options})
    recipe = read_recipe(settings)
    return recipe, detect_kind(recipe.record_schema, recipe.seeds), settings


def simulated(run: tuple[Recipe, Detection, SynthesisSettings], count: int, knobs: Knobs) -> list[dict[str, Any]]:
    """Records as a run gets them from the simulated model, without Prefect and HTTP."""
    recipe, detection, settings = run
    plan = plan_calls(recipe, detection, settings, round=1, first_index=0, asked=[5] * (count // 5))
    shape = orjson.dumps(reply_schema(recipe.record_schema))
    asks = [Ask("m", static_prompt(*run), call_prompt(recipe, detection, call), shape) for call in plan]
    texts = [answer(ask, ask.content(), knobs, fate_of(knobs, ask.content(), 0)).text for ask in asks]
    return [record for text in texts for record in parse_reply(text, recipe.record_schema, cut=False).records]


@pytest.mark.parametrize("name", SEED_FILES)
def test_no_seed_of_the_examples_is_refused(name: str):
    recipe, detection, settings = run_of(name, personal_data=True)
    seeds = [sample["data"] for sample in json.loads(SEED_FILES[name].read_text(encoding="utf-8"))["samples"]]
    # Judged as records without seeds, which would excuse themselves.
    checks = checks_for(recipe.model_copy(update={"seeds": ()}), detection, settings)
    assert len(seeds) == 5
    assert checks.check(seeds) == []


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("canned", [False, True])
def test_no_record_of_the_honest_simulated_model_is_refused(name: str, canned: bool):
    run = run_of(name, personal_data=True)
    records = simulated(run, 300, Knobs(canned=canned))
    assert len(records) == 300
    assert checks_for(*run).check(records) == []


@pytest.mark.parametrize("name", ["support_zh", "preference_en"])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_simulated_model_is_named(name: str, fault: str):
    run = run_of(name, personal_data=True)
    records = simulated(run, 20, Knobs.of({f"rate_{fault}": 1}))
    problems = checks_for(*run).check(records)
    # One seed asks for an email that declines, and what grows out of it may.
    expected = {row for row, record in enumerate(records) if "declining" not in record.get("prompt", "")}
    assert {problem.row for problem in problems if problem.check == FAULTS[fault]} >= expected
    assert len(expected) >= 10


def test_faults_come_as_often_as_the_knobs_say():
    run = run_of("support_zh")
    records = simulated(run, 600, Knobs(rate_placeholder=0.1, rate_declined=0.2))
    named = Counter(problem.check for problem in checks_for(*run).check(records))
    assert named.keys() == {"placeholder", "refusal"}
    assert 40 <= named["placeholder"] <= 80
    assert 90 <= named["refusal"] <= 150


def test_a_check_that_is_skipped_is_not_made():
    run = run_of("support_zh", skip_checks=["refusal"])
    assert checks_for(*run).check(simulated(run, 20, Knobs(rate_declined=1))) == []


def test_all_checks_are_on_but_those_that_must_be_asked_for():
    names = checks_for(*run_of("preference_en")).names
    assert names == (
        "refusal",
        "boilerplate",
        "placeholder",
        "prompt_leak",
        "language",
        "echo",
        "repetition",
        "preference",
    )


def test_records_that_did_not_fit_are_passed_over_and_rows_are_kept():
    run = run_of("support_zh")
    [bad] = simulated(run, 5, Knobs(rate_declined=1))[:1]
    problems = checks_for(*run).check([None, bad, None])
    assert [(problem.row, problem.keys, problem.check) for problem in problems] == [(1, ("response",), "refusal")]


def test_no_record_is_no_problem():
    checks: QualityChecks = checks_for(*run_of("support_zh"))
    assert checks.check([]) == []
    assert checks.check([None]) == []

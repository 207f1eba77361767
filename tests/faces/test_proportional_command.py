"""`datasynth proportional`, as far as it gets without starting anything: the plan, its faults, the dry run."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_inputs import ANALYSES
from stored_runs import begin_run, finished_run
from test_lightness import SLOW, modules_of

from datasynth.cli.proportional import show_end
from datasynth.schemas.messages import say
from datasynth.schemas.proportions import PartReport, ProportionalReport
from datasynth.schemas.report import Counts, Spend
from datasynth.tasks.proportions.telling import explanation_of

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "proportional.yaml"
SAMPLES = ANALYSES / "support_zh" / "09_样例数据" / "samples.json"
PLAN: dict[str, Any] = {
    "name": "mix",
    "target_count": 10,
    "parts": [
        {"name": "a", "share": 1, "data": str(SAMPLES)},
        {"name": "b", "share": 1, "synthesize": {"analysis_dir": str(SAMPLES.parents[1]), "provider": "simulated"}},
    ],
}
Change = Callable[[dict[str, Any]], object]


def plan_file(folder: Path, change: Change = lambda _plan: None, name: str = "plan.yaml") -> Path:
    plan = copy.deepcopy(PLAN)
    change(plan)
    path = folder / name
    text = json.dumps(plan) if name.endswith(".json") else yaml.safe_dump(plan, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


def first(**changes: Any) -> Change:
    """Changes the part of existing records; None takes a field away."""
    return lambda plan: _changed(plan["parts"][0], changes)


def second(**changes: Any) -> Change:
    """Changes the settings of the synthesis part's run."""
    return lambda plan: _changed(plan["parts"][1]["synthesize"], changes)


def whole(**changes: Any) -> Change:
    return lambda plan: _changed(plan, changes)


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> None:
    values.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del values[name]


def test_the_shipped_example_is_planned(cli) -> None:
    result = cli("proportional", EXAMPLE, "--dry-run")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "support-mix: 30 records from parts: hand-written, preferences, new"
    assert [line.split()[0] for line in lines[2:5]] == ["hand-written", "preferences", "new"]
    assert [[word for word in line.split() if word.isdecimal()] for line in lines[2:5]] == [
        ["3", "4"],
        ["2", "5"],
        ["25"],
    ]
    assert lines[-1] == "Dry run: no model was asked."


def test_a_dry_run_starts_and_leaves_nothing(cli, tmp_path: Path) -> None:
    assert not modules_of(["proportional", str(EXAMPLE), "--dry-run"], tmp_path) & SLOW
    assert cli("proportional", EXAMPLE, "--dry-run", "--store", tmp_path / "s").exit_code == 0
    assert not (tmp_path / "s").exists()


def test_help_needs_nothing_but_click(tmp_path: Path) -> None:
    assert not modules_of(["proportional", "--help"], tmp_path) & {*SLOW, "pydantic", "polars", "yaml"}


def test_the_plan_may_be_json_and_the_count_may_come_from_the_command_line(cli, tmp_path: Path) -> None:
    result = cli("proportional", plan_file(tmp_path, name="plan.json"), "-n", "7", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "mix: 7 records" in result.stdout


def test_paths_are_relative_to_the_plan(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    path = plan_file(tmp_path, first(data="data.jsonl"))
    monkeypatch.chdir("/")
    assert cli("proportional", path, "--dry-run").exit_code == 0


def test_runs_and_data_sets_are_drawn_from(cli, tmp_path: Path) -> None:
    finished_run(str(tmp_path / "s"))
    begin_run(str(tmp_path / "s"), "r2")
    result = cli("proportional", plan_file(tmp_path, first(data=str(tmp_path / "s" / "eggs"))), "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "a: only 3 of 5 records are there; the data set will fall short." in result.stdout
    assert "a: these runs are not finished and are left out: r2" in result.stdout


def test_a_missing_key_and_an_unknown_price_are_mentioned(cli, tmp_path: Path) -> None:
    path = plan_file(tmp_path, second(provider="openai", model="mine", base_url="http://localhost:1/v1"))
    result = cli("proportional", path, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "OPENAI_API_KEY is not set" in result.stdout
    assert "Estimated cost in all: unknown." in result.stdout


def test_a_budget_that_will_not_do_is_said(cli, tmp_path: Path) -> None:
    path = plan_file(tmp_path, second(provider="anthropic"))
    assert "More than --max-cost allows" in cli("proportional", path, "--dry-run", "--max-cost", "0.0001").stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (whole(targetcount=3), "there is no targetcount in a plan. Did you mean target_count?"),
        (first(shares=3), "part a: there is no shares in a plan. Did you mean share?"),
        (second(modl=3), "part b: there is no setting modl. Did you mean model?"),
        (second(temperature=9), "part b: temperature: 9 is not allowed. Give a number from 0 to 2."),
        (second(analysis_dir=None), "part b: Give exactly one source of records"),
        (second(target_count=3), "Part b: target_count cannot be set for a part"),
        (second(dataset="mix"), "Part b: mix is the data set that is being made"),
        (second(analysis_dir="nowhere"), "Part b: "),
        (second(simulation={"latncy": 1}), "Part b: The simulated server has no knob called latncy"),
        (second(provider="anthropic"), "Part b: anthropic needs a key"),
        (first(synthesize={"analysis_dir": "x"}), "Part a: give exactly one of data"),
        (first(data=None), "Part a: give exactly one of data"),
        (first(share=0), "part a: share: 0 is not allowed. Give a number above 0."),
        (first(share=-1), "part a: share: -1 is not allowed"),
        (first(share=float("nan")), "part a: share: nan is not allowed"),
        (first(share="much"), "part a: share: much is not allowed"),
        (first(count=2), "Part a: give exactly one of share and count"),
        (first(share=None), "Part a: give exactly one of share and count"),
        (first(share=None, count=10), "leaves nothing of 10 records for the shares"),
        (whole(name="../mix"), "The data set '../mix' cannot be called so"),
        (first(name="a/b"), "The part 'a/b' cannot be called so"),
        (first(name=".."), "The part '..' cannot be called so"),
        (first(name="b"), "Two parts are called b"),
        (first(name=None), "part 1: name: None is not allowed"),
        (first(data="nowhere.jsonl"), "nowhere.jsonl: no such file"),
        (first(data="nowhere"), "nowhere: there is no finished run, data set or file of records"),
        (first(where={"colour": "red"}), "has the field colour that where asks for. There are: instruction"),
        (first(where={"difficulty": "red"}), "the field difficulty is 'red'. It is, for example: 'easy'"),
        (first(where=["x"]), "part a: where: ['x'] is not allowed"),
        (whole(target_count=None), "How many records in all?"),
        (whole(parts=[]), "parts is no list of parts"),
        (whole(parts=["a"]), "part 1 is no part"),
        (whole(shortfall="drop"), "shortfall: drop is not allowed. Give one of keep, scale."),
    ],
)
def test_what_is_wrong_with_a_plan_is_found_before_anything_is_started(
    change: Change, said: str, cli, tmp_path: Path
) -> None:
    result = cli("proportional", plan_file(tmp_path, change))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-n", "many"], "--count: many is no number"),
        (["-n", "0"], "the command line: target_count: 0 is not allowed"),
        (["--max-cost", "-1"], "the command line: max_cost: -1.0 is not allowed"),
        (["--run-id", "../x"], "../x cannot be a run's id"),
        (["--shortfall", "drop"], "Give one of keep, scale"),
    ],
)
def test_options_are_checked_too(words: list[str], said: str, cli, tmp_path: Path) -> None:
    result = cli("proportional", plan_file(tmp_path), *words)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("text", ["", "- a", "a: ["])
def test_a_file_that_is_no_plan_is_refused(text: str, cli, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    result = cli("proportional", tmp_path / "plan.yaml")
    assert result.exit_code == 2
    assert "plan.yaml" in result.stderr


def test_an_unfinished_run_is_no_part(cli, tmp_path: Path) -> None:
    begin_run(str(tmp_path / "s"))
    result = cli("proportional", plan_file(tmp_path, first(data=str(tmp_path / "s" / "eggs" / "runs" / "r1"))))
    assert result.exit_code == 2
    assert "Part a: Run r1 is not finished" in result.stderr


def ended(**of_the_part: Any) -> ProportionalReport:
    """The report of a run with a part of two records."""
    made = of_the_part.get("made", 2)
    part = PartReport.model_validate(
        {"name": "new", "kind": "synthesis", "source": "s", "asked": 2, "made": 2} | of_the_part
    )
    return ProportionalReport(
        run_id="r1",
        dataset="mix",
        target=2,
        verdict="complete" if made == 2 else "fell_short",
        explanation=explanation_of([part], made, 2),
        shortfall="keep",
        simulated=False,
        parts=(part,),
        counts=Counts(asked=made, accepted=made),
        spend=Spend(),
        started_at="2026-11-21T00:00:00+00:00",
        duration_seconds=1.0,
        run_url="/s/mix/runs/r1",
        data_url="/s/mix/runs/r1/data",
        settings={"max_cost": 3},
    )


def test_the_end_of_a_run_is_a_table_and_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_end(ended(), as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Part", "From", "Asked", "Made", "Share", "Cost", "Shortfall"]
    assert lines[1].split() == ["new", "synthesis", "2", "2", "100.0%", "$0.00", "-"]
    assert lines[-1] == "Next: datasynth preview /s/mix/runs/r1"


def test_a_part_that_fell_short_is_named_with_its_reason_and_a_higher_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = ended(made=1, stopped_by="max_cost", why=say("{v}", v="No money."))
    assert show_end(report, as_json=False) == 1
    printed = capsys.readouterr().out
    assert "new: 1 missing. No money." in printed
    assert "1 of 2 records were put together, for these parts could not deliver: new." in printed
    assert "--max-cost 6 --resume" in printed


def test_the_report_is_json_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_end(ended(), as_json=True) == 0
    assert ProportionalReport.model_validate_json(capsys.readouterr().out) == ended()

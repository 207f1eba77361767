"""Runs and data sets evaluated, and that nobody else notices: the readers of a store see what they saw."""

from pathlib import Path

import polars as pl
import pytest
from evaluated import evaluated
from stored_runs import RECORDS, add_round, begin_run, finished_run

from datasynth.schemas.errors import InputError
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.tasks.evaluate.places import find_data
from datasynth.tasks.rounds.deduplicating import data_sets_at
from datasynth.tasks.rounds.listing import find_run, list_runs


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a data set `eggs` of two finished runs and one that has not ended."""
    for run_id in ("r1", "r2"):
        finished_run(str(tmp_path / "store"), run_id)
    add_round(begin_run(str(tmp_path / "store"), "r3"), RECORDS[:1])
    return tmp_path / "store"


def test_a_run_is_held_against_the_schema_it_keeps_where_its_source_is_gone(store: Path) -> None:
    found = evaluated(data=str(store / "eggs/runs/r1"), id="e1")
    assert (found.kind, found.runs, found.validity.records) == ("run", ("r1",), 3)
    assert "cannot be used" in str(found.notes[0])
    assert found.source == str(store / "eggs/runs/r1/recipe.json")
    assert pl.read_parquet(f"{found.url}/records.parquet")["record"].to_list() == [
        "SYNTH_0100", "SYNTH_0101", "SYNTH_0102"
    ]  # fmt: skip


def test_of_a_data_set_all_runs_that_have_ended_are_evaluated_together(store: Path) -> None:
    found = evaluated(data=str(store / "eggs"), id="e1")
    assert (found.kind, found.runs, found.validity.records) == ("dataset", ("r1", "r2"), 6)
    # The second run says what the first one says.
    assert (found.repeats.repeating, found.repeats.exact) == (3, 3)
    assert found.repeats.examples[0].record.startswith("r2/")
    assert "Run r3 was left out, for it has not ended." in map(str, found.notes)


def test_a_run_that_has_not_ended_is_refused(store: Path) -> None:
    with pytest.raises(InputError, match="has not ended"):
        evaluated(data=str(store / "eggs/runs/r3"), id="e1")


def test_readers_of_the_store_are_not_disturbed_by_evaluations(store: Path) -> None:
    before = list_runs(str(store)), list_runs(str(store / "eggs")), list_runs(str(store / "eggs/runs/r1"))
    evaluated(data=str(store / "eggs"), id="e1")
    evaluated(data=str(store / "eggs/runs/r1"), id="e1")
    after = list_runs(str(store)), list_runs(str(store / "eggs")), list_runs(str(store / "eggs/runs/r1"))
    assert after == before
    assert [one.url() for one in data_sets_at(str(store))] == [str(store / "eggs")]
    assert find_run("r1", store=str(store)).facts() == find_run(str(store / "eggs/runs/r1")).facts()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("eggs", "dataset"),
        ("eggs/runs/r1", "run"),
        ("eggs/runs/r1/data", "run"),
        ("eggs/runs/r1/report.json", "run"),
        ("eggs/runs/r1/data/part-00001.parquet", "file"),
    ],
)
def test_what_people_have_at_hand_names_the_data(data: str, kind: str, store: Path) -> None:
    assert find_data(EvaluationSettings.model_validate({"data": str(store / data)})).kind == kind


@pytest.mark.parametrize(("data", "kind"), [("r1", "run"), ("eggs", "dataset")])
def test_in_a_store_a_run_is_named_by_its_id_and_a_data_set_by_its_name(data: str, kind: str, store: Path) -> None:
    assert find_data(EvaluationSettings.model_validate({"data": data, "store": str(store)})).kind == kind


@pytest.mark.parametrize(
    ("data", "words"),
    [("", "this is a store.*eggs"), ("nope", "there is nothing"), ("eggs/runs/r1/rounds", "a folder without a run")],
)
def test_an_address_without_data_is_refused_with_what_to_give(data: str, words: str, store: Path) -> None:
    with pytest.raises(InputError, match=words):
        find_data(EvaluationSettings.model_validate({"data": str(store / data)}))


def test_an_analysis_is_no_data_and_the_message_says_what_it_is_good_for(examples: Path) -> None:
    with pytest.raises(InputError, match="--analysis"):
        find_data(EvaluationSettings.model_validate({"data": str(examples / "support_zh")}))

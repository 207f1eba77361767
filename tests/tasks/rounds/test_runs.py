"""Runs on storage: their cards, ledgers, and which one a request means."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import PlannedCall, Usage
from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Counts, Estimate, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.rounds.runs import (
    RUN_ID,
    Run,
    default_store,
    new_run_id,
    open_run,
    run_to_resume,
    runs_of,
    store_of,
    sums,
)
from datasynth.tasks.storage.store import Store

RECIPE = Recipe(name="a set", record_schema=RecordSchema(fields=(Field(name="text"),)))
OTHER = Recipe(name="a set", record_schema=RecordSchema(fields=(Field(name="words"),)))


@pytest.fixture
def store() -> str:
    return f"memory://{uuid.uuid4().hex}"


def with_(store: str, **values: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate({"analysis_dir": "x", "store": store} | values)


def outcome(number: int, **values: Any) -> RoundOutcome:
    spend = Spend(calls=2, usage=Usage(1, 2, 3, 4), cost_usd=0.5, possible_usd=0.25, possible_calls=1)
    counts = Counts(asked=3, unasked=1, accepted=2, rejected={"validate.enum": 1}, missing={"short": 1}, repairs=1)
    return RoundOutcome.model_validate(
        {"round": number, "calls": 3, "counts": counts, "spend": spend, "model": "m"} | values
    )


def finish(run: Run) -> None:
    run.folder.write("manifest.json", b"{}")


def test_a_new_run_writes_its_card_and_what_it_was_told(store: str) -> None:
    run = open_run(with_(store, run_id="r1", target_count=7), RECIPE)
    assert run.folder.url() == Store(store).url("a-set/runs/r1")
    assert open_run(with_(store, run_id="r1", target_count=7), RECIPE).card == run.card
    assert b'"target_count": 7' in run.folder.read("settings.json")


def test_no_key_is_in_a_run_folder(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret-0123456789")
    run = open_run(with_(store, run_id="r1"), RECIPE)
    assert all(b"sk-secret" not in run.folder.read(name) for name in run.folder.names())


@pytest.mark.parametrize("run_id", ["../r", "a/b", ".hidden", "-x", "a b", "a\n", "数", "x" * 65, "a.tmp", "_a"])
def test_what_is_no_id_is_refused(store: str, run_id: str) -> None:
    with pytest.raises(InputError, match="cannot be a run's id"):
        open_run(with_(store, run_id=run_id), RECIPE)


def test_an_id_made_up_is_an_id_and_new() -> None:
    made = {new_run_id() for _ in range(5)}
    assert all(RUN_ID.fullmatch(run_id) for run_id in made)
    assert len(made) > 1


@pytest.mark.parametrize(
    ("recipe", "values", "words"),
    [(OTHER, {}, "another recipe"), (RECIPE, {"temperature": 0.1}, "other settings")],
)
def test_an_id_of_another_run_is_refused(store: str, recipe: Recipe, values: dict[str, Any], words: str) -> None:
    open_run(with_(store, run_id="r1"), RECIPE)
    with pytest.raises(InputError, match=words):
        open_run(with_(store, run_id="r1", **values), recipe)


@pytest.mark.parametrize("change", [{"concurrency": 3}, {"max_cost": 1.0}, {"output": "o"}, {"max_retries": 0}])
def test_what_does_not_shape_replies_may_change_between_resumes(store: str, change: dict[str, Any]) -> None:
    first = open_run(with_(store, run_id="r1"), RECIPE)
    assert open_run(with_(store, run_id="r1", **change), RECIPE).card == first.card


def test_a_larger_count_opens_a_finished_run_again(store: str) -> None:
    finish(open_run(with_(store, run_id="r1", target_count=5), RECIPE))
    run = open_run(with_(store, run_id="r1", target_count=9), RECIPE)
    assert not run.finished
    assert open_run(with_(store, run_id="r1", target_count=9), RECIPE).card.target == 9


def test_two_runs_of_one_name_on_deleted_stores_are_told_apart(store: str) -> None:
    first = open_run(with_(store, run_id="r1"), RECIPE)
    first.root.remove("a-set")
    assert open_run(with_(store, run_id="r1"), RECIPE).card.nonce != first.card.nonce


def test_a_new_run_is_pinned_to_the_index_as_it_is_now(store: str) -> None:
    first = open_run(with_(store, run_id="r1"), RECIPE)
    first.index.write("r1-00001.npz", b"")
    second = open_run(with_(store, run_id="r2"), RECIPE)
    first.index.write("r1-00002.npz", b"")
    assert second.card.earlier == ("r1-00001.npz",)
    assert open_run(with_(store, run_id="r2"), RECIPE).card.earlier == ("r1-00001.npz",)


def test_a_real_run_does_not_miss_what_a_simulated_one_made_up(store: str) -> None:
    run = open_run(with_(store, run_id="r1"), RECIPE)
    run.index.write("r1-00001.simulated.npz", b"")
    assert open_run(with_(store, run_id="r2"), RECIPE).card.earlier == ()
    assert open_run(with_(store, run_id="r3", provider="simulated"), RECIPE).card.earlier != ()


def test_there_is_nothing_to_resume_in_an_empty_store(store: str) -> None:
    assert run_to_resume(with_(store), RECIPE) is None


def test_an_unfinished_run_is_resumed_before_a_later_finished_one(store: str) -> None:
    open_run(with_(store, run_id="r1"), RECIPE)
    finish(open_run(with_(store, run_id="r2"), RECIPE))
    found = run_to_resume(with_(store), RECIPE)
    assert found is not None
    assert found.run_id == "r1"


def test_of_finished_runs_the_latest_is_resumed(store: str) -> None:
    for run_id in ("r1", "r2"):
        finish(open_run(with_(store, run_id=run_id), RECIPE))
    found = run_to_resume(with_(store), RECIPE)
    assert found is not None
    assert found.run_id == "r2"


def test_a_run_of_another_recipe_or_settings_is_not_resumed(store: str) -> None:
    open_run(with_(store, run_id="r1"), OTHER)
    open_run(with_(store, run_id="r2", temperature=0.1), RECIPE)
    assert run_to_resume(with_(store), RECIPE) is None


def test_what_is_no_run_in_the_folder_of_runs_is_passed_over(tmp_path: Path) -> None:
    run = open_run(with_(str(tmp_path), run_id="r1"), RECIPE)
    Store(str(tmp_path)).write("a-set/runs/.DS_Store", b"")
    Store(str(tmp_path)).write("a-set/runs/half/settings.json", b"{}")
    assert [r.card for r in runs_of(Store(str(tmp_path)), "a-set")] == [run.card]


def test_runs_of_two_data_sets_may_have_one_name_and_share_nothing(store: str) -> None:
    one = open_run(with_(store, run_id="nightly", dataset="one"), RECIPE)
    two = open_run(with_(store, run_id="nightly", dataset="two"), RECIPE)
    assert one.folder.url() != two.folder.url()
    assert one.journal_url != two.journal_url


def test_a_plan_is_read_back_as_it_was_written(store: str) -> None:
    run = open_run(with_(store, run_id="r1"), RECIPE)
    calls = (PlannedCall(3, 5, (1, 2), {"topic": "数", "n": 1.5, "x": None}), PlannedCall(4, 1))
    assert run.planned(1) is None
    run.save_plan(1, calls)
    assert run.planned(1) == calls


def test_the_ledger_holds_finished_rounds_in_order_and_no_plans(store: str) -> None:
    run = open_run(with_(store, run_id="r1"), RECIPE)
    done = tuple(outcome(n) for n in (1, 2, 10))
    for entry in reversed(done):
        run.save_plan(entry.round, ())
        run.finish_round(entry)
    run.save_plan(11, ())
    assert run.outcomes() == done


def test_an_estimate_is_read_back_as_it_was_written(store: str) -> None:
    run = open_run(with_(store, run_id="r1"), RECIPE)
    assert run.estimate() is None
    run.save_estimate(Estimate(calls=1, input_tokens=2, output_tokens=3, cost_usd=None))
    assert run.estimate() == Estimate(calls=1, input_tokens=2, output_tokens=3, cost_usd=None)


@given(st.integers(0, 6))
def test_sums_are_sums(rounds: int) -> None:
    total = sums(tuple(outcome(n) for n in range(rounds)))
    assert (total.rounds, total.calls) == (rounds, 3 * rounds)
    assert (total.counts.asked, total.counts.accepted, total.counts.repairs) == (3 * rounds, 2 * rounds, rounds)
    assert total.counts.rejected == ({"validate.enum": rounds} if rounds else {})
    assert total.spend.usage.total == 10 * rounds
    assert total.spend.cost_usd == 0.5 * rounds


def test_one_round_of_unknown_cost_makes_the_sum_unknown() -> None:
    unknown = Spend(calls=1, cost_usd=None)
    assert sums((outcome(1), outcome(2, spend=unknown), outcome(3))).spend.cost_usd is None


def test_the_store_is_the_one_given_else_the_environments_else_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("DATASYNTH_STORE", raising=False)
    assert default_store() == "/home/someone/.datasynth/store"
    monkeypatch.setenv("DATASYNTH_STORE", "memory://env")
    assert store_of(SynthesisSettings.model_validate({"analysis_dir": "x"})).url("a") == "memory:///env/a"
    assert store_of(with_("memory://own")).url("a") == "memory:///own/a"

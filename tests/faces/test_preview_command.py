"""`datasynth preview`: records of a run, and what was refused, on a terminal."""

import json
from pathlib import Path

import pytest
from stored_runs import RECORDS, add_round, begin_run, finished_run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = str(tmp_path_factory.mktemp("store"))
    finished_run(store, "done")
    return store


def test_records_are_shown_with_id_seeds_and_quality(store: str, cli):
    result = cli("preview", "done", "--store", store, "-n", "2")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "eggs · done · finished · 3 of 3 records · $0.50 · gpt-5.4-mini",
        "",
        "1. SYNTH_0100 · seeds 1, 3 · quality 0.75",
        "   instruction: How do I boil an egg?",
        "   response: Eight minutes.",
        "   tags:",
        "     egg",
        "     hot: true",
        "   score: 3",
        "",
        "2. SYNTH_0101 · seeds 1, 3 · quality 0.75",
        "   instruction: =1+1",
        "   response:",
        "     - first",
        "     - second",
    ]


def test_control_characters_of_a_model_do_not_reach_the_terminal(store: str, cli):
    said = cli("preview", "done", "--store", store).stdout
    assert "\x1b" not in said
    assert "\ufffd[31m八分钟" in said


@pytest.mark.parametrize("tail", ["", "/", "/data", "/report.html", "/run.json"])
def test_a_run_may_be_named_by_any_address_in_it(tail: str, store: str, cli):
    result = cli("preview", f"{store}/eggs/runs/done{tail}")
    assert "3. SYNTH_0102" in result.stdout


def test_a_run_that_was_copied_elsewhere_is_read_there(store: str, tmp_path: Path, cli):
    import shutil

    shutil.copytree(f"{store}/eggs/runs/done", tmp_path / "copied")
    assert "3. SYNTH_0102" in cli("preview", tmp_path / "copied").stdout


def test_what_was_refused_is_shown_with_the_reason(tmp_path: Path, cli):
    run = begin_run(str(tmp_path), wanted=9)
    record = json.dumps({"instruction": "Too\x1b[2J", "response": ""})
    refusals = [
        {
            "step": "validate",
            "reason": "min_length",
            "field": "response",
            "detail": "It is\x07 short",
            "record": record,
        },
        {"step": "dedup", "reason": "near_duplicate", "record": "no JSON at all"},
    ]
    add_round(run, RECORDS, rejected=refusals)
    result = cli("preview", "r1", "--store", tmp_path, "--rejected")
    assert result.exit_code == 0
    assert not set(result.stdout) & set("\x1b\x07")
    assert result.stdout.splitlines()[1:] == [
        "Refused: nearly the same as a seed or an earlier record 1, too short 1",
        "",
        "1. too short · validate.min_length · field response",
        "   (It is\ufffd short)",
        "   instruction: Too\ufffd[2J",
        "   response:",
        "",
        "2. nearly the same as a seed or an earlier record · dedup.near_duplicate",
        "   no JSON at all",
    ]


def test_a_run_that_refused_nothing_says_so(store: str, cli):
    assert cli("preview", "done", "--store", store, "--rejected").stdout.endswith("Nothing was refused.\n")


def test_a_run_without_a_record_says_where_to_look(tmp_path: Path, cli):
    begin_run(str(tmp_path))
    assert cli("preview", "r1", "--store", tmp_path).stdout.endswith(
        "No record was accepted. See why with --rejected.\n"
    )


def test_a_run_that_is_not_there_is_answered_with_near_names(store: str, cli):
    result = cli("preview", "dune", "--store", store)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"There is no run dune in {store}. Did you mean done?")


def test_an_address_that_is_not_there_is_answered_with_near_names(store: str, cli):
    result = cli("preview", f"{store}/eggs/runs/dine")
    assert result.exit_code == 2
    assert "no run is there. Did you mean done?" in result.stderr


def test_a_data_set_that_is_not_there_is_answered_with_near_names(store: str, cli):
    result = cli("preview", "done", "--store", store, "--dataset", "egg")
    assert result.exit_code == 2
    assert "There is no data set egg" in result.stderr
    assert "Did you mean eggs?" in result.stderr


def test_one_name_in_two_data_sets_must_be_told_apart(tmp_path: Path, cli):
    begin_run(str(tmp_path), "nightly", name="one")
    begin_run(str(tmp_path), "nightly", name="two")
    assert "is there more than once" in cli("preview", "nightly", "--store", tmp_path).stderr
    assert cli("preview", "nightly", "--store", tmp_path, "--dataset", "two").stdout.startswith("two · nightly · ")


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5"])
def test_a_count_that_is_none_is_refused(count: str, store: str, cli):
    result = cli("preview", "done", "--store", store, "-n", count)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"--count: {count} is not allowed.")


def test_a_card_that_is_none_is_named(tmp_path: Path, cli):
    begin_run(str(tmp_path)).folder.write("run.json", b"{}")
    result = cli("preview", "r1", "--store", tmp_path)
    assert result.exit_code == 2
    assert "run.json: this is no card of a run" in result.stderr


def test_a_part_that_is_gone_is_named(tmp_path: Path, cli):
    finished_run(str(tmp_path)).folder.remove("data/part-00001.parquet")
    result = cli("preview", "r1", "--store", tmp_path)
    assert result.exit_code == 1
    assert "part-00001.parquet: this part of the run is missing or damaged" in result.stderr

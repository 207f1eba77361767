"""`datasynth runs`: what stands in a store, on a disk and on S3."""

import json
from pathlib import Path

import pytest
from stored_runs import RECORDS, add_round, begin_run, end_run, finished_run

from datasynth.tasks.rounds.listing import list_runs


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a run in each state."""
    store = str(tmp_path_factory.mktemp("mixed"))
    finished_run(store, "done")
    short = begin_run(store, "short", wanted=9, name="soup")
    add_round(short, RECORDS[:1], cost=None)
    end_run(short, store, dataset="soup")
    going = begin_run(store, "going", wanted=1_500)
    add_round(going, RECORDS, cost=0.125)
    add_round(going, RECORDS[:2], number=2, cost=0.125)
    begin_run(store, "fresh", model="told")
    return store


def states(store: str) -> dict[str, str]:
    return {line.run_id: line.state for line in list_runs(store)}


def test_every_run_is_listed_with_state_records_cost_and_model(mixed: str, cli):
    result = cli("runs", mixed)
    assert result.exit_code == 0
    head, *rows = [line.split("  ") for line in result.stdout.splitlines()]
    assert [word.strip() for word in head if word] == [
        "data set", "run", "started (UTC)", "state", "records", "cost", "model",
    ]  # fmt: skip
    cells = {row[1]: row for row in ([word.strip() for word in row if word] for row in rows)}
    assert {name: row[3:] for name, row in cells.items()} == {
        "done": ["finished", "3 of 3", "$0.50", "gpt-5.4-mini"],
        "short": ["fell short", "1 of 9", "unknown", "gpt-5.4-mini"],
        "going": ["unfinished", "5 of 1,500", "$0.25", "gpt-5.4-mini"],
        "fresh": ["unfinished", "0 of 3", "$0.00", "told"],
    }
    assert cells["short"][0] == "soup"


def test_the_list_is_json_on_request(mixed: str, cli):
    listed = {line["run_id"]: line for line in json.loads(cli("runs", mixed, "--json").stdout)}
    assert listed["going"] == {
        "dataset": "eggs",
        "run_id": "going",
        "url": f"{mixed}/eggs/runs/going",
        "state": "unfinished",
        "started_at": listed["going"]["started_at"],
        "records": 5,
        "wanted": 1500,
        "cost_usd": 0.25,
        "model": "gpt-5.4-mini",
        "simulated": False,
    }
    assert listed["short"]["cost_usd"] is None


def test_the_list_is_chinese_on_request(mixed: str, cli):
    said = cli("runs", mixed, "--lang", "zh").stdout
    assert "数量不足" in said
    assert "5／1,500" in said


def test_columns_line_up_beside_chinese_names(tmp_path: Path, cli):
    from rich.cells import cell_len

    begin_run(str(tmp_path), "r1", name="客服问答")
    begin_run(str(tmp_path), "r2", name="ab")
    lines = cli("runs", tmp_path).stdout.splitlines()
    assert len({cell_len(line[: line.index("unfinished")]) for line in lines[1:]}) == 1


def test_one_data_set_or_one_run_may_be_named(mixed: str):
    assert states(f"{mixed}/soup") == {"short": "fell_short"}
    assert states(f"{mixed}/eggs/runs/done") == {"done": "finished"}


def test_a_data_set_called_runs_is_a_data_set(tmp_path: Path):
    begin_run(str(tmp_path), "r1", name="runs")
    assert states(str(tmp_path)) == {"r1": "unfinished"}


def test_a_run_that_goes_on_after_it_fell_short_is_unfinished(tmp_path: Path):
    store = str(tmp_path)
    run = begin_run(store, wanted=5)
    add_round(run, RECORDS)
    end_run(run, store)
    assert states(store) == {"r1": "fell_short"}
    add_round(run, RECORDS[:1], number=2)
    assert [(line.state, line.records) for line in list_runs(store)] == [("unfinished", 4)]


def test_a_run_made_larger_is_unfinished(tmp_path: Path):
    finished_run(str(tmp_path)).extend(10)
    assert [(line.state, line.records, line.wanted) for line in list_runs(str(tmp_path))] == [("unfinished", 3, 10)]


def test_a_damaged_card_hides_no_other_run(mixed: str, tmp_path: Path, cli):
    finished_run(str(tmp_path), "whole")
    begin_run(str(tmp_path), "broken").folder.write("run.json", b'{"run_id": ')
    (tmp_path / "stray.txt").write_text("no folder")
    result = cli("runs", tmp_path)
    assert result.exit_code == 0
    assert [line.split()[1:3] for line in result.stdout.splitlines() if "broken" in line] == [["broken", "unreadable"]]
    assert "finished" in result.stdout


def test_what_an_endpoint_calls_itself_cannot_steer_the_terminal(tmp_path: Path, cli):
    begin_run(str(tmp_path), model="evil\x1b[2J\x9b2J\u202e\nrow")
    for words in (["runs", tmp_path], ["runs", tmp_path, "--json"], ["preview", "r1", "--store", tmp_path]):
        said = cli(*words).stdout
        assert not set(said) & set("\x1b\x9b\u202e")
        assert "evil" in said


def test_an_empty_default_store_is_no_error(cli):
    result = cli("runs")
    assert result.exit_code == 0
    assert result.stdout.startswith("There is no run in ")
    assert json.loads(cli("runs", "--json").stdout) == []


@pytest.mark.parametrize("url", ["/no/such/store", "memory://no-such-store"])
def test_an_address_with_nothing_at_it_is_bad_input(url: str, cli):
    result = cli("runs", url)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{url}: there is nothing.")


def test_runs_on_s3_are_listed_as_on_a_disk(bucket: str, cli):
    finished_run(f"{bucket}/listed", "done")
    add_round(begin_run(f"{bucket}/listed", "going", wanted=9), RECORDS)
    listed = json.loads(cli("runs", f"{bucket}/listed", "--json").stdout)
    assert [(line["run_id"], line["state"], line["records"]) for line in listed] == [
        ("done", "finished", 3),
        ("going", "unfinished", 3),
    ]
    assert listed[0]["url"] == f"{bucket}/listed/eggs/runs/done"


def test_a_bucket_that_is_not_there_is_bad_input(bucket: str, cli):
    result = cli("runs", "s3://no-such-bucket/store")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_wrong_key_is_one_clear_message(bucket: str, monkeypatch: pytest.MonkeyPatch, cli):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for words in (["runs", bucket], ["preview", f"{bucket}/eggs/runs/r1"], ["preview", "r1", "--store", bucket]):
        result = cli(*words)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "Check the address, the free space and the permissions or keys." in result.stderr


def test_ten_thousand_parts_are_listed_and_counted(tmp_path: Path, cli):
    """Small ones: what grows with their number is what is tried here."""
    store = str(tmp_path)
    run = begin_run(store, wanted=20_000)
    add_round(run, RECORDS[:1])
    part, entry = run.folder.read("data/part-00001.parquet"), run.folder.read("rounds/00001.json")
    for number in range(2, 10_001):
        # Not through the store, whose every write waits for the disk.
        (tmp_path / f"eggs/runs/r1/data/part-{number:05d}.parquet").write_bytes(part)
        ledger = entry.replace(b'"round":1,', b'"round":%d,' % number)
        (tmp_path / f"eggs/runs/r1/rounds/{number:05d}.json").write_bytes(ledger)
    [line] = list_runs(store)
    assert (line.state, line.records, line.cost_usd) == ("unfinished", 10_000, 5_000)
    assert "2. SYNTH_0100" in cli("preview", "r1", "--store", store, "-n", "2").stdout

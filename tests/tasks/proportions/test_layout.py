"""A proportional run stands in the store like any other: every reader takes it, and a repeat writes the same bytes."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from plans import near, opened, plan, put_together, texts, written

from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import ProportionalReport
from datasynth.tasks.proportions import layout
from datasynth.tasks.proportions.opening import finished_report, part_run_id
from datasynth.tasks.proportions.telling import parts_markdown, proportions_ended
from datasynth.tasks.report.summary import check_counts
from datasynth.tasks.rounds.deduplicating import data_sets_at, duplicates_between_runs
from datasynth.tasks.rounds.exporting import export_run
from datasynth.tasks.rounds.listing import find_run, list_runs
from datasynth.tasks.rounds.runs import RUN_ID
from datasynth.tasks.rounds.stored import first_records, first_rejected, recipe_of

OTHER = [{"prompt": f"p{n}", "turns": [{"role": "user", "content": f"hello {n}"}]} for n in range(4)]


def two_forms(home: Path, **changes: Any) -> Any:
    return plan(
        home,
        {"name": "a", "count": 6, "data": written(home / "a.jsonl", texts(8))},
        {"name": "b", "count": 3, "data": written(home / "b.jsonl", OTHER)},
        **changes,
    )


def files(home: Path) -> dict[str, bytes]:
    folder = home / "store" / "mix"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_reader_of_runs_takes_it(tmp_path: Path) -> None:
    report = put_together(two_forms(tmp_path))
    check_counts(report.counts)
    (line,) = list_runs(str(tmp_path / "store"))
    assert (line.state, line.records, line.wanted, line.cost_usd) == ("finished", 9, 9, 0.0)
    place = find_run(report.run_url)
    records = first_records(place, recipe_of(place).record_schema, 99)
    known = [orjson.dumps(record, option=orjson.OPT_SORT_KEYS) for record in (*texts(8), *OTHER)]
    assert all(orjson.dumps(one.record, option=orjson.OPT_SORT_KEYS) in known for one in records)
    assert {one.lineage["part"] for one in records} == {"a", "b"}
    assert records[0].lineage["source"].endswith(f"/{records[0].lineage['part']}.jsonl")
    assert records[0].lineage["record"].startswith("#")


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet"])
def test_records_of_different_forms_are_exported_together(form: Any, tmp_path: Path) -> None:
    report = put_together(two_forms(tmp_path))
    target = str(tmp_path / f"out.{form}")
    exported = export_run(find_run(report.run_url), target, form, with_lineage=True, unfinished=False).exported
    assert exported.written == 9


def test_a_training_format_that_does_not_fit_every_part_is_refused(tmp_path: Path) -> None:
    report = put_together(two_forms(tmp_path))
    with pytest.raises(InputError, match="The format alpaca does not fit the fields question, level, prompt, turns"):
        export_run(find_run(report.run_url), str(tmp_path / "o.json"), "alpaca", with_lineage=False, unfinished=False)


def test_datasynth_dedup_compares_two_mixes_of_one_data_set(tmp_path: Path) -> None:
    for run_id in ("r1", "r2"):
        put_together(two_forms(tmp_path, run_id=run_id))
    (dataset,) = [one for one in data_sets_at(str(tmp_path / "store")) if one.url().endswith("mix")]
    found = duplicates_between_runs(dataset)
    assert (found.compared, found.removed, found.left_out) == (18, 9, ())


def test_a_repeat_writes_the_same_bytes(tmp_path: Path) -> None:
    put_together(two_forms(tmp_path))
    first = files(tmp_path)
    put_together(two_forms(tmp_path))
    second = files(tmp_path)
    for found in (first, second):
        for name in ("runs/r1/report.json", "runs/r1/report.md"):
            del found[name]  # the time that it took
    assert first == second


def test_a_larger_count_keeps_what_was_drawn(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", texts(40))
    taken = []
    for count in (10, 20):
        mixture = opened(plan(tmp_path, {"name": "a", "count": count, "data": path}))
        assert finished_report(mixture.run) is None
        mixture.draw()
        taken.append(mixture.taken[0].picked.kept)
        assert layout.write_mixture(mixture).total == count
    assert taken[1][:10] == taken[0]


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    report = put_together(two_forms(tmp_path))
    assert finished_report(opened(two_forms(tmp_path)).run) == report


def test_data_that_have_changed_since_the_run_began_are_refused(tmp_path: Path) -> None:
    put_together(two_forms(tmp_path))
    settings = two_forms(tmp_path)
    written(tmp_path / "a.jsonl", texts(9))
    with pytest.raises(InputError, match="Part a: its records have changed since run r1 began"):
        opened(settings)


def test_a_run_of_other_parts_is_refused(tmp_path: Path) -> None:
    put_together(two_forms(tmp_path))
    with pytest.raises(InputError, match="put together from other parts"):
        opened(two_forms(tmp_path, random_seed=1))


def short(home: Path, **changes: Any) -> ProportionalReport:
    """A run whose second part has two of the three records wanted of it."""
    first = texts(6)
    second = [near(first[0]), *texts(2, seed=1)]
    parts = [
        {"name": "a", "share": 2, "data": written(home / "a.jsonl", first)},
        {"name": "b", "share": 1, "data": written(home / "b.jsonl", second)},
    ]
    return put_together(plan(home, *parts, target_count=9, **changes))


def test_what_was_made_is_kept_where_a_part_falls_short(tmp_path: Path) -> None:
    report = short(tmp_path)
    assert [part.made for part in report.parts] == [6, 2]
    assert (report.total, report.verdict) == (8, "fell_short")
    assert "could not deliver: b" in str(report.explanation)
    assert list_runs(str(tmp_path / "store"))[0].state == "fell_short"


def test_parts_are_cut_until_the_proportions_hold_on_request(tmp_path: Path) -> None:
    report = short(tmp_path, shortfall="scale")
    # Of seven, two thirds are 5 and a third 2; of eight they would be 5 and 3.
    assert [(part.made, part.cut, part.fell_short) for part in report.parts] == [(5, 1, False), (2, 0, True)]
    assert (report.total, report.verdict) == (7, "fell_short")
    check_counts(report.counts)


def test_what_was_left_out_is_shown_with_its_reason(tmp_path: Path) -> None:
    report = short(tmp_path, shortfall="scale")
    rows = first_rejected(find_run(report.run_url), 9)
    assert [(row["step"], row["reason"], row["reply"].partition(":")[0]) for row in rows] == [
        ("surplus", "beyond_target", "a"),
        ("dedup", "near_duplicate", "b"),
    ]
    assert "like a: #1" in rows[1]["detail"]


def test_a_run_without_a_record_is_told_too(tmp_path: Path) -> None:
    first = texts(1)
    parts = [
        {"name": "a", "share": 1, "data": written(tmp_path / "a.jsonl", first)},
        {"name": "b", "share": 1, "data": written(tmp_path / "b.jsonl", [near(first[0])])},
    ]
    report = put_together(plan(tmp_path, *parts, target_count=8, shortfall="scale"))
    assert (report.total, list_runs(str(tmp_path / "store"))[0].state) == (1, "fell_short")


def test_many_records_stand_in_several_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "RECORDS_A_PART", 4)
    report = put_together(two_forms(tmp_path))
    assert [outcome.counts.accepted for outcome in report.rounds] == [4, 4, 1]
    place = find_run(report.run_url)
    ids = [one.lineage["id"] for one in first_records(place, recipe_of(place).record_schema, 99)]
    assert ids == [f"MIX_{n:04d}" for n in range(1, 10)]
    (dataset,) = data_sets_at(str(tmp_path / "store"))
    assert duplicates_between_runs(dataset).left_out == ()


def test_names_are_shown_and_never_interpreted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", texts(3))
    report = put_together(plan(tmp_path, {"name": "1. a_b_ c", "count": 3, "data": path}))
    assert "| 1\\. a_b\\_ c |" in parts_markdown(report.parts, "en")
    assert "| 部分 |" in parts_markdown(report.parts, "zh")


@pytest.mark.parametrize(("changes", "event"), [({}, "fell-short"), ({"target_count": 6}, "completed")])
def test_the_end_is_announced_as_that_of_any_run(changes: dict[str, Any], event: str, tmp_path: Path) -> None:
    first = texts(6)
    parts = [{"name": "a", "share": 1, "data": written(tmp_path / "a.jsonl", first)}]
    told = proportions_ended(put_together(plan(tmp_path, *parts, **({"target_count": 9} | changes))))
    assert told.event == f"datasynth.run.{event}"
    assert told.payload["records"] == 6
    assert told.payload["parts"][0]["made"] == 6


@pytest.mark.parametrize("part", ["new", "新的", "a" * 100, "- -"])
@pytest.mark.parametrize("run_id", ["r1", "r" * 64])
def test_the_run_of_a_part_has_an_id_that_storage_takes(run_id: str, part: str) -> None:
    assert RUN_ID.fullmatch(part_run_id(run_id, part))
    assert part_run_id(run_id, part) == part_run_id(run_id, part) != part_run_id(run_id, part + "x")

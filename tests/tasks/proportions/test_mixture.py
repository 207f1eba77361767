"""Parts are filled one after the other: what repeats an earlier part is left out, and something else taken."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from plans import near, opened, plan, put_together, texts, written
from stored_runs import add_round

from datasynth.schemas.messages import say
from datasynth.schemas.recipe import Detection
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.proportions.mixture import MORE, Mixture
from datasynth.tasks.rounds.finish import finish_run
from datasynth.tasks.rounds.runs import open_run
from datasynth.tasks.sources.recipes import read_recipe

SCHEMA = {"fields": [{"name": "question", "type": "string"}, {"name": "level", "type": "string"}]}


def made(asked: SynthesisSettings, records: list[dict[str, Any]]) -> RunReport:
    """The run that a synthesis part asks for, as if a model had written the first `target_count` of `records`."""
    recipe = read_recipe(asked)
    run = open_run(asked, recipe)
    for number, record in enumerate(records[: asked.target_count], start=1):
        if not run.folder.exists(f"rounds/{number:05d}.json"):
            add_round(run, [record], number=number, schema=recipe.record_schema, cost=0.25)
    told = asked.model_copy(update={"output": None})
    return finish_run(run, recipe, Detection(kind="generic"), told, "dry", say("{v}", v="No more."), time.monotonic())


def made_part(**changes: Any) -> dict[str, Any]:
    synthesize = {"record_schema": SCHEMA, "provider": "simulated", **changes}
    return {"name": "new", "count": 4, "synthesize": synthesize}


def filled(mixture: Mixture, records: list[dict[str, Any]]) -> list[int]:
    """Fills the synthesis part at hand; returns what its run was asked for, each time."""
    asked = [mixture.settings_of_run()]
    while (more := mixture.take_run(asked[-1], made(asked[-1], records))) is not None:
        asked.append(mixture.settings_of_run(more))
    return [one.target_count for one in asked]


def test_near_duplicates_of_an_earlier_part_are_replaced_by_the_next_records(tmp_path: Path) -> None:
    first = texts(5)
    second = [near(first[0]), near(first[1]), *texts(4, seed=1)]
    parts = [
        {"name": "a", "count": 5, "data": written(tmp_path / "a.jsonl", first)},
        {"name": "b", "count": 4, "data": written(tmp_path / "b.jsonl", second)},
    ]
    report = put_together(plan(tmp_path, *parts))
    assert [part.made for part in report.parts] == [5, 4]
    assert report.verdict == "complete"
    assert report.parts[1].duplicates <= 2


def test_a_part_that_runs_out_says_how_many_are_missing_and_why(tmp_path: Path) -> None:
    first = texts(5)
    parts = [
        {"name": "a", "count": 5, "data": written(tmp_path / "a.jsonl", first)},
        {"name": "b", "count": 4, "data": written(tmp_path / "b.jsonl", [near(first[0]), *texts(3, seed=1)])},
    ]
    report = put_together(plan(tmp_path, *parts))
    part = report.parts[1]
    assert (part.made, part.missing, part.duplicates, report.verdict) == (3, 1, 1, "fell_short")
    assert "4 records to draw from; among them, repeats of records of earlier parts: 1." in str(part.why)


def test_records_of_one_part_are_not_compared_with_each_other(tmp_path: Path) -> None:
    first = texts(2)
    path = written(tmp_path / "a.jsonl", [*first, near(first[0]), first[1]])
    report = put_together(plan(tmp_path, {"name": "a", "count": 3, "data": path}))
    assert report.parts[0].made == 3
    assert report.parts[0].held == 3  # a copy is no record of its own


def test_a_run_is_asked_for_as_many_more_as_repeat_an_earlier_part(tmp_path: Path) -> None:
    first = texts(3)
    path = written(tmp_path / "a.jsonl", first)
    mixture = opened(plan(tmp_path, {"name": "a", "count": 3, "data": path}, made_part()))
    mixture.draw()
    written_by_model = [near(first[0]), *texts(1, seed=1), near(first[1]), *texts(1, seed=2), *texts(9, seed=3)]
    assert filled(mixture, written_by_model) == [4, 6]
    part = mixture.reports()[1]
    assert (part.made, part.duplicates, part.extended, part.why) == (4, 2, 1, None)
    assert part.spend.cost_usd == pytest.approx(0.25 * 6)


def test_a_run_is_asked_for_more_three_times_at_most(tmp_path: Path) -> None:
    first = texts(20)
    path = written(tmp_path / "a.jsonl", first)
    mixture = opened(plan(tmp_path, {"name": "a", "count": 20, "data": path}, made_part()))
    mixture.draw()
    assert filled(mixture, [near(record) for record in first]) == [4, 8, 12, 16]
    part = mixture.reports()[1]
    assert (part.made, part.extended) == (0, MORE)
    assert "asked for more 3 times" in str(part.why)


def test_a_run_that_falls_short_gives_its_own_reason(tmp_path: Path) -> None:
    mixture = opened(plan(tmp_path, made_part()))
    assert filled(mixture, texts(3)) == [4]
    part = mixture.reports()[0]
    assert (part.made, str(part.why)) == (3, "No more.")


def test_a_resumed_run_asks_for_nothing_again_and_takes_the_same(tmp_path: Path) -> None:
    first = texts(3)
    path = written(tmp_path / "a.jsonl", first)
    settings = plan(tmp_path, {"name": "a", "count": 3, "data": path}, made_part())
    written_by_model = [near(first[0]), *texts(9, seed=1)]
    takes = []
    for expected in ([4, 5], [5]):
        mixture = opened(settings)
        mixture.draw()
        assert filled(mixture, written_by_model) == expected
        takes.append([taken.picked.kept for taken in mixture.taken])
    assert takes[0] == takes[1]


def test_what_other_parts_have_spent_is_no_longer_there_for_a_part(tmp_path: Path) -> None:
    settings = plan(tmp_path, made_part(max_cost=9), made_part() | {"name": "other"}, max_cost=2)
    mixture = opened(settings)
    asked = mixture.settings_of_run()
    assert asked.max_cost == 2
    entry = {"key": "k", "round": 1, "cost": "0.5", "reply": {"usage": {"input": 1, "output": 1}}}
    mixture.leave_out()
    spend(tmp_path / "store", asked, entry)
    assert mixture.settings_of_run().max_cost == 1.5


def spend(store: Path, asked: SynthesisSettings, entry: dict[str, Any]) -> None:
    """Writes what a reply of a run cost into its journal."""
    from datasynth.tasks.storage.log import frame_line

    folder = store / "journal" / str(asked.dataset) / str(asked.run_id)
    folder.mkdir(parents=True)
    (folder / "w.log").write_bytes(frame_line(orjson.dumps(entry)))


def test_parts_have_runs_and_data_sets_of_their_own(tmp_path: Path) -> None:
    mixture = opened(plan(tmp_path, made_part(), made_part() | {"name": "新 part/2".replace("/", " ")}))
    one = mixture.settings_of_run()
    mixture.leave_out()
    other = mixture.settings_of_run()
    assert one.run_id != other.run_id
    assert (one.dataset, other.dataset) == ("mix-new", "mix-新 part 2")

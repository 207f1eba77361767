"""What of the runs of a data set repeats an earlier run, and how it is taken out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_runs import SCHEMA, add_round, begin_run, settings_of

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection
from datasynth.schemas.removal import DedupReport, Removed
from datasynth.tasks.dedup.index import NearDuplicateIndex, index_for
from datasynth.tasks.report.parts import read_part, read_records, unchecked
from datasynth.tasks.rounds.deduplicating import data_sets_at, duplicates_between_runs, remove_duplicates
from datasynth.tasks.rounds.exporting import export_run
from datasynth.tasks.rounds.listing import find_run, list_runs
from datasynth.tasks.rounds.removing import LIST, removals_of, take_out
from datasynth.tasks.rounds.runs import Run, index_name
from datasynth.tasks.rounds.stored import first_records
from datasynth.tasks.storage.store import Store

WORDS = [f"word{n}" for n in range(20)]


def record(*words: int) -> dict[str, Any]:
    """A record of the words at these places; those with most of their pairs in common are alike."""
    text = " ".join(WORDS[word % len(WORDS)] for word in words)
    return {"instruction": text, "response": text[::-1]}


LONG = tuple(range(20))
NEAR = (*range(19), 3)
"""As `LONG`, but for its last word."""
OTHER = tuple(range(19, 0, -1))


def index(store: str, **changes: Any) -> NearDuplicateIndex:
    found = index_for(SCHEMA, Detection(kind="generic"), settings_of(store, "x", 1, **changes))
    assert isinstance(found, NearDuplicateIndex)
    return found


def run_of(store: str, run_id: str, *rounds: Sequence[dict[str, Any]], ended: bool = True, **changes: Any) -> Run:
    """A run that did not see any other, with the index files of its rounds."""
    run = begin_run(store, run_id, wanted=sum(map(len, rounds)), **changes)
    for number, records in enumerate(rounds, 1):
        saved = index(store, **changes)
        saved.add(records, [f"{run_id}/0.{n}" for n in range(len(records))])
        run.index.write(index_name(run_id, number, simulated=False), saved.dump())
        schema = SCHEMA if changes.get("validate_records", True) else unchecked(SCHEMA)
        add_round(run, list(records), number=number, schema=schema)
    if ended:
        # As the end of a run writes it; its reports would take their time.
        parts = {"data": [f"data/{name}" for name in run.part_names("data")], "rejected": []}
        run.folder.write("manifest.json", orjson.dumps(parts))
    return run


def looked(store: str) -> DedupReport:
    (dataset,) = data_sets_at(store)
    return duplicates_between_runs(dataset)


def done(store: str) -> DedupReport:
    """A whole pass, as the flow makes it."""
    (dataset,) = data_sets_at(store)
    report = duplicates_between_runs(dataset)
    for run in report.runs:
        remove_duplicates(dataset, run)
    return report


def records_of(run: Run) -> list[dict[str, Any]]:
    """As a reader of the parts alone finds them."""
    return [found for part in run.parts("data") for found in read_records(part, SCHEMA)]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def test_the_run_that_started_first_keeps_the_record(store: str):
    first = run_of(store, "a", [record(*LONG)])
    second = run_of(store, "b", [record(*OTHER), record(*NEAR)])
    report = done(store)
    assert [(run.run_id, len(run.removed)) for run in report.runs] == [("a", 0), ("b", 1)]
    assert report.runs[1].removed[0].like == "a/0.0"
    assert records_of(first) == [record(*LONG)]
    assert records_of(second) == [record(*OTHER)]


def test_a_second_pass_finds_nothing(store: str):
    run_of(store, "a", [record(*LONG)])
    run_of(store, "b", [record(*LONG)])
    assert done(store).removed == 1
    assert done(store).removed == 0


def test_what_is_like_only_what_was_taken_out_stays(store: str):
    chain = [record(*range(n, n + 14)) for n in (0, 2, 4)]
    alike = index(store)
    alike.add(chain[:1], ["a"])
    assert [bool(match) for match in alike.peek(chain[1:])] == [True, False]
    for run_id, one in zip("abc", chain, strict=True):
        run_of(store, run_id, [one])
    assert [len(run.removed) for run in done(store).runs] == [0, 1, 0]


def test_records_of_one_run_are_not_compared(store: str):
    run_of(store, "a", [record(*LONG)], [record(*LONG)])
    assert looked(store).removed == 0


def test_a_run_that_has_not_ended_is_neither_compared_nor_changed(store: str):
    run_of(store, "a", [record(*LONG)], ended=False)
    run_of(store, "b", [record(*LONG)])
    run_of(store, "c", [record(*OTHER)], ended=False)
    report = done(store)
    assert [run.run_id for run in report.runs] == ["b"]
    assert [one.run_id for one in report.left_out] == ["a", "c"]
    assert report.removed == 0


def test_records_that_nobody_validated_are_left_alone(store: str):
    run_of(store, "a", [record(*LONG)])
    run_of(store, "b", [record(*LONG)], validate_records=False)
    assert [one.run_id for one in looked(store).left_out] == ["b"]


def test_each_run_keeps_to_its_own_threshold(store: str):
    run_of(store, "a", [record(*LONG)])
    run_of(store, "b", [record(*NEAR)], dedup_threshold=1.0)
    run_of(store, "c", [record(*NEAR)])
    assert [len(run.removed) for run in looked(store).runs] == [0, 0, 1]


def test_what_is_taken_out_is_kept_aside_with_its_lineage(store: str):
    run_of(store, "a", [record(*LONG)])
    run = run_of(store, "b", [record(*OTHER), record(*LONG)])
    before = read_part(next(run.parts("data")))
    done(store)
    aside = read_part(run.folder.read("removed/part-00001.parquet"))
    assert aside.equals(before[1:])
    assert read_part(next(run.parts("data"))).equals(before[:1])


def test_runs_preview_and_export_count_what_is_left(store: str, tmp_path: Path):
    run_of(store, "a", [record(*LONG)])
    run_of(store, "b", [record(*OTHER), record(*LONG)])
    done(store)
    assert [line.records for line in list_runs(store)] == [1, 1]
    assert {line.state for line in list_runs(store)} == {"finished"}
    place = find_run("b", store=store)
    assert [stored.record for stored in first_records(place, SCHEMA, 5)] == [record(*OTHER)]
    target = tmp_path / "out.jsonl"
    exported = export_run(place, str(target), "jsonl", with_lineage=False, unfinished=False)
    assert exported.facts.total == len(target.read_text().splitlines()) == 1


class Killed(BaseException):
    """The process ends here."""


class DyingStore(Store):
    """A store whose process is killed after some writes."""

    left = 0

    def write(self, path: str, data: bytes) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        super().write(path, data)


@pytest.mark.parametrize("writes", range(6))
def test_killed_at_any_write_it_leaves_a_run_that_can_be_read_and_is_ended_by_the_next_pass(store: str, writes: int):
    run_of(store, "a", [record(*LONG), record(*OTHER)])
    run = run_of(store, "b", [record(*LONG), record(*range(5, 18))], [record(*OTHER)])
    report = looked(store)
    dying = DyingStore(run.folder.url())
    dying.left = writes
    with pytest.raises(Killed):
        take_out(dying, report.runs[1].removed)
    place = find_run("b", store=store)
    seen = [stored.record for stored in first_records(place, SCHEMA, 5)]
    assert seen == [record(*range(5, 18))] if writes else len(seen) == 3
    assert place.facts()[1].total == len(seen)
    done(store)
    assert records_of(run) == [record(*range(5, 18))]
    assert removals_of(run.folder).pending == ()
    aside = [read_records(run.folder.read(f"removed/{name}"), SCHEMA) for name in run.folder.names("removed")]
    assert aside == [[record(*LONG)], [record(*OTHER)]]


def test_a_later_pass_adds_to_what_an_earlier_one_took_out_of_a_part(store: str):
    run = run_of(store, "b", [record(*LONG), record(*OTHER), record(*range(5, 18))])
    for position in (1, 0):
        one = Removed(
            round=1, call=0, position=position, reason="near_duplicate", similarity=0.9, view="record", like="a/0.0"
        )
        take_out(run.folder, [one])
    assert [one.position for one in removals_of(run.folder).records] == [0, 1]
    assert records_of(run) == [record(*range(5, 18))]
    aside = read_records(run.folder.read("removed/part-00001.parquet"), SCHEMA)
    assert sorted(one["instruction"] for one in aside) == sorted(
        r["instruction"] for r in (record(*LONG), record(*OTHER))
    )


def test_a_run_from_which_nothing_was_taken_has_no_list(store: str):
    run = run_of(store, "a", [record(*LONG)])
    done(store)
    assert LIST not in run.folder.names()


def test_where_there_is_no_data_set_it_says_so(tmp_path: Path):
    with pytest.raises(InputError, match="there is no data set"):
        data_sets_at(str(tmp_path))


NUMBERS = st.lists(st.integers(0, 19), min_size=6, max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=3), min_size=2, max_size=3))
def test_afterwards_no_record_is_like_one_that_stays_in_an_earlier_run(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[list[int]]]
):
    store = str(tmp_path_factory.mktemp("runs"))
    made = [run_of(store, f"r{n}", [record(*numbers) for numbers in some]) for n, some in enumerate(runs)]
    done(store)
    earlier = index(store)
    for run in made:
        left = records_of(run)
        assert earlier.peek(left) == [None] * len(left)
        earlier.add(left, [run.card.run_id] * len(left))

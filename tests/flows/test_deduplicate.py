"""Two runs of a data set at once: both finish, lose nothing, and after `dedup` nothing of one is said by the other."""

from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest
from click.testing import CliRunner

from datasynth.cli.dedup import dedup
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.index import index_for
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.report.parts import read_records, record_ids
from datasynth.tasks.rounds.listing import find_run, list_runs
from datasynth.tasks.rounds.opening import open_job
from datasynth.tasks.rounds.stored import part_names, read_frames
from datasynth.tasks.sources.recipes import read_recipe

# Three whole runs.
pytestmark = pytest.mark.timeout(600)


def parts(home: Path, run_id: str) -> list[pl.DataFrame]:
    """The data parts of a run."""
    place = find_run(run_id, store=str(home / "store"))
    return list(read_frames(place, part_names(place, "data")))


def test_no_near_duplicates_stand_between_two_runs_at_once_after_dedup(
    run: Callable[..., RunReport],
    settings_for: Callable[..., SynthesisSettings],
    endpoint: SimulatedServer,
    tmp_path: Path,
) -> None:
    from datasynth.flows.deduplicate import deduplicate

    endpoint.set(collapse=0.7)
    asked = {name: {"run_id": name, "random_seed": n, "diversity_factor": 0.0} for n, name in enumerate("ab")}
    settings = settings_for()
    recipe = read_recipe(settings)
    detection = detect_kind(recipe.record_schema, recipe.seeds, "auto")
    for changes in asked.values():
        # Both have begun before either has a record, so neither sees the other.
        open_job(settings_for(**changes), recipe, detection, None)
    for changes in asked.values():
        assert run(**changes).total == 60
    assert [line.records for line in list_runs(str(tmp_path / "store"))] == [60, 60]

    dataset = str(tmp_path / "store" / "support_zh")
    (seen,) = deduplicate(dataset, dry_run=True)
    assert [line.records for line in list_runs(str(tmp_path / "store"))] == [60, 60]
    (report,) = deduplicate(dataset)
    removed = report.removed
    assert 0 < removed < 60
    assert (seen.runs, report.compared, report.left_out) == (report.runs, 120, ())
    assert [line.records for line in list_runs(str(tmp_path / "store"))] == [60, 60 - removed]

    index = index_for(recipe.record_schema, detection, settings)
    for name in asked:
        records = [record for part in parts(tmp_path, name) for record in read_records(part, recipe.record_schema)]
        assert index.peek(records) == [None] * len(records)
        index.add(records, [name] * len(records))
    assert len(index) == 120 - removed

    said = CliRunner().invoke(dedup, [dataset, "--dry-run", "--json"])
    assert said.exit_code == 0, said.output
    assert [len(one["removed"]) for one in orjson.loads(said.output)[0]["runs"]] == [0, 0]

    # The run can be gone on with: what was taken out is not made again, and no id is given twice.
    assert run(**asked["b"], target_count=70).total == 70 - removed
    ids = [id_ for part in parts(tmp_path, "b") for id_ in record_ids(part)]
    assert len(set(ids)) == len(ids) == 70 - removed

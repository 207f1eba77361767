"""Records of an output file become part 0 of a new run."""

import uuid
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.parts import read_part, read_records
from datasynth.tasks.rounds.carry import carry_over
from datasynth.tasks.rounds.commit import RoundCommitter, stored_schema
from datasynth.tasks.rounds.runs import Run, open_run

SCHEMA = RecordSchema(fields=(Field(name="text"), Field(name="n", type="integer")))
RECIPE = Recipe(name="small", record_schema=SCHEMA)
DETECTION = Detection(kind="generic")
GOOD = [
    {"text": "A lighthouse keeper writes letters to passing ships.", "n": 1},
    {"text": "Seven painters argue about the colour of rain.", "n": 2},
]


def opened(run_id: str = "r1", store: str | None = None, **values: Any) -> tuple[Run, SynthesisSettings]:
    options = SynthesisSettings.model_validate(
        {"analysis_dir": "x", "store": store or f"memory://{uuid.uuid4().hex}", "run_id": run_id} | values
    )
    return open_run(options, RECIPE), options


def carried(records: list[Any], **values: Any) -> tuple[Run, SynthesisSettings, int]:
    run, options = opened(**values)
    return run, options, carry_over(run, RECIPE, DETECTION, options, records)


def test_fitting_records_become_part_0_with_ids() -> None:
    run, options, kept = carried(GOOD)
    part = read_part(run.folder.read("data/part-00000.parquet"))
    assert kept == run.card.carried_over == 2
    assert read_records(part, stored_schema(RECIPE, options)) == GOOD
    assert part["_lineage"].struct.field("id").to_list() == ["SYNTH_0001", "SYNTH_0002"]


def test_the_card_on_storage_knows_of_them() -> None:
    _, options, _ = carried(GOOD)
    assert open_run(options, RECIPE).card.carried_over == 2


def test_misfits_are_kept_apart_with_their_reasons() -> None:
    run, _, kept = carried([GOOD[0], {"text": "no n"}, {"text": "x", "n": "three"}])
    assert kept == 1
    refused = pl.read_parquet(run.folder.read("rejected/part-00000.parquet"))
    assert refused["step"].to_list() == ["validate", "validate"]
    assert refused["position"].to_list() == [1, 2]


@pytest.mark.parametrize("value", [2**63, 10**18 * 18])
def test_a_number_that_no_column_holds_is_a_misfit_and_no_crash(value: int) -> None:
    run, _, kept = carried([GOOD[0], {"text": "A very large number of things.", "n": value}])
    assert kept == 1
    assert len(pl.read_parquet(run.folder.read("rejected/part-00000.parquet"))) == 1


def test_nothing_usable_carries_nothing_over() -> None:
    run, _, kept = carried([{"text": 5}])
    assert kept == 0
    assert run.folder.names("data") == []


def test_an_empty_file_carries_nothing_over() -> None:
    assert carried([])[2] == 0


def test_without_validation_all_are_kept_as_they_are() -> None:
    run, options, kept = carried([{"text": 5, "more": [1]}], validate_records=False)
    assert kept == 1
    part = read_part(run.folder.read("data/part-00000.parquet"))
    assert read_records(part, stored_schema(RECIPE, options)) == [{"text": 5, "more": [1]}]


def test_the_run_does_not_make_them_again() -> None:
    run, options, _ = carried(GOOD)
    committer = RoundCommitter(run, RECIPE, DETECTION, options)
    assert committer.index.screen([GOOD[0]], ["new"])[0] is not None


def test_nor_does_a_later_run_of_the_data_set() -> None:
    run, options, _ = carried(GOOD)
    later, later_options = opened("r2", options.store)
    committer = RoundCommitter(later, RECIPE, DETECTION, later_options)
    assert committer.index.screen([GOOD[0]], ["new"])[0] is not None
    assert run.card.run_id == "r1"


def test_carrying_over_again_after_a_crash_gives_the_same_bytes() -> None:
    run, options, _ = carried([*GOOD, {"text": 1}])
    before = [run.folder.read(f"{kind}/part-00000.parquet") for kind in ("data", "rejected")]
    carry_over(run, RECIPE, DETECTION, options, [*GOOD, {"text": 1}])
    assert [run.folder.read(f"{kind}/part-00000.parquet") for kind in ("data", "rejected")] == before


def test_what_repeats_an_item_of_an_evaluation_set_is_not_taken_over(tmp_path: Path) -> None:
    items = tmp_path / "test.json"
    items.write_bytes(orjson.dumps([{"id": "q-7", "question": GOOD[1]["text"]}]))
    run, options, kept = carried([*GOOD, {"text": "no n"}], decontaminate=(str(items),))
    assert kept == 1
    assert read_records(read_part(run.folder.read("data/part-00000.parquet")), stored_schema(RECIPE, options)) == [
        GOOD[0]
    ]
    refused = pl.read_parquet(run.folder.read("rejected/part-00000.parquet"))
    assert refused["reason"].to_list() == ["contaminated", "required"]
    assert refused["detail"][0].endswith(f"of q-7 in {items}")

"""The end of a run: its reports, measured from its parts."""

import time
import uuid

import orjson
import pytest

from datasynth.schemas.frames import LINEAGE
from datasynth.schemas.messages import say
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Counts, RoundOutcome, RunReport, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.parts import record_parquet
from datasynth.tasks.rounds.finish import finish_run
from datasynth.tasks.rounds.runs import Run, open_run

SCHEMA = RecordSchema(fields=(Field(name="text"), Field(name="level", enum=("easy", "hard"))))
RECIPE = Recipe(name="small", record_schema=SCHEMA, seeds=({"text": "a seed of its own", "level": "easy"},))
DETECTION = Detection(kind="generic")


def finished(rounds: int, *, target: int = 6) -> tuple[Run, RunReport]:
    """A run of `rounds` rounds with three records each, and what its end returned."""
    settings = SynthesisSettings.model_validate(
        {
            "analysis_dir": "x",
            "store": f"memory://{uuid.uuid4().hex}",
            "run_id": "r1",
            "provider": "simulated",
            "target_count": target,
        }
    )
    run = open_run(settings, RECIPE)
    for number in range(1, rounds + 1):
        records = [{"text": f"record {n} of round {number}", "level": "hard"} for n in range(3)]
        blank = dict.fromkeys(LINEAGE.to_schema())
        lineage = [blank | {"id": f"S{number}{n}", "round": number, "aim": "{}", "simulated": True} for n in range(3)]
        run.folder.write(f"data/part-{number:05d}.parquet", record_parquet(records, lineage, SCHEMA))
        counts = Counts(asked=3, accepted=3)
        run.finish_round(RoundOutcome(round=number, calls=1, counts=counts, spend=Spend(calls=1, cost_usd=0.5)))
    return run, finish_run(run, RECIPE, DETECTION, settings, "done", say("{v}", v="It ends."), time.monotonic())


@pytest.fixture(scope="module")
def two_rounds() -> tuple[Run, RunReport]:
    return finished(2)


def test_every_report_is_written(two_rounds):
    run, report = two_rounds
    assert RunReport.model_validate_json(run.folder.read("report.json")) == report
    assert b"S10" in run.folder.read("report.html")
    assert b"distinct-1" in run.folder.read("report.md")
    assert orjson.loads(run.folder.read("manifest.json"))["records"] == 6


def test_records_of_all_rounds_are_measured_beside_the_seeds(two_rounds):
    diversity = two_rounds[1].diversity
    assert diversity is not None
    assert (diversity.output.records, diversity.seeds.records, len(diversity.samples)) == (6, 1, 6)
    [level] = [one for one in diversity.distributions if one.name == "level"]
    assert (level.labels, level.seeds, level.output) == (("easy", "hard"), (1, 0), (0, 6))


def test_the_headline_is_effective_records_over_all_that_was_paid(two_rounds):
    diversity = two_rounds[1].diversity
    assert diversity is not None
    assert diversity.effective_records is not None
    assert 1 < diversity.effective_records < 6
    assert diversity.effective_per_dollar == round(diversity.effective_records, 1)


def test_a_run_in_which_nothing_was_accepted_has_its_reports():
    run, report = finished(0)
    assert report.fell_short
    assert b"No record was accepted." in run.folder.read("report.html")
    assert not run.folder.exists("manifest.json")

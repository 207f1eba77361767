"""One data set from existing records and new ones: exact counts, and a second start pays nothing."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from team import announcements, awaited

from datasynth.schemas.announcement import RUN_FAILED
from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import ProportionalSettings
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.report.summary import cost_sentence
from datasynth.tasks.rounds.listing import find_run, list_runs
from datasynth.tasks.rounds.stored import first_records, recipe_of

SEEDS = "support_zh/09_样例数据/samples.json"
OF_THE_PART = ("analysis_dir", "provider", "model", "base_url", "retry_delay")


def test_a_data_part_and_a_synthesis_part_become_one_data_set_that_is_paid_once(
    prefect: None,
    settings_for: Callable[..., SynthesisSettings],
    endpoint: SimulatedServer,
    examples: Path,
    tmp_path: Path,
) -> None:
    from datasynth.flows.proportional import proportional

    told = settings_for().model_dump(include=set(OF_THE_PART)) | {"input_price": 1.0, "output_price": 4.0}
    values: dict[str, Any] = {
        "name": "mix",
        "target_count": 25,
        "store": str(tmp_path / "store"),
        "run_id": "r1",
        "max_cost": 5.0,
        "parts": [
            {"name": "seeds", "share": 1, "data": str(examples / SEEDS)},
            {"name": "new", "share": 4, "synthesize": told},
        ],
    }
    report = proportional(ProportionalSettings.model_validate(values))
    assert [(part.asked, part.made) for part in report.parts] == [(5, 5), (20, 20)]
    assert (report.verdict, report.total) == ("complete", 25)
    assert report.spend == report.parts[1].spend
    assert report.spend.cost_usd
    place = find_run(report.run_url)
    parts = [one.lineage["part"] for one in first_records(place, recipe_of(place).record_schema, 99)]
    assert (parts.count("seeds"), parts.count("new")) == (5, 20)
    lines = {line.dataset: line for line in list_runs(str(tmp_path / "store"))}
    assert {name: (line.state, line.records) for name, line in lines.items()} == {
        "mix": ("finished", 25),
        "mix-new": ("finished", 20),
    }
    assert lines["mix"].cost_usd == lines["mix-new"].cost_usd

    paid = endpoint.stats()
    assert proportional(ProportionalSettings.model_validate(values)) == report
    # Unfinished, as if it had been killed before its end: the part's run is gone on with.
    (tmp_path / "store" / "mix" / "runs" / "r1" / "manifest.json").unlink()
    again = proportional(ProportionalSettings.model_validate(values))
    assert endpoint.stats() == paid
    assert again.model_copy(update={"duration_seconds": report.duration_seconds}) == report

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()
    wholes = [run for run in runs if run.name == "mix · 25 · seeds + new"]
    below = [run for run in runs if run.parent_task_run_id and run.name == "mix-new · 20 · simulated-model"]
    assert (len(wholes), len(below)) == (3, 2)
    assert all(run.state and run.state.is_completed() for run in (*wholes, *below))
    told = {run.state.message for run in wholes if run.state}
    assert told == {f"{report.explanation} {cost_sentence(report.spend)}"}


def test_one_whose_data_cannot_be_read_fails_and_says_so_under_its_name(prefect: None, tmp_path: Path) -> None:
    from datasynth.flows.proportional import proportional

    lost = str(tmp_path / "lost.jsonl")
    settings = {"name": "mix-lost", "target_count": 5, "store": str(tmp_path / "store"), "run_id": "r1"}
    with pytest.raises(InputError, match=re.escape(lost)):
        proportional(
            ProportionalSettings.model_validate({**settings, "parts": [{"name": "old", "share": 1, "data": lost}]})
        )
    with get_client(sync_client=True) as client:
        (failed,) = awaited(lambda: announcements(client, RUN_FAILED, "dataset", "mix-lost"), lambda: "no event came")
    assert lost in failed["payload"]["problem"]
    assert (failed["payload"]["run_id"], failed["payload"]["target_count"]) == ("r1", 5)

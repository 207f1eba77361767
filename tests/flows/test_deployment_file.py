"""The prefect.yaml that comes with the package, and those that people write."""

import re
from pathlib import Path

import pytest
import yaml

from datasynth.flows.deployment_file import deployment_file, read_deployments
from datasynth.schemas.announcement import RUN_COMPLETED
from datasynth.schemas.errors import InputError
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.schemas.proportions import ProportionalSettings
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = {one["name"]: one for one in read_deployments()["deployments"]}
TRIGGER = DEPLOYMENTS["synthesize-on-analysis"]["triggers"][0]
SYNTHESIZE = [one for one in DEPLOYMENTS.values() if one["entrypoint"].endswith(".synthesize")]
SETTINGS = [one["parameters"]["settings"] for one in (*SYNTHESIZE, TRIGGER)]
EVALUATE = DEPLOYMENTS["evaluate"]


def test_the_packaged_file_is_the_one_at_the_top() -> None:
    assert deployment_file() == (ROOT / "prefect.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_in_the_file_are_settings(settings: dict) -> None:
    checked = SynthesisSettings.model_validate({"analysis_dir": "s3://bucket/analysis"} | settings)
    assert checked.max_cost is not None
    assert checked.concurrency_limit in (None, checked.provider)
    assert checked.provider in PROVIDERS


@pytest.mark.parametrize("one", [EVALUATE, *EVALUATE["triggers"]], ids=["by hand", "by event"])
def test_the_settings_of_an_evaluation_are_settings_and_have_gates(one: dict) -> None:
    checked = EvaluationSettings.model_validate({"data": "s3://bucket/run"} | one["parameters"]["settings"])
    assert (checked.min_valid, checked.judging) == (0.95, False)


def test_a_completed_run_is_evaluated_only_once_somebody_switches_that_on() -> None:
    (trigger,) = EVALUATE["triggers"]
    assert (trigger["enabled"], trigger["expect"]) == (False, [RUN_COMPLETED])
    assert trigger["parameters"]["settings"]["data"] == "{{ event.payload.run_url }}"


def test_a_mix_from_the_form_has_a_budget_over_all_its_parts() -> None:
    told = DEPLOYMENTS["proportional"]["parameters"]["settings"]
    parts = [{"name": "a", "count": 9, "data": "s3://bucket/store/a"}]
    assert ProportionalSettings.model_validate({"name": "mix", "parts": parts} | told).max_cost == 5.0


def test_an_event_and_a_scan_start_runs_with_the_same_settings() -> None:
    started = dict(TRIGGER["parameters"]["settings"])
    del started["analysis_dir"], started["run_id"]
    assert started == DEPLOYMENTS["synthesize-on-analysis"]["parameters"]["settings"]


def test_nothing_that_costs_money_is_on_a_schedule_until_somebody_switches_it_on() -> None:
    on = {name: schedule["active"] for name, one in DEPLOYMENTS.items() for schedule in one.get("schedules", [])}
    # It starts nothing: the runs that it gives to another worker go on within their own limits.
    assert on == {"synthesize-nightly": False, "scan-analyses": False, "rescue-runs": True}


def test_a_run_that_is_cut_off_learns_so_for_each_holds_a_slot_of_its_deployment() -> None:
    assert all(one["concurrency_limit"]["limit"] for one in DEPLOYMENTS.values() if "settings" in one["parameters"])


@pytest.mark.parametrize("one", DEPLOYMENTS.values(), ids=str)
def test_an_entry_point_is_a_path_of_modules_to_a_flow(one: dict) -> None:
    assert re.fullmatch(r"datasynth\.flows\.\w+\.\w+", one["entrypoint"])


@pytest.mark.parametrize("text", ["", "[]", "deployments: {}", "deployments: [x]", "deployments:\n  - name: x", "a: ["])
def test_a_file_without_deployments_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml"):
        read_deployments(str(tmp_path / "mine.yaml"))


def test_the_docs_show_the_commands_that_there_are() -> None:
    words = set(
        re.findall(r"^(?:datasynth|prefect) [\w-]+", (ROOT / "docs/deploy.md").read_text(encoding="utf-8"), re.M)
    )
    assert {"datasynth deploy", "datasynth notify", "prefect server", "prefect worker"} <= words


def test_it_is_yaml_that_any_reader_takes() -> None:
    assert yaml.safe_load(deployment_file())["pull"] == []

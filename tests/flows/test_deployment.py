"""Deployed, told of an analysis, made once: a real server, work pool, worker and event, as docs/deploy.md has it.

It takes a minute and more, for four processes import Prefect one after the other.
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from team import ON_ANALYSIS, Team, announcements, awaited, ended_run, runs_of, team_at, working

from datasynth.flows.deployment_file import deployment_file
from datasynth.schemas.announcement import RUN_COMPLETED, RUN_FAILED
from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.discovery import analysis_at

pytestmark = pytest.mark.timeout(900)
COUNT = 30


@dataclass(frozen=True)
class Place:
    """A deployed system and where its files are."""

    team: Team
    analyses: Path
    store: Path
    file: Path

    def runs(self) -> list[Path]:
        return sorted(self.store.glob("*/runs/*"))


@pytest.fixture(scope="module")
def place(prefect_api: str, prefect: None, tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Place:
    """The packaged prefect.yaml, changed as a user would, for a provider that costs nothing."""
    home = tmp_path_factory.mktemp("team")
    shutil.copytree(examples / "support_zh", home / "analyses" / "team" / "support_zh")
    text = deployment_file().replace("provider: anthropic", "provider: simulated")
    (home / "prefect.yaml").write_text(text.replace("target_count: 1000", f"target_count: {COUNT}"), encoding="utf-8")
    team = team_at(prefect_api, home, DATASYNTH_STORE=str(home / "store"))
    assert "synthesize-on-analysis" in team.datasynth("deploy", str(home / "prefect.yaml"))
    return Place(team, home / "analyses", home / "store", home / "prefect.yaml")


@pytest.fixture(autouse=True)
def store(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner is set up as the workers are."""
    monkeypatch.setenv("DATASYNTH_STORE", str(place.store))


@pytest.fixture
def client(place: Place) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture
def worker(place: Place, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A worker of the pool; gives what it said so far."""
    with working(place.team, tmp_path / "worker.log") as working_one:
        yield working_one.said


def switches(client: SyncPrefectClient) -> tuple[bool, bool]:
    """Whether the nightly schedule and the trigger are on."""
    nightly = client.read_deployment_by_name("synthesize/synthesize-nightly")
    started = client.read_deployment_by_name("synthesize/synthesize-on-analysis")
    (trigger,) = client.read_resource_related_automations(f"prefect.deployment.{started.id}")
    return nightly.schedules[0].active, trigger.enabled


def test_everything_in_the_file_stands_on_the_server_after_deploy(place: Place, client: SyncPrefectClient) -> None:
    names = {one.name for one in client.read_deployments()}
    assert {"synthesize", "synthesize-nightly", "synthesize-on-analysis", "scan-analyses"} <= names
    assert client.read_work_pool("datasynth").type == "process"
    assert client.read_global_concurrency_limit_by_name("anthropic").limit == 32
    assert switches(client) == (False, True)


def test_an_event_makes_the_data_set_once_and_a_scan_finds_nothing_left_to_start(
    place: Place, client: SyncPrefectClient, worker: Callable[[], str]
) -> None:
    from datasynth.flows.scan import scan_analyses

    folder = place.analyses / "team" / "support_zh"
    assert "datarecipe.analysis.completed" in place.team.datasynth("notify", str(folder))
    run = awaited(lambda: ended_run(client), worker)
    assert run.state.is_completed(), (run.state, worker())

    (made,) = place.runs()
    assert made.name == analysis_at(str(folder)).run_id
    assert len(pl.read_parquet(made / "data" / "*.parquet")) == COUNT
    assert (made / "manifest.json").exists()
    assert (folder / "11_合成数据" / "synthetic.json").exists()

    (told,) = awaited(lambda: announcements(client, RUN_COMPLETED, "run_url", made), worker)
    assert (told["payload"]["records"], told["payload"]["run_url"]) == (COUNT, str(made))
    assert scan_analyses(str(place.analyses), settle_seconds=0) == []
    assert len(runs_of(client)) == 1


def test_two_scanners_at_once_start_one_run_for_a_new_analysis(
    place: Place, client: SyncPrefectClient, examples: Path
) -> None:
    from datasynth.flows.scan import scan_analyses

    folder = place.analyses.parent / "scanned"
    shutil.copytree(examples / "preference_en", folder / "preference_en")
    before = len(runs_of(client))
    with ThreadPoolExecutor(2) as pool:
        # Each in the context of this test, which says where the server is.
        scans = [pool.submit(copy_context().run, partial(scan_analyses, str(folder), settle_seconds=0)) for _ in "ab"]
    assert all(scan.result() in ([], [str(folder / "preference_en")]) for scan in scans)
    assert scan_analyses(str(folder), settle_seconds=0) == []
    assert len(runs_of(client)) == before + 1


def test_a_scan_starts_nothing_for_an_analysis_whose_run_an_event_has_started(
    client: SyncPrefectClient, examples: Path, tmp_path: Path
) -> None:
    from datasynth.flows.scan import scan_analyses

    folder = shutil.copytree(examples / "preference_en", tmp_path / "told" / "told_of")
    settings = {"analysis_dir": str(folder), "run_id": analysis_at(str(folder)).run_id}
    deployment = client.read_deployment_by_name(ON_ANALYSIS)
    run = client.create_flow_run_from_deployment(deployment.id, parameters={"settings": settings})
    assert scan_analyses(str(folder.parent), settle_seconds=0) == []
    client.delete_flow_run(run.id)
    assert scan_analyses(str(folder.parent), settle_seconds=0) == [str(folder)]


def test_a_second_deploy_leaves_what_was_switched_as_it_is(place: Place, client: SyncPrefectClient) -> None:
    nightly = client.read_deployment_by_name("synthesize/synthesize-nightly")
    client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=True)
    said = place.team.datasynth("deploy", str(place.file))
    assert "New" not in said
    assert switches(client) == (True, True)


def test_a_run_that_fails_says_so_and_of_what_it_was(client: SyncPrefectClient, tmp_path: Path) -> None:
    from datasynth.flows.synthesize import synthesize

    with pytest.raises(InputError):
        synthesize(SynthesisSettings.model_validate({"analysis_dir": str(tmp_path / "none"), "provider": "simulated"}))
    (told,) = awaited(
        lambda: announcements(client, RUN_FAILED, "analysis_dir", tmp_path / "none"), lambda: "no event came"
    )
    assert "no such folder" in told["payload"]["problem"]

"""Deployed, told of an analysis, made once: a real server, work pool, worker and event, as docs/deploy.md has it.

It takes a minute and more, for four processes import Prefect one after the other.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun

from datasynth.flows.deployment_file import deployment_file
from datasynth.schemas.announcement import RUN_COMPLETED, RUN_FAILED
from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.discovery import analysis_at

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(900)]
COUNT = 30
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Team:
    """A deployed system: what is typed where it runs."""

    environment: dict[str, str]
    analyses: Path
    store: Path
    file: Path

    def datasynth(self, *words: str) -> str:
        command = [sys.executable, "-m", "datasynth", *words, "--lang", "en"]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd="/", check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def runs(self) -> list[Path]:
        return sorted(self.store.glob("*/runs/*"))


@pytest.fixture(scope="module")
def team(prefect_api: str, prefect: None, tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Team:
    """The packaged prefect.yaml, changed as a user would, for a provider that costs nothing."""
    home = tmp_path_factory.mktemp("team")
    shutil.copytree(examples / "support_zh", home / "analyses" / "team" / "support_zh")
    text = deployment_file().replace("provider: anthropic", "provider: simulated")
    (home / "prefect.yaml").write_text(text.replace("target_count: 1000", f"target_count: {COUNT}"), encoding="utf-8")
    environment = os.environ | {
        "PREFECT_API_URL": prefect_api,
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "DATASYNTH_STORE": str(home / "store"),
    }
    made = Team(environment, home / "analyses", home / "store", home / "prefect.yaml")
    assert "synthesize-on-analysis" in made.datasynth("deploy", str(made.file))
    return made


@pytest.fixture(autouse=True)
def store(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner is set up as the workers are."""
    monkeypatch.setenv("DATASYNTH_STORE", str(team.store))


@pytest.fixture
def client(team: Team) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture
def worker(team: Team, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A worker of the pool, ended by its pid; gives what it said so far."""
    log = tmp_path / "worker.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "worker", "start", "--pool", "datasynth"],
            env=team.environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd="/",
        )
        try:
            yield lambda: f"worker ended with {process.poll()}\n{log.read_text()}"
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def runs_of(client: SyncPrefectClient) -> list[FlowRun]:
    """All flow runs of the deployment that analyses start."""
    deployment = client.read_deployment_by_name("synthesize/synthesize-on-analysis")
    return [run for run in client.read_flow_runs() if run.deployment_id == deployment.id]


def awaited(what: Callable[[], Any], said: Callable[[], str]) -> Any:
    """What `what` gives once it gives something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, said()
        time.sleep(0.5)
    return found


def ended_run(client: SyncPrefectClient) -> FlowRun | None:
    return next((run for run in runs_of(client) if run.state and run.state.is_final()), None)


def events(client: SyncPrefectClient, name: str, key: str, value: Path) -> list[dict[str, Any]]:
    """What was told of the run whose `key` is `value`; other tests' runs tell of theirs to the same server."""
    answer = client.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}}})  # pyright: ignore
    return [event for event in answer.json()["events"] if event["payload"].get(key) == str(value)]


def switches(client: SyncPrefectClient) -> tuple[bool, bool]:
    """Whether the nightly schedule and the trigger are on."""
    nightly = client.read_deployment_by_name("synthesize/synthesize-nightly")
    started = client.read_deployment_by_name("synthesize/synthesize-on-analysis")
    (trigger,) = client.read_resource_related_automations(f"prefect.deployment.{started.id}")
    return nightly.schedules[0].active, trigger.enabled


def test_everything_in_the_file_stands_on_the_server_after_deploy(team: Team, client: SyncPrefectClient) -> None:
    names = {one.name for one in client.read_deployments()}
    assert {"synthesize", "synthesize-nightly", "synthesize-on-analysis", "scan-analyses"} <= names
    assert client.read_work_pool("datasynth").type == "process"
    assert client.read_global_concurrency_limit_by_name("anthropic").limit == 32
    assert switches(client) == (False, True)


def test_an_event_makes_the_data_set_once_and_a_scan_finds_nothing_left_to_start(
    team: Team, client: SyncPrefectClient, worker: Callable[[], str]
) -> None:
    from datasynth.flows.scan import scan_analyses

    folder = team.analyses / "team" / "support_zh"
    assert "datarecipe.analysis.completed" in team.datasynth("notify", str(folder))
    run = awaited(lambda: ended_run(client), worker)
    assert run.state.is_completed(), (run.state, worker())

    (made,) = team.runs()
    assert made.name == analysis_at(str(folder)).run_id
    assert len(pl.read_parquet(made / "data" / "*.parquet")) == COUNT
    assert (made / "manifest.json").exists()
    assert (folder / "11_合成数据" / "synthetic.json").exists()

    (told,) = awaited(lambda: events(client, RUN_COMPLETED, "run_url", made), worker)
    assert (told["payload"]["records"], told["payload"]["run_url"]) == (COUNT, str(made))
    assert scan_analyses(str(team.analyses), settle_seconds=0) == []
    assert len(runs_of(client)) == 1


def test_two_scanners_at_once_start_one_run_for_a_new_analysis(
    team: Team, client: SyncPrefectClient, examples: Path
) -> None:
    from datasynth.flows.scan import scan_analyses

    folder = team.analyses.parent / "scanned"
    shutil.copytree(examples / "preference_en", folder / "preference_en")
    before = len(runs_of(client))
    with ThreadPoolExecutor(2) as pool:
        # Each in the context of this test, which says where the server is.
        scans = [pool.submit(copy_context().run, partial(scan_analyses, str(folder), settle_seconds=0)) for _ in "ab"]
    assert all(scan.result() in ([], [str(folder / "preference_en")]) for scan in scans)
    assert scan_analyses(str(folder), settle_seconds=0) == []
    assert len(runs_of(client)) == before + 1


def test_a_second_deploy_leaves_what_was_switched_as_it_is(team: Team, client: SyncPrefectClient) -> None:
    nightly = client.read_deployment_by_name("synthesize/synthesize-nightly")
    client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=True)
    said = team.datasynth("deploy", str(team.file))
    assert "New" not in said
    assert switches(client) == (True, True)


def test_a_run_that_fails_says_so_and_of_what_it_was(client: SyncPrefectClient, tmp_path: Path) -> None:
    from datasynth.flows.synthesize import synthesize

    with pytest.raises(InputError):
        synthesize(SynthesisSettings.model_validate({"analysis_dir": str(tmp_path / "none"), "provider": "simulated"}))
    (told,) = awaited(lambda: events(client, RUN_FAILED, "analysis_dir", tmp_path / "none"), lambda: "no event came")
    assert "no such folder" in told["payload"]["problem"]

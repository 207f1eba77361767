"""What a run shows of itself in the Prefect UI, on a real Prefect server."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest
from deployed import artifacts_of, deployed_run, executed, synthesis_run
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from s3_server import free_port

from datasynth.schemas.errors import DataSynthError
from datasynth.schemas.settings import SynthesisSettings

KINDS = {"progress", "counts", "newest", "report", "files", "coverage"}
Settings = Callable[..., SynthesisSettings]


@pytest.fixture
def client(prefect: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


def test_a_deployed_run_has_one_artifact_of_each_kind_and_goes_on_under_the_same_keys(
    client: SyncPrefectClient, settings_for: Settings
) -> None:
    values = {"run_id": "shown", "pilot": 2, "input_price": 1.0, "output_price": 4.0}
    first = synthesis_run(client, settings_for(target_count=20, **values))
    report = executed(client, first)
    shown = artifacts_of(client, first)
    assert shown.keys() == KINDS
    assert shown["progress"].data == 100
    assert "20 of 20 records, rounds so far: 2" in shown["progress"].description
    rows = json.loads(shown["counts"].data)
    assert rows[-1]["Number"] == str(report.counts.accepted)
    assert shown["newest"].data.count("| `instruction` |") == 5
    assert "\n# support_zh: report of run shown\n" in shown["report"].data
    assert all("no language model wrote these records" in shown[kind].data for kind in ("report", "newest"))
    assert f"`{report.run_url.rstrip('/')}/report.html`" in shown["files"].data
    assert "](data:image/svg+xml;base64," in shown["coverage"].data

    second = synthesis_run(client, settings_for(target_count=25, **values))
    assert executed(client, second).total == 25
    again = artifacts_of(client, second)
    assert {kind: one.key for kind, one in again.items()} == {kind: one.key for kind, one in shown.items()}


@pytest.fixture
def only_shows(client: SyncPrefectClient, settings_for: Settings) -> Callable[..., FlowRun]:
    """Executes a flow that does nothing but show its artifacts twice, at an address of the Prefect API."""
    from datasynth.flows.artifacts import LiveArtifacts
    from datasynth.tasks.detect.kinds import detect_kind
    from datasynth.tasks.rounds.opening import open_job
    from datasynth.tasks.sources.recipes import read_recipe

    settings = settings_for(run_id="only")
    recipe = read_recipe(settings)
    job = open_job(settings, recipe, detect_kind(recipe.record_schema, recipe.seeds, "auto"), None)

    @flow(name="only-shows")
    def shows(url: str) -> None:
        with temporary_settings({PREFECT_API_URL: url}):
            shown = LiveArtifacts(job)
            shown.show([])
            shown.show([])

    def run(url: str, *, deployed: bool = True) -> FlowRun:
        made = (
            deployed_run(client, shows, {"url": url})
            if deployed
            else client.create_flow_run(shows, parameters={"url": url})
        )
        run_flow(shows, flow_run=client.read_flow_run(made.id))
        return client.read_flow_run(made.id)

    return run


def test_a_lost_api_is_said_once_and_the_run_goes_on(
    only_shows: Callable[..., FlowRun], client: SyncPrefectClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "prefect.flow_runs"):
        run = only_shows(f"http://127.0.0.1:{free_port()}/api")
    assert run.state
    assert run.state.is_completed()
    assert len([one for one in caplog.records if "could not be shown" in one.getMessage()]) == 1
    assert artifacts_of(client, run) == {}


def test_a_run_of_no_deployment_has_no_artifacts(
    only_shows: Callable[..., FlowRun], client: SyncPrefectClient, prefect_api: str
) -> None:
    assert artifacts_of(client, only_shows(prefect_api, deployed=False)) == {}
    assert artifacts_of(client, only_shows(prefect_api)).keys() == {"progress", "counts", "newest"}


def test_a_flow_run_is_named_by_source_count_and_model(
    client: SyncPrefectClient, settings_for: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    run = synthesis_run(client, settings_for(provider="anthropic", model=None, base_url=None, target_count=1000))
    with pytest.raises(DataSynthError, match="ANTHROPIC_API_KEY"):
        executed(client, run)
    assert client.read_flow_run(run.id).name == "support_zh · 1000 · claude-sonnet-5-5"

"""A worker dies with its run; the next one finishes it, as docs/deploy.md promises.

It takes a minute and more, for six processes import Prefect one after the other: the server is this file's own, because
a rescue looks at every run that its server knows.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed, Pending, Running
from team import Team, awaited, prefect_server, states_of, team_at, working

from datasynth.flows.deployment_file import deployment_file
from datasynth.tasks.llm.simulated.process import SimulatedServer

pytestmark = pytest.mark.timeout(900)
COUNT, CONCURRENCY = 60, 4
BY_HAND = "synthesize/synthesize"


@pytest.fixture(scope="module")
def team(prefect: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    home = tmp_path_factory.mktemp("rescued")
    # Rescues are made by the tests.
    (home / "prefect.yaml").write_text(deployment_file().replace("active: true", "active: false"), encoding="utf-8")
    with prefect_server(home) as api, temporary_settings({PREFECT_API_URL: api}):
        made = team_at(api, home, DATASYNTH_STORE=str(home / "store"), OPENAI_API_KEY="sk-test-0123456789")
        made.datasynth("deploy", str(home / "prefect.yaml"))
        yield made


@pytest.fixture
def client(team: Team) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture
def taken(client: SyncPrefectClient) -> Iterator[FlowRun]:
    """A run that a worker took."""
    run = client.create_flow_run_from_deployment(client.read_deployment_by_name(BY_HAND).id)
    client.set_flow_run_state(run.id, Pending())
    yield run
    client.delete_flow_run(run.id)


def test_a_run_whose_worker_is_killed_is_finished_by_the_next_and_pays_nothing_twice(
    team: Team, client: SyncPrefectClient, endpoint: SimulatedServer, examples: Path, tmp_path: Path
) -> None:
    from datasynth.flows.rescue import rescue_runs

    endpoint.set(stop_after=10)
    settings = {
        "analysis_dir": str(examples / "support_zh"),
        "target_count": COUNT,
        "provider": "openai",
        "model": "simulated-model",
        "base_url": f"{endpoint.url}/v1",
        "concurrency": CONCURRENCY,
        "batch_size": 3,
        "output": str(tmp_path / "synthetic.json"),
    }
    deployment = client.read_deployment_by_name(BY_HAND)
    run = client.create_flow_run_from_deployment(deployment.id, parameters={"settings": settings})
    with working(team, tmp_path / "first.log") as first:
        awaited(lambda: endpoint.stats()["replies"] >= 10, first.said)
        assert rescue_runs(silent_seconds=600, again_seconds=0) == []
        first.kill()
    endpoint.set(stop_after=None)
    assert rescue_runs(silent_seconds=0, again_seconds=1) == [client.read_flow_run(run.id).name]
    with working(team, tmp_path / "second.log") as second:
        awaited(lambda: (state := client.read_flow_run(run.id).state) and state.is_final(), second.said)

    assert states_of(client, run)[-2:] == ["Running", "Completed"], second.said()
    (made,) = Path(team.environment["DATASYNTH_STORE"]).glob("*/runs/*")
    assert made.name == str(run.id)
    assert len(pl.read_parquet(made / "data" / "*.parquet")) == COUNT
    assert endpoint.stats()["repeats"] <= CONCURRENCY
    assert client.read_global_concurrency_limit_by_name(f"deployment:{deployment.id}").active_slots == 0


def test_a_run_that_a_worker_took_and_never_began_is_given_to_the_next(
    client: SyncPrefectClient, taken: FlowRun
) -> None:
    from datasynth.flows.rescue import rescue_runs

    assert rescue_runs(silent_seconds=600, again_seconds=0) == []
    assert rescue_runs(silent_seconds=0, again_seconds=0) == [taken.name]
    assert states_of(client, taken)[-1] == "AwaitingRetry"


def test_a_run_whose_heartbeats_are_switched_off_is_left_alone(client: SyncPrefectClient, taken: FlowRun) -> None:
    from datasynth.flows.rescue import rescue_runs

    client.set_flow_run_state(taken.id, Running())
    assert rescue_runs(silent_seconds=0, again_seconds=0) == []


def test_a_run_that_crashed_goes_on_but_not_for_ever(client: SyncPrefectClient, taken: FlowRun) -> None:
    from datasynth.flows.rescue import MOST_BEGINNINGS, rescue_runs

    for _ in range(MOST_BEGINNINGS):
        client.set_flow_run_state(taken.id, Running())
        client.set_flow_run_state(taken.id, Crashed())
        assert rescue_runs(silent_seconds=600, again_seconds=0) == [taken.name]
        client.set_flow_run_state(taken.id, Pending())
    client.set_flow_run_state(taken.id, Running())
    client.set_flow_run_state(taken.id, Crashed())
    assert rescue_runs(silent_seconds=600, again_seconds=0) == []


def test_a_run_that_crashed_before_it_began_is_left_to_a_person(client: SyncPrefectClient, taken: FlowRun) -> None:
    from datasynth.flows.rescue import rescue_runs

    client.set_flow_run_state(taken.id, Crashed())
    assert rescue_runs(silent_seconds=600, again_seconds=0) == []

"""The same on what a team has: a Prefect server on PostgreSQL, analyses and data sets on S3.

It takes a minute and more, for three processes import Prefect one after the other.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import s3fs
from postgres_server import serve_postgres
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from s3_server import S3
from team import Team, awaited, ended_run, prefect_server, runs_of, team_at, working

from datasynth.flows.deployment_file import deployment_file
from datasynth.tasks.sources.discovery import analysis_at

pytestmark = pytest.mark.timeout(900)
COUNT = 30
STORE, ANALYSES = "s3://bucket/postgres/store", "s3://bucket/postgres/analyses"


@pytest.fixture
def team(prefect: None, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """Deployed from the packaged prefect.yaml, for a provider that costs nothing."""
    environment = s3.environment | {"DATASYNTH_STORE": STORE}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)  # a scanner is set up as the workers are
    text = (
        deployment_file().replace("provider: anthropic", "provider: simulated").replace("active: true", "active: false")
    )
    (tmp_path / "prefect.yaml").write_text(text.replace("target_count: 1000", f"target_count: {COUNT}"))
    with serve_postgres() as database, prefect_server(tmp_path, PREFECT_SERVER_DATABASE_CONNECTION_URL=database) as api:
        made = team_at(api, tmp_path, **environment)
        made.datasynth("deploy", str(tmp_path / "prefect.yaml"))
        with temporary_settings({PREFECT_API_URL: api}):
            yield made


@pytest.fixture
def client(team: Team) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


def test_an_event_puts_the_data_set_of_an_analysis_on_s3_once(
    team: Team, client: SyncPrefectClient, s3: S3, examples: Path, tmp_path: Path
) -> None:
    from datasynth.flows.rescue import rescue_runs
    from datasynth.flows.scan import scan_analyses

    # Put there by the server, which would not notice a folder that came past it for some minutes.
    bucket = s3fs.S3FileSystem(skip_instance_cache=True)
    bucket.put(f"{examples}/support_zh/", f"{ANALYSES}/support_zh/", recursive=True)
    with working(team, tmp_path / "worker.log") as worker:
        team.datasynth("notify", f"{ANALYSES}/support_zh")
        run = awaited(lambda: ended_run(client), worker.said)
        assert run.state.is_completed(), (run.state, worker.said())
        assert run.state.message.startswith(f"All {COUNT} records made. Cost: $0.00 ")

    (made,) = (s3.folder / "bucket" / "postgres" / "store").glob("*/runs/*")
    assert made.name == analysis_at(f"{ANALYSES}/support_zh").run_id
    assert len(pl.read_parquet(made / "data" / "*.parquet")) == COUNT
    assert (made / "manifest.json").exists()

    assert scan_analyses(ANALYSES, settle_seconds=0) == []
    assert rescue_runs(silent_seconds=0, again_seconds=0) == []
    assert len(runs_of(client)) == 1

"""One flow whose tasks work in processes that share only a store on S3 and an index in Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_cluster import PATIENT, DaskCluster, serve_dask
from processes import CONCURRENCY, COUNT, RUN, Start, await_replies, finished
from redis_server import RedisServer, serve_redis
from s3_server import S3
from test_resume import parts

from datasynth.tasks.dedup.redis_storage import PASSWORD_VARIABLE
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.listing import find_run

# Each worker, like each run, is a process that imports Prefect.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, s3: S3, prefect_api: str) -> Iterator[DaskCluster]:
    keys = {"OPENAI_API_KEY": "sk-test-0123456789", "PREFECT_API_URL": prefect_api}
    with serve_dask(tmp_path_factory.mktemp("dask"), s3.environment | keys) as running:
        yield running


@pytest.fixture
def shared(s3: S3, redis: RedisServer, cluster: DaskCluster) -> dict[str, str]:
    """The environment of a flow on the cluster."""
    runner = {"DATASYNTH_TASK_RUNNER": "dask", "DATASYNTH_SCHEDULER": cluster.address}
    return s3.environment | PATIENT | runner | {PASSWORD_VARIABLE: redis.password}


def test_a_worker_that_is_killed_costs_no_record_and_no_more_than_its_calls_in_flight(
    start: Start,
    endpoint: SimulatedServer,
    s3: S3,
    redis: RedisServer,
    cluster: DaskCluster,
    shared: dict[str, str],
    tmp_path: Path,
) -> None:
    endpoint.set(rate_duplicate=0.1, rate_invalid=0.1, latency=0.02)
    finished(start(str(tmp_path / "threads"), "--run-id", RUN))
    endpoint.reset()
    endpoint.set(latency=0.4)
    cluster.fill(2)
    limits = ("--index-storage", redis.address, "--max-calls", "60")
    process = start("s3://bucket/spread", "--run-id", RUN, *limits, **shared)
    # The second round has begun, and neither worker has ended its shard.
    await_replies(endpoint, process, 22, within=300)
    cluster.kill_one()
    finished(process)
    assert endpoint.stats()["repeats"] <= CONCURRENCY // 2  # the share of one of two shards
    assert endpoint.stats()["max_in_flight"] <= CONCURRENCY
    store = s3.folder / "bucket" / "spread"
    state, facts = find_run(str(store / "support_zh" / "runs" / RUN)).facts()
    assert (state, facts.total) == ("finished", COUNT)
    assert parts(store) == parts(tmp_path / "threads")
    assert len({name.split("-")[0] for name in writers(store)}) == 2


def writers(store: Path) -> list[str]:
    """Names of the journal's segments: each begins with its writer's process."""
    return [path.name for path in (store / "journal" / "support_zh" / RUN).glob("*.log")]


def test_limits_hold_for_all_processes_together(
    start: Start, endpoint: SimulatedServer, s3: S3, cluster: DaskCluster, shared: dict[str, str]
) -> None:
    endpoint.set(latency=0.02)
    cluster.fill(2)
    process = start("s3://bucket/limited", "--run-id", RUN, "--max-calls", "30", **shared)
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 1, said
    assert "--max-calls" in said
    assert endpoint.stats()["replies"] == 30

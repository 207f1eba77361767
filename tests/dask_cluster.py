"""A real Dask cluster for tests: a scheduler and workers as processes of their own, on free loopback ports."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from s3_server import free_port

START_LIMIT = 180
"""Seconds for imports, beside other tests on two cores."""
PATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "180s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "180s"}
"""Environment of all who take part: a machine that is busy is not a connection that is lost."""


@dataclass
class DaskCluster:
    """A scheduler, and workers that can be killed one by one; nothing restarts them."""

    address: str
    environment: Mapping[str, str]
    home: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def fill(self, count: int) -> None:
        """Has `count` workers at work; returns when the scheduler knows them."""
        from distributed import Client

        while len(self.workers) < count:
            command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1"]
            options = ["--no-nanny", "--no-dashboard", "--local-directory", str(self.home)]
            options += ["--preload", "datasynth.flows.synthesize"]
            self.workers.append(_quietly([*command, *options], self.environment))
        with Client(self.address, timeout=START_LIMIT, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=START_LIMIT)

    def kill_one(self) -> None:
        """Kills a worker, as a machine that loses its power would."""
        worker = self.workers.pop()
        worker.kill()
        worker.wait()


@contextmanager
def serve_dask(home: Path, environment: Mapping[str, str]) -> Iterator[DaskCluster]:
    """Runs a scheduler without workers; those to come have `environment` besides that of the tests."""
    port = free_port()
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    scheduler = _quietly([*command, "--no-dashboard"], {})
    cluster = DaskCluster(f"tcp://127.0.0.1:{port}", environment, home)
    try:
        yield cluster
    finally:
        for process in (*cluster.workers, scheduler):
            process.kill()
            process.wait()


def _quietly(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env={**os.environ, **PATIENT, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

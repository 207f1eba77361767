"""A deployed system for tests: what docs/deploy.md has people type, with servers that are there already."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from s3_server import free_port

PATIENCE_SECONDS = 300
ON_ANALYSIS = "synthesize/synthesize-on-analysis"


@dataclass(frozen=True)
class Team:
    """What is typed where the system runs."""

    environment: dict[str, str]

    def datasynth(self, *words: str) -> str:
        command = [sys.executable, "-m", "datasynth", *words, "--lang", "en"]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd="/", check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


def team_at(api: str, home: Path, **environment: str) -> Team:
    """A team whose Prefect server is `api` and whose workers ask it every second."""
    common = {"PREFECT_API_URL": api, "PREFECT_HOME": str(home / "prefect"), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    return Team(os.environ | common | environment)


class Worker:
    """A worker of the pool, and below it the processes of its runs."""

    def __init__(self, team: Team, log: Path) -> None:
        self._log = log
        with log.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "worker", "start", "--pool", "datasynth"],
                env=team.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd="/",
            )

    def said(self) -> str:
        return f"worker ended with {self.process.poll()}\n{self._log.read_text()}"

    def kill(self) -> None:
        """Ends worker and flow processes at once, by pid, as a machine that loses its power does."""
        pids = [self.process.pid, *below(self.process.pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def working(team: Team, log: Path) -> Iterator[Worker]:
    """A worker that ends with the block, unless it was ended before."""
    worker = Worker(team, log)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.stop()


def below(pid: int) -> list[int]:
    """The children of a process and theirs."""
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, listed.read_text().split()):
                found += [child, *below(child)]
    return found


def awaited(what: Callable[[], Any], said: Callable[[], str], patience: float = PATIENCE_SECONDS) -> Any:
    """What `what` gives once it gives something."""
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, said()
        time.sleep(0.5)
    return found


def announcements(client: SyncPrefectClient, event: str, key: str, value: Any) -> list[dict[str, Any]]:
    """What was told of the run whose `key` is `value`; other tests' runs tell of theirs to the same server."""
    answer = client.request("POST", "/events/filter", json={"filter": {"event": {"name": [event]}}})  # pyright: ignore
    return [one for one in answer.json()["events"] if one["payload"].get(key) == str(value)]


def runs_of(client: SyncPrefectClient, deployment: str = ON_ANALYSIS) -> list[FlowRun]:
    """All flow runs of a deployment."""
    known = client.read_deployment_by_name(deployment)
    return [run for run in client.read_flow_runs() if run.deployment_id == known.id]


def ended_run(client: SyncPrefectClient, deployment: str = ON_ANALYSIS) -> FlowRun | None:
    """A run of the deployment that ended."""
    return next((run for run in runs_of(client, deployment) if run.state and run.state.is_final()), None)


def states_of(client: SyncPrefectClient, run: FlowRun) -> list[str]:
    """The names of the states that a run went through, in order."""
    return [state.name or "" for state in sorted(client.read_flow_run_states(run.id), key=lambda one: one.timestamp)]


@contextmanager
def prefect_server(home: Path, **environment: str) -> Iterator[str]:
    """`prefect server start`, as a team runs it; gives the address of its API."""
    port, log = free_port(), home / "prefect-server.log"
    common = {"PREFECT_HOME": str(home / "prefect-server"), "PREFECT_SERVER_ANALYTICS_ENABLED": "0"}
    with log.open("w") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)],
            env=os.environ | common | environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd="/",
        )
    try:
        awaited(lambda: server.poll() is not None or _answers(f"http://127.0.0.1:{port}/api/health"), log.read_text)
        assert server.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False

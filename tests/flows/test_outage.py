"""The Prefect API goes away in the middle of a run."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from processes import await_replies, finished, starting
from s3_server import free_port

from datasynth.tasks.llm.simulated.process import SimulatedServer

AWAY = 15
"""Seconds without an API, to which the time that a new server takes to start is added."""


class Api:
    """A Prefect server that can be killed and started again at the same address."""

    def __init__(self, home: Path) -> None:
        self._port = free_port()
        self._home = home
        self.url = f"http://127.0.0.1:{self._port}/api"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-c", "import sys; from prefect.server.api.server import create_app; import uvicorn; "
                "uvicorn.run(create_app(), port=int(sys.argv[1]), log_level='error')", str(self._port),
            ],
            env=os.environ | {"PREFECT_HOME": str(self._home), "PREFECT_SERVER_ANALYTICS_ENABLED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        pytest.fail("The Prefect server did not start.")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def test_a_run_outlives_half_a_minute_without_its_prefect_api(
    endpoint: SimulatedServer, examples: Path, tmp_path: Path
) -> None:
    api = Api(tmp_path / "home")
    try:
        endpoint.set(latency=0.5)
        with starting(api.url, endpoint, examples / "support_zh", tmp_path / "out.json") as start:
            # With a time limit the flow makes its own calls, so it is under way once there are replies.
            process = start(str(tmp_path / "store"), "--max-minutes", "60")
            await_replies(endpoint, process, 5)
            api.kill()
            time.sleep(AWAY)
            api.start()
            said = finished(process)
        assert "120 of 120 records accepted" in said
        assert "ERROR" not in said
        assert endpoint.stats()["repeats"] == 0
    finally:
        api.kill()

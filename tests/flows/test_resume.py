"""Stopped in the middle, by force or by hand: nothing is lost, paid twice or different."""

import signal
import time
from pathlib import Path

import pytest
from processes import CONCURRENCY, RUN, Start, await_replies, finished, parts
from s3_server import S3

from datasynth.tasks.llm.simulated.process import SimulatedServer

# Seven whole runs, one after another.
pytestmark = pytest.mark.timeout(900)


def test_a_run_killed_again_and_again_pays_nothing_twice_and_ends_with_the_same_bytes(
    start: Start, endpoint: SimulatedServer, s3: S3, tmp_path: Path
) -> None:
    endpoint.set(rate_duplicate=0.1, rate_invalid=0.1, latency=0.02)
    finished(start(str(tmp_path / "whole"), "--run-id", RUN))
    for store, folder, environment in (
        (str(tmp_path / "disk"), tmp_path / "disk", {}),
        ("s3://bucket/store", s3.folder / "bucket" / "store", s3.environment),
    ):
        endpoint.reset()
        for replies in (1, 25):
            killed = start(store, "--run-id", RUN, **environment)
            await_replies(endpoint, killed, replies)
            killed.kill()
            killed.wait()
        finished(start(store, "--resume", **environment))
        assert endpoint.stats()["repeats"] <= 2 * CONCURRENCY
        assert parts(folder) == parts(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_in_five_seconds_and_says_how_to_go_on(
    number: signal.Signals, start: Start, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(stop_after=10, latency=0.01)
    process = start(str(tmp_path / "store"))
    await_replies(endpoint, process, 10)
    process.send_signal(number)
    at = time.monotonic()
    said, _ = process.communicate(timeout=60)
    took = time.monotonic() - at
    assert process.returncode == 1, said
    assert "--resume" in said
    assert "Traceback" not in said
    assert took < 10, said  # five seconds are promised, on cores that nobody else uses
    endpoint.set(stop_after=None)
    finished(start(str(tmp_path / "store"), "--resume"))
    assert endpoint.stats()["repeats"] == 0

"""Stopped in the middle, by force or by hand: nothing is lost, paid twice or different."""

import os
import signal
import time
from pathlib import Path

import httpx2
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


def test_a_run_whose_calls_lose_their_process_goes_on_with_them_in_its_own(
    start: Start, prefect_api: str, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    before = shards_at_work(prefect_api)
    endpoint.set(stop_after=30)
    process = start(str(tmp_path / "store"), "--run-id", RUN)
    await_replies(endpoint, process, 30)
    until = time.monotonic() + 120
    while shards_at_work(prefect_api) <= before:  # the flow has come, and waits for them
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    os.kill(calling_process_of(process.pid), signal.SIGKILL)
    endpoint.set(stop_after=None)
    finished(process)
    assert endpoint.stats()["repeats"] == 0  # what hung was never answered
    killed = parts(tmp_path / "store")
    finished(start(str(tmp_path / "whole"), "--run-id", RUN))
    assert killed == parts(tmp_path / "whole")


def shards_at_work(api: str) -> int:
    """Task runs of `generate` that the Prefect API knows as running."""
    asked = {"task_runs": {"name": {"like_": "generate shard"}, "state": {"type": {"any_": ["RUNNING"]}}}}
    return httpx2.post(f"{api}/task_runs/count", json=asked).raise_for_status().json()


def calling_process_of(parent: int) -> int:
    """The process that makes the calls for the process `parent`."""
    children = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    (found,) = [pid for pid in children if b"caller_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found

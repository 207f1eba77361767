"""Whole runs under drawn mixes of everything a server can do, killed at drawn moments, on a disk and on S3.

The server is steady: a call that was in flight when its run was killed is asked again, and only with the same replies
are the records the same.

`DATASYNTH_MIXES=50 pytest tests/flows/test_mixes.py -n 0` tries more of them.
"""

import os
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from processes import CONCURRENCY, RUN, Start, finished, parts
from s3_server import S3

from datasynth.tasks.llm.simulated.process import SimulatedServer

pytestmark = pytest.mark.timeout(1200)  # a dozen whole runs, one after another

MIXES = int(os.environ.get("DATASYNTH_MIXES", "2"))
TIMES = settings(
    max_examples=MIXES,
    deadline=None,
    # The same mixes every time in CI; a failing one is not shrunk, for each try is a minute.
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LIMIT_SECONDS = "5"
"""For a call, so that one that hangs costs no more."""

rate = st.sampled_from([0.0, 0.03, 0.1])
mixes = st.fixed_dictionaries(
    {
        f"rate_{fault}": rate
        for fault in (
            "429", "529", "500", "503", "reset", "half",
            "truncated", "malformed", "empty", "refusal", "tool_call", "wrapped",
            "duplicate", "near_duplicate", "invalid",
        )
    }
    | {"rate_hang": st.sampled_from([0.0, 0.02]), "latency": st.sampled_from([0.02, 0.1])}
)  # fmt: skip
moments = st.lists(st.tuples(st.integers(0, 45), st.floats(0, 1)), min_size=1, max_size=2)
"""When a run is killed: so many replies after it began, and so many seconds later."""


def report_of(store: Path) -> dict[str, Any]:
    return orjson.loads((store / "support_zh" / "runs" / RUN / "report.json").read_bytes())


def killed_at(
    start: Start, endpoint: SimulatedServer, moment: tuple[int, float], *words: str, **environment: str
) -> None:
    """Starts a run and kills it at `moment`, unless it has ended before."""
    replies, seconds = moment
    before = endpoint.stats()["replies"]
    process = start(*words, "--run-id", RUN, **environment)
    while process.poll() is None and endpoint.stats()["replies"] - before < replies:
        time.sleep(0.02)
    time.sleep(seconds)
    process.kill()
    process.wait()


@TIMES
@given(mix=mixes, kills=moments, on_s3=st.booleans())
def test_no_mix_of_faults_and_kills_loses_repeats_or_changes_anything(
    start: Start, endpoint: SimulatedServer, s3: S3, tmp_path: Path,
    mix: dict[str, float], kills: list[tuple[int, float]], on_s3: bool,
) -> None:  # fmt: skip
    words = ("--request-timeout", LIMIT_SECONDS, "--max-retries", "9")
    here = Path(mkdtemp(dir=tmp_path))
    name = here.name
    url, folder = (
        (f"s3://bucket/{name}", s3.folder / "bucket" / name) if on_s3 else (str(here / "store"), here / "store")
    )
    environment = s3.environment if on_s3 else {}
    endpoint.reset()
    endpoint.set(**mix, steady=True)
    finished(start(str(here / "whole"), "--run-id", RUN, *words))
    endpoint.reset()
    for moment in kills:
        killed_at(start, endpoint, moment, url, *words, **environment)
    finished(start(url, "--run-id", RUN, *words, **environment))
    report = report_of(folder)
    counts = report["counts"]
    lost = sum(counts["missing"].values()) + sum(counts["rejected"].values())
    assert counts["asked"] + counts["unasked"] == counts["accepted"] + lost
    assert counts["accepted"] == report["target"]
    assert endpoint.stats()["repeats"] <= len(kills) * CONCURRENCY
    assert parts(folder) == parts(here / "whole")


@TIMES
@given(mix=mixes, kills=moments, limit=st.integers(20_000, 150_000))
def test_no_mix_of_faults_and_kills_is_billed_beyond_the_limit(
    start: Start, endpoint: SimulatedServer, tmp_path: Path,
    mix: dict[str, float], kills: list[tuple[int, float]], limit: int,
) -> None:  # fmt: skip
    words = (mkdtemp(dir=tmp_path), "--request-timeout", LIMIT_SECONDS, "--max-tokens", str(limit))
    endpoint.reset()
    endpoint.set(**mix, steady=True)
    for moment in kills:
        killed_at(start, endpoint, moment, *words)
    last = start(*words, "--run-id", RUN)
    said, _ = last.communicate(timeout=240)
    assert last.returncode in (0, 1), said
    assert sum(endpoint.stats()["tokens"].values()) <= limit

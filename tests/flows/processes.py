"""`datasynth generate` as processes of their own, to be killed, stopped and cut off."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from datasynth.tasks.llm.simulated.process import SimulatedServer

COUNT, CONCURRENCY, RUN = 120, 4, "the-run"
Start = Callable[..., subprocess.Popen[str]]


@contextmanager
def starting(api: str, endpoint: SimulatedServer, example: Path, output: Path) -> Iterator[Start]:
    """What starts `datasynth generate` with a store as a process of its own; none outlives the block."""
    started: list[subprocess.Popen[str]] = []

    def begin(store: str, *words: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "datasynth", "generate", str(example), "-n", str(COUNT),
                "--provider", "openai", "-m", "simulated-model", "--base-url", f"{endpoint.url}/v1",
                "--concurrency", str(CONCURRENCY), "--batch-size", "3", "--retry-delay", "0.01", "--lang", "en",
                "--store", store, "-o", str(output), *words,
            ],
            env=os.environ | {"PREFECT_API_URL": api, "OPENAI_API_KEY": "sk-test-0123456789"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        started.append(process)
        return process

    try:
        yield begin
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def finished(process: subprocess.Popen[str]) -> str:
    """What a process said that ended well."""
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


def parts(store: Path) -> dict[str, bytes]:
    """Everything the run's data set consists of, by path."""
    folder = store / "support_zh" / "runs" / RUN
    return {
        str(p.relative_to(folder)): p.read_bytes() for kind in ("data", "rejected") for p in folder.glob(f"{kind}/*")
    }


def await_replies(endpoint: SimulatedServer, process: subprocess.Popen[str], count: int, within: float = 120) -> None:
    """Returns once the endpoint has given `count` replies."""
    deadline = time.monotonic() + within
    while endpoint.stats()["replies"] < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the replies never came"
        time.sleep(0.02)

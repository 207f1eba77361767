"""How long a user waits: each command's start-up beside `python -c pass`, and the time to the first model call.

    python benchmarks/startup.py [--rounds 3]

The first model call is timed from the start of the process until it reaches a simulated endpoint (polled every
10 ms), for `datasynth generate` and for a bare Prefect flow of one task that makes one call with urllib; both find a
Prefect API running. Commands take turns, and the best of the rounds counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from datasynth.prefect_setup import LocalServer
from datasynth.tasks.llm.simulated.process import SimulatedServer

EXAMPLE = Path(__file__).parents[1] / "examples" / "datarecipe" / "support_zh"
PROGRAM = [sys.executable, "-m", "datasynth"]
KEY = "sk-benchmark-0000"

BARE_FLOW = """
import json, sys, urllib.request
from prefect import flow, task

@task
def call(url):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(url + "/v1/chat/completions", body, {"Content-Type": "application/json"})
    return urllib.request.urlopen(request).status

@flow
def bare(url):
    return call(url)

bare(sys.argv[1])
"""


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of a command from start to end."""
    at = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - at


def to_first_call(command: list[str], environment: dict[str, str], endpoint: SimulatedServer) -> float:
    """Wall time from the start of a command until the endpoint has got a request."""
    endpoint.reset()
    at = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not endpoint.stats()["max_in_flight"]:
            if process.poll() not in (None, 0):
                raise SystemExit(f"{command} ended with {process.returncode} before it made a call.")
            time.sleep(0.01)
        return time.perf_counter() - at
    finally:
        process.wait()


def in_turns(rounds: int, measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The best of `rounds` for each measure, taken in turn so that a slow minute hits all alike."""
    best = dict.fromkeys(measures, float("inf"))
    for _ in range(rounds):
        for name, measure in measures.items():
            best[name] = min(best[name], measure())
    return best


def commands(folder: Path) -> dict[str, list[str]]:
    """Commands that ask no model and import neither Prefect nor an SDK."""
    seeds = json.loads((EXAMPLE / "09_样例数据" / "samples.json").read_bytes())["samples"]
    data = folder / "data.json"
    data.write_text(json.dumps([seed.get("data", seed) for seed in seeds]), encoding="utf-8")
    schema = next(EXAMPLE.rglob("DATA_SCHEMA.json"))
    return {
        "--help": ["--help"],
        "generate --help": ["generate", "--help"],
        "estimate": ["estimate", "-n", "1000"],
        "validate": ["validate", str(data), str(schema)],
        "prepare": ["prepare", str(EXAMPLE), "-n", "10"],
        "generate --dry-run": ["generate", str(EXAMPLE), "-n", "1000", "--dry-run"],
    }


def show(title: str, base: str, best: dict[str, float]) -> None:
    print(title)
    for name, took in best.items():
        print(f"  {name:24s} {took:6.2f} s   {took / best[base]:5.1f} x {base}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = {**os.environ, "DATASYNTH_STORE": str(folder / "store"), "PREFECT_HOME": str(folder / "prefect")}
        measures: dict[str, Callable[[], float]] = {
            "python -c pass": lambda: seconds([sys.executable, "-c", "pass"], plain)
        }
        for words in commands(folder).items():
            measures[words[0]] = lambda words=words: seconds([*PROGRAM, *words[1]], plain)
        show("Start-up of commands that ask no model", "python -c pass", in_turns(rounds, measures))
        os.environ["PREFECT_HOME"] = plain["PREFECT_HOME"]
        server = LocalServer(verbose=False)
        server.wait()
        with SimulatedServer.start() as endpoint:
            environment = {**plain, "PREFECT_API_URL": server.api_url, "OPENAI_API_KEY": KEY}
            bare = [sys.executable, "-c", BARE_FLOW, endpoint.url]
            ours = [
                *PROGRAM, "generate", str(EXAMPLE), "-n", "5", "--provider", "openai", "-m", "m",
                "--base-url", f"{endpoint.url}/v1", "-o", str(folder / "out.json"),
            ]  # fmt: skip
            best = in_turns(
                rounds,
                {
                    "bare one-task flow": lambda: to_first_call(bare, environment, endpoint),
                    "datasynth generate": lambda: to_first_call(ours, environment, endpoint),
                },
            )
        show("Time to the first model call, a Prefect API already running", "bare one-task flow", best)
        server.stop()


if __name__ == "__main__":
    main()

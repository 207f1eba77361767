"""Whole runs as a user starts them, beside a bare aiohttp script: time of the process, and what a SIGKILL costs.

    python benchmarks/run.py [--protocol anthropic] [--rounds 3] [--only 400/32] [--earlier-tool .../knowlyr-datasynth]

`datasynth generate` finds a Prefect API running and makes a record a call from a server that takes 200 ms; so does a
script of nothing but aiohttp, timed from the start of its interpreter to its end. With `--earlier-tool` so does
knowlyr-datasynth 0.4.2, a script without journal, orchestrator or dashboard, from a virtual environment
of its own (`pip install 'knowlyr-datasynth[llm]==0.4.2'`); without it the project's goals are taken from what it took
beside the bare script on the machine that they were measured on. They take turns, and the best of the rounds counts.
Then a run of 400 calls is killed after about 200 replies and started again: what was answered twice was
paid twice.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import EXAMPLE, LATENCY, PATHS, body_of, verdict, work

from datasynth.prefect_setup import LocalServer
from datasynth.tasks.llm.simulated.process import SimulatedServer

KEY = "sk-benchmark-0000"
OVER_EARLIER = 3.5
"""Seconds that a whole run of 400 calls may take more than the earlier tool, the lightest that does such a job."""
EARLIER_TO_BARE = {400: 4.8 / 3.2, 2000: 9.9 / 4.0}
"""By calls: what knowlyr-datasynth 0.4.2 took to what the bare script took, where the goals were measured."""
KILLED_AFTER = 200

BARE = """
import asyncio, json, sys
import aiohttp

async def main(url, path, in_flight):
    slots = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def call(body):
            async with slots, session.post(url, json=body) as response:
                response.raise_for_status()
                await response.json()
        await asyncio.gather(*(call(body) for body in json.load(open(path))))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@dataclass(frozen=True)
class Place:
    """Where runs happen: a server that answers, a folder, and an environment with a Prefect API."""

    endpoint: SimulatedServer
    protocol: str
    folder: Path
    environment: dict[str, str]
    earlier_tool: str | None = None
    """The executable of knowlyr-datasynth."""

    def generate(self, calls: int, in_flight: int, store: str) -> list[str]:
        """A run of so many calls of one record."""
        base = self.endpoint.url + ("/v1" if self.protocol == "openai" else "")
        return [
            sys.executable, "-m", "datasynth", "generate", str(EXAMPLE), "-n", str(calls), "--batch-size", "1",
            "--concurrency", str(in_flight), "--provider", self.protocol, "-m", "simulated-model", "--base-url", base,
            "--store", str(self.folder / store), "-o", str(self.folder / f"{store}.json"),
        ]  # fmt: skip

    def earlier(self, calls: int, in_flight: int) -> list[str]:
        """The same records by the earlier tool."""
        assert self.earlier_tool
        return [
            self.earlier_tool, "generate", str(EXAMPLE), "-n", str(calls), "--batch-size", "1", "--concurrency",
            str(in_flight), "-p", self.protocol, "-m", "simulated-model", "-o", str(self.folder / "earlier.json"),
        ]  # fmt: skip

    def bare(self, calls: int, in_flight: int) -> list[str]:
        """The same requests by a script of its own."""
        job = work(self.endpoint.url, "openai" if self.protocol == "openai" else "anthropic", calls, in_flight)
        bodies = [body_of(job, shard, prompt) for shard in job.shards for prompt in shard.prompts]
        path = self.folder / f"bodies-{calls}.json"
        path.write_text(json.dumps(bodies), encoding="utf-8")
        return [sys.executable, "-c", BARE, self.endpoint.url + PATHS[self.protocol], str(path), str(in_flight)]

    def seconds(self, command: list[str]) -> float:
        """Wall time of a whole process."""
        self.endpoint.reset()
        at = time.perf_counter()
        subprocess.run(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - at


def whole(place: Place, calls: int, in_flight: int, rounds: int) -> tuple[float, float]:
    """Seconds of the earlier tool and of ours, the best of `rounds`."""
    bare = place.bare(calls, in_flight)
    commands: dict[str, Callable[[int], list[str]]] = {"bare": lambda _: bare}
    if place.earlier_tool:
        commands["earlier tool"] = lambda _: place.earlier(calls, in_flight)
    commands["ours"] = lambda turn: place.generate(calls, in_flight, f"store-{calls}-{turn}")
    best = dict.fromkeys(commands, float("inf"))
    for turn in range(rounds):
        for name, command in commands.items():
            best[name] = min(best[name], place.seconds(command(turn)))
    if not place.earlier_tool:
        best["earlier tool"] = best["bare"] * EARLIER_TO_BARE[calls]
    print(f"Whole process, {calls:,} calls at {in_flight} in flight, ideal {-(-calls // in_flight) * LATENCY:.2f} s")
    for name, took in best.items():
        print(f"  {name:12}  {took:6.2f} s" + (" (as a multiple of bare)" if name not in commands else ""))
    return best["earlier tool"], best["ours"]


def killed(place: Place) -> None:
    """A run killed after about half its replies, and run again."""
    place.endpoint.reset()
    command = place.generate(400, 32, "killed")
    process = subprocess.Popen(command, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while place.endpoint.stats()["replies"] < KILLED_AFTER and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = place.endpoint.stats()["replies"]
    subprocess.run(
        [*command, "--resume"], env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    again = place.endpoint.stats()["repeats"]
    print(f"SIGKILL after {before} of 400 replies, then --resume: paid again {verdict(again, 32)}")


@contextmanager
def place_for(protocol: str, earlier_tool: str | None = None) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name:
        os.environ["PREFECT_HOME"] = f"{name}/prefect"
        server = LocalServer(verbose=False)
        server.wait()
        with SimulatedServer.start({"latency": LATENCY, "canned": True}) as endpoint:
            environment = os.environ | {
                "PREFECT_API_URL": server.api_url, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY,
                "OPENAI_BASE_URL": f"{endpoint.url}/v1", "ANTHROPIC_BASE_URL": endpoint.url,
            }  # fmt: skip
            yield Place(endpoint, protocol, Path(name), environment, earlier_tool)
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=sorted(PATHS), default="openai", help="which SDK")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, of which the best counts")
    parser.add_argument("--only", choices=["400/32", "2000/128", "killed"], help="one part")
    parser.add_argument("--earlier-tool", metavar="PATH", help="knowlyr-datasynth, to measure beside it")
    options = parser.parse_args()
    with place_for(options.protocol, options.earlier_tool) as place:
        if options.only in (None, "400/32"):
            earlier, ours = whole(place, 400, 32, options.rounds)
            print(f"  ours less the earlier tool, seconds: {verdict(ours - earlier, OVER_EARLIER)}")
        if options.only in (None, "2000/128"):
            earlier, ours = whole(place, 2000, 128, options.rounds)
            print(f"  ours to the earlier tool: {verdict(ours / earlier, 1.0)}")
        if options.only in (None, "killed"):
            killed(place)


if __name__ == "__main__":
    main()

"""First to last call of the engine beside a bare aiohttp loop, at the same latency and concurrency, in one run.

    python benchmarks/engine.py [--protocol anthropic] [--rounds 3] [--only 2000/128]

Both send the same requests to the same simulated server (a process of its own, 200 ms an answer) and read the answers;
the engine does so through the real SDK, with everything that a run's calls go through: keys, budget, pace, concurrency
control, a durable journal on disk, and a check that the reply holds a record. The best of the rounds, taken in turn,
is printed with this process's CPU time. Then, at 400 calls and 32 in flight: a tenth of the calls answered 429, beside
the calm run; and a server that takes only 16 at once (ideal 5.0 s).

Both are at the mercy of what else runs: on two cores the server's own work is in every figure.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from datasynth.schemas.calls import Prompt, Request, Shard
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.collect import readable
from datasynth.tasks.llm.anthropic_client import AnthropicClient
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.clients import connect
from datasynth.tasks.llm.endpoints import Endpoint, Protocol, Provider
from datasynth.tasks.llm.engine import Engine
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.openai_client import OpenAIClient
from datasynth.tasks.llm.prices import price_of
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.rounds.planning import shards_of
from datasynth.tasks.rounds.progress import ProgressBoard
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store

LATENCY = 0.2
EXAMPLE = Path(__file__).parents[1] / "examples" / "datarecipe" / "preference_en"
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}
CAPACITY = 16


@dataclass(frozen=True)
class Work:
    """What one run asks, ready to be sent, and where."""

    recipe: Recipe
    settings: SynthesisSettings
    endpoint: Endpoint
    url: str
    shards: tuple[Shard, ...]

    @property
    def calls(self) -> int:
        return sum(len(s.prompts) for s in self.shards)


@dataclass(frozen=True)
class Took:
    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:6.2f} s ({self.cpu:5.2f} s CPU)"


def work(url: str, protocol: Protocol, calls: int, in_flight: int) -> Work:
    """A round of `calls` single-record calls from the shipped example."""
    settings = SynthesisSettings.model_validate(
        {"analysis_dir": str(EXAMPLE), "provider": "simulated", "concurrency": in_flight, "batch_size": 1}
    )
    recipe = read_recipe(settings)
    detection = detect_kind(recipe.record_schema, recipe.seeds)
    static, schema = static_prompt(recipe, detection, settings), reply_schema(recipe.record_schema)
    planned = plan_calls(recipe, detection, settings, round=1, first_index=0, asked=[1] * calls)
    shards = tuple(
        Shard(1, p.number, p.of, static, schema, tuple(Prompt(c, call_prompt(recipe, detection, c)) for c in p.calls))
        for p in shards_of(planned, 1, in_flight)
    )
    provider = Provider("simulated", protocol, None, None, "simulated", structured=True, free=True)
    base = url if protocol == "anthropic" else f"{url}/v1"
    return Work(recipe, settings, Endpoint(provider, "simulated", base, "simulated", None), url, shards)


async def engine_run(work: Work, folder: str) -> Took:
    """All shards of `work` through an engine with an empty journal in `folder`."""
    settings = work.settings
    journal = Journal(Store(folder))
    client = connect(work.endpoint, in_flight=settings.concurrency)
    budget = Budget(price_of(work.endpoint, settings))
    check = partial(readable, schema=work.recipe.record_schema)
    engine = Engine(work.endpoint, client, journal, budget, settings, ProgressBoard(), readable=check)
    gc.freeze()  # as OpenEngine does
    wall, cpu = time.perf_counter(), time.process_time()
    receipts = await asyncio.gather(*(engine.run_shard(shard) for shard in work.shards))
    took = Took(time.perf_counter() - wall, time.process_time() - cpu)
    await client.close()
    journal.close()
    lost = [r for receipt in receipts for r in receipt.results if r.reply is None]
    if lost:
        raise SystemExit(f"{len(lost)} calls without a reply, the first: {lost[0]}")
    return took


async def bare_run(work: Work) -> Took:
    """The same requests by nothing but an aiohttp session and a semaphore."""
    bodies = [body_of(work, shard, prompt) for shard in work.shards for prompt in shard.prompts]
    slots = asyncio.Semaphore(work.settings.concurrency)
    url = work.url + PATHS[work.endpoint.protocol]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(body: dict[str, Any]) -> None:
            async with slots, session.post(url, json=body) as response:
                response.raise_for_status()
                await response.json()

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(call(body) for body in bodies))
        return Took(time.perf_counter() - wall, time.process_time() - cpu)


def body_of(work: Work, shard: Shard, prompt: Prompt) -> dict[str, Any]:
    """The JSON that the engine's own client would send."""
    request = Request(
        work.endpoint.model, shard.static, prompt.user, 2000, temperature=0.8, json_schema=shard.json_schema
    )
    kind = AnthropicClient if work.endpoint.protocol == "anthropic" else OpenAIClient
    bare: Any = object.__new__(kind)
    bare.endpoint, bare.dropped, bare.structured = work.endpoint, set(), work.endpoint.provider.structured
    return orjson.loads(orjson.dumps(bare.body(request)))


def engine(server: SimulatedServer, work: Work) -> Took:
    """One run from a fresh journal on a server that has forgotten the last one."""
    server.reset()
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(engine_run(work, folder))


def best(rounds: int, runs: dict[str, Callable[[], Took]]) -> dict[str, Took]:
    """The quickest of `rounds` runs of each, taken in turn, so that a busy moment hits all alike."""
    took: dict[str, Took] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            one = run()
            if name not in took or one.wall < took[name].wall:
                took[name] = one
    return took


def verdict(figure: float, limit: float) -> str:
    return f"{figure:.2f} (wanted: at most {limit:g}){'' if figure <= limit else '  <- missed'}"


def beside_bare(server: SimulatedServer, protocol: Protocol, calls: int, in_flight: int, rounds: int) -> None:
    server.set(rate_429=0.0, capacity=None)
    job = work(server.url, protocol, calls, in_flight)
    took = best(rounds, {"bare": lambda: asyncio.run(bare_run(job)), "engine": lambda: engine(server, job)})
    print(f"{calls:,} calls, {in_flight} in flight, ideal {-(-calls // in_flight) * LATENCY:.2f} s")
    for name, figure in took.items():
        print(f"  {name:8} {figure}   {1000 * figure.cpu / calls:.2f} ms CPU a call")
    print(f"  engine to bare: {verdict(took['engine'].wall / took['bare'].wall, 1.15)}")


def refused_at_random(server: SimulatedServer, protocol: Protocol, rounds: int) -> None:
    job = work(server.url, protocol, 400, 32)

    def at(rate: float) -> Took:
        server.set(rate_429=rate, capacity=None)
        return engine(server, job)

    took = best(rounds, {"calm": lambda: at(0.0), "429s": lambda: at(0.1)})
    print("400 calls, 32 in flight, a tenth of the requests answered 429")
    print(f"  calm {took['calm']}   with refusals {took['429s']}")
    print(f"  to the calm run: {verdict(took['429s'].wall / took['calm'].wall, 1.5)}")


def full_server(server: SimulatedServer, protocol: Protocol, rounds: int) -> None:
    job = work(server.url, protocol, 400, 32)
    ideal = 400 / CAPACITY * LATENCY
    server.set(rate_429=0.0, capacity=CAPACITY)
    print(f"400 calls, 32 in flight, a server that takes only {CAPACITY} at once, ideal {ideal:.2f} s")
    for _ in range(rounds):
        took = engine(server, job)
        refusals = server.stats()["refusals"]
        print(f"  {took}   to the ideal: {verdict(took.wall / ideal, 1.25)}   refusals: {verdict(refusals, 59)}")
    server.set(capacity=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=sorted(PATHS), default="anthropic", help="which SDK")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, of which the best counts")
    parser.add_argument("--only", choices=["400/32", "2000/128", "429", "full"], help="one part")
    options = parser.parse_args()
    rounds, protocol = options.rounds, options.protocol
    with SimulatedServer.start({"latency": LATENCY, "canned": True}) as server:
        parts: dict[str, Callable[[], None]] = {
            "400/32": lambda: beside_bare(server, protocol, 400, 32, rounds),
            "2000/128": lambda: beside_bare(server, protocol, 2000, 128, rounds),
            "429": lambda: refused_at_random(server, protocol, rounds),
            "full": lambda: full_server(server, protocol, rounds),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                part()


if __name__ == "__main__":
    main()

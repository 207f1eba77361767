"""What the tests of the batch engine share: a process's share of a run, and a shard to send."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasynth.schemas.calls import PlannedCall, Prompt, Reply, Shard, ShardReceipt
from datasynth.tasks.llm.batch_engine import BatchEngine
from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.rounds.progress import ProgressBoard

CREATE = {"anthropic": "POST /v1/messages/batches", "openai": "POST /v1/batches"}
CALLS = 8


@dataclass
class Work:
    """One process's share of a run."""

    engine: BatchEngine
    journal: Journal
    budget: Budget
    board: ProgressBoard
    price: Price


Open = Callable[..., Any]


def shard(calls: int = CALLS, *, words: str = "") -> Shard:
    prompts = [
        Prompt(PlannedCall(n, 2), f"Write exactly 2 new records about subject {n}.{words}") for n in range(calls)
    ]
    return Shard(1, 1, 1, "You write records.", None, tuple(prompts))


def whole(reply: Reply) -> bool:
    return reply.stop == "end" and bool(reply.text.strip())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what happens elsewhere sets no event
            await asyncio.sleep(0.01)


async def sent(work: Work, asked: Shard | None = None) -> asyncio.Task[ShardReceipt]:
    """Runs a shard; returns once its batch is recorded."""
    waiting = asyncio.create_task(work.engine.run_shard(asked or shard()))
    await until(lambda: bool(work.journal.open_batches()))
    return waiting

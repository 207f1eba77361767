"""Batches in the reply journal: remembered until they are collected, in whatever order the entries are read."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from datasynth.schemas.calls import Reply, Usage
from datasynth.tasks.llm.budget import Budget, Reservation
from datasynth.tasks.llm.journal import BatchedRequest, BatchEntry, Journal
from datasynth.tasks.storage.store import Store

BATCH = BatchEntry("batch-1", 1, (BatchedRequest("a", 10, 20, "t1"), BatchedRequest("b", 30, 40, "t2")))
REPLY = Reply("text", "end", Usage(input=1, output=1), "m")


def written(folder: Path, write: Callable[[Journal], Coroutine[Any, Any, None]]) -> None:
    """Lets one process write to the journal in `folder`."""
    journal = Journal(Store(str(folder)))
    asyncio.run(write(journal))
    journal.close()


def read(folder: Path) -> Journal:
    return Journal(Store(str(folder)))


def test_a_recorded_batch_is_known_to_the_next_process(tmp_path: Path) -> None:
    written(tmp_path, lambda journal: journal.append_batch(BATCH))
    assert read(tmp_path).open_batches() == [BATCH]


def test_requests_with_a_reply_are_no_longer_open(tmp_path: Path) -> None:
    async def write(journal: Journal) -> None:
        await journal.append_batch(BATCH)
        await journal.append("a", REPLY, round=1, cost=None)

    written(tmp_path, write)
    assert [[r.key for r in batch.requests] for batch in read(tmp_path).open_batches()] == [["b"]]


def test_a_collected_batch_is_closed_whichever_entry_is_read_first(tmp_path: Path) -> None:
    # Each process writes a segment of its own, under a random name; segments are read by name.
    for first in (True, False):
        folder = tmp_path / str(first)
        written(folder, lambda journal: journal.append_batch(BATCH))
        segment = next(folder.rglob("*.log"))
        segment.rename(segment.with_name("5-sent.log"))
        written(folder, lambda journal: journal.append_collected(BATCH))
        other = next(path for path in folder.rglob("*.log") if path.name != "5-sent.log")
        other.rename(other.with_name("1-collected.log" if first else "9-collected.log"))
        assert read(folder).open_batches() == []


def test_a_recorded_batch_closes_the_intents_of_its_requests(tmp_path: Path) -> None:
    async def write(journal: Journal) -> None:
        worst = Budget(None, max_calls=1).reserve(1, 1)
        assert isinstance(worst, Reservation)
        for token in ("t1", "t2", "t3"):
            await journal.append_intent(token, worst, round=1)
        await journal.append_batch(BATCH)

    written(tmp_path, write)
    journal = read(tmp_path)
    assert len(journal.abandoned()) == 1
    assert journal.spend().possible_calls == 0

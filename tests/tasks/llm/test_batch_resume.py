"""Batches that outlive their process: left with the provider, remembered, and collected by whoever resumes the run."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_work import CALLS, CREATE, Open, sent, shard, until

from datasynth.schemas.calls import Shard
from datasynth.schemas.errors import InputError, RunError
from datasynth.tasks.llm import batch_transit
from datasynth.tasks.llm.batch_choice import require_none_waiting
from datasynth.tasks.llm.batch_clients import UnknownBatchError
from datasynth.tasks.llm.simulated.process import SimulatedServer


async def left_by_a_killed_process(open_work: Open, endpoint: SimulatedServer, tmp_path: Path, **values: Any) -> Path:
    """The journal of a process that was killed while its batch was under way; the batch has ended since."""
    endpoint.set(batch_seconds=600)
    async with open_work(**values) as killed:
        waiting = await sent(killed)
        left = shutil.copytree(tmp_path / "journal", tmp_path / "left")
        waiting.cancel()
    endpoint.set(batch_seconds=0)
    return left


async def test_a_run_killed_while_its_batch_is_under_way_collects_the_same_batch(
    open_work: Open, provider: str, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    left = await left_by_a_killed_process(open_work, endpoint, tmp_path)
    async with open_work(left, max_calls=CALLS) as resumed:
        receipt = await resumed.engine.run_shard(shard())
        assert all(result.reply for result in receipt.results)
        assert resumed.journal.open_batches() == []
        assert resumed.budget.calls == CALLS
    stats = endpoint.stats()
    assert stats["by_endpoint"][CREATE[provider]] == 1
    assert (stats["replies"], stats["repeats"]) == (CALLS, 0)


def halves() -> tuple[Shard, Shard]:
    """Two shards of one round."""
    both = shard(2 * CALLS)
    return replace(both, of=2, prompts=both.prompts[:CALLS]), replace(
        both, number=2, of=2, prompts=both.prompts[CALLS:]
    )


async def test_shards_that_wait_for_each_others_room_all_end(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(batch_seconds=1)
    one, other = halves()
    async with open_work(max_calls=5) as stopped:
        waiting = await sent(stopped, one)
        waiting.cancel()
    async with open_work(max_calls=5) as resumed:
        async with asyncio.timeout(30):
            receipts = await asyncio.gather(resumed.engine.run_shard(one), resumed.engine.run_shard(other))
        assert resumed.budget.purse.held == 0
    misses = [result.miss for receipt in receipts for result in receipt.results]
    assert (misses.count(None), misses.count("budget")) == (5, 2 * CALLS - 5)


async def test_a_batch_that_is_lost_ends_the_run_for_whoever_waits_for_its_room(
    open_work: Open, endpoint: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(id_: str, _optional: frozenset[str]) -> None:
        raise UnknownBatchError(id_)

    endpoint.set(batch_seconds=600)
    one, other = halves()
    async with open_work(max_calls=5) as work:
        first = await sent(work, one)
        second = asyncio.create_task(work.engine.run_shard(other))
        await until(lambda: work.budget.waiting_may_help)
        monkeypatch.setattr(work.engine.client, "collect", unknown)
        async with asyncio.timeout(30):
            ended = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(error) for error in ended] == [RunError, RunError]
    assert all("knows no batch" in str(error) for error in ended)


async def test_what_was_collected_is_never_sent_again(open_work: Open, endpoint: SimulatedServer) -> None:
    async with open_work() as work:
        first = await work.engine.run_shard(shard())
    async with open_work() as work:
        again = await work.engine.run_shard(shard())
        assert work.board.now().replayed == CALLS
    assert (again.results, again.calls) == (first.results, 0)
    assert endpoint.stats()["replies"] == CALLS


async def test_a_batch_under_way_counts_against_the_limits_of_whoever_resumes(
    open_work: Open, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    left = await left_by_a_killed_process(open_work, endpoint, tmp_path, max_calls=CALLS)
    async with open_work(left, max_calls=CALLS) as resumed:
        more = await resumed.engine.run_shard(shard(2, words=" Be brief."))
    assert [(r.miss, r.detail) for r in more.results] == [("budget", "max_calls")] * 2
    assert endpoint.stats()["replies"] == CALLS


async def test_an_intent_without_a_batch_counts_against_the_limits_of_whoever_resumes(
    open_work: Open, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    async with open_work(max_calls=3) as killed:
        held = killed.budget.reserve(10, 10)
        assert not isinstance(held, str)
        await asyncio.gather(*(killed.journal.append_intent(token, held, round=1) for token in "ab"))
    async with open_work(max_calls=3) as resumed:
        receipt = await resumed.engine.run_shard(shard(2))
    assert [r.miss for r in receipt.results] == [None, "budget"]


async def test_one_by_one_is_refused_while_a_batch_of_the_run_waits(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = await sent(work)
        with pytest.raises(InputError, match=r"8 calls.*--batch-api"):
            require_none_waiting(work.journal)
        waiting.cancel()


async def test_a_batch_that_the_endpoint_does_not_know_ends_the_run_before_anything_is_paid_again(
    open_work: Open, provider: str, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    left = await left_by_a_killed_process(open_work, endpoint, tmp_path)
    with SimulatedServer.start() as other:
        base = other.url if provider == "anthropic" else f"{other.url}/v1"
        async with open_work(left, base=base) as resumed:
            with pytest.raises(RunError, match="knows no batch"):
                await resumed.engine.run_shard(shard())
            assert len(resumed.journal.open_batches()) == 1
        assert other.stats()["replies"] == 0


async def test_a_stopped_run_leaves_its_batch_with_the_provider_and_says_so(
    open_work: Open, endpoint: SimulatedServer
) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = asyncio.create_task(work.engine.run_shard(shard()))
        await until(lambda: work.board.now().calls_in_flight == CALLS)
        await work.engine.drain(5)
        with pytest.raises(RunError, match="under way at http"):
            await waiting
        assert len(work.journal.open_batches()) == 1
        assert work.board.now().calls_in_flight == 0
    assert sum("cancel" in path for path in endpoint.stats()["by_endpoint"]) == 0


async def test_the_time_limit_leaves_the_batch_with_the_provider(open_work: Open, endpoint: SimulatedServer) -> None:
    endpoint.set(batch_seconds=600)
    async with open_work() as work:
        waiting = await sent(work)
        work.engine.transit.deadline = 0.0
        with pytest.raises(RunError, match="--max-minutes"):
            await waiting
        assert len(work.journal.open_batches()) == 1
        late = await work.engine.run_shard(shard(2, words=" Be brief."))
    assert [r.miss for r in late.results] == ["stopped"] * 2


async def test_an_endpoint_that_falls_silent_ends_the_run_and_the_batch_is_remembered(
    open_work: Open, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_transit, "MOST_SILENCE", 3)
    with SimulatedServer.start({"batch_seconds": 600}) as server:
        async with open_work(base=server.url if provider == "anthropic" else f"{server.url}/v1") as work:
            waiting = await sent(work)
            server.stop()
            with pytest.raises(RunError, match="resume the run later"):
                await waiting
            assert len(work.journal.open_batches()) == 1

"""The concurrency controller against made-up servers, on a loop whose time is counted and not waited for."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.tasks.llm.limits import LONGEST_PAUSE, AdaptiveLimit, RateCeiling


class CountedTime(asyncio.SelectorEventLoop):
    """A loop that jumps to its next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        really = self._selector.select  # type: ignore[attr-defined]

        def select(timeout: float | None = None) -> Any:
            if timeout is None:
                raise RuntimeError("everything waits and no timer is set: a deadlock")
            self.now += timeout
            return really(0)

        self._selector.select = select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


def run(make: Callable[[CountedTime], Coroutine[Any, Any, Any]]) -> Any:
    loop = CountedTime()
    try:
        return loop.run_until_complete(make(loop))
    finally:
        loop.close()


class Server:
    """Answers after `latency`; refuses at once what is over its capacity, and a share of the rest at random."""

    def __init__(self, capacity: int, *, latency: float = 1.0, chance: float = 0.0, seed: int = 0) -> None:
        self.capacity = capacity
        self.latency = latency
        self.chance = chance
        self.draw = random.Random(seed)
        self.serving = self.refused = self.most = 0

    async def answers(self) -> bool:
        if self.serving >= self.capacity or self.draw.random() < self.chance:
            self.refused += 1
            return False
        self.serving += 1
        self.most = max(self.most, self.serving)
        try:
            await asyncio.sleep(self.latency * self.draw.uniform(0.8, 1.2))
        finally:
            self.serving -= 1
        return True


async def served(limit: AdaptiveLimit, server: Server, calls: int) -> None:
    """`calls` calls, each asking again until it is answered, as the engine does."""

    async def call() -> None:
        again, wait = False, 0.25
        while True:
            acquired = await limit.acquire(first=again)
            if await server.answers():
                limit.succeeded()
                return
            limit.refused(acquired)
            await asyncio.sleep(wait)
            again, wait = True, min(wait * 2, 60)

    await asyncio.gather(*(call() for _ in range(calls)))
    assert limit.in_flight == 0


def simulated(server: Server, *, ceiling: int, calls: int) -> tuple[AdaptiveLimit, float]:
    limits = []

    async def main(loop: CountedTime) -> float:
        limits.append(AdaptiveLimit(ceiling, clock=loop.time))
        await served(limits[0], server, calls)
        return loop.now

    seconds = run(main)
    return limits[0], seconds


def test_a_server_that_takes_all_is_used_in_full() -> None:
    server = Server(1000)
    limit, seconds = simulated(server, ceiling=32, calls=320)
    assert server.most == 32
    assert limit.cuts == 0
    assert seconds < 1.15 * 10


@pytest.mark.parametrize("capacity", [1, 4, 16, 48])
def test_the_limit_finds_a_servers_capacity_with_few_refusals(capacity: int) -> None:
    server = Server(capacity)
    limit, seconds = simulated(server, ceiling=64, calls=40 * capacity)
    assert 0.75 * capacity <= limit.limit <= 1.25 * capacity + 1
    assert seconds < 1.25 * 40
    assert server.refused < 2 * 64


def test_the_case_of_the_benchmark_stays_under_sixty_refusals() -> None:
    server = Server(16, latency=0.2)
    _, seconds = simulated(server, ceiling=32, calls=400)
    assert seconds < 1.25 * 5.0
    assert server.refused < 60


def test_a_burst_of_refusals_is_one_cut() -> None:
    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(40, clock=loop.time)
        acquired = [await limit.acquire() for _ in range(40)]
        for when in acquired[:30]:
            loop.now += 0.001
            limit.refused(when)
        assert limit.cuts == 1
        assert limit.limit == limit.in_flight == 10

    run(main)


@pytest.mark.parametrize("seed", range(5))
def test_refusals_by_chance_do_not_lower_the_limit(seed: int) -> None:
    limit, _ = simulated(Server(1000, chance=0.1, seed=seed), ceiling=32, calls=600)
    assert limit.limit >= 0.9 * 32


def test_a_capacity_that_comes_back_is_found_again() -> None:
    async def main(loop: CountedTime) -> None:
        limit, server = AdaptiveLimit(32, clock=loop.time), Server(8)
        await served(limit, server, 200)
        low = limit.limit
        server.capacity = 1000
        await served(limit, server, 3000)
        assert low < 12
        assert limit.limit > 24

    run(main)


def test_a_few_refusals_prove_nothing() -> None:
    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(32, clock=loop.time)
        for _ in range(2):
            limit.refused(await limit.acquire())
        assert limit.limit == 32

    run(main)


def test_the_limit_never_falls_below_one_nor_rises_above_its_ceiling() -> None:
    limit, _ = simulated(Server(1, chance=0.5), ceiling=8, calls=60)
    assert 1 <= limit.limit <= 8


def test_a_pause_holds_every_call_back_and_no_longer_than_the_longest() -> None:
    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(4, clock=loop.time)
        limit.pause(30)
        await asyncio.gather(*(limit.acquire() for _ in range(4)))
        assert loop.now == pytest.approx(30)
        for _ in range(4):
            limit.succeeded()
        limit.pause(1e9)
        await limit.acquire()
        assert loop.now == pytest.approx(30 + LONGEST_PAUSE)

    run(main)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(4, clock=loop.time)
        limit.pause(30)
        limit.pause(1)
        await limit.acquire()
        assert loop.now == pytest.approx(30)

    run(main)


def test_a_pause_that_is_made_longer_while_calls_wait_holds_them() -> None:
    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(4, clock=loop.time)
        limit.pause(5)
        waiting = asyncio.ensure_future(limit.acquire())
        await asyncio.sleep(1)
        limit.pause(20)
        await waiting
        assert loop.now == pytest.approx(21)

    run(main)


def test_a_retry_goes_before_those_that_wait() -> None:
    order: list[str] = []

    async def take(limit: AdaptiveLimit, name: str, *, first: bool) -> None:
        await limit.acquire(first=first)
        order.append(name)
        limit.succeeded()

    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(1, clock=loop.time)
        await limit.acquire()
        tasks = [asyncio.ensure_future(take(limit, name, first=name == "retry")) for name in ("a", "b", "retry")]
        await asyncio.sleep(0)
        limit.failed()
        await asyncio.gather(*tasks)

    run(main)
    assert order == ["retry", "a", "b"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=25), st.integers(0, 99))
def test_waiters_that_are_cancelled_keep_no_slot(ceiling: int, plan: list[tuple[int, bool]], seed: int) -> None:
    draw = random.Random(seed)

    async def hold(limit: AdaptiveLimit, seconds: int) -> None:
        await limit.acquire(first=bool(seconds % 2))
        try:
            assert limit.in_flight <= ceiling
            await asyncio.sleep(seconds / 10)
        finally:
            limit.succeeded()

    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(ceiling, clock=loop.time)
        tasks = [asyncio.ensure_future(hold(limit, seconds)) for seconds, _ in plan]
        for task, (_, cancelled) in zip(tasks, plan, strict=True):
            if cancelled:
                await asyncio.sleep(draw.choice([0, 0, 0.05, 0.3]))
                task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert limit.in_flight == 0
        await asyncio.gather(*(limit.acquire() for _ in range(ceiling)))
        assert limit.in_flight == ceiling

    run(main)


def test_a_slot_given_to_a_waiter_in_the_moment_it_is_cancelled_goes_on_to_the_next() -> None:
    async def main(loop: CountedTime) -> None:
        limit = AdaptiveLimit(1, clock=loop.time)
        await limit.acquire()
        first, second = (asyncio.ensure_future(limit.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        limit.succeeded()
        first.cancel()
        await second
        assert limit.in_flight == 1

    run(main)


@given(st.integers(1, 100_000), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), min_size=1, max_size=40))
def test_no_ceiling_is_passed_by_more_than_a_seconds_worth(rate: int, asked: list[tuple[float, int]]) -> None:
    now = 0.0
    ceiling = RateCeiling(rate, clock=lambda: now)
    used: list[tuple[float, int]] = []
    for gap, units in asked:
        now += gap
        used.append((now + ceiling.wait_for(units), units))
    per_second = rate / 60
    for i, (start, _) in enumerate(used):
        for j in range(i, len(used)):
            # The first may use what it did not wait for all at once; all that follow are paid for in time.
            units = sum(u for _, u in used[i + 1 : j + 1])
            allowed = per_second * (used[j][0] - start) + max(per_second, 1.0)
            assert units <= allowed + 1e-6 * max(1, units)


def test_a_second_s_worth_may_go_at_once_and_the_rest_in_its_time() -> None:
    ceiling = RateCeiling(120, clock=lambda: 0.0)
    assert [ceiling.wait_for(1) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]


def test_even_one_a_minute_lets_the_first_go_at_once() -> None:
    ceiling = RateCeiling(1, clock=lambda: 0.0)
    assert [ceiling.wait_for(1) for _ in range(2)] == [0, 60]


def test_units_given_back_shorten_the_next_wait() -> None:
    ceiling = RateCeiling(60, clock=lambda: 0.0)
    ceiling.wait_for(10)
    ceiling.give_back(9)
    assert ceiling.wait_for(1) == pytest.approx(1.0)


def test_units_given_back_never_allow_more_than_a_seconds_worth_at_once() -> None:
    now = 0.0
    ceiling = RateCeiling(60, clock=lambda: now)
    ceiling.give_back(1000)
    assert [ceiling.wait_for(1) for _ in range(2)] == [0, 1]

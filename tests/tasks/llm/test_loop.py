"""A loop on a thread of its own, used from other threads."""

import asyncio
import threading

import pytest

from datasynth.tasks.llm.loop import LoopThread


async def _answer(value: int) -> int:
    return value


def test_a_coroutine_runs_on_the_loops_thread_and_gives_its_result() -> None:
    loop = LoopThread("test-loop")
    try:

        async def where() -> str:
            return threading.current_thread().name

        assert loop.run(_answer(3)) == 3
        assert loop.run(where()) == "test-loop"
    finally:
        loop.close()


def test_an_error_reaches_whoever_waits() -> None:
    loop = LoopThread("test-loop")

    async def wrong() -> None:
        raise ValueError("wrong")

    try:
        with pytest.raises(ValueError, match="wrong"):
            loop.run(wrong())
    finally:
        loop.close()


def test_many_threads_may_wait_at_once() -> None:
    loop = LoopThread("test-loop")
    results: list[int] = []
    threads = [threading.Thread(target=lambda i=i: results.append(loop.run(_answer(i)))) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loop.close()
    assert sorted(results) == list(range(20))


def test_closing_cancels_what_still_runs_and_lets_it_clean_up() -> None:
    loop = LoopThread("test-loop")
    cleaned, started = threading.Event(), threading.Event()

    async def endless() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    waiter = threading.Thread(target=lambda: _swallowing(loop, endless()))
    waiter.start()
    assert started.wait(10)
    loop.close()
    waiter.join(10)
    assert cleaned.is_set()
    assert not waiter.is_alive()


def _swallowing(loop: LoopThread, coroutine: object) -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 - concurrent.futures' own CancelledError
        loop.run(coroutine)  # type: ignore[arg-type]


def test_closing_twice_is_harmless() -> None:
    loop = LoopThread("test-loop")
    loop.close()
    loop.close()

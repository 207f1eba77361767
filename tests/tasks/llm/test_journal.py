"""The reply journal: durable before returned, and a torn entry costs nothing but itself."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.calls import Reply, Request, Usage
from datasynth.schemas.errors import StorageError
from datasynth.schemas.report import Spend
from datasynth.tasks.llm.budget import Reservation
from datasynth.tasks.llm.journal import Journal, reply_key
from datasynth.tasks.llm.loop import LoopThread
from datasynth.tasks.storage.store import Store


def reply(text: str = "x", **changed: object) -> Reply:
    return Reply(**{"text": text, "stop": "end", "usage": Usage(1, 2, 3, 4), "model": "m"} | changed)  # type: ignore[arg-type]


async def put(journal: Journal, key: str, text: str = "x", *, round: int = 1) -> None:
    await journal.append(key, reply(text), round=round, cost=Decimal("0.001"))


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "journal") if request.param == "file" else f"memory://{uuid.uuid4().hex}")


@contextlib.contextmanager
def opened(store: Store) -> Iterator[Journal]:
    journal = Journal(store)
    try:
        yield journal
    finally:
        journal.close()


async def test_a_reply_is_in_a_second_journal_as_soon_as_append_returns(store: Store) -> None:
    full = reply(
        '文本 {"a": 1}\n\u2028', stop="length", request_id="r", service_tier="batch", metered=False, simulated=True
    )
    with opened(store) as journal:
        await journal.append("k", full, round=3, cost=Decimal("0.5"))
        with opened(store) as other:
            assert other.get("k") == full == journal.get("k")


async def test_what_is_not_there_is_none(store: Store) -> None:
    with opened(store) as journal:
        assert journal.get("k") is None
        assert "k" not in journal
        assert journal.read(["k"]) == []


async def test_replies_are_read_in_the_order_of_their_keys_each_once(store: Store) -> None:
    with opened(store) as journal:
        for key in "abc":
            await put(journal, key, key.upper())
    with opened(store) as again:
        read = again.read(["c", "none", "a", "c"])
        assert [(key, found.text) for key, found in read] == [("c", "C"), ("a", "A")]
        assert len(again) == 3
        assert "b" in again


async def test_a_reply_longer_than_all_that_is_remembered_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasynth.tasks.llm.journal.RECENT_BYTES", 500)
    with opened(Store(str(tmp_path))) as journal:
        for n in range(10):
            await put(journal, str(n), str(n) * 300)
        assert [journal.get(str(n)) for n in range(10)] == [reply(str(n) * 300) for n in range(10)]


async def test_calls_that_end_together_are_written_together() -> None:
    # In memory each write is an object of its own, so that writes can be counted.
    store = Store(f"memory://{uuid.uuid4().hex}")
    with opened(store) as journal:
        await asyncio.gather(*(put(journal, str(n)) for n in range(100)))
        assert len(store.names()) <= 2
    with opened(store) as again:
        assert len(again) == 100


async def test_two_writers_on_one_folder_lose_nothing(store: Store) -> None:
    with opened(store) as one, opened(store) as two:
        await asyncio.gather(*(put(one if n % 2 else two, str(n)) for n in range(20)))
    with opened(store) as again:
        assert sorted(key for key, _ in again.read(map(str, range(20)))) == sorted(map(str, range(20)))
        assert again.spend().calls == 20


async def test_a_reply_paid_twice_counts_twice_and_stays_the_first(store: Store) -> None:
    with opened(store) as journal:
        await put(journal, "k", "first")
        await put(journal, "k", "second")
        before = journal.get("k")
    with opened(store) as again:
        assert again.get("k") == before == reply("first")
        assert again.spend().calls == 2


async def test_spend_is_by_round_and_in_all(store: Store) -> None:
    with opened(store) as journal:
        await put(journal, "a", round=1)
        await put(journal, "b", round=2)
        await journal.append_loss(Reservation(Decimal("0.25"), 70), round=2)
        await journal.append("c", reply(), round=2, cost=None)
        live = [journal.spend(n) for n in (1, 2, 3, None)]
    with opened(store) as again:
        assert [again.spend(n) for n in (1, 2, 3, None)] == live
    assert live[0] == Spend(calls=1, usage=Usage(1, 2, 3, 4), cost_usd=0.001)
    assert live[1].cost_usd is None
    assert (live[1].calls, live[1].possible_calls, live[1].possible_usd, live[1].possible_tokens) == (2, 1, 0.25, 70)
    assert live[2] == Spend()
    assert live[3].calls == 3


async def test_a_reply_without_usage_counts_with_its_worst_case_but_as_one_call(store: Store) -> None:
    unmetered = reply(usage=Usage(), metered=False)
    with opened(store) as journal:
        await journal.append("a", unmetered, round=1, cost=None, unmetered=Reservation(Decimal("0.5"), 900))
    with opened(store) as again:
        spend = again.spend()
        assert (spend.calls, spend.possible_calls, spend.possible_usd, spend.possible_tokens) == (1, 0, 0.5, 900)
        assert again.get("a") == unmetered


async def test_an_intent_that_is_never_closed_is_abandoned(store: Store) -> None:
    worst = Reservation(Decimal("0.125"), 10)
    with opened(store) as journal:
        for token in ("answered", "lost", "refused", "killed"):
            await journal.append_intent(token, worst, round=1)
        await journal.append("k", reply(), round=1, cost=Decimal(0), closes="answered")
        await journal.append_loss(worst, round=1, closes="lost")
        await journal.append_refusal(round=1, closes="refused")
        assert journal.abandoned() == (worst,)
    with opened(store) as again:
        assert again.abandoned() == (worst,)
        assert again.spend().possible_calls == 1
        lost = Spend(possible_usd=0.125, possible_tokens=10, possible_calls=1)
        assert (again.possible(1), again.possible(2), again.possible()) == (lost, Spend(), lost)


async def test_an_intent_is_closed_even_if_its_end_stands_in_a_segment_that_is_read_first(tmp_path: Path) -> None:
    worst = Reservation(Decimal("0.125"), 10)
    with opened(Store(str(tmp_path / "a"))) as journal:
        await journal.append_intent("t", worst, round=1)
    with opened(Store(str(tmp_path / "b"))) as journal:
        await journal.append("k", reply(), round=1, cost=Decimal(0), closes="t")
    for folder, name in (("a", "2.log"), ("b", "1.log")):
        next((tmp_path / folder).iterdir()).rename(tmp_path / name)
    with opened(Store(str(tmp_path))) as again:
        assert again.abandoned() == ()


def written(entries: int) -> bytes:
    """The bytes of a journal with so many replies, keys `0`, `1`, ..."""
    store = Store(f"memory://{uuid.uuid4().hex}")

    async def fill() -> None:
        with opened(store) as journal:
            for n in range(entries):
                await put(journal, str(n), str(n))

    asyncio.run(fill())
    return b"".join(store.read(name) for name in store.names())


WHOLE = written(4)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_journal_cut_at_any_byte_has_all_but_the_torn_entry(cut: int) -> None:
    store = Store(f"memory://{uuid.uuid4().hex}")
    store.write("w.log", WHOLE[:cut])
    line = len(WHOLE) // 4
    with opened(store) as journal:
        assert sorted(key for key, _ in journal.read("0123")) == [str(n) for n in range(cut // line)]
        assert journal.spend().calls == cut // line
        asyncio.run(put(journal, "new"))
    with opened(store) as again:
        assert "new" in again


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_journal_with_any_byte_spoilt_has_all_but_one_entry(at: int, flip: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= flip
    store = Store(f"memory://{uuid.uuid4().hex}")
    store.write("w.log", bytes(damaged))
    with opened(store) as journal:
        read = journal.read("0123")
        assert len(read) >= 3
        assert all(found == reply(key) for key, found in read)


class Failing(Store):
    """A store whose writes fail while `broken` says so, as a full disk's do."""

    broken = False

    def write(self, path: str, data: bytes) -> None:
        if self.broken:
            raise StorageError("Cannot write {path}", path=path)
        super().write(path, data)


async def test_a_write_that_fails_is_told_to_all_who_wait_and_the_next_one_works() -> None:
    store = Failing(f"memory://{uuid.uuid4().hex}")
    with opened(store) as journal:
        await put(journal, "before")
        store.broken = True
        results = await asyncio.gather(*(put(journal, str(n)) for n in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [StorageError] * 5
        assert "0" not in journal
        store.broken = False
        await put(journal, "after")
    with opened(store) as again:
        assert [key for key, _ in again.read(["before", "0", "after"])] == ["before", "after"]


async def test_after_a_failed_write_on_disk_the_next_goes_to_a_new_segment(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    with opened(Store(str(folder))) as journal:
        await put(journal, "before")
        # The descriptor is closed under the writer, as a disk that goes away would do.
        journal._writer.close()  # type: ignore[union-attr]
        journal._writer._fd = 10**6  # type: ignore[union-attr]
        with pytest.raises(StorageError):
            await put(journal, "lost")
        await put(journal, "after")
    assert len(list(folder.iterdir())) == 2
    with opened(Store(str(folder))) as again:
        assert [key for key, _ in again.read(["before", "lost", "after"])] == ["before", "after"]


@contextlib.contextmanager
def writing_held(journal: Journal) -> Iterator[None]:
    """The journal's thread is busy until the block ends."""
    free = threading.Event()
    journal._thread.submit(free.wait)
    try:
        yield
    finally:
        free.set()


async def test_the_reply_of_a_waiter_that_is_cancelled_is_written_all_the_same(store: Store) -> None:
    with opened(store) as journal:
        with writing_held(journal):
            waiting = asyncio.create_task(put(journal, "k"))
            await asyncio.sleep(0)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        await journal.flush()
        assert journal.get("k") == reply()
    with opened(store) as again:
        assert again.get("k") == reply()


async def test_flush_waits_for_what_was_handed_over_while_it_waited(store: Store) -> None:
    with opened(store) as journal:
        with writing_held(journal):
            waiting = [asyncio.create_task(put(journal, key)) for key in "ab"]
            await asyncio.sleep(0)
            late = asyncio.create_task(put(journal, "c"))
            flushing = asyncio.create_task(journal.flush())
            await asyncio.sleep(0)
            assert not flushing.done()
        await flushing
        assert all(key in journal for key in "abc")
        await asyncio.gather(*waiting, late)


def test_a_loop_that_closes_in_the_middle_of_a_write_loses_no_reply(store: Store) -> None:
    journal, loop = Journal(store), LoopThread("test")
    free, begun = threading.Event(), threading.Event()
    journal._thread.submit(free.wait)

    async def pay() -> None:
        first = asyncio.create_task(put(journal, "in the first group"))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(put(journal, "in the next group"))
        await asyncio.sleep(0)
        begun.set()
        try:
            await asyncio.gather(first, second)
        except asyncio.CancelledError:
            # As the engine does with a call that it must abandon.
            await asyncio.shield(journal.append_loss(Reservation(Decimal(1), 5), round=1))
            raise

    waiter = threading.Thread(target=lambda: _quietly(loop, pay()))
    waiter.start()
    assert begun.wait(10)
    threading.Timer(0.05, free.set).start()
    loop.close()
    journal.close()
    waiter.join(10)
    with opened(store) as again:
        assert "in the first group" in again
        assert "in the next group" in again
        assert again.spend().possible_calls == 1


def _quietly(loop: LoopThread, coroutine: object) -> None:
    with contextlib.suppress(BaseException):
        loop.run(coroutine)  # type: ignore[arg-type]


ASK = Request("m", "system", "user", 100, temperature=0.8)


@pytest.mark.parametrize(
    "other",
    [
        {"request": Request("n", "system", "user", 100, temperature=0.8)},
        {"request": Request("m", "system", "other", 100, temperature=0.8)},
        {"request": Request("m", "system", "user", 200, temperature=0.8)},
        {"request": Request("m", "system", "user", 100, temperature=0.85)},
        {"index": 1},
        {"attempt": 1},
        {"digest_of_static": "e"},
    ],
)
def test_anything_that_differs_makes_another_key(other: dict[str, object]) -> None:
    one: dict[str, object] = {"request": ASK, "index": 0, "attempt": 0, "digest_of_static": "d"}
    assert reply_key(**one) != reply_key(**(one | other))  # type: ignore[arg-type]

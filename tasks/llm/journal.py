"""The reply journal: every reply is durable here before anything else sees it, and is never paid for again.

Keyed by the content of the request within its run: the same run asks the same question again only under another
key (its place in the plan and its attempt are part of it), and two runs never share an answer. One folder a run,
one segment series a writer, so any number of processes may write at once without a lock.
"""

import asyncio
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

from datasynth.schemas.calls import Reply, Request, Usage
from datasynth.schemas.record import content_digest
from datasynth.schemas.report import Spend
from datasynth.tasks.llm.budget import Reservation
from datasynth.tasks.storage.log import LINE_HEAD, LogWriter, Place, frame_line, open_writer, read_segment
from datasynth.tasks.storage.store import Store

READERS = 16
"""Segments read at the same time from an object store, which answers each after some 10 to 100 ms."""
READ_AHEAD = 64
"""Segments of an object store in memory at a time. Each holds one write's lines."""
RECENT_BYTES = 32 * 1024 * 1024
"""Newest replies kept in memory, so that the next step need not read back what was just written."""


def reply_key(request: Request, *, index: int, attempt: int, digest_of_static: str) -> str:
    """The key of one request of a run: its content, its place in the plan, and which attempt it is.

    `digest_of_static` stands for the system prompt and the reply schema, which all calls of a run share and which
    are long: their digest is taken once.
    """
    return content_digest(
        [digest_of_static, request.model, request.user, request.max_tokens, request.temperature, index, attempt]
    )


@dataclass(frozen=True)
class BatchedRequest:
    """One request of a batch, with the most tokens that it can be billed."""

    key: str
    most_input: int
    most_output: int
    token: str = ""
    """Of its intent, where a limit holds."""


@dataclass(frozen=True)
class BatchEntry:
    """A batch that the provider took."""

    id: str
    round: int
    requests: tuple[BatchedRequest, ...]


@dataclass(frozen=True)
class _Intent:
    """A call of a limited run that is about to leave."""

    worst: Reservation
    round: int
    share: str
    """Of the run's limits, that it is paid from; empty for none."""


class Journal:
    """The replies of one run. Appends come from one event loop; any thread may read."""

    def __init__(self, store: Store) -> None:
        """`store` is the run's own folder; what earlier processes wrote there is indexed at once."""
        self._store = store
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        self._recent_bytes = 0
        self._spend: dict[int, Spend] = {}
        self._share_spend: dict[str, Spend] = {}
        self._open: dict[str, _Intent] = {}
        self._closed_early: set[str] = set()
        self._batches: dict[str, BatchEntry] = {}
        self._collected: set[str] = set()
        self._pending: list[tuple[dict[str, Any], bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Future[tuple[str, int]] | None = None
        self._writer: LogWriter | None = None
        self._thread = ThreadPoolExecutor(1, "journal")
        self._reading = threading.Lock()
        self._read_up_to: dict[str, int] = {}
        """By segment of other writers: the bytes of it that are indexed."""
        self._own: list[str] = []
        """Names of this process' writers, which their segments begin with."""
        self._index_new(remember=False)

    def refresh(self) -> None:
        """Indexes what other processes have written since it was last read: whoever asks for it reads it next."""
        self._index_new(remember=True)

    def _index_new(self, *, remember: bool) -> None:
        with self._reading:
            # What this process writes it indexes itself, and an object never changes.
            names = [name for name in self._store.names(suffix=".log") if not name.startswith(tuple(self._own))]
            if self._store.local:
                for name in names:
                    start = self._read_up_to.get(name, 0)
                    self._index_all(name, read_segment(self._store, name, start=start), remember=remember)
                return
            new = [name for name in names if name not in self._read_up_to]
            with ThreadPoolExecutor(READERS) as readers:
                for first in range(0, len(new), READ_AHEAD):
                    some = new[first : first + READ_AHEAD]
                    found = readers.map(lambda name: list(read_segment(self._store, name)), some)
                    for name, lines in zip(some, found, strict=True):
                        self._index_all(name, lines, remember=remember)

    def _index_all(self, segment: str, lines: Iterable[tuple[Place, bytes]], *, remember: bool) -> None:
        self._read_up_to.setdefault(segment, 0)
        for place, payload in lines:
            entry = orjson.loads(payload)
            self._index(entry, place)
            if remember and "key" in entry:
                self._remember(entry["key"], payload)
            self._read_up_to[segment] = place.offset + place.length + 1

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def _index(self, entry: dict[str, Any], place: Place) -> None:
        with self._lock:
            if "opens" in entry:
                if entry["opens"] not in self._closed_early:
                    worst = Reservation(Decimal(entry["worst_usd"]), entry["worst_tokens"])
                    self._open[entry["opens"]] = _Intent(worst, entry["round"], entry.get("share", ""))
                return
            if "batch" in entry:
                self._index_batch(entry)
                return
            self._close(entry.get("closes", ""))
            if "reply" in entry:
                reply = entry["reply"]
                usage = reply.usage if isinstance(reply, Reply) else Usage(**reply["usage"])
                spend = Spend(calls=1, usage=usage, cost_usd=_number(entry["cost"]))
                spend += _worst(entry, calls=0)
                # The first reply wins, should two processes have paid for the same request.
                self._places.setdefault(entry["key"], place)
            elif "worst_tokens" in entry:
                spend = _worst(entry, calls=1)
            else:
                return
            self._spend[entry["round"]] = self._spend.get(entry["round"], Spend()) + spend
            if share := entry.get("share"):
                self._share_spend[share] = self._share_spend.get(share, Spend()) + spend

    def _index_batch(self, entry: dict[str, Any]) -> None:
        if "requests" not in entry:
            # Written by another process than the one that sent it, perhaps, and so read in any order.
            self._collected.add(entry["batch"])
            return
        requests = tuple(BatchedRequest(*fields) for fields in entry["requests"])
        for request in requests:
            self._close(request.token)
        self._batches[entry["batch"]] = BatchEntry(entry["batch"], entry["round"], requests)

    def open_batches(self) -> list[BatchEntry]:
        """Batches that were sent and not collected, each with those of its requests that have no reply here."""
        with self._lock:
            batches = [batch for id_, batch in self._batches.items() if id_ not in self._collected]
            return [
                BatchEntry(b.id, b.round, tuple(r for r in b.requests if r.key not in self._places)) for b in batches
            ]

    def _close(self, token: str) -> None:
        if token and self._open.pop(token, None) is None:
            # Segments are read in the order of their names: the end of a call may come before its beginning.
            self._closed_early.add(token)

    def abandoned(self, share: str | None = None) -> tuple[Reservation, ...]:
        """Worst cases of calls of a limited run that left and of which no more is known: their process was killed.

        Those made from `share`, or all. Meant for the moment after opening; while calls are in flight here, theirs are
        among them.
        """
        with self._lock:
            return tuple(one.worst for one in self._open.values() if share is None or one.share == share)

    def possible(self, round: int | None = None) -> Spend:
        """What the calls of `abandoned` may have cost, those of `round` or all."""
        with self._lock:
            lost = [one.worst for one in self._open.values() if round is None or one.round == round]
        cost, tokens = sum((worst.cost for worst in lost), Decimal(0)), sum(worst.tokens for worst in lost)
        return Spend(possible_usd=float(cost), possible_tokens=tokens, possible_calls=len(lost))

    def spent_of(self, share: str) -> Spend:
        """What the replies made from `share` cost."""
        with self._lock:
            return self._share_spend.get(share, Spend())

    def spend(self, round: int | None = None) -> Spend:
        """What the run's replies cost, those of `round` or all: everything paid, used or not."""
        with self._lock:
            if round is not None:
                return self._spend.get(round, Spend())
            return sum(self._spend.values(), Spend())

    def get(self, key: str) -> Reply | None:
        """The reply under `key`, or None."""
        return next(iter(self.read([key])), (key, None))[1]

    def read(self, keys: Iterable[str]) -> list[tuple[str, Reply]]:
        """The replies under those of `keys` that are there, in the order of `keys`; each segment is read once."""
        wanted = list(dict.fromkeys(keys))
        with self._lock:
            payloads = {k: self._recent[k] for k in wanted if k in self._recent}
            missing: dict[str, list[tuple[str, Place]]] = {}
            for key in wanted:
                if key not in payloads and (place := self._places.get(key)):
                    missing.setdefault(place.segment, []).append((key, place))
        for segment, places in missing.items():
            # Not all of it: a run that is gone on with asks for a reply at a time, of some 100 MB.
            data = self._store.view(segment)
            payloads |= {key: data[p.offset : p.offset + p.length] for key, p in places}
        return [(k, _reply(orjson.loads(payloads[k]))) for k in wanted if k in payloads]

    async def append(
        self,
        key: str,
        reply: Reply,
        *,
        round: int,
        cost: Decimal | None,
        unmetered: Reservation | None = None,
        closes: str = "",
        share: str = "",
    ) -> None:
        """Returns once the reply is durable. `unmetered` is its worst case where nobody can say what it cost."""
        entry = {"key": key, "round": round, "cost": _text(cost), "closes": closes, "reply": reply}
        await self._append(entry | (_worst_case(unmetered) if unmetered else {}) | _of_share(share))

    async def append_intent(self, token: str, worst: Reservation, *, round: int, share: str = "") -> None:
        """Records that a call is about to leave, with its worst case, before it does.

        Needed only where a limit holds: after a kill, what was in flight counts against it.
        """
        await self._append({"opens": token, "round": round} | _worst_case(worst) | _of_share(share))

    async def append_loss(self, worst: Reservation, *, round: int, closes: str = "", share: str = "") -> None:
        """Records the worst case of a call that left and never answered, so that a resumed run counts it too."""
        await self._append({"round": round, "closes": closes} | _worst_case(worst) | _of_share(share))

    async def append_refusal(self, *, round: int, closes: str) -> None:
        """Records that an intent came to nothing and cost nothing."""
        await self._append({"round": round, "closes": closes})

    async def append_batch(self, batch: BatchEntry) -> None:
        """Records a batch that the provider took, so that a resumed run collects it; its intents are closed by it."""
        fields = [(r.key, r.most_input, r.most_output, r.token) for r in batch.requests]
        await self._append({"batch": batch.id, "round": batch.round, "requests": fields})

    async def append_collected(self, batch: BatchEntry) -> None:
        """Records that all results of a batch are here."""
        await self._append({"batch": batch.id, "round": batch.round})

    async def _append(self, entry: dict[str, Any]) -> None:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((entry, orjson.dumps(entry), durable))
        self._hand_on()
        await durable

    def _hand_on(self) -> None:
        """Gives all that is pending to the thread, unless it is busy.

        By callbacks and not by a task: whoever waits may be cancelled, and all tasks of the loop may be, but what was
        paid for is written all the same.
        """
        if self._writing is None and self._pending:
            group, self._pending = self._pending, []
            lines = b"".join(frame_line(payload) for _, payload, _ in group)
            self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._write, lines)
            self._writing.add_done_callback(partial(self._written, group))

    def _written(
        self,
        group: list[tuple[dict[str, Any], bytes, asyncio.Future[None]]],
        writing: asyncio.Future[tuple[str, int]],
    ) -> None:
        self._writing = None
        error = writing.exception()
        segment, offset = ("", 0) if error else writing.result()
        for entry, payload, durable in group:
            if error is None:
                self._index(entry, Place(segment, offset + LINE_HEAD, len(payload)))
                offset += LINE_HEAD + len(payload) + 1
                if "key" in entry:
                    self._remember(entry["key"], payload)
            if durable.done():
                continue
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)
        self._hand_on()

    def _write(self, lines: bytes) -> tuple[str, int]:
        if self._writer is None:
            # Host and process may repeat (containers start at pid 1), hence the random part.
            name = f"{os.getpid()}-{secrets.token_hex(6)}"
            self._own.append(name)
            self._writer = open_writer(self._store, name)
        try:
            return self._writer.append(lines)
        except BaseException:
            # Part of a line may stand at the end of this segment: what comes next starts a new one.
            self._writer.close()
            self._writer = None
            raise

    def _remember(self, key: str, payload: bytes) -> None:
        with self._lock:
            if key in self._recent:
                return  # paid twice; the first one is the one that a journal opened anew would find
            self._recent[key] = payload
            self._recent_bytes += len(payload)
            while self._recent_bytes > RECENT_BYTES:
                _, oldest = self._recent.popitem(last=False)
                self._recent_bytes -= len(oldest)

    async def flush(self) -> None:
        """Waits until everything handed over is durable."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        if self._writer is not None:
            self._writer.close()


def _of_share(share: str) -> dict[str, str]:
    return {"share": share} if share else {}


def _reply(entry: dict[str, Any]) -> Reply:
    fields = entry["reply"]
    return Reply(**{**fields, "usage": Usage(**fields["usage"])})


def _worst_case(worst: Reservation) -> dict[str, Any]:
    return {"worst_usd": str(worst.cost), "worst_tokens": worst.tokens}


def _worst(entry: dict[str, Any], *, calls: int) -> Spend:
    """What an entry adds to the possible spend; `calls` of them had no reply."""
    if "worst_tokens" not in entry:
        return Spend()
    return Spend(possible_usd=float(entry["worst_usd"]), possible_tokens=entry["worst_tokens"], possible_calls=calls)


def _text(cost: Decimal | None) -> str | None:
    return None if cost is None else str(cost)


def _number(cost: str | None) -> float | None:
    return None if cost is None else float(cost)

"""What both batch APIs share: requests that are all answered once their time has come."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from aiohttp import web

from datasynth.tasks.llm.simulated.model import Model, RefusedError
from datasynth.tasks.llm.simulated.wire import Wire

Route = tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]
FAILING = ("500", "503", "529")
"""Faults that a single request of a batch can meet; the others belong to connections, which a batch has not."""
BREATH = 20
"""Requests answered before other connections get their turn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request of a batch ended: a status and a body, or nothing because the batch was cancelled first."""

    custom_id: str
    status: int | None = None
    body: dict[str, Any] = field(default_factory=dict)


@dataclass
class Job:
    """One batch. Times are seconds since the epoch."""

    id: str
    requests: list[tuple[str, dict[str, Any]]]
    """Pairs of a custom id and a request body."""
    extra: dict[str, Any]
    """What the protocol keeps with the batch."""
    created: float = field(default_factory=time.time)
    cancelled: float | None = None
    ended: float | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def count(self, which: Literal["succeeded", "errored", "canceled"]) -> int:
        tests: dict[str, Callable[[Outcome], bool]] = {
            "succeeded": lambda o: o.status == 200,
            "errored": lambda o: o.status not in (200, None),
            "canceled": lambda o: o.status is None,
        }
        return sum(map(tests[which], self.outcomes))


class BatchDesk:
    """Takes batches in one protocol and answers their requests when `batch_seconds` have passed."""

    wire: Wire

    def __init__(self, model: Model) -> None:
        self.model = model
        self.jobs: dict[str, Job] = {}

    def open(self, prefix: str, requests: list[tuple[str, dict[str, Any]]], extra: dict[str, Any]) -> Job:
        """A new batch, newest first in listings."""
        job = Job(f"{prefix}_{secrets.token_hex(12)}", requests, extra)
        self.jobs = {job.id: job, **self.jobs}
        return job

    async def job(self, request: web.Request) -> Job:
        """The batch that the path names, brought up to date.

        Raises:
            RefusedError: there is none (404).
        """
        found = self.jobs.get(request.match_info["id"])
        if found is None:
            raise RefusedError(404, f"No batch found with id '{request.match_info['id']}'.")
        await self.advance(found)
        return found

    async def advance(self, job: Job) -> None:
        """Ends the batch if its time has come or it was cancelled; requests reached before a cancellation count."""
        async with job.lock:
            seconds, now = self.model.knobs.batch_seconds, time.time()
            if job.ended is not None or (job.cancelled is None and now - job.created < seconds):
                return
            share = 1.0 if job.cancelled is None else (job.cancelled - job.created) / max(seconds, 1e-9)
            reached = int(len(job.requests) * min(1.0, share))
            for number, (custom_id, body) in enumerate(job.requests):
                job.outcomes.append(self._outcome(custom_id, body) if number < reached else Outcome(custom_id))
                if number % BREATH == 0:
                    await asyncio.sleep(0)
            job.ended = job.created + seconds if job.cancelled is None else job.cancelled

    def _outcome(self, custom_id: str, body: dict[str, Any]) -> Outcome:
        try:
            ask = self.model.ask(self.wire, body)
            content = ask.content()
            fate = self.model.fate(content)
            if fate.request in FAILING:
                self.model.tally.faults[fate.request] += 1
                raise RefusedError(500, "The server had an error while processing your request.")
        except RefusedError as refusal:
            error = self.wire.error(refusal.status, refusal.message, self.model.next_id(), refusal.parameter)
            return Outcome(custom_id, refusal.status, error)
        reply, billed = self.model.reply(self.wire, ask, content, fate, batch=True)
        self.model.tally.paid(orjson.dumps(body), billed)
        return Outcome(custom_id, 200, reply)

    def routes(self) -> list[Route]:
        """Method, path and handler of every route of the API."""
        raise NotImplementedError

"""Anthropic's Message Batches API. Source: types of the `anthropic` SDK 2.11."""

import time
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from datasynth.tasks.llm.simulated.anthropic_wire import ANTHROPIC
from datasynth.tasks.llm.simulated.batches import BatchDesk, Job, Outcome, Route
from datasynth.tasks.llm.simulated.model import RefusedError

DAY = 86_400


class AnthropicBatches(BatchDesk):
    wire = ANTHROPIC

    def routes(self) -> list[Route]:
        base = "/v1/messages/batches"
        return [
            ("POST", base, self.create),
            ("GET", base, self.list),
            ("GET", f"{base}/{{id}}", self.retrieve),
            ("GET", f"{base}/{{id}}/results", self.results),
            ("POST", f"{base}/{{id}}/cancel", self.cancel),
        ]

    async def create(self, request: web.Request) -> web.Response:
        try:
            given = orjson.loads(await request.read())["requests"]
            requests = [(str(r["custom_id"]), dict(r["params"])) for r in given]
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(400, f"requests: each needs a custom_id and params ({type(error).__name__})") from error
        if not requests:
            raise RefusedError(400, "requests: at least one request is required")
        if len({custom_id for custom_id, _ in requests}) < len(requests):
            raise RefusedError(400, "requests: custom_id must be unique within a batch")
        return self._shown(self.open("msgbatch", requests, {}), request)

    async def list(self, request: web.Request) -> web.Response:
        for job in self.jobs.values():
            await self.advance(job)
        data = [_description(job, request) for job in self.jobs.values()]
        ids = [d["id"] for d in data] or [None]
        listing = {"data": data, "has_more": False, "first_id": ids[0], "last_id": ids[-1]}
        return web.Response(body=orjson.dumps(listing), content_type="application/json")

    async def retrieve(self, request: web.Request) -> web.Response:
        return self._shown(await self.job(request), request)

    async def cancel(self, request: web.Request) -> web.Response:
        job = await self.job(request)
        if job.ended is None and job.cancelled is None:
            job.cancelled = time.time()
        return self._shown(job, request)

    async def results(self, request: web.Request) -> web.Response:
        job = await self.job(request)
        if job.ended is None:
            raise RefusedError(404, "The results of this batch are not available yet.")
        lines = b"".join(orjson.dumps(_result(o), option=orjson.OPT_APPEND_NEWLINE) for o in job.outcomes)
        return web.Response(body=lines, content_type="application/x-jsonl")

    def _shown(self, job: Job, request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(_description(job, request)), content_type="application/json")


def _description(job: Job, request: web.Request) -> dict[str, Any]:
    ended = job.ended is not None
    return {
        "id": job.id,
        "type": "message_batch",
        "processing_status": "ended" if ended else "canceling" if job.cancelled else "in_progress",
        "request_counts": {
            "processing": 0 if ended else len(job.requests),
            "succeeded": job.count("succeeded"),
            "errored": job.count("errored"),
            "canceled": job.count("canceled"),
            "expired": 0,
        },
        "created_at": _stamp(job.created),
        "expires_at": _stamp(job.created + DAY),
        "ended_at": _stamp(job.ended) if job.ended is not None else None,
        "cancel_initiated_at": _stamp(job.cancelled) if job.cancelled else None,
        "archived_at": None,
        "results_url": f"{request.url.origin()}/v1/messages/batches/{job.id}/results" if ended else None,
    }


def _result(outcome: Outcome) -> dict[str, Any]:
    if outcome.status is None:
        result: dict[str, Any] = {"type": "canceled"}
    elif outcome.status == 200:
        result = {"type": "succeeded", "message": outcome.body}
    else:
        result = {"type": "errored", "error": outcome.body}
    return {"custom_id": outcome.custom_id, "result": result}


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

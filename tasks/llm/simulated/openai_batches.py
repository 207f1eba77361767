"""OpenAI's Files and Batch APIs, as far as batches need them. Source: types of the `openai` SDK 3.52."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from datasynth.tasks.llm.simulated.batches import BatchDesk, Job, Route
from datasynth.tasks.llm.simulated.model import RefusedError
from datasynth.tasks.llm.simulated.openai_wire import OPENAI

DAY = 86_400
ENDPOINT = "/v1/chat/completions"


@dataclass
class StoredFile:
    """An uploaded or produced file."""

    id: str
    name: str
    purpose: str
    content: bytes
    created: int = field(default_factory=lambda: int(time.time()))

    def description(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


class OpenAIBatches(BatchDesk):
    wire = OPENAI

    def routes(self) -> list[Route]:
        self.files: dict[str, StoredFile] = {}
        return [
            ("POST", "/v1/files", self.upload),
            ("GET", "/v1/files/{id}", self.file),
            ("DELETE", "/v1/files/{id}", self.delete),
            ("GET", "/v1/files/{id}/content", self.content),
            ("POST", "/v1/batches", self.create),
            ("GET", "/v1/batches", self.list),
            ("GET", "/v1/batches/{id}", self.retrieve),
            ("POST", "/v1/batches/{id}/cancel", self.cancel),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file, purpose = form.get("file"), form.get("purpose")
        if not isinstance(file, web.FileField) or not isinstance(purpose, str):
            raise RefusedError(400, "A multipart form with 'file' and 'purpose' is required.")
        return _json(self._keep(file.filename, purpose, file.file.read()).description())

    def _keep(self, name: str, purpose: str, content: bytes) -> StoredFile:
        file = StoredFile(f"file-{secrets.token_hex(12)}", name, purpose, content)
        self.files[file.id] = file
        return file

    def _file(self, id_: str) -> StoredFile:
        if id_ not in self.files:
            raise RefusedError(404, f"No such File object: {id_}")
        return self.files[id_]

    async def file(self, request: web.Request) -> web.Response:
        return _json(self._file(request.match_info["id"]).description())

    async def delete(self, request: web.Request) -> web.Response:
        file = self._file(request.match_info["id"])
        del self.files[file.id]
        return _json({"id": file.id, "object": "file", "deleted": True})

    async def content(self, request: web.Request) -> web.Response:
        body = self._file(request.match_info["id"]).content
        return web.Response(body=body, content_type="application/octet-stream")

    async def create(self, request: web.Request) -> web.Response:
        try:
            given = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            raise RefusedError(400, f"The request body is not valid JSON: {error}.") from error
        if not isinstance(given, dict):
            raise RefusedError(400, "The request body is not a JSON object.")
        if given.get("endpoint") != ENDPOINT:
            raise RefusedError(
                400, f"Invalid endpoint: the simulated server takes batches for {ENDPOINT} only.", "endpoint"
            )
        file = self._file(str(given.get("input_file_id")))
        requests, errors = _requests(file.content)
        job = self.open("batch", requests, {"given": given, "errors": errors})
        if errors:
            job.ended = job.created
        return _json(await self._description(job, fresh=not errors))

    async def list(self, request: web.Request) -> web.Response:
        for job in self.jobs.values():
            await self.advance(job)
        data = [await self._description(job) for job in self.jobs.values()]
        ids = [d["id"] for d in data] or [None]
        return _json({"object": "list", "data": data, "first_id": ids[0], "last_id": ids[-1], "has_more": False})

    async def retrieve(self, request: web.Request) -> web.Response:
        return _json(await self._description(await self.job(request)))

    async def cancel(self, request: web.Request) -> web.Response:
        job = await self.job(request)
        if job.ended is not None:
            raise RefusedError(409, "Cannot cancel a batch that has ended.")
        job.cancelled = job.cancelled or time.time()
        return _json(await self._description(job))

    async def _description(self, job: Job, *, fresh: bool = False) -> dict[str, Any]:
        given, errors = job.extra["given"], job.extra["errors"]
        if job.ended is not None and not errors and "output" not in job.extra:
            self._write_results(job)
        status = _status(job, fresh=fresh)
        ended = int(job.ended) if job.ended is not None else None
        return {
            "id": job.id,
            "object": "batch",
            "endpoint": given["endpoint"],
            "errors": {"object": "list", "data": errors} if errors else None,
            "input_file_id": given["input_file_id"],
            "completion_window": given.get("completion_window", "24h"),
            "status": status,
            "output_file_id": job.extra.get("output"),
            "error_file_id": job.extra.get("error"),
            "created_at": int(job.created),
            "in_progress_at": None if fresh or errors else int(job.created),
            "expires_at": int(job.created) + DAY,
            "finalizing_at": ended if status == "completed" else None,
            "completed_at": ended if status == "completed" else None,
            "failed_at": ended if status == "failed" else None,
            "expired_at": None,
            "cancelling_at": int(job.cancelled) if job.cancelled else None,
            "cancelled_at": ended if status == "cancelled" else None,
            "request_counts": {
                "total": len(job.requests),
                "completed": job.count("succeeded"),
                "failed": job.count("errored"),
            },
            "usage": _usage(o.body for o in job.outcomes if o.status == 200),
            "metadata": given.get("metadata"),
        }

    def _write_results(self, job: Job) -> None:
        lines: dict[str, list[bytes]] = {"output": [], "error": []}
        for outcome in job.outcomes:
            if outcome.status is None:
                continue
            line = {
                "id": f"batch_req_{self.model.next_id()}",
                "custom_id": outcome.custom_id,
                "response": {
                    "status_code": outcome.status,
                    "request_id": f"req_{self.model.next_id()}",
                    "body": outcome.body,
                },
                "error": None,
            }
            lines["output" if outcome.status == 200 else "error"].append(orjson.dumps(line))
        for kind, found in lines.items():
            name = f"{job.id}_{kind}.jsonl"
            content = b"".join(line + b"\n" for line in found)
            job.extra[kind] = self._keep(name, "batch_output", content).id if found else None


def _status(job: Job, *, fresh: bool) -> str:
    if job.extra["errors"]:
        return "failed"
    if job.ended is not None:
        return "cancelled" if job.cancelled else "completed"
    if job.cancelled:
        return "cancelling"
    return "validating" if fresh else "in_progress"


def _requests(content: bytes) -> tuple[list[tuple[str, dict[str, Any]]], list[dict[str, Any]]]:
    """The requests of a batch file, and what is wrong with it line by line."""
    requests: list[tuple[str, dict[str, Any]]] = []
    errors: list[dict[str, Any]] = []
    for number, line in enumerate(filter(None, content.splitlines()), start=1):
        try:
            given = orjson.loads(line)
            requests.append((given["custom_id"], dict(given["body"])))
            if given.get("url") != ENDPOINT or given.get("method") != "POST":
                raise ValueError(given.get("url"))
        except (ValueError, KeyError, TypeError):
            message = f"A line needs custom_id, method POST, url {ENDPOINT} and body."
            errors.append({"code": "invalid_json_line", "line": number, "message": message, "param": None})
    if not errors and len({custom_id for custom_id, _ in requests}) < len(requests):
        errors.append(
            {"code": "duplicate_custom_id", "line": None, "message": "custom_id must be unique.", "param": None}
        )
    if not requests and not errors:
        errors.append({"code": "empty_file", "line": None, "message": "The file has no requests.", "param": None})
    return requests, errors


def _usage(bodies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    usages = [b["usage"] for b in bodies]
    prompt, output = sum(u["prompt_tokens"] for u in usages), sum(u["completion_tokens"] for u in usages)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": sum(u["prompt_tokens_details"]["cached_tokens"] for u in usages)},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + output,
    }


def _json(value: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")

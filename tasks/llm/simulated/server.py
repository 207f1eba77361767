"""The HTTP routes of the simulated model server."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from datasynth.schemas.errors import InputError
from datasynth.tasks.llm.simulated.anthropic_batches import AnthropicBatches
from datasynth.tasks.llm.simulated.anthropic_wire import ANTHROPIC
from datasynth.tasks.llm.simulated.faults import Fate
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.model import Model, RefusedError
from datasynth.tasks.llm.simulated.openai_batches import OpenAIBatches
from datasynth.tasks.llm.simulated.openai_wire import OPENAI
from datasynth.tasks.llm.simulated.replies import Ask
from datasynth.tasks.llm.simulated.wire import Billed, MalformedError, Wire

SIMULATED = {"x-datasynth-simulated": "1"}
JSON = "application/json"
LARGEST = 512 * 2**20
"""Bytes in a request: more than either provider takes for a batch file."""
MESSAGES = {
    429: "Number of requests has exceeded your rate limit. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "The service is temporarily unavailable.",
    529: "Overloaded",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Routes over one model."""

    def __init__(self, knobs: Knobs) -> None:
        self.model = Model(knobs)
        self.app = web.Application(client_max_size=LARGEST)
        add = self.app.router.add_route
        add("POST", "/v1/messages", self._speaking(ANTHROPIC, self._answer))
        add("POST", "/v1/chat/completions", self._speaking(OPENAI, self._answer))
        add("POST", "/v1/embeddings", self._speaking(OPENAI, self._embeddings))
        add("GET", "/v1/models", self._models)
        add("GET", "/_stats", self._stats)
        add("POST", "/_reset", self._reset)
        add("GET", "/_knobs", self._knobs)
        add("POST", "/_knobs", self._turn)
        for wire, desk in ((ANTHROPIC, AnthropicBatches(self.model)), (OPENAI, OpenAIBatches(self.model))):
            for method, path, handler in desk.routes():
                add(method, path, self._speaking(wire, _ignoring_wire(handler)))

    def _speaking(self, wire: Wire, handler: Callable[[web.Request, Wire], Awaitable[web.StreamResponse]]) -> Handler:
        """`handler` with the key checked before it and its refusals said in the provider's form."""

        async def handled(request: web.Request) -> web.StreamResponse:
            self.model.tally.requests[f"{request.method} {request.match_info.route.resource.canonical}"] += 1  # type: ignore[union-attr]
            try:
                self._check_key(request)
                return await handler(request, wire)
            except RefusedError as refusal:
                return self._refusal(wire, refusal)

        return handled

    def _check_key(self, request: web.Request) -> None:
        wanted = self.model.knobs.api_key
        if wanted is not None:
            given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
            if given != wanted:
                raise RefusedError(401, "Incorrect API key provided: the simulated server was told to accept another.")

    def _refusal(self, wire: Wire, refusal: RefusedError) -> web.Response:
        knobs, id_ = self.model.knobs, self.model.next_id()
        self.model.tally.by_status[str(refusal.status)] += 1
        headers = self._headers(wire, id_)
        if refusal.status == 429 and knobs.retry_after is not None:
            headers["retry-after"] = f"{knobs.retry_after:g}"
        body = wire.error(refusal.status, refusal.message, id_, refusal.parameter)
        return web.Response(status=refusal.status, body=orjson.dumps(body), headers=headers, content_type=JSON)

    def _headers(self, wire: Wire, id_: str) -> dict[str, str]:
        headers = SIMULATED | {wire.request_id_header: f"req_{id_}"}
        return headers | wire.limit_headers(self.model.bucket.state()) if self.model.bucket else headers

    async def _answer(self, request: web.Request, wire: Wire) -> web.StreamResponse:
        tally = self.model.tally
        tally.entered()
        try:
            return await self._served(request, wire)
        except asyncio.CancelledError:
            tally.by_status["disconnected"] += 1
            raise
        finally:
            tally.in_flight -= 1

    async def _served(self, request: web.Request, wire: Wire) -> web.StreamResponse:
        knobs, tally = self.model.knobs, self.model.tally
        raw = await request.read()
        ask = self.model.ask(wire, _json(raw))
        self._check_load(knobs)
        content = ask.content()
        fate = self.model.fate(content)
        if fate.request:
            tally.faults[fate.request] += 1
            if fate.request.isdigit():
                # 529 is Anthropic's own status; elsewhere a server says the same with 503.
                status = 503 if fate.request == "529" and wire is not ANTHROPIC else int(fate.request)
                raise RefusedError(status, MESSAGES[status])
        if fate.request == "hang" or (knobs.stop_after is not None and tally.promised >= knobs.stop_after):
            return await _never()
        tally.promised += fate.request is None
        if fate.latency:
            await asyncio.sleep(fate.latency)
        if fate.request == "reset":
            return self._reset_connection(request, "reset")
        return await self._deliver(request, wire, ask, raw, (content, fate))

    def _check_load(self, knobs: Knobs) -> None:
        too_many = knobs.capacity is not None and self.model.tally.in_flight > knobs.capacity
        if too_many or (self.model.bucket and not self.model.bucket.take()):
            raise RefusedError(429, MESSAGES[429])

    async def _deliver(
        self, request: web.Request, wire: Wire, ask: Ask, raw: bytes, drawn: tuple[bytes, Fate]
    ) -> web.StreamResponse:
        content, fate = drawn
        reply, billed = self.model.reply(wire, ask, content, fate)
        headers = self._headers(wire, self.model.next_id())
        half = fate.request == "half"
        if not half:
            self.model.tally.paid(raw, billed)
            self.model.tally.by_status["200"] += 1
        if not (ask.stream or half):
            return web.Response(body=orjson.dumps(reply), headers=headers, content_type=JSON)
        parts = list(wire.events(reply, ask)) if ask.stream else [orjson.dumps(reply)]
        response = web.StreamResponse(headers=headers)
        response.content_type = "text/event-stream" if ask.stream else JSON
        if not ask.stream:
            response.content_length = len(parts[0])
        await response.prepare(request)
        if half:
            body = b"".join(parts)
            await response.write(body[: len(body) // 2])
            return self._reset_connection(request, "half")
        for part in parts:
            await response.write(part)
        await response.write_eof()
        return response

    def _reset_connection(self, request: web.Request, outcome: str) -> web.StreamResponse:
        self.model.tally.by_status[outcome] += 1
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _embeddings(self, request: web.Request, wire: Wire) -> web.StreamResponse:
        # NumPy, which no other route needs.
        from datasynth.tasks.llm.simulated.embeddings import embeddings_reply  # noqa: PLC0415

        raw = await request.read()
        body = _json(raw)
        self._check_load(self.model.knobs)
        try:
            reply = embeddings_reply(body)
        except MalformedError as error:
            raise RefusedError(400, str(error)) from error
        self.model.tally.paid(raw, Billed(reply["usage"]["prompt_tokens"], 0))
        self.model.tally.by_status["200"] += 1
        return web.Response(
            body=orjson.dumps(reply), headers=self._headers(wire, self.model.next_id()), content_type=JSON
        )

    async def _models(self, request: web.Request) -> web.Response:
        if "anthropic-version" in request.headers:
            model = {
                "type": "model",
                "id": "simulated",
                "display_name": "Simulated",
                "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active",
            }
            listing: dict[str, Any] = {
                "data": [model],
                "has_more": False,
                "first_id": "simulated",
                "last_id": "simulated",
            }
        else:
            model = {"id": "simulated", "object": "model", "created": 1767225600, "owned_by": "datasynth"}
            listing = {"object": "list", "data": [model]}
        return as_json(listing)

    async def _stats(self, request: web.Request) -> web.Response:
        return as_json(self.model.tally.figures())

    async def _reset(self, request: web.Request) -> web.Response:
        self.model.forget()
        return as_json(self.model.tally.figures())

    async def _knobs(self, request: web.Request) -> web.Response:
        return as_json(dataclasses.asdict(self.model.knobs))

    async def _turn(self, request: web.Request) -> web.Response:
        try:
            self.model.turn(Knobs.of(orjson.loads(await request.read()), self.model.knobs))
        except (InputError, ValueError, TypeError) as error:
            return as_json({"error": str(error)}, status=400)
        return as_json(dataclasses.asdict(self.model.knobs))


def as_json(value: Any, *, status: int = 200) -> web.Response:
    """`value` as a response that says that no model wrote it."""
    return web.Response(status=status, body=orjson.dumps(value), headers=SIMULATED, content_type=JSON)


def _ignoring_wire(handler: Handler) -> Callable[[web.Request, Wire], Awaitable[web.StreamResponse]]:
    async def handled(request: web.Request, wire: Wire) -> web.StreamResponse:
        response = await handler(request)
        response.headers.update(SIMULATED)
        return response

    return handled


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"The request body is not valid JSON: {error}.") from error


async def _never() -> web.StreamResponse:
    """Holds a request open until its client leaves or the server stops."""
    await asyncio.Event().wait()
    raise AssertionError

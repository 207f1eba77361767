"""The simulated model behind the routes: its knobs, its memory and its accounts, without any HTTP."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.faults import Fate, fate_of
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.replies import Ask, answer
from datasynth.tasks.llm.simulated.tally import Tally
from datasynth.tasks.llm.simulated.wire import Limit, MalformedError, Wire

EXPLANATION = (
    "Simulated refusal: the request is not valid for this model. The knob bad_request answers every request so."
)


@dataclass
class RefusedError(Exception):
    """A request that is answered with an error."""

    status: int
    message: str
    parameter: str | None = None


class Bucket:
    """A token bucket over a minute, as both providers describe their request limits."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.clock = clock
        self.level = float(limit)
        self.at = clock()

    def take(self) -> bool:
        """Takes one request out of the bucket; False if it is empty."""
        now = self.clock()
        self.level = min(float(self.limit), self.level + (now - self.at) * self.limit / 60)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True

    def state(self) -> Limit:
        return Limit(self.limit, int(self.level), (self.limit - self.level) * 60 / max(1, self.limit))


class Model:
    """Everything that outlives a request."""

    def __init__(self, knobs: Knobs, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.tally = Tally()
        self.ids = itertools.count(1)
        self.turn(knobs)
        self.forget()

    def turn(self, knobs: Knobs) -> None:
        """Works with these knobs from now on."""
        self.knobs = knobs
        limit = knobs.requests_per_minute
        self.bucket = Bucket(limit, self.clock) if limit is not None else None

    def forget(self) -> None:
        """Forgets what was asked: counts, attempts and cached prompts, as if just started."""
        self.tally.clear()
        self.attempts: Counter[bytes] = Counter()
        self.cached: set[tuple[str, str]] = set()

    def next_id(self) -> str:
        return f"sim{next(self.ids):012x}"

    def ask(self, wire: Wire, body: Any) -> Ask:
        """What a request's `body` asks for.

        Raises:
            RefusedError: it is answered with 400.
        """
        if not isinstance(body, dict):
            raise RefusedError(400, "The request body is not a JSON object.")
        if self.knobs.bad_request:
            raise RefusedError(400, EXPLANATION)
        for name in self.knobs.reject_parameters:
            if name in body or (name in wire.parameters and f'"{name}"' in orjson.dumps(body).decode()):
                raise RefusedError(400, f"Unsupported parameter: '{name}' is not supported with this model.", name)
        try:
            return wire.ask(body)
        except MalformedError as error:
            raise RefusedError(400, str(error)) from error
        except (AttributeError, TypeError) as error:
            raise RefusedError(400, f"The request body has a value of the wrong type: {error}.") from error

    def fate(self, content: bytes) -> Fate:
        """The fate of the next attempt at `content`."""
        attempt = self.attempts[content]
        self.attempts[content] += 1
        return fate_of(self.knobs, content, attempt)

    def reply(
        self, wire: Wire, ask: Ask, content: bytes, fate: Fate, *, batch: bool = False
    ) -> tuple[dict[str, Any], Any]:
        """The body of a 200, and what it is billed."""
        given = answer(ask, content, self.knobs, fate)
        memory = (ask.model, ask.cached)
        seen = memory in self.cached
        if ask.cached:
            self.cached.add(memory)
        billed = wire.billed(ask, given, seen=seen)
        if fate.reply:
            self.tally.faults[fate.reply] += 1
        return wire.reply(ask, given, billed, self.next_id(), batch=batch), billed

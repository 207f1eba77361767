"""What the server did so far, for tests and benchmarks to compare with what a client believes."""

import hashlib
from collections import Counter
from typing import Any

from datasynth.tasks.llm.simulated.wire import Billed


class Tally:
    """Counts since the start or the last reset."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Starts again from zero; requests in flight stay in flight."""
        self.max_in_flight = self.in_flight
        self.requests: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.answered: Counter[bytes] = Counter()
        self.tokens: Counter[str] = Counter()
        self.promised = 0
        """Replies given or about to be given."""

    def entered(self) -> None:
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def paid(self, body: bytes, billed: Billed) -> None:
        """Notes a whole reply to the request `body`: from here on a provider would bill it."""
        self.answered[hashlib.blake2b(body, digest_size=16).digest()] += 1
        self.tokens.update(
            input=billed.input, output=billed.output, cache_read=billed.cache_read, cache_write=billed.cache_write
        )

    def figures(self) -> dict[str, Any]:
        """All counts as a JSON object.

        `requests` = the sum of `by_status`, whose keys are HTTP statuses, `reset` and `half` (no whole answer, by a
        fault) and `disconnected` (the client left first, as it must where a request hangs); requests still in
        flight are not in it. `replies` = `distinct` + `repeats`.
        """
        return {
            "requests": self.by_status.total(),
            "by_status": dict(self.by_status),
            "by_endpoint": dict(self.requests),
            "replies": self.answered.total(),
            "distinct": len(self.answered),
            "paid_again": sum(count > 1 for count in self.answered.values()),
            "repeats": self.answered.total() - len(self.answered),
            "refusals": self.by_status["429"] + self.by_status["529"],
            "faults": dict(self.faults),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "tokens": {k: self.tokens[k] for k in ("input", "output", "cache_read", "cache_write")},
        }

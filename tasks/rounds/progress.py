"""How far a run is, for whoever watches it in this process: counters that the engine and the flow move."""

import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

from datasynth.tasks.storage import patience


@dataclass(frozen=True)
class Progress:
    """A moment of a run. Counts are of records unless said."""

    target: int = 0
    accepted: int = 0
    phase: str = "starting"
    """`starting`, `generating`, `waiting` (for a batch), `judging`, `checking`, `reporting`, `done`."""
    judges: bool = False
    """Whether each round's records are judged after they were generated."""
    round: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """By `step.reason`."""
    missing: dict[str, int] = field(default_factory=dict)
    """By miss reason."""
    calls_planned: int = 0
    """In this round."""
    calls_done: int = 0
    """In this round, journal hits included."""
    calls_in_flight: int = 0
    replayed: int = 0
    """Calls of the whole run that the journal answered."""
    retries: int = 0
    refusals: int = 0
    """429 and 529 answers."""
    tokens: int = 0
    cost_usd: float | None = 0.0
    """None where the price is unknown."""
    storage_away: bool = False
    """Whether an object store is waited for that does not answer."""
    started: float = field(default_factory=time.monotonic)


class ProgressBoard:
    """The current `Progress` of one run; any thread may move or read it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A dict, for each call moves the board four times and a watcher looks at it four times a second.
        self._now: dict[str, Any] = {f.name: getattr(Progress(), f.name) for f in fields(Progress)}

    def set(self, **values: Any) -> None:
        """Replaces fields."""
        with self._lock:
            self._now.update(values)

    def add(self, **amounts: int) -> None:
        """Adds to integer fields."""
        with self._lock:
            for name, amount in amounts.items():
                self._now[name] += amount

    def now(self) -> Progress:
        with self._lock:
            now = self._now.copy()
        # Here, or in the process that makes the calls.
        now["storage_away"] |= patience.waits()
        return Progress(**now)


_boards: dict[str, ProgressBoard] = {}
_boards_lock = threading.Lock()


def board_of(run_id: str) -> ProgressBoard:
    """The board of `run_id` in this process, made at the first call."""
    with _boards_lock:
        return _boards.setdefault(run_id, ProgressBoard())

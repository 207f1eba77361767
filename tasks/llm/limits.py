"""How many calls may be in flight: adaptive concurrency, pauses that a server asks for, and rate ceilings.

The controller learns a server's capacity from its refusals (429, 529). A refused call leaves at once while the
accepted ones stay, so after a burst of refusals the calls still in flight *are* the capacity: the limit falls to
their number, once per burst. Below the knee it grows quickly, past it one step at a time, and each step that is
refused makes the next one wait twice as long (as TCP CUBIC holds a plateau around the last congestion point;
RFC 9438). A few refusals among many answers change nothing: a server that refuses a tenth at random is not full.
"""

import asyncio
import heapq
import itertools
import math
import time
from collections import deque
from collections.abc import Callable

CHANCE_SHARE = 0.1
"""A server may refuse this share of calls whatever its load; lowering the limit would then only lose time."""
CHANCE_DEVIATIONS = 2.5
"""Standard deviations above that share, over as many calls as were seen, from which a server counts as full."""
BURST_LEAST = 3
"""Fewer refusals than this prove nothing."""
GROWTH_BELOW_KNEE = 0.25
"""Share by which the limit grows while as many calls succeed as it allows."""
LONGEST_PAUSE = 120.0
"""Seconds that a server's reset header may pause everything; the refused call itself waits as long as it is told."""


class AdaptiveLimit:
    """Slots for calls to one endpoint with one key; all shards of a process share it, on one event loop."""

    def __init__(self, ceiling: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ceiling = ceiling
        self.limit = float(ceiling)
        self.in_flight = 0
        self.refusals = 0
        self.cuts = 0
        self._clock = clock
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._outcomes: deque[bool] = deque(maxlen=max(2 * ceiling, 20))
        self._cut_at = float("-inf")
        self._paused_until = float("-inf")
        self._knee: float | None = None
        self._hold = 0
        self._hold_next = 0
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, *, first: bool = False) -> float:
        """Waits for a slot and returns the time it was given. `first` goes before those that wait (retries do)."""
        if not self._waiting and self._free():
            self.in_flight += 1
            return self._clock()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (0 if first else 1, next(self._order), future))
        self._wake()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.in_flight -= 1
                self._wake()
            raise
        return self._clock()

    def succeeded(self) -> None:
        """Gives a slot back after an answer."""
        self.in_flight -= 1
        self._outcomes.append(True)
        self._grow()
        self._wake()

    def failed(self) -> None:
        """Gives a slot back after a failure that says nothing about load."""
        self.in_flight -= 1
        self._wake()

    def refused(self, acquired: float, retry_after: float | None = None) -> None:
        """Gives a slot back after a 429 or 529; `acquired` is what `acquire` returned."""
        self.in_flight -= 1
        self.refusals += 1
        self._outcomes.append(False)
        if acquired <= self._cut_at:
            # Sent before the last cut: the same burst. What is still in flight is what the server really takes.
            self._lower(self.in_flight)
        elif self._knee is not None and self.limit > self._knee:
            self._step_back()
        elif self._full():
            self.cuts += 1
            self._cut_at = self._clock()
            self._lower(self.in_flight)
            self._outcomes.clear()
            if retry_after:
                self.pause(retry_after)
        self._wake()

    def pause(self, seconds: float) -> None:
        """Starts no call for `seconds` (at most LONGEST_PAUSE)."""
        self._paused_until = max(self._paused_until, self._clock() + min(seconds, LONGEST_PAUSE))
        self._wake()

    def _full(self) -> bool:
        refused, seen = self._outcomes.count(False), len(self._outcomes) + self.in_flight
        spread = math.sqrt(CHANCE_SHARE * (1 - CHANCE_SHARE) / seen)
        return refused >= BURST_LEAST and refused / seen >= CHANCE_SHARE + CHANCE_DEVIATIONS * spread

    def _lower(self, to: float) -> None:
        self.limit = max(1.0, min(self.limit, to))
        self._knee = self.limit
        self._hold_next = max(int(4 * self.limit), 8)
        self._hold = self._hold_next

    def _step_back(self) -> None:
        self.limit = self._knee or self.limit
        self._hold_next *= 2
        self._hold = self._hold_next

    def _grow(self) -> None:
        if self.limit >= self.ceiling:
            return
        if self._knee is None or self.limit < 0.9 * self._knee:
            self.limit = min(self.limit + GROWTH_BELOW_KNEE, self.ceiling)
        elif self._hold > 0:
            self._hold -= 1
        elif self.limit <= self._knee:
            self.limit = min(self._knee + 1, self.ceiling)
            self._hold = max(int(2 * self.limit), 8)
        else:
            # The step past the knee held for two rounds of answers: the capacity is at least this.
            self._knee = self.limit
            self._hold_next = max(self._hold_next // 2, 8)

    def _free(self) -> bool:
        return self.in_flight < int(self.limit) and self._clock() >= self._paused_until

    def _wake(self) -> None:
        while self._waiting and self._free():
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                self.in_flight += 1
                future.set_result(None)
        if self._waiting and (left := self._paused_until - self._clock()) > 0:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(left, self._wake)


class RateCeiling:
    """At most `per_minute` units a minute, spread evenly, with at most a second's worth at once."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60.0
        self._burst = max(self._rate, 1.0)
        self._clock = clock
        self._level = self._burst
        self._at = clock()

    def wait_for(self, units: float) -> float:
        """Takes `units` and returns the seconds to wait before using them; more than a second's worth is a debt."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        self._level -= units
        return max(0.0, -self._level / self._rate)

    def give_back(self, units: float) -> None:
        """Returns units that were taken and not used; negative where more was used than taken."""
        self._level += units


class Pace:
    """What holds back calls to one endpoint with one key, whichever model and engine they are for."""

    def __init__(
        self, concurrency: int, *, requests_per_minute: int | None = None, tokens_per_minute: int | None = None
    ) -> None:
        self.limit = AdaptiveLimit(concurrency)
        self.requests = RateCeiling(requests_per_minute) if requests_per_minute else None
        self.tokens = RateCeiling(tokens_per_minute) if tokens_per_minute else None
        self.queue = asyncio.Lock()
        """Held by the one call that is next, under a rate ceiling."""

"""What goes wrong with a request: drawn from the seed, the request's content and how often it was asked before."""

import random
from dataclasses import dataclass
from functools import cached_property

from datasynth.tasks.llm.simulated.grammar import seeded
from datasynth.tasks.llm.simulated.knobs import REPLY_FAULTS, REQUEST_FAULTS, Knobs


@dataclass(frozen=True)
class Fate:
    """What will happen to one attempt."""

    request: str | None
    """One of `REQUEST_FAULTS`."""
    reply: str | None
    """One of `REPLY_FAULTS`."""
    latency: float
    """Seconds."""
    seed: int
    origin: bytes

    @cached_property
    def draw(self) -> random.Random:
        """For what is still to be decided, such as where a reply is cut."""
        return seeded(self.seed, b"damage/" + self.origin)


def fate_of(knobs: Knobs, content: bytes, attempt: int) -> Fate:
    """The fate of the `attempt`-th time (from 0) that `content` is asked.

    The same attempt always meets the same fate, and the next attempt another, so that a retry can succeed; where the
    server is steady, a reply that comes has the faults of the first attempt. Each group needs one draw: its faults
    stand side by side in [0, 1), as wide as their rates.
    """
    origin = b"%d/%s" % (attempt, content)
    of_reply = b"0/" + content if knobs.steady else origin
    if not (knobs.jitter or any(getattr(knobs, f"rate_{f}") for f in (*REQUEST_FAULTS, *REPLY_FAULTS))):
        # A generator costs as much as a whole canned record, so a calm server makes none here.
        return Fate(None, None, knobs.latency, knobs.seed, of_reply)
    draw = seeded(knobs.seed, origin)
    request, reply = draw.random(), draw.random()
    if knobs.steady:
        first = seeded(knobs.seed, of_reply)
        _, reply = first.random(), first.random()
    return Fate(
        request=_struck(knobs, REQUEST_FAULTS, request),
        reply=_struck(knobs, REPLY_FAULTS, reply),
        latency=knobs.latency * _factor(knobs.jitter, draw),
        seed=knobs.seed,
        origin=of_reply,
    )


def _struck(knobs: Knobs, faults: tuple[str, ...], point: float) -> str | None:
    for fault in faults:
        point -= getattr(knobs, f"rate_{fault}")
        if point < 0:
            return fault
    return None


def _factor(sigma: float, draw: random.Random) -> float:
    # exp(N(-s^2/2, s)) has mean 1, so that jitter spreads the latency without raising its mean.
    return draw.lognormvariate(-sigma * sigma / 2, sigma) if sigma else 1.0

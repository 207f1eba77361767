"""Hard limits on money, tokens and calls: a call starts only if its worst case still fits."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from datasynth.schemas.calls import Reply, Usage
from datasynth.schemas.report import Spend, StopReason
from datasynth.tasks.llm.prices import Price


@dataclass(frozen=True)
class Reservation:
    """The worst case of one call, held until the call is settled."""

    cost: Decimal
    tokens: int


class Budget:
    """What a run may spend and has spent. One event loop uses it; nothing here awaits, so it needs no lock."""

    def __init__(
        self,
        price: Price | None,
        *,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        max_calls: int | None = None,
        tier: str = "standard",
    ) -> None:
        self.price = price
        self.tier = tier
        self.max_cost = None if max_cost is None else Decimal(str(max_cost))
        self.max_tokens = max_tokens
        self.max_calls = max_calls
        self.cost = Decimal(0)
        """Spent or possibly spent, USD."""
        self.tokens = 0
        self.calls = 0
        self._held = 0
        self._held_cost = Decimal(0)
        self._held_tokens = 0

    def take_over(self, spend: Spend, abandoned: Iterable[Reservation] = ()) -> None:
        """Counts what earlier processes of the same run spent.

        Args:
            spend: what was billed, and may have been.
            abandoned: worst case of each call that was in flight when its process was killed.
        """
        self.cost = Decimal(str(spend.cost_usd or 0)) + Decimal(str(spend.possible_usd))
        self.tokens = spend.usage.total + spend.possible_tokens
        self.calls = spend.calls + spend.possible_calls
        for worst in abandoned:
            self.cost += worst.cost
            self.tokens += worst.tokens
            self.calls += 1

    @property
    def limited(self) -> bool:
        """True where any limit holds."""
        return any(limit is not None for limit in (self.max_cost, self.max_tokens, self.max_calls))

    def reserve(self, input_tokens: int, output_tokens: int) -> Reservation | StopReason:
        """Holds the worst case of a call, or names the limit that it might pass."""
        worst = self._worst(input_tokens, output_tokens)
        if self.max_calls is not None and self.calls + self._held + 1 > self.max_calls:
            return "max_calls"
        if self.max_tokens is not None and self.tokens + self._held_tokens + worst.tokens > self.max_tokens:
            return "max_tokens"
        if self.max_cost is not None and self.cost + self._held_cost + worst.cost > self.max_cost:
            return "max_cost"
        return self._hold(worst)

    def hold(self, input_tokens: int, output_tokens: int) -> Reservation:
        """Holds the worst case of a call that has left already, whatever the limits are now."""
        return self._hold(self._worst(input_tokens, output_tokens))

    def _worst(self, input_tokens: int, output_tokens: int) -> Reservation:
        cost = self.price.worst(input_tokens, output_tokens, tier=self.tier) if self.price else Decimal(0)
        return Reservation(cost, input_tokens + output_tokens)

    def _hold(self, worst: Reservation) -> Reservation:
        self._held += 1
        self._held_cost += worst.cost
        self._held_tokens += worst.tokens
        return worst

    @property
    def waiting_may_help(self) -> bool:
        """True while calls in flight hold more than they will probably cost."""
        return self._held > 0

    def release(self, held: Reservation) -> None:
        """Gives a reservation back: the call was refused or never left."""
        self._held -= 1
        self._held_cost -= held.cost
        self._held_tokens -= held.tokens

    def settle(self, held: Reservation, usage: Usage, *, tier: str = "standard") -> Decimal | None:
        """Replaces a reservation by what the call was billed; returns its cost, None where the price is unknown."""
        self.release(held)
        cost = self.price.cost(usage, tier=tier) if self.price else None
        self.cost += cost or 0
        self.tokens += usage.total
        self.calls += 1
        return cost

    def settle_reply(self, held: Reservation, reply: Reply) -> tuple[Decimal | None, Reservation | None]:
        """Replaces a reservation by what `reply` was billed: its cost, or the worst case where it does not say."""
        if reply.metered:
            return self.settle(held, reply.usage, tier=reply.service_tier), None
        return None, self.write_off(held)

    @property
    def spent_usd(self) -> float | None:
        """Spent or possibly spent; None where the price is unknown."""
        return float(self.cost) if self.price else None

    def write_off(self, held: Reservation) -> Reservation:
        """Counts a call as spent in full of which nobody says what it cost; returns its worst case."""
        self.release(held)
        self.cost += held.cost
        self.tokens += held.tokens
        self.calls += 1
        return held

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


@dataclass(frozen=True)
class Left:
    """What may still be spent; None where nothing limits it."""

    cost: Decimal | None
    tokens: int | None
    calls: int | None


class Purse:
    """What may be spent and is spent, on whatever model. One event loop uses it; nothing here awaits: no lock."""

    def __init__(
        self, *, max_cost: float | Decimal | None = None, max_tokens: int | None = None, max_calls: int | None = None
    ) -> None:
        self.max_cost = None if max_cost is None else Decimal(str(max_cost))
        self.max_tokens = max_tokens
        self.max_calls = max_calls
        self.cost = Decimal(0)
        """Spent or possibly spent, USD."""
        self.tokens = 0
        self.calls = 0
        self.held = 0
        """Calls whose worst case is held."""
        self.priced = True
        """False where the price of any model paid from it is unknown."""
        self._held_cost = Decimal(0)
        self._held_tokens = 0

    @property
    def limited(self) -> bool:
        return any(limit is not None for limit in (self.max_cost, self.max_tokens, self.max_calls))

    def passed_by(self, worst: Reservation) -> StopReason | None:
        """The limit that another call of this worst case might pass, if any."""
        if self.max_calls is not None and self.calls + self.held + 1 > self.max_calls:
            return "max_calls"
        if self.max_tokens is not None and self.tokens + self._held_tokens + worst.tokens > self.max_tokens:
            return "max_tokens"
        if self.max_cost is not None and self.cost + self._held_cost + worst.cost > self.max_cost:
            return "max_cost"
        return None

    def hold(self, worst: Reservation) -> None:
        self.held += 1
        self._held_cost += worst.cost
        self._held_tokens += worst.tokens

    def release(self, held: Reservation) -> None:
        self.held -= 1
        self._held_cost -= held.cost
        self._held_tokens -= held.tokens

    def spend(self, cost: Decimal, tokens: int, calls: int = 1) -> None:
        self.cost += cost
        self.tokens += tokens
        self.calls += calls


class Budget:
    """What the calls to one model may cost and have cost, at its price.

    Models of one run share the run's purse: its limits hold for all their calls together.
    """

    def __init__(
        self,
        price: Price | None,
        *,
        max_cost: float | Decimal | None = None,
        max_tokens: int | None = None,
        max_calls: int | None = None,
        tier: str = "standard",
        purse: Purse | None = None,
    ) -> None:
        """The limits are this model's own; those of `purse`, which others pay from too, hold besides."""
        self.price = price
        self.tier = tier
        self._own = Purse(max_cost=max_cost, max_tokens=max_tokens, max_calls=max_calls)
        self._purse = purse or self._own
        self._purses = (self._own,) if purse is None else (self._own, purse)
        self._purse.priced = self._purse.priced and price is not None

    @property
    def max_cost(self) -> Decimal | None:
        return self._own.max_cost

    @property
    def max_tokens(self) -> int | None:
        return self._own.max_tokens

    @property
    def max_calls(self) -> int | None:
        return self._own.max_calls

    @property
    def purse(self) -> Purse:
        """What this model's calls are paid from, and those of others that share it."""
        return self._purse

    @property
    def cost(self) -> Decimal:
        """Spent or possibly spent from the purse, USD."""
        return self._purse.cost

    @property
    def tokens(self) -> int:
        """The same in tokens."""
        return self._purse.tokens

    @property
    def calls(self) -> int:
        """The same in calls."""
        return self._purse.calls

    def take_over(self, spend: Spend, abandoned: Iterable[Reservation] = ()) -> None:
        """Counts what earlier processes of the same run spent on this model.

        Args:
            spend: what was billed, and may have been.
            abandoned: worst case of each call that was in flight when its process was killed.
        """
        cost = Decimal(str(spend.known_usd)) + Decimal(str(spend.possible_usd))
        self._spend(cost, spend.usage.total + spend.possible_tokens, spend.calls + spend.possible_calls)
        for worst in abandoned:
            self._spend(worst.cost, worst.tokens)

    @property
    def limited(self) -> bool:
        """True where any limit holds."""
        return any(purse.limited for purse in self._purses)

    def reserve(self, input_tokens: int, output_tokens: int) -> Reservation | StopReason:
        """Holds the worst case of a call, or names the limit that it might pass."""
        worst = self.worst(input_tokens, output_tokens)
        for purse in self._purses:
            if limit := purse.passed_by(worst):
                return limit
        return self._hold(worst)

    def hold(self, input_tokens: int, output_tokens: int) -> Reservation:
        """Holds the worst case of a call that has left already, whatever the limits are now."""
        return self._hold(self.worst(input_tokens, output_tokens))

    def worst(self, input_tokens: int, output_tokens: int) -> Reservation:
        """The worst case of a call with so many tokens at most."""
        cost = self.price.worst(input_tokens, output_tokens, tier=self.tier) if self.price else Decimal(0)
        return Reservation(cost, input_tokens + output_tokens)

    def _hold(self, worst: Reservation) -> Reservation:
        for purse in self._purses:
            purse.hold(worst)
        return worst

    def _spend(self, cost: Decimal, tokens: int, calls: int = 1) -> None:
        for purse in self._purses:
            purse.spend(cost, tokens, calls)

    def left(self) -> Left:
        """What this model's calls may still take, nothing being held; never below zero."""
        costs = [p.max_cost - p.cost for p in self._purses if p.max_cost is not None]
        tokens = [p.max_tokens - p.tokens for p in self._purses if p.max_tokens is not None]
        calls = [p.max_calls - p.calls for p in self._purses if p.max_calls is not None]
        return Left(
            max(min(costs), Decimal(0)) if costs else None,
            max(min(tokens), 0) if tokens else None,
            max(min(calls), 0) if calls else None,
        )

    @property
    def waiting_may_help(self) -> bool:
        """True while calls in flight to this model hold more than they will probably cost."""
        return self._own.held > 0

    def release(self, held: Reservation) -> None:
        """Gives a reservation back: the call was refused or never left."""
        for purse in self._purses:
            purse.release(held)

    def settle(self, held: Reservation, usage: Usage, *, tier: str = "standard") -> Decimal | None:
        """Replaces a reservation by what the call was billed; returns its cost, None where the price is unknown."""
        self.release(held)
        cost = self.price.cost(usage, tier=tier) if self.price else None
        self._spend(cost or Decimal(0), usage.total)
        return cost

    def settle_reply(self, held: Reservation, reply: Reply) -> tuple[Decimal | None, Reservation | None]:
        """Replaces a reservation by what `reply` was billed: its cost, or the worst case where nobody can say."""
        if not reply.metered:
            return None, self.write_off(held)
        if self._priced_at(reply.service_tier):
            return self.settle(held, reply.usage, tier=reply.service_tier), None
        self._purse.priced = False
        self.release(held)
        self._spend(held.cost, reply.usage.total)
        return None, Reservation(held.cost, 0)

    def cannot_hold(self, reply: Reply) -> bool:
        """Whether a limit in dollars is lost, for calls are served at a tier whose price is unknown, as `reply` was."""
        limited = any(purse.max_cost is not None for purse in self._purses)
        return limited and not self._priced_at(reply.service_tier)

    def _priced_at(self, tier: str) -> bool:
        # Where there is no price at all, a limit in dollars was refused before the first call.
        return self.price is None or self.price.knows(tier)

    @property
    def spent_usd(self) -> float | None:
        """Spent or possibly spent from the purse; None where a price is unknown."""
        return float(self.cost) if self._purse.priced else None

    def write_off(self, held: Reservation) -> Reservation:
        """Counts a call as spent in full of which nobody says what it cost; returns its worst case."""
        self.release(held)
        self._spend(held.cost, held.tokens)
        return held

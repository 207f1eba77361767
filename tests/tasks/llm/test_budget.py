"""No order of reservations, bills and losses brings a run over its limits."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from datasynth.schemas.calls import Reply, Usage
from datasynth.schemas.report import Spend
from datasynth.tasks.llm.budget import Budget, Reservation
from datasynth.tasks.llm.prices import Price, listed_price

CLAUDE = listed_price("claude-sonnet-5-5", "anthropic")
GPT = listed_price("gpt-5.4-mini", "openai")
OWN = Price("user", Decimal("0.1"), Decimal("0.7"))


def limits(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


class Spending(RuleBasedStateMachine):
    """Calls reserve, and end in every way there is; each is billed at most what it might have used."""

    @initialize(
        price=st.sampled_from([CLAUDE, OWN]),
        max_cost=limits(st.floats(0, 0.05)),
        max_tokens=limits(st.integers(1, 20_000)),
        max_calls=limits(st.integers(1, 6)),
        before=st.integers(0, 3),
    )
    def begin(
        self, price: Price, max_cost: float | None, max_tokens: int | None, max_calls: int | None, before: int
    ) -> None:
        self.budget = Budget(price, max_cost=max_cost, max_tokens=max_tokens, max_calls=max_calls)
        self.budget.take_over(Spend(calls=before))
        self.held: list[tuple[Reservation, int, int]] = []

    @rule(input_tokens=st.integers(0, 5000), output_tokens=st.integers(1, 5000))
    def reserve(self, input_tokens: int, output_tokens: int) -> None:
        held = self.budget.reserve(input_tokens, output_tokens)
        if isinstance(held, Reservation):
            self.held.append((held, input_tokens, output_tokens))
        else:
            assert getattr(self.budget, held) is not None

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        held, most_input, most_output = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        new = data.draw(st.integers(0, most_input))
        read = data.draw(st.integers(0, most_input - new))
        written = data.draw(st.integers(0, most_input - new - read))
        usage = Usage(new, data.draw(st.integers(0, most_output)), read, written)
        cost = self.budget.settle(held, usage)
        assert cost is not None
        assert cost <= held.cost

    @precondition(lambda self: self.held)
    @rule(data=st.data(), lost=st.booleans())
    def end(self, data: st.DataObject, lost: bool) -> None:
        held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))[0]
        (self.budget.write_off if lost else self.budget.release)(held)

    @invariant()
    def within_limits(self) -> None:
        budget = self.budget
        worst_cost = budget.cost + sum((h.cost for h, _, _ in self.held), Decimal(0))
        worst_tokens = budget.tokens + sum(h.tokens for h, _, _ in self.held)
        assert budget.max_cost is None or worst_cost <= budget.max_cost
        assert budget.max_tokens is None or worst_tokens <= budget.max_tokens
        # What earlier processes did may have passed a limit that was lowered since; nothing is added to it then.
        assert budget.max_calls is None or budget.calls + len(self.held) <= max(budget.max_calls, 3)

    @invariant()
    def knows_whether_waiting_helps(self) -> None:
        assert self.budget.waiting_may_help == bool(self.held)


Spending.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSpending = Spending.TestCase


def test_without_limits_everything_starts() -> None:
    budget = Budget(None)
    assert not budget.limited
    assert isinstance(budget.reserve(10**9, 10**9), Reservation)


@pytest.mark.parametrize("limit", [{"max_cost": 0.0}, {"max_tokens": 1}, {"max_calls": 1}])
def test_any_limit_limits(limit: dict[str, Any]) -> None:
    assert Budget(OWN, **limit).limited


@pytest.mark.parametrize("name", ["max_calls", "max_tokens", "max_cost"])
def test_the_limit_that_is_met_is_named(name: str) -> None:
    limit: dict[str, Any] = {name: 1}
    budget = Budget(OWN, **limit)
    budget.take_over(Spend(calls=1, usage=Usage(input=1), cost_usd=1.0))
    assert budget.reserve(0, 1) == name


def test_a_call_that_fits_to_the_cent_starts() -> None:
    budget = Budget(Price("user", Decimal(1), Decimal(1)), max_cost=0.3)
    for _ in range(3):
        assert isinstance(budget.reserve(50_000, 50_000), Reservation)
    assert budget.reserve(0, 1) == "max_cost"


def test_a_free_call_fits_a_budget_of_nothing() -> None:
    assert isinstance(Budget(Price("free"), max_cost=0).reserve(1000, 1000), Reservation)


def test_a_paid_call_does_not_fit_a_budget_of_nothing() -> None:
    assert Budget(OWN, max_cost=0).reserve(0, 1) == "max_cost"


def test_an_unknown_price_costs_nobody_knows_what_but_its_tokens_count() -> None:
    budget = Budget(None, max_tokens=100)
    held = budget.reserve(50, 50)
    assert isinstance(held, Reservation)
    assert budget.settle(held, Usage(input=30, output=20)) is None
    assert budget.tokens == 50


def test_a_reply_costs_what_its_tier_costs_and_room_is_kept_for_the_dearest() -> None:
    budget = Budget(GPT, max_cost=0.0105)
    held = budget.reserve(1000, 1000)
    assert isinstance(held, Reservation)
    assert budget.reserve(1, 0) == "max_cost"
    reply = Reply("x", "end", Usage(1000, 1000), "m", service_tier="priority")
    assert budget.settle_reply(held, reply) == (Decimal("0.0105"), None)
    assert (budget.cost, budget.spent_usd, budget.cannot_hold(reply)) == (Decimal("0.0105"), 0.0105, False)


def test_a_reply_at_a_tier_without_a_price_counts_at_its_worst_case_and_no_limit_in_dollars_holds() -> None:
    reply = Reply("x", "end", Usage(10, 20), "m", service_tier="priority")
    for budget, lost in ((Budget(CLAUDE, max_cost=1.0), True), (Budget(CLAUDE, max_tokens=9000), False)):
        held = budget.reserve(1000, 1000)
        assert isinstance(held, Reservation)
        assert budget.settle_reply(held, reply) == (None, Reservation(held.cost, 0))
        assert (budget.cost, budget.tokens, budget.spent_usd) == (held.cost, 30, None)
        assert budget.cannot_hold(reply) is lost


def test_a_batch_reserves_batch_prices() -> None:
    dear, cheap = Budget(CLAUDE), Budget(CLAUDE, tier="batch")
    normal, half = dear.reserve(1000, 1000), cheap.reserve(1000, 1000)
    assert isinstance(normal, Reservation)
    assert isinstance(half, Reservation)
    assert half.cost * 2 == normal.cost


def test_what_earlier_processes_paid_lost_and_left_in_flight_counts() -> None:
    budget = Budget(OWN, max_calls=100)
    spend = Spend(
        calls=3,
        usage=Usage(input=10, output=20, cache_read=30),
        cost_usd=0.5,
        possible_usd=0.25,
        possible_tokens=40,
        possible_calls=2,
    )
    budget.take_over(spend, [Reservation(Decimal("0.125"), 7), Reservation(Decimal("0.125"), 8)])
    assert (budget.cost, budget.tokens, budget.calls) == (Decimal("1.0"), 115, 7)


def test_what_is_known_of_the_cost_counts_beside_a_reply_whose_cost_nobody_knows() -> None:
    unknown = Spend(calls=1, cost_usd=None, possible_usd=0.25)
    budget = Budget(OWN, max_cost=1)
    budget.take_over(Spend(calls=2, cost_usd=0.5) + unknown + Spend(calls=1, cost_usd=0.125))
    assert (budget.cost, budget.calls) == (Decimal("0.875"), 4)


def test_cents_add_up_exactly() -> None:
    budget = Budget(Price("user", Decimal("0.1"), Decimal(0)), max_cost=1)
    for _ in range(10):
        held = budget.reserve(1_000_000, 0)
        assert isinstance(held, Reservation)
        budget.settle(held, Usage(input=1_000_000))
    assert budget.cost == 1
    assert budget.reserve(1, 0) == "max_cost"

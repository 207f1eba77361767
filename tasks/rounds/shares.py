"""What each shard may take of a run's limits where the shards work in several processes, and when a limit is met.

No service is asked during a round: what the run has left when the round is planned is divided among its shards, whose
processes then keep to their shares alone. What a shard leaves of its share is there for the next round.
"""

import math
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple, cast

from datasynth.schemas.calls import CallResult, PlannedCall, Share
from datasynth.schemas.report import StopReason
from datasynth.tasks.generate.engines import budgets_of, journal_of, judge_journal_of
from datasynth.tasks.llm.asking import planned_request, static_part
from datasynth.tasks.llm.budget import Budget, Left, Reservation
from datasynth.tasks.llm.tokens import most_tokens
from datasynth.tasks.rounds.job import MOST_SHARDS, Job, ShardPlan
from datasynth.tasks.rounds.prompts import shard_of

LEAST_CALLS = 2
"""Calls in a shard, where the round has as many: fewer are not worth a task run."""
WAVES = 2
"""Waves of calls at their worst case that a share must have room for. With less, its calls would wait for one another
in every process; then fewer shards, in the end one, share what is left, and it is used up as by a single process."""
CENT = Decimal("0.0000000001")
"""Shares of money are rounded down to this, USD."""


def spread_shards(job: Job, number: int, calls: tuple[PlannedCall, ...]) -> list[ShardPlan]:
    """A round's calls in shards for the processes of a spread run, each with its share of what the run has left.

    No more shards than may work at once, so that the calls in flight and the rates of all of them add up to the run's.
    """
    plans = _slices(job, number, calls)
    settings, spread = job.settings, job.spread
    if spread is None:
        raise ValueError("the run is not spread over processes")
    room = _room(job, plans)
    minutes = None if spread.ends is None else max((spread.ends - time.time()) / 60, 1e-9)
    requests, tokens = settings.requests_per_minute, settings.tokens_per_minute
    return [
        replace(
            plan,
            share=Share(
                id=secrets.token_hex(8),
                concurrency=settings.concurrency // len(plans),
                requests_per_minute=requests and requests // len(plans),
                tokens_per_minute=tokens and max(tokens // len(plans), 1),
                max_minutes=minutes,
                max_cost=left.cost,
                max_tokens=left.tokens,
                max_calls=left.calls,
            ),
        )
        for plan, left in zip(plans, room, strict=True)
    ]


def limit_met(job: Job, plans: Sequence[ShardPlan], results: Iterable[CallResult]) -> StopReason | None:
    """The limit that kept calls of a round from starting, if it ends the run.

    Where the run is spread, a share that is used up does not: while what is left of the limits, all calls of the round
    being settled, has room for one of the calls that did not start, another round divides it anew.
    """
    missed = {result.index: result.detail for result in results if result.miss == "budget"}
    if not missed:
        return None
    if job.spread is not None:
        budget = _budget(job)
        for plan in plans:
            if missed.keys() & {call.index for call in plan.calls} and any(
                isinstance(budget.reserve(worst.most_input, worst.most_output), Reservation)
                for worst in _asked(job, plan)
                if worst.call in missed
            ):
                return None
    return cast(StopReason, Counter(missed.values()).most_common(1)[0][0])


def _slices(job: Job, number: int, calls: tuple[PlannedCall, ...]) -> list[ShardPlan]:
    settings, slots = job.settings, job.spread.slots if job.spread else 1
    at_once = min(slots, settings.concurrency, MOST_SHARDS, settings.requests_per_minute or MOST_SHARDS)
    size = max(LEAST_CALLS, math.ceil(len(calls) / max(at_once, 1)))
    slices = [calls[i : i + size] for i in range(0, len(calls), size)]
    return [ShardPlan(number, n, len(slices), some) for n, some in enumerate(slices, 1)]


def _budget(job: Job) -> Budget:
    """Of generation, with all that is spent by now."""
    judge_journal = judge_journal_of(job.place) if job.settings.judging else None
    return budgets_of(job.place, journal_of(job.place), judge_journal)[0]


def _room(job: Job, plans: Sequence[ShardPlan]) -> list[Left]:
    """What each of `plans` may take of what the run has left, by its calls: for as many of them as it suffices."""
    budget = _budget(job)
    if not budget.limited:
        return [Left(None, None, None)] * len(plans)
    left = budget.left()
    dearest: list[tuple[Reservation, Reservation]] = []
    for plan in plans:
        worst = [budget.worst(call.most_input, call.most_output) for call in _asked(job, plan)]
        dearest.append((_largest(worst), min(worst, key=lambda one: (one.cost, one.tokens))))
    order = list(range(len(plans)))
    for some in range(len(plans), 1, -1):
        chosen = order[:some]
        parts = _divided(left, [len(plans[i].calls) for i in chosen])
        workers = WAVES * (job.settings.concurrency // len(plans))
        if all(_suffices(part, dearest[i][0], workers) for part, i in zip(parts, chosen, strict=True)):
            return parts + [_nothing(left)] * (len(plans) - some)
    # One has it all: that of the cheapest call, so that a call is made as long as any fits.
    only = min(order, key=lambda i: (dearest[i][1].cost, dearest[i][1].tokens))
    return [left if i == only else _nothing(left) for i in order]


def _divided(left: Left, calls: Sequence[int]) -> list[Left]:
    """`left` in parts by `calls`; together they are no more than it is."""
    whole = sum(calls)
    return [
        Left(
            None if left.cost is None else (left.cost * some / whole).quantize(CENT, rounding=ROUND_FLOOR),
            None if left.tokens is None else left.tokens * some // whole,
            None if left.calls is None else _steps(left.calls, sum(calls[:i]), some, whole),
        )
        for i, some in enumerate(calls)
    ]


def _steps(total: int, before: int, some: int, whole: int) -> int:
    """The share of `some` of `whole` in a total of whole things, so that all shares add up to it."""
    return total * (before + some) // whole - total * before // whole


def _nothing(left: Left) -> Left:
    return Left(
        None if left.cost is None else Decimal(0),
        None if left.tokens is None else 0,
        None if left.calls is None else 0,
    )


def _suffices(part: Left, dearest: Reservation, workers: int) -> bool:
    return (
        (part.cost is None or part.cost >= workers * dearest.cost)
        and (part.tokens is None or part.tokens >= workers * dearest.tokens)
        and (part.calls is None or part.calls >= 1)
    )


def _largest(worst: Sequence[Reservation]) -> Reservation:
    return Reservation(max(one.cost for one in worst), max(one.tokens for one in worst))


class _Asked(NamedTuple):
    """A planned call with the most that it may take."""

    call: int
    most_input: int
    most_output: int


def _asked(job: Job, plan: ShardPlan) -> list[_Asked]:
    shard = shard_of(plan, job)
    _, overhead = static_part(shard)
    return [
        _Asked(
            prompt.call.index,
            overhead + most_tokens(prompt.user),
            planned_request(shard, prompt, 0, model="", settings=job.settings).max_tokens,
        )
        for prompt in shard.prompts
    ]

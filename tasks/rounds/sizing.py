"""How many calls the next round makes, and when to stop: decided from the finished rounds alone.

So a resumed run decides as an undisturbed one would have.
"""

import math
from collections.abc import Sequence

from datasynth.schemas.calls import MissReason
from datasynth.schemas.messages import Message, say
from datasynth.schemas.report import Counts, RoundOutcome, StopReason
from datasynth.schemas.settings import SynthesisSettings

MOST_RECORDS = 10_000
"""Records asked for in a round: what is not yet judged and written lies in memory, some 20 kB each."""
LEAST_WAVES = 8
"""Calls in a round for each that may be in flight, where there is more to do: waiting for the slowest of the last
ones must cost little."""
STEERED_WAVES = 8
"""Calls for each that may be in flight from which a steered run takes more than one round: below that, waiting for
the slowest ones once more costs more than is learnt."""
FIRST_SHARE = 3
"""Of a run of fewer waves than FIRST_SHARE * LEAST_WAVES, one part in so many is its first round."""
GROWTH = 2
"""Each steered round makes so many times the calls of the one before it: few rounds, and what is learnt first, which
is the most telling, is learnt early."""
SURE_SHARE = 0.01
"""Where records are lost at all, a round asks for at least this share more than the rate says: another round, for the
last few, costs more time than so few records cost money."""
DRY_CANDIDATES = 200
DRY_YIELD = 0.1
"""The yield has collapsed when of the last DRY_CANDIDATES records asked for fewer than this share were accepted."""
CUT_REPLIES = 40
CUT_OFF = 0.9
"""The run ends when of the last CUT_REPLIES replies, each to a call for one record, this share were cut off at
`max_tokens`: there is nothing smaller to ask for, and each is paid for in full."""
FRUITLESS_ROUNDS = 2
"""Rounds in a row without a single reply after which the endpoint counts as failed."""
CUT_SHARE = 0.02
"""Share of a round's records lost to `max_tokens` from which the next round asks for fewer a call."""
NO_REPLY: tuple[MissReason, ...] = (
    "bad_request", "rate_limited", "server_error", "timeout", "connection", "budget", "stopped",
)  # fmt: skip


def answered(counts: Counts) -> int:
    """Records asked for in calls that got a reply; the rest says nothing about the yield."""
    return counts.asked - sum(counts.missing.get(reason, 0) for reason in NO_REPLY)


def not_refused(counts: Counts) -> int:
    """Records that were accepted or were beyond the count."""
    return counts.accepted + counts.rejected.get("surplus.beyond_target", 0)


def in_calls(records: int, batch: int) -> list[int]:
    """`records` asked for in calls of `batch`, the last one for the rest."""
    full, rest = divmod(records, batch)
    return [batch] * full + ([rest] if rest else [])


def round_calls(
    outcomes: Sequence[RoundOutcome], settings: SynthesisSettings, *, remaining: int, batch: int
) -> list[int]:
    """Records to ask for in each call of the next round.

    Sized by the acceptance rate of the latest rounds, plus one standard deviation, or one record in a hundred if that
    is more, so that a run does not end in many tiny rounds. Never more than what remains plus one batch a worker:
    should every record be good all of a sudden, no more than that is paid for in vain. A steered run (`--diversity`
    above 0) grows from round to round instead of asking for everything at once, for its plan learns between them.
    """
    if not outcomes and settings.pilot_calls:
        return [batch] * min(settings.pilot_calls, math.ceil(remaining / batch))
    rate = _recent_rate(outcomes)
    need = math.ceil(remaining / rate)
    slack = math.ceil(max(math.sqrt(need * (1 - rate)), SURE_SHARE * need)) if rate < 1 else 0
    need = min(need + slack, remaining + batch * settings.concurrency)
    most = max(MOST_RECORDS // batch, LEAST_WAVES * settings.concurrency)
    asked = in_calls(need, batch)[:most]
    return asked[: _steered(outcomes, settings, len(asked))]


def _steered(outcomes: Sequence[RoundOutcome], settings: SynthesisSettings, calls: int) -> int:
    """How many of the `calls` that are needed the next round makes, so that later ones can be steered.

    A whole number of calls for each that may be in flight, or the last ones would leave the others idle. A batch
    endpoint takes hours for a round, however small, so there nothing is cut.
    """
    workers = settings.concurrency
    if not settings.diversity_factor or settings.batch_api or calls < STEERED_WAVES * workers:
        return calls
    least = min(LEAST_WAVES, math.ceil(calls / FIRST_SHARE / workers)) * workers
    size = max(least, GROWTH * outcomes[-1].calls if outcomes else 0)
    # What would be left is done at once where it is less than another round of this size.
    return size if calls - size >= size else calls


def batch_size(outcomes: Sequence[RoundOutcome], settings: SynthesisSettings) -> int:
    """Records to ask for in a call: halved after each round in which answers were cut off at `max_tokens`."""
    size = settings.batch_size
    for outcome in outcomes:
        if outcome.counts.missing.get("truncated", 0) > CUT_SHARE * max(outcome.counts.asked, 1):
            size = max(1, size // 2)
    return size


def _recent_rate(outcomes: Sequence[RoundOutcome]) -> float:
    got = asked = 0
    for outcome in reversed(outcomes):
        got += not_refused(outcome.counts)
        asked += answered(outcome.counts)
        if asked >= DRY_CANDIDATES:
            break
    return min(1.0, max(got / asked, DRY_YIELD / 2)) if asked else 1.0


def stop_reason(
    outcomes: Sequence[RoundOutcome], *, total: int, target: int, resumed: int = 0
) -> tuple[StopReason, Message] | None:
    """Why the run ends now, with the sentence that says so; None to go on.

    Args:
        outcomes: the finished rounds.
        total: records in the data set.
        target: records wanted.
        resumed: rounds that earlier processes finished; a limit they met may have been raised since.
    """
    if total >= target:
        return "done", say("All {target} records were made.", target=target)
    fresh = outcomes[resumed:]
    if fresh and fresh[-1].limit:
        return fresh[-1].limit, _limit_met(fresh[-1].limit)
    if len(fresh) >= FRUITLESS_ROUNDS and all(answered(o.counts) == 0 for o in fresh[-FRUITLESS_ROUNDS:]):
        return "failed", say("The endpoint answered no call: {trouble}.", trouble=fresh[-1].trouble or "-")
    return _cut_off(fresh) or _dry(fresh)


def _cut_off(outcomes: Sequence[RoundOutcome]) -> tuple[StopReason, Message] | None:
    latest = Counts()
    for outcome in reversed(outcomes):
        if outcome.counts.asked > outcome.calls or answered(latest) >= CUT_REPLIES:
            break
        latest += outcome.counts
    replies, cut = answered(latest), latest.missing.get("truncated", 0)
    if replies < CUT_REPLIES or cut < CUT_OFF * replies:
        return None
    return "dry", say(
        "Of the last {n} replies, each asked for one record, {share} % were cut off at the token limit, so the run was "
        "ended: raise --max-tokens-per-sample.",
        n=replies,
        share=round(100 * cut / replies),
    )


def _limit_met(limit: StopReason) -> Message:
    return {
        "max_cost": say(
            "The budget is used up: another call, at its most expensive, might pass --max-cost. Raise it, or lower "
            "what a call may cost (--batch-size, --max-tokens-per-sample)."
        ),
        "max_tokens": say(
            "The token limit is reached: another call, at its longest, might pass --max-tokens. Raise it, or lower "
            "what a call may take (--batch-size, --max-tokens-per-sample)."
        ),
        "max_calls": say("The limit of calls is reached (--max-calls)."),
        "max_minutes": say("The time limit is reached (--max-minutes)."),
    }.get(limit, say("A limit was reached."))


def _dry(outcomes: Sequence[RoundOutcome]) -> tuple[StopReason, Message] | None:
    latest = Counts()
    for outcome in reversed(outcomes):
        latest += outcome.counts
        if answered(latest) >= DRY_CANDIDATES:
            break
    candidates = answered(latest)
    if candidates < DRY_CANDIDATES or latest.accepted >= DRY_YIELD * candidates:
        return None
    losses = latest.rejected | {reason: n for reason, n in latest.missing.items() if reason not in NO_REPLY}
    worst = max(losses, key=lambda reason: losses[reason], default="-")
    share = round(100 * losses.get(worst, 0) / candidates)
    if worst.startswith("dedup."):
        advice = say("raise diversity, add seeds or lower the count")
    elif worst.startswith("judge."):
        advice = say("read the judge's reasons in the rejected records, and mend the guidelines or lower --min-quality")
    elif worst == "truncated":
        advice = say("raise --max-tokens-per-sample")
    else:
        advice = say("look at the rejected records and mend the schema, the guidelines or the model")
    return "dry", say(
        "The yield collapsed: of the last {n} candidates {share} % were lost to {reason}: {advice}.",
        n=candidates,
        share=share,
        reason=worst,
        advice=advice,
    )

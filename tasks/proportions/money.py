"""One budget over the runs of several parts: what the others have not spent is what a part may."""

from decimal import Decimal

from datasynth.tasks.rounds.spending import spend_by_journals
from datasynth.tasks.storage.store import Store


def spent_by(root: Store, dataset: str, run_id: str) -> Decimal:
    """What a run has spent or may have, by its journals: also one that was killed in the middle of a round, USD."""
    spend = spend_by_journals(root, dataset, run_id)
    return Decimal(str(spend.known_usd)) + Decimal(str(spend.possible_usd))


def limit_for(max_cost: float | None, own: float | None, others: Decimal) -> float | None:
    """The most that a part's run may cost.

    Args:
        max_cost: Over all parts; None for no limit.
        own: The part's own limit; None for none.
        others: What the runs of the other parts have spent.
    """
    if max_cost is None:
        return own
    left = float(max(Decimal(0), Decimal(str(max_cost)) - others))
    return left if own is None else min(own, left)

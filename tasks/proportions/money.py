"""One budget over the runs of several parts: what the others have not spent is what a part may."""

from decimal import Decimal

from datasynth.tasks.llm.budget import Budget
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.storage.store import Store

JOURNALS = ("", "judge", "vectors")
"""Where a run's journal folder says what replies, judgements and vectors cost."""


def spent_by(root: Store, dataset: str, run_id: str) -> Decimal:
    """What a run has spent or may have, by its journals: also one that was killed in the middle of a round, USD."""
    spent = Budget(None)
    for name in JOURNALS:
        journal = Journal(root.at("/".join(filter(None, (f"journal/{dataset}/{run_id}", name)))))
        spent.take_over(journal.spend(), journal.abandoned())
        journal.close()
    return spent.cost


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

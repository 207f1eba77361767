"""What a run has spent by its journals, which know it at any moment; its ledger knows of finished rounds alone."""

from datasynth.schemas.report import Spend
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.storage.store import Store

JOURNALS = ("", "judge", "vectors")
"""Where a run's journal folder says what replies, judgements and vectors cost."""


def spend_by_journals(root: Store, dataset: str, run_id: str) -> Spend:
    """What a run in the store `root` has spent; what was in flight when it was killed is possible spend."""
    spend = Spend()
    for name in JOURNALS:
        journal = Journal(root.at("/".join(filter(None, (f"journal/{dataset}/{run_id}", name)))))
        spend += journal.spend() + journal.possible()
        journal.close()
    return spend

"""What `dedup` took out of the runs of a data set."""

from typing import Literal

from datasynth.schemas.messages import Message
from datasynth.schemas.record import Frozen


class Removed(Frozen):
    """A record that was taken out of a run for being like one of an earlier run."""

    round: int
    call: int
    position: int
    """Its place in its run's plan, as its lineage has it."""
    reason: Literal["exact_duplicate", "near_duplicate"]
    similarity: float
    """Jaccard, of the shingle sets in `view`; 1 for an exact duplicate."""
    view: str
    """What of the two is alike."""
    like: str
    """The record that stays: `<run>/<call>.<position>`."""


class Removals(Frozen):
    """All that was ever taken out of a run: `removed.json` in its folder. From the moment it stands there it counts."""

    records: tuple[Removed, ...] = ()
    """By round, call and position."""
    pending: tuple[str, ...] = ()
    """Data parts that may still hold some of them, for whoever writes them anew was interrupted."""


class RunRemovals(Frozen):
    """What a pass over a data set found in a run."""

    run_id: str
    compared: int
    """Records in it."""
    removed: tuple[Removed, ...] = ()
    """Now; what earlier passes took out is not among them."""


class LeftOut(Frozen):
    """A run that was neither compared nor changed."""

    run_id: str
    reason: Message


class DedupReport(Frozen):
    """What a pass over a data set found, and took out unless it was only to look."""

    dataset: str
    url: str
    dry_run: bool
    runs: tuple[RunRemovals, ...] = ()
    """In the order that decides which record stays: by start, then by id."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def compared(self) -> int:
        return sum(run.compared for run in self.runs)

    @property
    def removed(self) -> int:
        return sum(len(run.removed) for run in self.runs)

"""The engine of a run whose calls another process of this machine makes, as this process sees it."""

from typing import Protocol

from datasynth.schemas.calls import Shard, ShardReceipt
from datasynth.tasks.llm.journal import Journal


class Caller(Protocol):
    """A process that makes calls of one run into the run's journal, and settles its rounds until the flow does."""

    @property
    def finished_before(self) -> int:
        """Rounds that were finished when the process opened the run."""
        ...

    @property
    def lost(self) -> bool:
        """Whether it has ended without being told to."""
        ...

    def run(self, shard: Shard) -> ShardReceipt:
        """Has the calls of `shard` made, once, however often they are asked for; blocks.

        Raises:
            DataSynthError: the run cannot go on, or was stopped.
            ConnectionError: the process ended. What it was answered is in the journal.
        """
        ...

    def leave(self, round: int) -> None:
        """Has it leave the settling of rounds to the flow, which has come to `round`; returns when that is settled, or
        not about to be.
        """
        ...

    def stop(self) -> None:
        """Gives calls in flight some seconds, then ends the process; returns when it has ended."""
        ...

    def close(self) -> None:
        """Ends the process without waiting; nothing is in flight."""
        ...


class EngineElsewhere:
    """What `OpenEngine` is for calls that this process makes itself; nothing is judged by it."""

    judge_journal = None

    def __init__(self, caller: Caller, journal: Journal) -> None:
        self._caller = caller
        self._journal = journal
        self._behind = False

    @property
    def lost(self) -> bool:
        """Whether its process has ended without being told to: another engine has to make the rest of the calls."""
        return self._caller.lost

    @property
    def journal(self) -> Journal:
        """The run's journal, with all replies of the shards that have ended."""
        if self._behind:
            self._behind = False
            self._journal.refresh()
        return self._journal

    def run(self, shard: Shard, *, judging: bool = False) -> ShardReceipt:
        """Has the calls of `shard` made; blocks the calling thread and raises as `Caller.run` does."""
        if judging:
            raise ValueError("records of this run are not judged")
        try:
            return self._caller.run(shard)
        finally:
            self._behind = True

    def stop(self, _grace: float = 0.0) -> None:
        """Starts nothing more and gives calls in flight the seconds that the process allows."""
        self._caller.stop()

    def close(self) -> None:
        """Ends the process; the journal keeps all that was paid for."""
        self._caller.close()
        self._journal.close()

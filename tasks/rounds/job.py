"""What every step of a run needs."""

from dataclasses import dataclass, replace

from datasynth.schemas.calls import PlannedCall, Share
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.engines import RunPlace
from datasynth.tasks.rounds.runs import Run, RunCard
from datasynth.tasks.storage.store import Store

MOST_SHARDS = 16
"""Shards in a round, so that the Prefect UI stays readable."""
CALLS_A_WORKER = 8
"""Calls in a shard for each that may be in flight: with replies of a fifth of a second and more, Prefect's 20 ms for
each of its two task runs then stay under 5 % of the shard's time."""


@dataclass(frozen=True)
class Spread:
    """A run whose tasks work in several processes, on any machines, that share only the storage."""

    slots: int
    """Tasks that may work at the same time."""
    ends: float | None = None
    """The moment of `time.time` after which no call may start."""


@dataclass(frozen=True)
class Job:
    """A run as it travels between tasks: small, without a key, the same on every machine."""

    settings: SynthesisSettings
    recipe: Recipe
    detection: Detection
    store_url: str
    card: RunCard
    estimate: Estimate | None = None
    spread: Spread | None = None
    """None where all tasks work in the flow's process."""

    @property
    def run(self) -> Run:
        return Run(Store(self.store_url), self.card)

    @property
    def place(self) -> RunPlace:
        place = RunPlace(self.settings, self.recipe.record_schema, self.run.journal_url, self.estimate)
        return replace(place, shared=self.spread is not None)


@dataclass(frozen=True)
class ShardPlan:
    """The slice of a round's plan that becomes one shard."""

    round: int
    number: int
    of: int
    calls: tuple[PlannedCall, ...]
    share: Share | None = None
    """Of the run's limits, where shards work in several processes."""

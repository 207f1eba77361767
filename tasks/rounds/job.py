"""What every step of a run needs."""

from dataclasses import dataclass

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.report import Estimate
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.generate.engines import RunPlace
from datasynth.tasks.rounds.runs import Run, RunCard
from datasynth.tasks.storage.store import Store


@dataclass(frozen=True)
class Job:
    """A run as it travels between tasks: small, without a key, the same on every machine."""

    settings: SynthesisSettings
    recipe: Recipe
    detection: Detection
    store_url: str
    card: RunCard
    estimate: Estimate | None = None

    @property
    def run(self) -> Run:
        return Run(Store(self.store_url), self.card)

    @property
    def place(self) -> RunPlace:
        return RunPlace(self.settings, self.recipe.record_schema, self.run.journal_url, self.estimate)

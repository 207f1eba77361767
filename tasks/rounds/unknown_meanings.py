"""Records of earlier runs of a data set whose meaning a run cannot know, because they have no vectors by its model."""

from collections.abc import Sequence

from datasynth.schemas.recipe import Recipe
from datasynth.schemas.report import RoundOutcome
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.rounds.runs import RunCard, dataset_of, earlier_indexes, run_to_resume, store_of
from datasynth.tasks.semantic.embedders import compares_meanings, embedding_model_of
from datasynth.tasks.semantic.shelf import without_vectors
from datasynth.tasks.storage.store import Store


def unknown_before(settings: SynthesisSettings, recipe: Recipe) -> int:
    """How many there would be for a run that `settings` open now; no run is opened."""
    if not compares_meanings(settings):
        return 0
    store, dataset = store_of(settings), dataset_of(settings, recipe)
    card = run_to_resume(settings, recipe) if settings.resume and not settings.run_id else None
    names = card.earlier if card else earlier_indexes(store, dataset, simulated=settings.provider == "simulated")
    return _records(store, dataset, settings, [name for name in names if _run_and_round(name)[0] != settings.run_id])


def unknown_to(card: RunCard, store: Store, settings: SynthesisSettings) -> int:
    """How many there are for the run of `card`."""
    return _records(store, card.dataset, settings, card.earlier) if compares_meanings(settings) else 0


def _records(store: Store, dataset: str, settings: SynthesisSettings, names: Sequence[str]) -> int:
    lacking = without_vectors(store.at(dataset), embedding_model_of(settings), names)
    return sum(_accepted(store, dataset, *_run_and_round(name)) for name in lacking)


def _run_and_round(name: str) -> tuple[str, str]:
    """By an index file's name, such as `run-00001.npz`."""
    run, _, round = name.partition(".")[0].rpartition("-")
    return run, round


def _accepted(store: Store, dataset: str, run: str, round: str) -> int:
    """Records that a round added to the data set; one where its run's folder is gone, for it added something."""
    folder = store.at(f"{dataset}/runs/{run}")
    try:
        if int(round) == 0:
            return RunCard.model_validate_json(folder.read("run.json")).carried_over
        return RoundOutcome.model_validate_json(folder.read(f"rounds/{round}.json")).counts.accepted
    except FileNotFoundError:
        return 1

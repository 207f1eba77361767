"""A run's semantic comparison: which vectors it has, what they are paid from, of which records it has none."""

from functools import partial

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.views import View, views_for
from datasynth.tasks.generate.engines import RunPlace, purse_of
from datasynth.tasks.rounds.runs import Run
from datasynth.tasks.semantic.buying import Account
from datasynth.tasks.semantic.embedders import compares_meanings, embedder_of, embedding_model_of, embedding_price
from datasynth.tasks.semantic.screening import SemanticScreen
from datasynth.tasks.semantic.shelf import StoredVectors, VectorShelf, has_bought


def semantic_screen(run: Run, schema: RecordSchema, settings: SynthesisSettings, whole: View) -> SemanticScreen | None:
    """The run's semantic comparison, None where it is off.

    Args:
        run: The run.
        schema: Of its records.
        settings: Its own.
        whole: The view of a whole record.

    Raises:
        InputError: the embedding model cannot be used.
    """
    if settings.semantic_threshold is None or not settings.validate_records:
        return None
    embedder = embedder_of(settings)
    place = RunPlace(settings, schema, run.journal_url)
    account = Account(run.journal_url, embedding_price(settings), settings, partial(purse_of, place))
    shelf = VectorShelf(run.root.at(run.card.dataset), run.card.run_id, embedder.name)
    return SemanticScreen(embedder, shelf, account, threshold=settings.semantic_threshold, whole=whole)


def require_vector(run: Run, recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> None:
    """Makes sure, before any money is spent on records, that seeds, or a word, get their vectors.

    A run that has bought vectors before asks for none: each would be a new one to pay.

    Raises:
        RunError: the endpoint fails.
    """
    if not compares_meanings(settings):
        return
    if has_bought(run.root.at(run.card.dataset), run.card.run_id, embedding_model_of(settings)):
        return
    screen = semantic_screen(run, recipe.record_schema, settings, views_for(recipe.record_schema, detection)[0])
    if screen is not None:
        screen.try_out(recipe.seeds)


def stored_vectors(run: Run, settings: SynthesisSettings) -> StoredVectors | None:
    """The vectors that the run paid for, for its report; None where it compares no meanings."""
    if not compares_meanings(settings):
        return None
    return StoredVectors(run.root.at(run.card.dataset), run.card.run_id, embedding_model_of(settings))

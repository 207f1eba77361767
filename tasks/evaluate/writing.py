"""The files of an evaluation. The facts come last: where `evaluation.json` stands, the others are whole and fit it."""

import polars as pl
from pydantic import ValidationError

from datasynth.schemas.evaluation import Evaluation
from datasynth.schemas.messages import Language
from datasynth.tasks.evaluate.frames import parquet
from datasynth.tasks.evaluate.markdown import evaluation_markdown
from datasynth.tasks.storage.json_file import json_file
from datasynth.tasks.storage.store import Store

FACTS, WORDS, RECORDS = "evaluation.json", "evaluation.md", "records.parquet"


def write_evaluation(folder: Store, evaluation: Evaluation, records: pl.DataFrame, language: Language) -> Evaluation:
    """Writes the files into `folder` and clears its work away; returns what stands there now.

    The same findings under the same id leave the files as they are, with the time of the first. Other ones take their
    place; until they are whole there is no `evaluation.json`.
    """
    known = known_evaluation(folder)
    if known is not None:
        evaluation = _as_known(evaluation, known)
    if evaluation != known or not folder.exists(RECORDS) or not folder.exists(WORDS):
        folder.remove(FACTS)
        folder.write(RECORDS, parquet(records))
        folder.write(WORDS, evaluation_markdown(evaluation, language).encode())
        folder.write(FACTS, facts_of(evaluation))
    folder.remove("work")
    return evaluation


def facts_of(evaluation: Evaluation) -> bytes:
    """An evaluation as `evaluation.json` holds it."""
    return json_file(evaluation.model_dump(mode="json"))


def known_evaluation(folder: Store) -> Evaluation | None:
    """The evaluation that stands in `folder`; None where there is none, or one of another version."""
    try:
        return Evaluation.model_validate_json(folder.read(FACTS))
    except (FileNotFoundError, ValidationError):
        return None


def _as_known(evaluation: Evaluation, known: Evaluation) -> Evaluation:
    # By its JSON: a value such as a tuple in the settings is read back as a list.
    later = evaluation.model_copy(update={"evaluated_at": known.evaluated_at})
    return known if facts_of(later) == facts_of(known) else evaluation

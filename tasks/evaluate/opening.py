"""The start of an evaluation: everything that can be wrong is found here, before a model is asked."""

from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from datasynth.schemas.errors import DataSynthError, InputError
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import forget_blocks
from datasynth.tasks.dedup.contamination import read_evaluation_set
from datasynth.tasks.dedup.index import index_for
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.evaluate.files import Named, copy_into_parts, records_in_file
from datasynth.tasks.evaluate.judge_choice import require_judge, with_judge
from datasynth.tasks.evaluate.places import Found, find_data
from datasynth.tasks.evaluate.subject import Part, Source, Subject, unchecked_schema
from datasynth.tasks.evaluate.writing import FACTS
from datasynth.tasks.quality.screening import require_checks
from datasynth.tasks.report.parts import part_schema
from datasynth.tasks.rounds.finish import require_writable
from datasynth.tasks.rounds.listing import RunPlace
from datasynth.tasks.rounds.runs import RUN_ID, new_run_id
from datasynth.tasks.rounds.stored import part_names, recipe_of
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store

RESERVED = ("journal", "runs")
"""Ids that would stand for something else among the evaluations of a data set."""
MADE_FROM = (
    "analysis_dir",
    "schema_file",
    "seeds_file",
    "record_schema",
    "seeds",
    "guidelines",
    "template",
    "template_values",
    "dataset",
)
"""Settings of a run that say what it was made from."""
MADE_HOW = ("data_type", "attributes", "dedup_threshold", "dedup_on", "random_seed")
"""Settings of a run by which its records are described and compared here too."""


@dataclass
class _Opened:
    """Everything but the parts."""

    subject: Subject
    records: list[Named] = field(default_factory=list)
    """Of a file."""


def require_evaluable(settings: EvaluationSettings) -> Subject:
    """What would be evaluated, without the parts of a file; leaves nothing behind.

    Raises:
        InputError: there are no such data; a schema is missing or wrong; a run has not ended; judge, checks or
            evaluation sets cannot be used.
        StorageError: nothing can be written beside the data.
    """
    subject = _open(settings, settings.id or new_run_id()).subject
    require_writable(Store(subject.home).address(FACTS))
    return subject


def open_evaluation(settings: EvaluationSettings, flow_run_id: str | None) -> Subject:
    """What `settings` mean, ready to be evaluated; a file is copied into parts, so that it may change meanwhile.

    Raises:
        InputError: as `require_evaluable`.
        StorageError: nothing can be written beside the data.
    """
    forget_blocks()
    opened = _open(settings, settings.id or flow_run_id or new_run_id())
    subject = opened.subject
    subject.folder.remove("work")  # a process that was killed here may have left some
    if subject.kind != "file":
        return subject
    paths = copy_into_parts(opened.records, subject.folder, subject.recipe)
    return replace(subject, parts=tuple(Part(0, path) for path in paths))


def _open(settings: EvaluationSettings, id_: str) -> _Opened:
    if id_ in RESERVED or not RUN_ID.fullmatch(id_):
        raise InputError(
            "{id} cannot be the id of an evaluation. Use up to 64 letters, digits, '-' and '_', such as {example}.",
            id=id_,
            example=new_run_id(),
        )
    _require_one_source(settings)
    rules = _rules(settings, {}, {"analysis_dir": "-"})
    require_checks(rules)
    require_judge(rules)
    for path in settings.decontaminate:
        read_evaluation_set(path)
    found = find_data(settings)
    return _of_file(settings, found, id_) if found.kind == "file" else _of_runs(settings, found, id_)


def _of_file(settings: EvaluationSettings, found: Found, id_: str) -> _Opened:
    if not (settings.analysis_dir or settings.schema_file):
        raise InputError(
            "{path}: a file does not say what its records must look like. Give the analysis that they were made from "
            "(--analysis DIR) or a schema (--schema FILE); a run of a store needs neither.",
            path=found.store.url(),
        )
    rules = _rules(settings, {}, {})
    recipe = read_recipe(rules)
    records = records_in_file(found.store.address(), recipe)
    subject = _subject(settings, found, id_, recipe, rules)
    source = Source("", subject.folder.address(), unchecked_schema(recipe))
    return _Opened(replace(subject, sources=(source,)), records)


def _of_runs(settings: EvaluationSettings, found: Found, id_: str) -> _Opened:
    latest = found.runs[-1]
    told = latest.told()
    rules, recipe, notes = _recipe_of_run(settings, latest, told)
    sources = tuple(Source(run.card.run_id, run.folder.address(), _stored(run)) for run in found.runs)
    parts = tuple(Part(n, path) for n, run in enumerate(found.runs) for path in part_names(run, "data"))
    if not parts:
        raise InputError("{path}: no record was accepted, so there is nothing to evaluate.", path=found.store.url())
    others = [run for run in found.runs if run.card.recipe_fingerprint != latest.card.recipe_fingerprint]
    if others:
        notes.append(
            say(
                "{count} of {runs} runs were made from another recipe than the latest, by which all are held here.",
                count=len(others),
                runs=len(found.runs),
            )
        )
    subject = _subject(settings, found, id_, recipe, rules)
    simulated = any(run.facts()[1].simulated for run in found.runs)
    return _Opened(replace(subject, sources=sources, parts=parts, notes=(*found.notes, *notes), simulated=simulated))


def _stored(run: RunPlace) -> Any:
    return recipe_of(run).record_schema


def _subject(settings: EvaluationSettings, found: Found, id_: str, recipe: Recipe, rules: SynthesisSettings) -> Subject:
    detection = detect_kind(recipe.record_schema, recipe.seeds, rules.data_type)
    part_schema(unchecked_schema(recipe))
    index_for(recipe.record_schema, detection, rules)
    return Subject(
        id=id_,
        settings=settings,
        kind=found.kind,
        url=found.store.url(),
        home=found.home.address(),
        name=found.name,
        recipe=recipe,
        detection=detection,
        rules=rules,
        sources=(),
        parts=(),
        notes=found.notes,
    )


def _recipe_of_run(
    settings: EvaluationSettings, run: RunPlace, told: dict[str, Any]
) -> tuple[SynthesisSettings, Recipe, list[Message]]:
    """By what the records of `run` are held: the source given, that of the run, or else what the run keeps of it."""
    if settings.analysis_dir or settings.schema_file:
        rules = _rules(settings, told, {})
        return rules, read_recipe(rules), []
    problem: Message = say("it has changed since")
    try:
        rules = _rules(settings, told, {name: told[name] for name in MADE_FROM if told.get(name)})
        recipe = read_recipe(rules)
        if recipe.fingerprint == run.card.recipe_fingerprint:
            return rules, recipe, []
    except ValidationError:
        problem = say("the run does not say what it was")
    except DataSynthError as error:
        problem = error.message
    note = say(
        "What run {run} was made from cannot be used ({problem}): its records are held against the schema that the "
        "run keeps, without seeds and guidelines. Give --analysis or --schema, where it is now.",
        run=run.card.run_id,
        problem=problem,
    )
    recipe = _kept_recipe(run)
    document = recipe.schema_document or recipe.record_schema.json_schema()
    return _rules(settings, told, {"record_schema": document}), recipe, [note]


def _kept_recipe(run: RunPlace) -> Recipe:
    try:
        kept = Recipe.model_validate_json(run.folder.read("recipe.json"))
        return kept.model_copy(update={"source": run.folder.url("recipe.json")})
    except FileNotFoundError as error:
        raise InputError(
            "Run {run} keeps no schema, for an earlier version made it. Give the analysis that it was made from "
            "(--analysis DIR) or a schema (--schema FILE).",
            run=run.card.run_id,
        ) from error


def _rules(settings: EvaluationSettings, told: dict[str, Any], source: dict[str, Any]) -> SynthesisSettings:
    """The settings of a run that would check, compare and judge as `settings` say.

    Args:
        settings: Of the evaluation.
        told: Of the run, for what `settings` leave open.
        source: The settings that name a source, where `settings` name none.

    Raises:
        ValidationError: nobody names a source.
    """
    given = {"analysis_dir": settings.analysis_dir, "schema_file": settings.schema_file}
    if any(given.values()):
        source = given | {"seeds_file": settings.seeds_file}
    values = {name: told[name] for name in MADE_HOW if name in told}
    if settings.data_type != "auto":
        values["data_type"] = settings.data_type
    for name in ("dedup_threshold", "dedup_on"):
        if getattr(settings, name) is not None:
            values[name] = getattr(settings, name)
    for name in ("skip_checks", "sensitive_words", "personal_data", "decontaminate", "language"):
        values[name] = getattr(settings, name)
    return SynthesisSettings.model_validate(values | with_judge(settings) | source)


def _require_one_source(settings: EvaluationSettings) -> None:
    if settings.analysis_dir and settings.schema_file:
        raise InputError("An analysis and a schema are given. Give one of them.")
    if settings.seeds_file and not (settings.analysis_dir or settings.schema_file):
        raise InputError("Seeds are given without a schema. Give the schema too, or leave the seeds out.")

"""The start of a run: everything that can be wrong is found here, before a model is asked."""

from dataclasses import replace

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.naming import with_endpoint
from datasynth.tasks.dedup.index import index_for, require_index_storage
from datasynth.tasks.dedup.views import views_for
from datasynth.tasks.generate.engines import called_elsewhere, require_price
from datasynth.tasks.judge.choice import judge_endpoint
from datasynth.tasks.llm.batch_choice import require_batches
from datasynth.tasks.llm.endpoints import resolve_endpoint
from datasynth.tasks.llm.prices import price_of
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.quality.screening import require_checks
from datasynth.tasks.report.parts import part_schema
from datasynth.tasks.rounds.carry import carry_over
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.rounds.estimate import estimate_run
from datasynth.tasks.rounds.finish import output_of, require_writable
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.meaning import require_vector
from datasynth.tasks.rounds.runs import Run, dataset_of, earlier_indexes, open_run, run_to_resume, store_of
from datasynth.tasks.semantic.embedders import compares_meanings, require_embedder
from datasynth.tasks.sources.records import read_records
from datasynth.tasks.storage.store import Store


def start_run(settings: SynthesisSettings, recipe: Recipe, detection: Detection, flow_run_id: str | None) -> Job:
    """Opens the run that `settings` mean, writes its card and what it should take; raises as `open_job` does.

    A process that makes the calls writes the latter after the first of them, for it takes a second.
    """
    job = open_job(settings, recipe, detection, flow_run_id)
    return job if called_elsewhere(job.card.run_id) else with_estimate(job)


def open_job(settings: SynthesisSettings, recipe: Recipe, detection: Detection, flow_run_id: str | None) -> Job:
    """Opens the run that `settings` mean and writes its card.

    Its id is the one given; else, to resume, that of the latest fitting run; else the flow run's own, so that a
    retry by Prefect is the same run.

    Raises:
        InputError: key, model, price, run id or schema cannot be used; a block that is named is not there.
        StorageError: store or output cannot be written.
    """
    # From here on the settings say provider and model themselves, so a run's fingerprint is made of them.
    settings = with_endpoint(settings)
    require_startable(settings, recipe, detection)
    if output := output_of(settings, recipe):
        require_writable(output)
    resumed = run_to_resume(settings, recipe) if settings.resume and not settings.run_id else None
    run_id = settings.run_id or (resumed.run_id if resumed else None) or flow_run_id
    settings = settings.model_copy(update={"run_id": run_id})
    _require_fitting(settings, recipe, detection)
    run = open_run(settings, recipe)
    settings = settings.model_copy(update={"run_id": run.card.run_id})
    require_vector(run, recipe, detection, settings)
    if settings.resume and output:
        _take_over(run, recipe, detection, settings, output)
    return Job(settings, recipe, detection, run.root.address(), run.card, run.estimate())


def require_startable(settings: SynthesisSettings, recipe: Recipe, detection: Detection) -> None:
    """Makes sure that a run could start, as far as that can be said without its store and output.

    Raises:
        InputError: key, model, price, schema or a simulation's knobs cannot be used; a library is missing.
    """
    endpoint = resolve_endpoint(settings)
    require_price(price_of(endpoint, settings), endpoint, settings)
    require_batches(endpoint, settings)
    require_checks(settings)
    if endpoint.simulated:
        Knobs.of(settings.simulation)
    if settings.index_storage is not None:
        require_index_storage(settings.index_storage)
    if compares_meanings(settings):
        require_embedder(settings)
    if settings.judging:
        judge_endpoint(settings)
    views_for(recipe.record_schema, detection, settings.dedup_on)
    part_schema(stored_schema(recipe, settings))


def with_estimate(job: Job) -> Job:
    """`job` with what the run should take, written down where nobody had yet."""
    if known := job.estimate or job.run.estimate():
        return replace(job, estimate=known)
    endpoint = resolve_endpoint(job.settings)
    price = price_of(endpoint, job.settings)
    estimate = estimate_run(job.recipe, job.detection, job.settings, endpoint.model, price)
    job.run.save_estimate(estimate)
    return replace(job, estimate=estimate)


def _require_fitting(settings: SynthesisSettings, recipe: Recipe, detection: Detection) -> None:
    """Makes sure that new records can be compared with those that the data set holds.

    Raises:
        InputError: they are of another schema, for two analyses may lie in folders of the same name; or a field that
            shall not repeat is not there.
    """
    index = index_for(recipe.record_schema, detection, settings)
    store, dataset = store_of(settings), dataset_of(settings, recipe)
    latest = earlier_indexes(store, dataset, simulated=settings.provider == "simulated")[-1:]
    if not latest or not settings.validate_records:
        return
    try:
        index.load(store.view(f"{dataset}/index/{latest[0]}"))
    except InputError as error:
        raise InputError(
            "The data set {dataset} in {store} holds records that these cannot be compared with ({detail}). Give "
            "another --dataset, or another --store.",
            dataset=dataset,
            store=store.url(),
            detail=error.message,
        ) from error


def _take_over(run: Run, recipe: Recipe, detection: Detection, settings: SynthesisSettings, output: str) -> None:
    """Only before its first round: one that has begun has nothing to take from a file that others may have written."""
    if run.card.carried_over or run.planned(1) is not None or not Store(output).exists():
        return
    carry_over(run, recipe, detection, settings, read_records(output))

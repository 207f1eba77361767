"""The steps as Prefect tasks: names, retries, cache keys. The work itself is in the rooms, without Prefect.

What travels between tasks is small: references and figures. Replies stay in the journal, candidates in the run's
`work/` folder, records in its parts; so Prefect's results and database hold neither prompts nor data, and a task
may run on any machine that shares the storage.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import httpx
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.asyncio import concurrency
from prefect.context import TaskRunContext
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from datasynth.schemas.calls import CallResult, Prompt, Reply, Shard, ShardReceipt
from datasynth.schemas.errors import DataSynthError, InputError, RunError, StorageError
from datasynth.schemas.messages import Message
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import content_digest
from datasynth.schemas.removal import DedupReport
from datasynth.schemas.report import RoundOutcome, RunReport, StopReason
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import forget_blocks
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.engines import engine_of, journal_of, judge_journal_of
from datasynth.tasks.judge.prompt import judge_prompt, scores_schema
from datasynth.tasks.llm.engine import Gate
from datasynth.tasks.rounds.candidates import scored_candidates
from datasynth.tasks.rounds.commit import committer_of
from datasynth.tasks.rounds.deduplicating import duplicates_between_runs, remove_duplicates
from datasynth.tasks.rounds.finish import finish_run
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.opening import with_estimate
from datasynth.tasks.rounds.planning import ShardPlan
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.prompts import shard_of
from datasynth.tasks.rounds.settling import JudgedRound, commit_round, frame_bytes, judge_round, read_frame
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store

CODE = "1"
"""Part of every cache key: raised when a step's result would differ for the same input."""
RETRIES = 2


def may_pass(_task: Any, _run: TaskRun, state: State) -> bool:
    """Whether a failed step is worth another try: storage and surprises are, a refused key or bad input is not."""
    try:
        state.result()
    except StorageError:
        return True
    except DataSynthError:
        return False
    except Exception:  # noqa: BLE001 - whatever it was, the try costs nothing: replies are in the journal
        return True
    return False


@task(
    name="load recipe",
    task_run_name="load recipe",
    cache_policy=NO_CACHE,
    retries=RETRIES,
    retry_delay_seconds=2,
    retry_condition_fn=may_pass,
)
def load(settings: SynthesisSettings) -> Recipe:
    """Reads the source; never cached, for what it reads may have changed. So may the blocks, until now."""
    forget_blocks()
    return read_recipe(settings)


def _detect_key(_context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return content_digest(["detect", CODE, parameters["recipe"].fingerprint, parameters["settings"].data_type])


@task(name="detect", task_run_name="detect", cache_key_fn=_detect_key, persist_result=True)
def detect(recipe: Recipe, settings: SynthesisSettings) -> Detection:
    """Decides what kind of data the recipe is for."""
    return detect_kind(recipe.record_schema, recipe.seeds, settings.data_type)


@task(
    name="prompt",
    task_run_name="prompt shard {plan.number}/{plan.of}, round {plan.round}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def prompt(plan: ShardPlan, job: Job) -> Shard:
    """Writes the prompts of a shard; not cached: it is quicker than looking up, and prompts stay out of results."""
    return shard_of(plan, job)


def _shard_key(_context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    """By content, and only while the journal still holds what the cached receipt would refer to."""
    shard, job = cast(Shard, parameters["shard"]), cast(Job, parameters["job"])
    limits = job.settings
    if job.spread is not None or limits.max_minutes is not None:
        # Receipts are kept where they were made; and what the clock has stopped, goes on when it is started again.
        return None
    journal = journal_of(job.place)
    if len(journal) < len(shard.prompts):
        return None
    return content_digest([
        "generate", CODE, job.store_url, job.card.run_id, job.card.nonce, shard.static, shard.json_schema,
        [(p.call.index, p.call.asked, p.user) for p in shard.prompts],
        # A receipt says which calls a limit stopped; under a higher one they are made.
        [limits.max_cost, limits.max_tokens, limits.max_calls],
    ])  # fmt: skip


@task(
    name="generate",
    task_run_name="generate shard {shard.number}/{shard.of}, round {shard.round}",
    cache_key_fn=_shard_key,
    persist_result=True,
    retries=RETRIES,
    retry_delay_seconds=2,
    retry_condition_fn=may_pass,
)
def generate(shard: Shard, job: Job) -> ShardReceipt:
    """Makes a shard's calls. A retry pays nothing again: the journal has every reply."""
    return engine_of(job.place, _gate(job)).run(shard)


def _gate(job: Job) -> Gate | None:
    limit = job.settings.concurrency_limit
    return partial(concurrency, limit, strict=True) if limit else None


@task(
    name="validate",
    task_run_name="validate round {plans[0].round}",
    cache_policy=NO_CACHE,
    persist_result=True,
    retries=RETRIES,
    retry_condition_fn=may_pass,
)
def validate(receipts: Sequence[ShardReceipt], plans: list[ShardPlan], job: Job) -> JudgedRound:
    """Parses a round's replies and judges every record against the schema."""
    return judge_round(receipts, plans, job)


@task(
    name="score",
    task_run_name="score round {judged.round}",
    cache_policy=NO_CACHE,
    persist_result=True,
    retries=RETRIES,
    retry_delay_seconds=2,
    retry_condition_fn=may_pass,
)
def score(judged: JudgedRound, job: Job, before: int) -> JudgedRound:
    """Has the judge score what would be accepted. Not cached and not in shards: the journal has every judgement."""
    run, number = job.run, judged.round
    committer = committer_of(run, job.recipe, job.detection, job.settings)
    frame = read_frame(run, judged.judged)
    scores, scoring = scored_candidates(job, committer, number, frame, before, partial(_judged, job, number))
    path = f"work/{number:05d}-scores.parquet"
    run.folder.write(path, frame_bytes(scores))
    trouble = "; ".join(words for words in (judged.trouble, scoring.trouble) if words)
    return replace(judged, scores=path, limit=judged.limit or scoring.limit, trouble=trouble)


def _judged(job: Job, round: int, prompts: tuple[Prompt, ...]) -> list[tuple[CallResult, Reply | None]]:
    """How each call to the judge ended, with its reply."""
    recipe = job.recipe
    board_of(job.card.run_id).set(phase="judging", calls_planned=len(prompts), calls_done=0)
    schema = None if job.settings.structured_output == "off" else scores_schema(recipe.language)
    shard = Shard(round, 1, 1, judge_prompt(recipe, job.detection), schema, prompts)
    results = engine_of(job.place, _gate(job)).run(shard, judging=True).results
    replies = dict(judge_journal_of(job.place).read(r.reply for r in results if r.reply))
    return [(result, replies.get(result.reply or "")) for result in results]


@task(
    name="dedup",
    task_run_name="dedup round {judged.round}",
    cache_policy=NO_CACHE,
    persist_result=True,
    retries=RETRIES,
    retry_condition_fn=may_pass,
)
def dedup(judged: JudgedRound, plans: list[ShardPlan], job: Job, before: int) -> RoundOutcome:
    """Removes duplicates, fills the count and commits the round. Not cached: the ledger says what is done."""
    return commit_round(judged, plans, job, before)


@task(name="compare runs", cache_policy=NO_CACHE, persist_result=False, retries=RETRIES, retry_condition_fn=may_pass)
def compare_runs(dataset: Store) -> DedupReport:
    """Finds the near-duplicates between the runs of the data set in the folder `dataset`."""
    return duplicates_between_runs(dataset)


@task(name="take out", cache_policy=NO_CACHE, persist_result=False, retries=RETRIES, retry_condition_fn=may_pass)
def take_out_duplicates(dataset: Store, found: DedupReport) -> DedupReport:
    """Takes out of each run what was found in it. A retry, or a second process, writes the same bytes."""
    for run in found.runs:
        remove_duplicates(dataset, run)
    return found.model_copy(update={"dry_run": False})


@task(
    name="report",
    task_run_name="report",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_condition_fn=may_pass,
)
def report(job: Job, stopped_by: StopReason, explanation: Message, started: float) -> RunReport:
    """Writes the report, the files that sibling tools read and, last of all, the manifest."""
    with_estimate(job)  # a process that made the calls and broke off may have left none
    return finish_run(job.run, job.recipe, job.detection, job.settings, stopped_by, explanation, started)


def read_block(kind: str, name: str) -> dict[str, Any]:
    """The fields of a block on the Prefect server, with its secrets: for `datasynth.tasks.blocks.source` alone.

    Not `Block.load`, which tells of itself in an event, and whose validation errors show values.

    Raises:
        InputError: there is no such block, or no API is configured.
        RunError: the API does not answer, or lets nobody in.
    """
    block, url = f"{kind}/{name}", PREFECT_API_URL.value()
    if not url:
        raise InputError(
            "The block {block} is kept on a Prefect server, and none is configured. Set PREFECT_API_URL to its "
            "address, such as http://127.0.0.1:4200/api, or give as options what it says.",
            block=block,
        )
    try:
        with get_client(sync_client=True) as client:
            return client.read_block_document_by_name(name, kind).data
    except ObjectNotFound:
        raise InputError(
            "There is no block {block} on the Prefect server {url}. Run datasynth deploy, which brings its form, and "
            "make it in the Prefect UI, under Blocks; or name one that is there.",
            block=block,
            url=url,
        ) from None
    except httpx.HTTPError as error:
        raise RunError(
            "The block {block} could not be read from the Prefect API at {url}: {error}. Look whether it is up, and "
            "whether PREFECT_API_KEY or PREFECT_API_AUTH_STRING lets you in.",
            block=block,
            url=url,
            error=type(error).__name__,
        ) from error

"""A round from the receipts of its shards to its outcome: judged, deduplicated, committed."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from datasynth.schemas.calls import ShardReceipt
from datasynth.schemas.report import RoundOutcome, Spend, StopReason
from datasynth.tasks.generate.collect import collect
from datasynth.tasks.generate.engines import journal_of, judge_journal_of, leave_settling
from datasynth.tasks.quality.screening import checks_for
from datasynth.tasks.rounds.commit import Harvest, committer_of
from datasynth.tasks.rounds.job import Job, ShardPlan
from datasynth.tasks.rounds.runs import Run
from datasynth.tasks.rounds.shares import limit_met
from datasynth.tasks.validate.validator import accept_all, judge


@dataclass(frozen=True)
class JudgedRound:
    """A round after validation: where its candidates are, and what never became one."""

    round: int
    judged: str = ""
    """Path in the run's folder of the frame `Judged`; empty where the round is finished already."""
    replies: str = ""
    missing: tuple[tuple[str, int], ...] = ()
    unasked: int = 0
    limit: StopReason | None = None
    trouble: str = ""
    scores: str | None = None
    """Path of the frame `Scores`, where records are judged."""


def judge_round(receipts: Sequence[ShardReceipt], plans: Sequence[ShardPlan], job: Job) -> JudgedRound:
    """Parses a round's replies and judges every record against the schema; a finished round is left as it is."""
    number = plans[0].round
    leave_settling(job.card.run_id, number)
    if job.run.outcome(number) is not None:
        return JudgedRound(number)
    calls = [call for plan in plans for call in plan.calls]
    results = [result for receipt in receipts for result in receipt.results]
    collected = collect(calls, results, journal_of(job.place), job.recipe.record_schema)
    if job.settings.validate_records:
        quality = checks_for(job.recipe, job.detection, job.settings)
        judged = judge(collected.candidates, job.recipe.record_schema, job.detection, quality=quality)
    else:
        judged = accept_all(collected.candidates)
    paths = f"work/{number:05d}-judged.parquet", f"work/{number:05d}-replies.parquet"
    for path, frame in zip(paths, (judged, collected.replies), strict=True):
        job.run.folder.write(path, frame_bytes(frame))
    limit = limit_met(job, plans, results)
    timed_out = any(result.miss == "stopped" for result in results)
    return JudgedRound(
        number,
        *paths,
        missing=tuple(collected.missing.items()),
        unasked=collected.unasked,
        limit=limit or ("max_minutes" if timed_out else None),
        trouble="; ".join(f"{n} x {words}" for words, n in collected.trouble.most_common(3)),
    )


def commit_round(judged: JudgedRound, plans: Sequence[ShardPlan], job: Job, before: int) -> RoundOutcome:
    """Removes duplicates, fills the count and commits the round, unless it is finished; `before` records are made."""
    run = job.run
    if (outcome := run.outcome(judged.round)) is not None:
        return outcome
    # None of its calls is under way: those without an end were, when an earlier process was killed.
    journal, number = journal_of(job.place), judged.round
    judge_journal = judge_journal_of(job.place) if judged.scores else None
    judging = judge_journal.spend(number) + judge_journal.possible(number) if judge_journal else Spend()
    harvest = Harvest(
        round=judged.round,
        calls=tuple(call for plan in plans for call in plan.calls),
        judged=read_frame(run, judged.judged),
        replies=read_frame(run, judged.replies),
        missing=dict(judged.missing),
        unasked=judged.unasked,
        spend=journal.spend(number) + journal.possible(number) + judging,
        limit=judged.limit,
        trouble=judged.trouble,
        scores=read_frame(run, judged.scores) if judged.scores else None,
        judging=judging,
    )
    committer = committer_of(run, job.recipe, job.detection, job.settings)
    outcome = committer.commit(harvest, before=before, target=job.card.target)
    for path in (judged.judged, judged.replies, judged.scores):
        if path:
            run.folder.remove(path)
    return outcome


def read_frame(run: Run, path: str) -> pl.DataFrame:
    """A frame that a step of a round left in the run's folder."""
    return pl.read_parquet(io.BytesIO(run.folder.read(path)))


def frame_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet, for another step."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()

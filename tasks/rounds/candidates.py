"""A round's candidates between validation and commit: which are new, and what the judge makes of them."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from datasynth.schemas.frames import Scores
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.dedup.index import Match, index_for
from datasynth.tasks.judge.scores import Judgement
from datasynth.tasks.judge.waves import Ask, Examination, Scoring
from datasynth.tasks.report.parts import unstorable
from datasynth.tasks.rounds.commit import RoundCommitter, duplicate_detail, semantic_refusal
from datasynth.tasks.rounds.job import Job

SCORES = {
    "call": pl.Int64,
    "position": pl.Int64,
    "verdict": pl.String,
    "quality": pl.Float64,
    "spread": pl.Float64,
    "reason": pl.String,
    "field": pl.String,
    "detail": pl.String,
}


Refusal = tuple[str, str, str]
"""Reason, field and detail, as in the frame `Rejected`."""


@dataclass
class Fresh:
    """Candidates that are valid and repeat nothing, and those that do repeat something."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Of the frame `Judged`, in plan order."""
    records: list[dict[str, Any]] = field(default_factory=list)
    repeats: list[tuple[dict[str, Any], Refusal]] = field(default_factory=list)
    """Rows with why they are not kept: they repeat a kept record or a fresh candidate of this round, or nobody could
    compare them."""


def fresh_candidates(committer: RoundCommitter, detection: Detection, round: int, judged: pl.DataFrame) -> Fresh:
    """What would be accepted of a round if all of it were wanted. The committer's index learns nothing by it.

    What is like a candidate that the judge may yet refuse counts as a repeat too: it would hardly fare better, and
    would be paid for. Meanings are compared here for the same reason: a vector costs a thousandth of a judgement.
    """
    committer.catch_up(range(1, round))
    found = Fresh()
    valid = [(row, record) for row in judged.to_dicts() if (record := storable(row, committer.schema)) is not None]
    if committer.decontamination is not None:
        overlaps = committer.decontamination.overlaps([record for _, record in valid])
        valid = [pair for pair, overlap in zip(valid, overlaps, strict=True) if overlap is None]
    if not committer.screens:
        return Fresh([row for row, _ in valid], [record for _, record in valid])
    known = committer.index.peek([record for _, record in valid])
    found.repeats = [(row, _like(match)) for (row, _), match in zip(valid, known, strict=True) if match]
    new = [pair for pair, match in zip(valid, known, strict=True) if match is None]
    within = index_for(committer.recipe.record_schema, detection, committer.settings)
    matches = within.screen([record for _, record in new], _names(committer, new))
    found.repeats += [(row, _like(match)) for (row, _), match in zip(new, matches, strict=True) if match]
    new = [pair for pair, match in zip(new, matches, strict=True) if match is None]
    if committer.semantic is not None:
        said = committer.semantic.judged(round, [record for _, record in new], _names(committer, new))
        for (row, _), one in zip(new, said, strict=True):
            if one is not None:
                reason, detail = semantic_refusal(one)
                found.repeats.append((row, (reason, "record", detail)))
        new = [pair for pair, one in zip(new, said, strict=True) if one is None]
    found.rows, found.records = [row for row, _ in new], [record for _, record in new]
    return found


def _names(committer: RoundCommitter, pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    return [committer.name_of(row["call"], row["position"]) for row, _ in pairs]


def _like(match: Match) -> Refusal:
    return match.reason, match.view, duplicate_detail(match)


def storable(row: dict[str, Any], schema: RecordSchema) -> dict[str, Any] | None:
    """The record of a judged row; None where it was refused or no part can hold it."""
    if row["reason"] is not None:
        return None
    record = orjson.loads(row["record"])
    return record if isinstance(record, dict) and unstorable([record], schema)[0] is None else None


def scored_candidates(
    job: Job, committer: RoundCommitter, round: int, judged: pl.DataFrame, before: int, ask: Ask
) -> tuple[pl.DataFrame, Scoring]:
    """Has a round's fresh candidates judged until as many pass as are wanted.

    Args:
        job: The run.
        committer: Of the run.
        round: Its number.
        judged: Frame `Judged`.
        before: Records in the data set so far.
        ask: Makes calls to the judge.

    Returns:
        Frame `Scores`, and the `Scoring`.
    """
    settings = job.settings
    fresh = fresh_candidates(committer, job.detection, round, judged)
    examination = Examination(
        ask, round=round, language=job.recipe.language, judges=settings.judges, least=settings.min_quality
    )
    scoring = examination.scored(fresh.records, job.card.target - before)
    if scoring.limit is None and committer.semantic is not None:
        scoring.limit = committer.semantic.limit
    rows = [_repeat(row, refusal) for row, refusal in fresh.repeats]
    for row, judgement in zip(fresh.rows, scoring.judgements, strict=False):
        rows.append(_verdict(row, judgement, passes=examination.passes(judgement)))
    if scoring.limit and settings.min_quality is not None:
        unasked = fresh.rows[len(scoring.judgements) :]
        rows += [_score(row, "unjudged", detail=scoring.limit) for row in unasked]
    frame = pl.DataFrame(rows, schema=SCORES, orient="row").sort("call", "position")
    return Scores.validate(frame), scoring


def _verdict(row: dict[str, Any], judged: Judgement, *, passes: bool) -> dict[str, Any]:
    if judged.quality is None:
        return _score(row, "pass" if passes else "unjudged")
    detail = f"{judged.quality:.2f}: {judged.reason}" if judged.reason else f"{judged.quality:.2f}"
    verdict = "pass" if passes else "below_quality"
    return _score(row, verdict, quality=judged.quality, spread=judged.spread, detail=detail)


def _repeat(row: dict[str, Any], refusal: Refusal) -> dict[str, Any]:
    reason, place, detail = refusal
    return _score(row, "repeats", reason=reason, field=place, detail=detail)


def _score(row: dict[str, Any], verdict: str, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(SCORES) | {"call": row["call"], "position": row["position"], "verdict": verdict} | values

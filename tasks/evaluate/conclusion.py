"""What was found in all slices and batches, put together into the facts of an evaluation."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from datasynth.schemas.evaluation import (
    Evaluation,
    Example,
    Judged,
    QualityOf,
    Reason,
    Repeats,
    Scored,
    Validity,
)
from datasynth.schemas.measures import DiversityReport
from datasynth.schemas.messages import Message, say
from datasynth.schemas.report import Spend
from datasynth.tasks.archive.attributes import attributes
from datasynth.tasks.archive.space import Space
from datasynth.tasks.evaluate.frames import (
    REPEATS_PATH,
    SAMPLE_PATH,
    SCORES,
    Records,
    frame_of,
    scores_path,
)
from datasynth.tasks.evaluate.judging import BatchReceipt, spent
from datasynth.tasks.evaluate.sampling import Sample, checked_records
from datasynth.tasks.evaluate.subject import Subject
from datasynth.tasks.evaluate.verdict import gates_of, verdict_of
from datasynth.tasks.evaluate.writing import write_evaluation
from datasynth.tasks.judge.choice import judge_endpoint
from datasynth.tasks.measure.observation import Observation, label

EXAMPLES = 3
"""Records named for each check, and pairs of near-duplicates."""
LOWEST = 10
"""Records shown with the lowest scores."""
TENTHS = 10

NOTHING = Spend()


def concluded(subject: Subject, sample: Sample | None, receipts: Sequence[BatchReceipt]) -> Evaluation:
    """The evaluation, written; a second one of the same data under the same id changes nothing."""
    evaluation, records = conclude(subject, sample, receipts, datetime.now(UTC).isoformat(timespec="seconds"))
    return write_evaluation(subject.folder, evaluation, records, subject.settings.language)


def conclude(
    subject: Subject, sample: Sample | None, receipts: Sequence[BatchReceipt], now: str
) -> tuple[Evaluation, pl.DataFrame]:
    """The evaluation, and the frame `Records` with what was found of each record.

    Args:
        subject: What was evaluated; all that was found of it is in its work folder.
        sample: What was judged; None where nobody judged.
        receipts: Of its batches.
        now: ISO 8601, UTC.
    """
    checked = checked_records(subject)
    repeating = frame_of(subject.folder.read(REPEATS_PATH))
    scores = _scores(subject, sample)
    validity, repeats = validity_of(checked), _repeats(subject, checked, repeating)
    judged = _judged(subject, sample, receipts, scores, checked["record"]) if sample else None
    gates = gates_of(
        subject.settings, valid=validity.share, quality=judged.mean if judged else None, repeating=repeats.share
    )
    evaluation = Evaluation(
        id=subject.id,
        data=subject.url,
        kind=subject.kind,
        name=subject.name,
        runs=tuple(source.run for source in subject.sources if source.run),
        verdict=verdict_of(gates),
        gates=gates,
        validity=validity,
        repeats=repeats,
        judged=judged,
        diversity=_diversity(subject, checked["valid"], validity.valid),
        paid=spent(sample, subject)[0] if sample else NOTHING,
        source=subject.recipe.source,
        recipe_fingerprint=subject.recipe.fingerprint,
        data_type=subject.detection.kind,
        simulated=subject.simulated,
        notes=(*subject.notes, *_notes(subject, judged)),
        evaluated_at=now,
        url=subject.folder.url(),
        settings=subject.settings.model_dump(mode="json", exclude_defaults=True),
    )
    return evaluation, records_of(checked, repeating, scores)


def validity_of(checked: pl.DataFrame) -> Validity:
    """What the checks found, of the frame `Checked`."""
    problems = checked.select("record", "problems").explode("problems").drop_nulls("problems").unnest("problems")
    reasons = [
        Reason(
            check=str(check),
            records=found.height,
            examples=tuple(
                Example(record=record, field=field or "", detail=detail)
                for record, field, detail in found.head(EXAMPLES).select("record", "field", "detail").iter_rows()
            ),
        )
        for (check,), found in problems.group_by("check", maintain_order=True)
    ]
    return Validity(
        records=checked.height,
        fit=int(checked["fits"].sum()),
        valid=int(checked["valid"].sum()),
        reasons=tuple(sorted(reasons, key=lambda reason: (-reason.records, reason.check))),
    )


def _repeats(subject: Subject, checked: pl.DataFrame, repeating: pl.DataFrame) -> Repeats:
    alike = repeating.with_columns(checked["record"]).drop_nulls("like")
    shown = alike.sort("similarity", descending=True, maintain_order=True).head(EXAMPLES)
    return Repeats(
        records=repeating.height,
        repeating=alike.height,
        exact=int(alike["exact"].sum()),
        seeds=repeating.height - repeating["seed"].null_count() if subject.recipe.seeds else None,
        threshold=subject.rules.dedup_threshold,
        examples=tuple(
            Example(
                record=record,
                field=view,
                detail=say("{similarity} like {record}", similarity=f"{similarity:.2f}", record=like).text(
                    subject.settings.language
                ),
            )
            for record, view, similarity, like in shown.select("record", "view", "similarity", "like").iter_rows()
        ),
    )


def _scores(subject: Subject, sample: Sample | None) -> pl.DataFrame:
    """Frame `Scores` of all batches."""
    batches = sample.batches if sample else ()
    frames = [frame_of(subject.folder.read(scores_path(batch.number))) for batch in batches]
    return pl.concat([pl.DataFrame(schema=SCORES), *frames])


def _judged(
    subject: Subject, sample: Sample, receipts: Sequence[BatchReceipt], scores: pl.DataFrame, names: pl.Series
) -> Judged:
    endpoint, _ = judge_endpoint(subject.rules)
    shown = frame_of(subject.folder.read(SAMPLE_PATH)).join(scores.drop_nulls("score"), on="row", how="inner")
    values = shown["score"].to_list()
    spreads = shown["spread"].drop_nulls().to_list()
    return Judged(
        provider=endpoint.provider.name,
        model=endpoint.model,
        judges=subject.settings.judges,
        sampled=sample.records,
        scored=len(values),
        mean=round(sum(values) / len(values), 4) if values else None,
        spread=round(sum(spreads) / len(spreads), 4) if spreads else None,
        histogram=tenths(values),
        by_value=_by_value(subject, shown),
        lowest=tuple(
            Scored(record=names[row], score=score, reason=reason, content=content)
            for row, score, reason, content in shown.sort("score", "row")
            .head(LOWEST)
            .select("row", "score", "reason", "record")
            .iter_rows()
        ),
        stopped_by=next((receipt.limit for receipt in receipts if receipt.limit), None),
        trouble="; ".join(dict.fromkeys(receipt.trouble for receipt in receipts if receipt.trouble)),
        simulated=any(receipt.simulated for receipt in receipts),
        spend=spent(sample, subject)[1],
    )


def tenths(scores: Sequence[float]) -> tuple[int, ...]:
    """How many scores are in each tenth of 0 to 1; a tenth holds its lower bound, the last one both."""
    counts = [0] * TENTHS
    for score in scores:
        # Scores have four digits; times ten, 0.3 and its like would fall below their own bound.
        counts[min(round(score * 10_000) // 1_000, TENTHS - 1)] += 1
    return tuple(counts)


def _by_value(subject: Subject, shown: pl.DataFrame) -> tuple[QualityOf, ...]:
    """Mean scores by the attributes that a run spreads its records over: categories, topics, lengths."""
    axes = attributes(subject.recipe, subject.detection, subject.rules)
    space = Space(axes, (), subject.recipe.fingerprint)
    found: dict[str, defaultdict[int, list[float]]] = {axis.name: defaultdict(list) for axis in axes}
    for text, aim, score in shown.select("record", "aim", "score").iter_rows():
        for name, place in space.place(orjson.loads(text), orjson.loads(aim)).items():
            found[name][place].append(score)
    means = [
        QualityOf(
            attribute=axis.name,
            value=label(axis.values[place]) if place < len(axis.values) else "",
            records=len(scores),
            mean=round(sum(scores) / len(scores), 4),
        )
        for axis in axes
        for place, scores in found[axis.name].items()
    ]
    order = {axis.name: number for number, axis in enumerate(axes)}
    return tuple(sorted(means, key=lambda one: (order[one.attribute], one.mean, one.value)))


def _diversity(subject: Subject, valid: pl.Series, total: int) -> DiversityReport | None:
    """What the report of a run says of its records, of those that are valid."""
    if not total:
        return None
    observation = Observation(subject.recipe, subject.detection, subject.rules, subject.common, total)
    row = 0

    def of_valid() -> Any:
        nonlocal row
        for frame in subject.alike_frames():
            yield frame.filter(valid.slice(row, frame.height))
            row += frame.height

    for _ in observation.watch(of_valid()):
        pass
    return observation.report((), cost_usd=None)


def records_of(checked: pl.DataFrame, repeating: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Frame `Records`, of the frames `Checked`, `Repeating` and `Scores`."""
    problems = pl.col("problems").list
    table = checked.select(
        "record",
        "valid",
        problems.eval(pl.element().struct.field("check")).alias("reasons"),
        problems.eval(pl.element().struct.field("detail")).alias("details"),
        repeating.select(pl.coalesce("like", "seed")).to_series().alias("repeats"),
    ).with_row_index("row")
    judged = scores.select(pl.col("row").cast(pl.get_index_type()), "score", "reason")
    joined = table.join(judged, on="row", how="left", maintain_order="left").drop("row")
    return Records.validate(joined)


def _notes(subject: Subject, judged: Judged | None) -> list[Message]:
    notes = []
    if not subject.recipe.seeds:
        notes.append(say("No seed was to be had, so nothing was compared with seeds."))
    if judged and judged.stopped_by:
        notes.append(
            say(
                "The judge was stopped by {limit}: {scored} of {sampled} records have a score. Give it more, and "
                "evaluate again: what it said is kept.",
                limit=judged.stopped_by,
                scored=f"{judged.scored:,}",
                sampled=f"{judged.sampled:,}",
            )
        )
    elif judged and judged.scored < judged.sampled:
        notes.append(
            say(
                "The judge gave no score for {count} of {sampled} records.",
                count=f"{judged.sampled - judged.scored:,}",
                sampled=f"{judged.sampled:,}",
            )
        )
    return notes

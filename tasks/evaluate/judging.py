"""Has records judged: through the engine of a run, its limits and its journal, so that nothing is paid for twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from datasynth.schemas.calls import CallResult, Prompt, Reply, Shard
from datasynth.schemas.errors import RunError
from datasynth.schemas.record import content_digest
from datasynth.schemas.report import Spend, StopReason
from datasynth.tasks.evaluate.frames import SAMPLE_PATH, SCORES, Scores, frame_of, parquet, scores_path
from datasynth.tasks.evaluate.sampling import Batch, Sample
from datasynth.tasks.evaluate.subject import Subject
from datasynth.tasks.generate.engines import RunPlace, engine_of, judge_journal_of
from datasynth.tasks.judge.prompt import judge_prompt, scores_schema
from datasynth.tasks.judge.waves import OUTAGE, OUTAGE_CALLS, Examination
from datasynth.tasks.llm.engine import Gate


@dataclass(frozen=True)
class BatchReceipt:
    """How the judging of a batch went; its scores are in the work folder."""

    limit: StopReason | None = None
    """The limit that kept records from being judged."""
    trouble: str = ""
    """What the endpoint said of calls without an answer."""
    simulated: bool = False
    """Whether the endpoint said that no language model wrote its replies."""


def judge_batch(batch: Batch, sample: Sample, subject: Subject, gate: Gate | None) -> BatchReceipt:
    """Has a batch judged and writes the scores into the work folder.

    Raises:
        DataSynthError: the judge refuses the key, answers nothing at all, or was stopped.
    """
    shown = frame_of(subject.folder.read(SAMPLE_PATH)).slice(batch.first, batch.records)
    records = [orjson.loads(text) for text in shown["record"]]
    asking = _Asking(batch, sample, subject, gate)
    examination = Examination(
        asking.ask,
        round=batch.number,
        language=subject.recipe.language,
        judges=subject.settings.judges,
        least=None,
    )
    scoring = examination.scored(records, len(records))
    # Where a limit ended it, the last ones were not judged.
    rows = [
        {"row": row, "score": judged.quality, "spread": judged.spread, "reason": judged.reason}
        for row, judged in zip(shown["row"], scoring.judgements, strict=False)
    ]
    frame = Scores.validate(pl.DataFrame(rows, schema=SCORES, orient="row"))
    subject.folder.write(scores_path(batch.number), parquet(frame))
    return BatchReceipt(scoring.limit, scoring.trouble, asking.simulated)


def place_of(sample: Sample, subject: Subject) -> RunPlace:
    """What the engine needs: the settings with a judge, and where its journal is."""
    settings = subject.rules.model_copy(update={"run_id": f"evaluation-{sample.journal.rpartition('/')[2]}"})
    return RunPlace(settings, subject.recipe.record_schema, sample.journal)


def spent(sample: Sample, subject: Subject) -> tuple[Spend, Spend]:
    """What this evaluation paid, and what all its judgements cost, whoever paid."""
    journal = judge_journal_of(place_of(sample, subject))
    return journal.spend(account_of(subject.id)), journal.spend()


def account_of(id_: str) -> int:
    """The number that an evaluation's payments stand under in the journal; its repetition has the same."""
    return int(content_digest(id_)[:12], 16)


@dataclass
class _Asking:
    """The calls of a batch."""

    batch: Batch
    sample: Sample
    subject: Subject
    gate: Gate | None
    simulated: bool = False

    def ask(self, prompts: tuple[Prompt, ...]) -> list[tuple[CallResult, Reply | None]]:
        """How each call to the judge ended, with its reply."""
        recipe, place = self.subject.recipe, place_of(self.sample, self.subject)
        static, schema = judge_prompt(recipe, self.subject.detection), scores_schema(recipe.language)
        shard = Shard(account_of(self.subject.id), self.batch.number, self.batch.of, static, schema, prompts)
        results = engine_of(place, self.gate).run(shard, judging=True).results
        _require_answers(results)
        replies = dict(judge_journal_of(place).read(r.reply for r in results if r.reply))
        self.simulated = self.simulated or any(reply.simulated for reply in replies.values())
        return [(result, replies.get(result.reply or "")) for result in results]


def _require_answers(results: Sequence[CallResult]) -> None:
    """As `Examination`, which would speak of a run to be gone on with."""
    missed = [result for result in results if result.reply is None and result.miss in OUTAGE]
    if len(missed) == len(results) >= OUTAGE_CALLS:
        raise RunError(
            "The judge answered none of {count} calls: {detail}. Nothing that was paid for is lost: evaluate again "
            "once it answers.",
            count=len(results),
            detail=missed[0].detail,
        )

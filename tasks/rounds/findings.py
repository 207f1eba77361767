"""What finished rounds brought, read back from storage into the archive that steers the next one.

Always read back, also by the process that wrote it: so a resumed run cannot know anything else than an undisturbed one.
"""

import io
import threading

import orjson
import polars as pl

from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.archive import Archive, Findings, Made, Refused, new_archive
from datasynth.tasks.report.parts import LINEAGE_COLUMN, read_part, read_records
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.runs import Run, part_path
from datasynth.tasks.rounds.stored import with_whole_lineage

KEPT = 4
"""Archives that this process keeps; one that was dropped is built again from storage."""

REPEATS = ("exact_duplicate", "near_duplicate", "semantic")

UNDECIDED = ("uncompared", "unjudged")

_archives: dict[tuple[str, str], Archive] = {}
_lock = threading.Lock()


def archive_of(job: Job, settings: SynthesisSettings, finished: int) -> Archive:
    """The archive of a run with its first `finished` rounds, and what was taken over from a file, in it.

    Args:
        job: The run.
        settings: The run's, with the random seed of its plan.
        finished: Rounds in the ledger.
    """
    run, schema = job.run, stored_schema(job.recipe, settings)
    with _lock:
        # A store that was deleted and made anew has another nonce.
        key = (run.folder.url(), run.card.nonce)
        archive = _archives.pop(key, None)
        if archive is None or not archive.learnt <= set(range(finished + 1)):
            archive = new_archive(job.recipe, job.detection, settings)
        for number in range(0 if run.card.carried_over else 1, finished + 1):
            if number not in archive.learnt:
                archive.learn(number, findings_of(run, number, schema))
        _archives[key] = archive
        while len(_archives) > KEPT:
            del _archives[next(iter(_archives))]
        return archive


def findings_of(run: Run, number: int, schema: RecordSchema) -> Findings:
    """What the finished round `number` brought; of round 0 what was taken over from a file."""
    planned = run.planned(number) if number else ()
    return Findings(
        aims={call.index: call.aim for call in planned or ()},
        made=_made(run, number, schema),
        refused=_refused(run, number) if number else [],
    )


def _made(run: Run, number: int, schema: RecordSchema) -> list[Made]:
    try:
        part = with_whole_lineage(read_part(run.folder.read(part_path("data", number))))
    except FileNotFoundError:
        return []  # nothing was accepted
    origins = part[LINEAGE_COLUMN].struct.unnest()
    aims: dict[str, dict] = {}
    made = []
    rows = zip(read_records(part, schema), origins["call"], origins["aim"], origins["quality"], strict=True)
    for record, call, aim, quality in rows:
        if aim not in aims:
            aims[aim] = orjson.loads(aim)
        made.append(Made(call, record, aims[aim], quality))
    return made


def _refused(run: Run, number: int) -> list[Refused]:
    """Surplus was not refused, and what a limit kept from being judged or compared says nothing about a niche."""
    try:
        part = pl.read_parquet(io.BytesIO(run.folder.read(part_path("rejected", number))))
    except FileNotFoundError:
        return []
    found = []
    told = (pl.col("step") != "surplus") & ~pl.col("reason").is_in(UNDECIDED)
    columns = part.filter(told).select("call", "reason", "field", "detail", "record")
    for call, reason, field, detail, text in columns.iter_rows():
        # What is alike to an item of an evaluation set is not quoted to a model.
        like = (detail or "").partition(" like ")[2] if reason in REPEATS else ""
        record = orjson.loads(text) if like else None
        found.append(Refused(call, record if isinstance(record, dict) else None, like or None, field or ""))
    return found

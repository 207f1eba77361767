"""The records that a judge is shown: drawn from the valid ones, the same whenever the same data are evaluated."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from datasynth.schemas.record import content_digest
from datasynth.tasks.archive.space import draws
from datasynth.tasks.evaluate.frames import (
    SAMPLE_PATH,
    SAMPLED,
    Checked,
    Sampled,
    checked_path,
    frame_of,
    parquet,
)
from datasynth.tasks.evaluate.subject import EVALUATIONS, Subject
from datasynth.tasks.judge.choice import judge_endpoint
from datasynth.tasks.judge.prompt import judge_prompt
from datasynth.tasks.storage.store import Store

BATCH = 500
"""Records in a batch: a hundred calls, so that a few batches at once keep any number of calls in flight. Fixed, for the
calls of a batch are numbered from its beginning, and their numbers stand in the keys of the journal."""


@dataclass(frozen=True)
class Batch:
    """Consecutive records of the sample that one task has judged."""

    number: int
    """1-based."""
    of: int
    first: int
    records: int


@dataclass(frozen=True)
class Sample:
    """What is judged, and where the judge's replies are kept."""

    records: int
    journal: str
    """Address. The same for every evaluation that asks the same judge the same of the same records."""

    @property
    def batches(self) -> tuple[Batch, ...]:
        of = -(-self.records // BATCH)
        return tuple(
            Batch(number + 1, of, number * BATCH, min(BATCH, self.records - number * BATCH)) for number in range(of)
        )


def drawn(valid: int, wanted: int, key: str) -> list[int]:
    """Places of the records that are judged among the `valid` ones, ascending: all of them where `wanted` is 0."""
    if not wanted or wanted >= valid:
        return list(range(valid))
    return sorted(draws(key, "evaluate").sample(range(valid), wanted))


def checked_records(subject: Subject) -> pl.DataFrame:
    """Frame `Checked` of all records, in order."""
    frames = [frame_of(subject.folder.read(checked_path(one.number))) for one in subject.slices]
    return Checked.validate(pl.concat(frames))


def draw_sample(subject: Subject) -> Sample:
    """Draws the sample from the records that were found valid, and copies it into the work folder."""
    checked = checked_records(subject).with_row_index("row")
    valid = checked.filter("valid")
    chosen = valid[drawn(valid.height, subject.settings.sample, subject.recipe.fingerprint)]
    begins = dict(checked.group_by("part").agg(pl.col("row").min()).iter_rows())
    wanted: defaultdict[int, list[int]] = defaultdict(list)
    for row, part in chosen.select("row", "part").iter_rows():
        wanted[part].append(row)
    found: list[dict[str, Any]] = []
    for part, rows in sorted(wanted.items()):
        (records,) = subject.rows([subject.parts[part]])
        for row in rows:
            one = records[row - begins[part]]
            found.append({"row": row, "record": orjson.dumps(one.record).decode(), "aim": one.aim})
    frame = Sampled.validate(pl.DataFrame(found, schema=SAMPLED, orient="row"))
    subject.folder.write(SAMPLE_PATH, parquet(frame))
    return Sample(frame.height, _journal(subject, frame))


def _journal(subject: Subject, sample: pl.DataFrame) -> str:
    """Where the replies to this request are: beside the evaluations, under a digest of all that is asked.

    Not with the journal of a run, whose spend must stay what the run has spent.
    """
    shown = hashlib.sha256()
    for text in sample["record"]:
        shown.update(text.encode() + b"\n")
    endpoint, _ = judge_endpoint(subject.rules)
    asked = [
        judge_prompt(subject.recipe, subject.detection),
        endpoint.provider.name,
        endpoint.model,
        subject.settings.judge_base_url,
        subject.settings.judges,
        shown.hexdigest(),
    ]
    return Store(subject.home).address(f"{EVALUATIONS}/journal/{content_digest(asked)}")

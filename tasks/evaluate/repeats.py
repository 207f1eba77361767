"""Records that repeat an earlier one of the data, or a seed, by the words and the threshold of a run."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from datasynth.tasks.dedup.index import index_for
from datasynth.tasks.dedup.match import Match
from datasynth.tasks.evaluate.frames import REPEATING, REPEATS_PATH, Repeating, parquet
from datasynth.tasks.evaluate.subject import Subject


@dataclass(frozen=True)
class RepeatsReceipt:
    """What the task found: figures; the rest is in the work folder."""

    records: int
    repeating: int


def find_repeats(subject: Subject) -> RepeatsReceipt:
    """Compares all records with the earlier ones and with the seeds; writes what was found into the work folder.

    One task, for whether a record repeats another depends on all before it.
    """
    schema, detection = subject.recipe.record_schema, subject.detection
    kept, seeds = (index_for(schema, detection, subject.rules) for _ in range(2))
    examples = subject.recipe.seeds
    seeds.add(examples, [f"seed {number}" for number in range(1, len(examples) + 1)])
    found: list[dict[str, Any]] = []
    for rows in subject.rows(subject.parts):
        records = [row.record for row in rows]
        matches = kept.screen(records, [row.reference for row in rows])
        of_seeds = seeds.peek(records) if examples else [None] * len(records)
        found += [_found(match, seed) for match, seed in zip(matches, of_seeds, strict=True)]
    frame = Repeating.validate(pl.DataFrame(found, schema=REPEATING, orient="row"))
    subject.folder.write(REPEATS_PATH, parquet(frame))
    return RepeatsReceipt(frame.height, frame.height - frame["like"].null_count())


def _found(match: Match | None, seed: Match | None) -> dict[str, Any]:
    row = dict.fromkeys(REPEATING) | {"seed": seed.id if seed else None}
    if match is None:
        return row
    exact = match.reason == "exact_duplicate"
    return row | {"like": match.id, "exact": exact, "similarity": round(match.similarity, 4), "view": match.view}

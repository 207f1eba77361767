"""What stands in the work folder of an evaluation until it ends, and the table of records that stays."""

import io

import pandera.polars as pa
import polars as pl

from datasynth.schemas.frames import Strict
from datasynth.tasks.report.parts import part_parquet

PROBLEM = pl.Struct({"check": pl.String, "field": pl.String, "detail": pl.String})
"""A check that a record failed, with where and what was found; for each check the first."""

REPEATS_PATH = "work/repeats.parquet"
SAMPLE_PATH = "work/sample.parquet"


def checked_path(number: int) -> str:
    """Of what the slice of this number was found to be."""
    return f"work/checked-{number:05d}.parquet"


def scores_path(number: int) -> str:
    """Of the scores of the batch of this number."""
    return f"work/scores-{number:05d}.parquet"


class Checked(Strict):
    """The records of a slice, in order."""

    record: pl.String
    """Its reference."""
    part: pl.Int64 = pa.Field(ge=0)
    """Which of the subject's parts it is in."""
    fits: pl.Boolean
    valid: pl.Boolean
    problems: pl.List(PROBLEM)  # pyright: ignore[reportInvalidTypeForm] - how pandera is told of a nested type


class Repeating(Strict):
    """All records, in order: what each repeats."""

    like: pl.String = pa.Field(nullable=True)
    """Reference of the earlier record."""
    exact: pl.Boolean = pa.Field(nullable=True)
    similarity: pl.Float64 = pa.Field(nullable=True)
    view: pl.String = pa.Field(nullable=True)
    """What of the two is alike."""
    seed: pl.String = pa.Field(nullable=True)
    """The seed that it repeats, as `seed 3`."""


class Sampled(Strict):
    """The records that a judge is shown, in order."""

    row: pl.Int64 = pa.Field(ge=0)
    """Place among all records."""
    record: pl.String
    """As JSON text."""
    aim: pl.String


class Scores(Strict):
    """What the judge said of a batch; records that a limit kept from it are not there."""

    row: pl.Int64 = pa.Field(ge=0)
    score: pl.Float64 = pa.Field(nullable=True, ge=0, le=1)
    """Null where none could be had."""
    spread: pl.Float64 = pa.Field(nullable=True, ge=0, le=1)
    reason: pl.String


class Records(Strict):
    """`records.parquet`: every record, in order, with what was found of it. The records themselves are not in it."""

    record: pl.String
    """Its reference, as `Example.record`."""
    valid: pl.Boolean
    reasons: pl.List(pl.String)  # pyright: ignore[reportInvalidTypeForm]
    """The checks that it failed."""
    details: pl.List(pl.String)  # pyright: ignore[reportInvalidTypeForm]
    """For each of them what was found."""
    repeats: pl.String = pa.Field(nullable=True)
    """The earlier record of the data, or else the seed, that it repeats."""
    score: pl.Float64 = pa.Field(nullable=True, ge=0, le=1)
    """By the judge; null for records that it was not shown, or gave none."""
    reason: pl.String = pa.Field(nullable=True)
    """The judge's."""


CHECKED = {"record": pl.String, "part": pl.Int64, "fits": pl.Boolean, "valid": pl.Boolean, "problems": pl.List(PROBLEM)}
REPEATING = {"like": pl.String, "exact": pl.Boolean, "similarity": pl.Float64, "view": pl.String, "seed": pl.String}
SAMPLED = {"row": pl.Int64, "record": pl.String, "aim": pl.String}
SCORES = {"row": pl.Int64, "score": pl.Float64, "spread": pl.Float64, "reason": pl.String}


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet; equal frames give equal bytes."""
    return part_parquet(frame)


def frame_of(data: bytes) -> pl.DataFrame:
    """The frame in a Parquet file's bytes."""
    return pl.read_parquet(io.BytesIO(data))

"""The frames that travel between steps. A pandera model here is the documentation of its frame."""

import pandera.polars as pa
import polars as pl
from pandera.api.polars.model_config import BaseConfig


class Strict(pa.DataFrameModel):
    class Config(BaseConfig):
        strict = True


class Candidates(Strict):
    """Records parsed from replies, in plan order, not yet judged."""

    call: pl.Int64 = pa.Field(ge=0)
    """Index of the planned call."""
    position: pl.Int64 = pa.Field(ge=0)
    """Place of the record in its reply."""
    record: pl.String
    """The record as JSON text, as the model wrote it."""
    reply: pl.String
    """Journal key of the reply it came in."""


class Judged(Strict):
    """Candidates after validation: `Candidates` and a verdict."""

    call: pl.Int64
    position: pl.Int64
    record: pl.String
    """The record as JSON text with only the schema's fields, lossless repairs applied; as written if rejected."""
    reply: pl.String
    repairs: pl.Int64 = pa.Field(ge=0)
    """Values changed without loss, such as "3" to 3, and fields outside the schema left out."""
    reason: pl.String = pa.Field(nullable=True)
    """Null for a valid record, else the first failed check's name (`type`, `required`, `enum`, `range`, ...)."""
    field: pl.String = pa.Field(nullable=True)
    """Path of the offending value, such as `source.topic` or `steps[2]`."""
    detail: pl.String = pa.Field(nullable=True)
    """All that is wrong with the record, for people."""


class Scores(Strict):
    """What was found of a round's candidates before its commit, where records are judged.

    Candidates that are not in it are invalid, or valid and new but not needed any more.
    """

    call: pl.Int64
    position: pl.Int64
    verdict: pl.String = pa.Field(isin=["pass", "below_quality", "unjudged", "repeats"])
    """`unjudged`: no score could be had, and one is needed; `repeats`: a duplicate of what is kept or of an earlier
    candidate of this round, refused or not, and so not judged."""
    quality: pl.Float64 = pa.Field(nullable=True, ge=0, le=1)
    """Median of the judges' scores."""
    spread: pl.Float64 = pa.Field(nullable=True, ge=0, le=1)
    """Highest score less lowest; null for fewer than two."""
    reason: pl.String = pa.Field(nullable=True)
    """Of a repeat: `exact_duplicate` or `near_duplicate`."""
    field: pl.String = pa.Field(nullable=True)
    """Of a repeat: the view in which it is one."""
    detail: pl.String = pa.Field(nullable=True)
    """The judge's reason after the score, or what the candidate repeats, for people."""


class Rejected(Strict):
    """What was refused, kept beside the data with its reasons."""

    call: pl.Int64
    position: pl.Int64
    step: pl.String = pa.Field(isin=["validate", "dedup", "judge", "surplus"])
    """`surplus`: valid and new, but the count was already met."""
    reason: pl.String
    field: pl.String = pa.Field(nullable=True)
    detail: pl.String = pa.Field(nullable=True)
    record: pl.String
    reply: pl.String


LINEAGE = pl.Struct(
    {
        "id": pl.String,
        "run": pl.String,
        "round": pl.Int64,
        "call": pl.Int64,
        "position": pl.Int64,
        "reply": pl.String,
        "provider": pl.String,
        "model": pl.String,
        "seeds": pl.List(pl.Int64),
        "aim": pl.String,
        "simulated": pl.Boolean,
        "quality": pl.Float64,
    }
)
"""Where a record came from: the struct column `_lineage` of every data part. `aim` is JSON; `reply` is the
journal key; `simulated` is true when no language model wrote the record; `quality` is the judge's score, 0 to 1, null
where there was none. Parts written before there was a judge lack `quality`."""

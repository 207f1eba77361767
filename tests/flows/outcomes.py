"""What a run left behind, read as its users would."""

from pathlib import Path
from typing import Any

import orjson
import polars as pl

from datasynth.schemas.report import RunReport


def records_in(report: RunReport) -> list[dict[str, Any]]:
    """The records of the file that sibling tools read."""
    assert report.output is not None
    return [sample["data"] for sample in orjson.loads(Path(report.output).read_bytes())["samples"]]


def data_set(report: RunReport) -> pl.DataFrame:
    """The Parquet parts."""
    return pl.concat(
        [pl.read_parquet(part) for part in sorted(Path(report.data_url).glob("*.parquet"))], how="diagonal_relaxed"
    )


def adds_up(report: RunReport) -> bool:
    """Whether every record asked for is accounted for."""
    c = report.counts
    return c.asked + c.unasked == c.accepted + sum(c.rejected.values()) + sum(c.missing.values())

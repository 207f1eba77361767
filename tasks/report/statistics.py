"""Field statistics in the earlier tool's form."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.columns import EXACT_INTEGERS, as_written, column_of
from datasynth.tasks.report.parts import CATCH_ALL

LARGEST_SPREAD = 20
"""Whole numbers no further apart than this get a distribution, as in the earlier tool."""


@dataclass
class Sizes:
    """Count, sum and extent of numbers: of values, of texts' lengths or of lists' items."""

    count: int = 0
    total: int | float = 0
    low: int | float = math.inf
    high: int | float = -math.inf

    def add(self, count: int, total: float, low: float, high: float) -> None:
        if count:
            self.count += count
            self.total += total
            self.low, self.high = min(self.low, low), max(self.high, high)


@dataclass
class Tally:
    """What is known of one field so far; of a size that does not grow with the records."""

    present: int = 0
    texts: Sizes = field(default_factory=Sizes)
    numbers: Sizes = field(default_factory=Sizes)
    lists: Sizes = field(default_factory=Sizes)
    whole: Counter[int] | None = field(default_factory=Counter)
    """Values by frequency; None once one is not whole or they lie too far apart."""

    def note_whole(self, values: Counter[int]) -> None:
        if self.whole is not None:
            self.whole += values
            if self.whole and max(self.whole) - min(self.whole) > LARGEST_SPREAD:
                self.whole = None


def field_statistics(frames: Iterable[pl.DataFrame], schema: RecordSchema) -> dict[str, Any]:
    """Statistics of every field but `id` and `metadata`, as `synthetic.stats.json` holds them.

    Frames (data parts, or `parts.record_frame`) are taken one after another; memory does not grow with their number.
    Lengths are in code points. A field whose values are not all text, all numbers or all lists is "mixed"; booleans
    and objects are too, as the earlier tool had it.
    """
    fields = [f for f in schema.fields if f.name not in ("id", "metadata") and f != CATCH_ALL]
    tallies = {f.name: Tally() for f in fields}
    total = 0
    for frame in frames:
        total += frame.height
        for f in fields:
            _tally(frame[f.name], f, tallies[f.name])
    return {"total_samples": total, "fields": {name: _figures(t, total) for name, t in tallies.items()}}


def _tally(values: pl.Series, f: Field, tally: Tally) -> None:
    column = column_of(f)
    if column.is_json:
        _tally_json(values.drop_nulls(), tally)
        return
    # A null in a required nullable field is an explicit one: present, and of no type.
    tally.present += values.len() if f.required and f.nullable else values.count()
    values = values.drop_nulls()
    match column.dtype:
        case pl.String():
            _measure(tally.texts, values.str.len_chars())
        case pl.List():
            _measure(tally.lists, values.list.len())
        case pl.Int64() | pl.Float64():
            _measure(tally.numbers, values)
            _count_whole(values, tally)


def _measure(sizes: Sizes, numbers: pl.Series) -> None:
    n = pl.col("n")
    low, high, total = numbers.to_frame("n").select(n.min(), n.max().alias("high"), _total(numbers)).row(0)
    sizes.add(numbers.len(), total, low, high)


def _total(numbers: pl.Series) -> pl.Expr:
    if numbers.dtype.is_float():
        # Rounded once, so that the sum does not depend on the order in which a processor adds.
        return pl.lit(math.fsum(numbers)).alias("total")
    # The sum of 64-bit integers may need more than 64 bits.
    return pl.col("n").cast(pl.Int128).sum().alias("total")


def _count_whole(values: pl.Series, tally: Tally) -> None:
    n = pl.col("n")
    frame = values.to_frame("n")
    is_whole, spread = frame.select(
        is_whole=((n.floor() == n) & (n.abs() <= EXACT_INTEGERS)).all() if values.dtype.is_float() else pl.lit(True),
        spread=n.max().cast(pl.Int128) - n.min().cast(pl.Int128),
    ).row(0)
    if is_whole and (spread is None or spread <= LARGEST_SPREAD):
        tally.note_whole(Counter(dict(frame.select(n.cast(pl.Int64).value_counts()).unnest("n").iter_rows())))
    else:
        tally.whole = None


def _tally_json(texts: pl.Series, tally: Tally) -> None:
    tally.present += texts.len()
    whole: Counter[int] = Counter()
    for text in texts:
        value = json.loads(text)
        if isinstance(value, str | list):
            length = len(value)
            (tally.texts if isinstance(value, str) else tally.lists).add(1, length, length, length)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            tally.numbers.add(1, value, value, value)
            if isinstance(value, int):
                whole[value] += 1
            else:
                tally.whole = None
    tally.note_whole(whole)


def _figures(tally: Tally, total: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"count": tally.present, "missing": total - tally.present}
    if not tally.present:
        return figures
    if tally.texts.count == tally.present:
        return figures | {"type": "text"} | _extent(tally.texts, "avg_length", "min_length", "max_length")
    if tally.lists.count == tally.present:
        return figures | {"type": "list"} | _extent(tally.lists, "avg_items", "min_items", "max_items")
    if tally.numbers.count != tally.present:
        return figures | {"type": "mixed"}
    numbers = tally.numbers
    figures |= {"type": "numeric", "min": _natural(numbers.low), "max": _natural(numbers.high)}
    figures["avg"] = round(numbers.total / numbers.count, 2)
    if tally.whole is not None:
        figures["distribution"] = dict(sorted((str(value), n) for value, n in tally.whole.items()))
    return figures


def _natural(number: float) -> int | float:
    return as_written(number) if isinstance(number, float) else number


def _extent(sizes: Sizes, mean: str, low: str, high: str) -> dict[str, Any]:
    return {mean: round(sizes.total / sizes.count, 1), low: sizes.low, high: sizes.high}

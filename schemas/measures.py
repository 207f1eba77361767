"""What is measured of a set of records: how varied it is, what it covers, how its values are distributed."""

from typing import Any, Literal

from datasynth.schemas.record import Frozen


class TextMeasures(Frozen):
    """Diversity of the texts of one set of records; of a fixed sample where the set is large.

    The measures are those of Shaib et al. 2024 (arXiv:2403.00553), Tevet and Berant 2021 (arXiv:2004.02990) and
    Friedman and Dieng 2023 (Vendi score, arXiv:2210.02410). None where they say nothing, as for fewer than two texts.
    All but the compression ratio change with the number of records by themselves: compare sets of like size only.
    Words are single characters in Chinese, Japanese and other scripts that write no spaces.
    """

    records: int
    sampled: int
    """Records that the measures below were taken from; the size of each draw where they are means over draws."""
    distinct_1: float | None = None
    """Distinct words over all words, 0 to 1; higher is more varied."""
    distinct_2: float | None = None
    """The same for pairs of words."""
    compression_ratio: float | None = None
    """Bytes of all texts over their compressed bytes; lower is more varied."""
    self_repetition: float | None = None
    """Share of records that hold an 8-gram of another record; lower is more varied."""
    self_bleu: float | None = None
    """Mean BLEU-4 of a sampled record against the others, 0 to 1; lower is more varied."""
    self_similarity: float | None = None
    """Mean Jaccard similarity of a record to its nearest neighbour, 0 to 1; lower is more varied."""
    vendi: float | None = None
    """Effective number of different records, 1 to `sampled`; only with embeddings."""


class Distribution(Frozen):
    """How the values of one field, or of one measure such as a length, spread over bins, for seeds and output."""

    name: str
    what: Literal["category", "number", "length", "items"]
    """`length`: characters of a text, or of all texts in a list; `items`: of a list, such as a conversation's turns."""
    labels: tuple[str, ...]
    """Of the bins, in order: values, `low-high` with both included, or `low+` for all from there on."""
    seeds: tuple[int, ...]
    output: tuple[int, ...]
    others: int = 0
    """Records of the output whose value is in none of the bins: rare categories beyond those listed."""


class Coverage(Frozen):
    """How the output fills the grid of two attributes (or one, then `columns` is one empty label)."""

    row_name: str
    column_name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """`counts[row][column]`."""


class NicheMeasures(Frozen):
    """How the output fills the whole space of attributes."""

    attributes: dict[str, int]
    """Values by attribute."""
    niches: int
    """Cells of the space."""
    filled: int
    entropy: float | None = None
    """Of the output over the niches, 0 (all in one) to 1 (spread evenly)."""
    grids: tuple[Coverage, ...] = ()


class Sample(Frozen):
    """An accepted record and the seed nearest to it, as JSON text."""

    record_id: str
    record: str
    seed: str | None = None
    similarity: float | None = None
    round: int = 0
    """In which it was made; 0 for one taken over from an earlier output."""
    aim: dict[str, Any] = {}
    """The values that its call asked for."""


class RejectedSample(Frozen):
    """A rejected candidate, as JSON text, with why."""

    step: str
    reason: str
    detail: str
    record: str


class DiversityReport(Frozen):
    """What the report says of quality and diversity, beside counts and money."""

    seeds: TextMeasures
    output: TextMeasures
    like_seeds: TextMeasures | None = None
    """The output's measures over draws of as many records as there are seeds, averaged: what to compare seeds with."""
    niches: NicheMeasures | None = None
    seed_niches: NicheMeasures | None = None
    """How the seeds fill the same space, but for attributes that nobody knows of a seed; without grids."""
    distributions: tuple[Distribution, ...] = ()
    samples: tuple[Sample, ...] = ()
    rejected_samples: tuple[RejectedSample, ...] = ()
    effective_records: float | None = None
    """Records that are valid, new and of sufficient quality, counted as many times as they differ: `vendi` share of
    the output where embeddings are on, else records less their similarity to their nearest neighbour."""
    effective_per_dollar: float | None = None
    """The headline of quality and diversity in one number; None where the price is unknown or nothing was paid."""
    mean_quality: float | None = None
    """Mean score by the judge, 0 to 1, where there was one."""

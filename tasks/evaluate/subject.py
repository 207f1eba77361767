"""What is evaluated, as it travels between tasks: addresses and schemas, and how its records are read by them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Literal, NamedTuple

import polars as pl

from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.schemas.messages import Message
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.parts import LINEAGE_COLUMN, read_part, read_records, record_frame
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.rounds.listing import RunPlace
from datasynth.tasks.rounds.stored import read_frames, with_whole_lineage
from datasynth.tasks.storage.store import Store

EVALUATIONS = "evaluations"
"""Folder of all evaluations, in the folder of the run, of the data set, or of the file."""
MOST_SLICES = 64
"""Tasks that check records: few enough that Prefect's share is small and its UI readable."""


@dataclass(frozen=True)
class Source:
    """Where records stand: a run, or the copy of a file that an evaluation makes for itself."""

    run: str
    """Empty for a file."""
    address: str
    """Of the folder that its parts are in."""
    stored: RecordSchema
    """What the parts are typed by."""


@dataclass(frozen=True)
class Part:
    """A data part: `path` in the folder of the source of this number."""

    source: int
    path: str


@dataclass(frozen=True)
class Slice:
    """Parts that one task checks."""

    number: int
    """1-based."""
    of: int
    parts: tuple[Part, ...]


class Row(NamedTuple):
    """A record as it is evaluated."""

    reference: str
    """As `Example.record`."""
    record: dict[str, Any]
    aim: str
    """JSON: what it was made for; of a file nothing is known."""


@dataclass(frozen=True)
class Subject:
    """Data with all that they are held against. It holds no key, and is the same on every machine."""

    id: str
    """Of the evaluation."""
    settings: EvaluationSettings
    kind: Literal["run", "dataset", "file"]
    url: str
    """Of the data, for people."""
    home: str
    """Address of the folder that the evaluation is put into."""
    name: str
    recipe: Recipe
    detection: Detection
    rules: SynthesisSettings
    """How a run would check, compare and describe the records, and who judges them."""
    sources: tuple[Source, ...]
    parts: tuple[Part, ...]
    simulated: bool = False
    notes: tuple[Message, ...] = ()

    @property
    def folder(self) -> Store:
        """Where the evaluation stands, and until it ends its work."""
        return Store(self.home).at(f"{EVALUATIONS}/{self.id}")

    @property
    def slices(self) -> tuple[Slice, ...]:
        """All parts, in order, in at most `MOST_SLICES` groups."""
        size = max(1, -(-len(self.parts) // MOST_SLICES))
        groups = [self.parts[i : i + size] for i in range(0, len(self.parts), size)]
        return tuple(Slice(number, len(groups), parts) for number, parts in enumerate(groups, start=1))

    @cached_property
    def common(self) -> RecordSchema:
        """A schema that all records can be stored by: that of the parts, where they have one."""
        first = self.sources[0].stored
        if all(source.stored == first for source in self.sources):
            return first
        return unchecked_schema(self.recipe)

    def frames(self, parts: Sequence[Part]) -> Iterator[tuple[Source, pl.DataFrame]]:
        """The frames of `parts`, in order, with whole lineage.

        Raises:
            StorageError: a part is missing or no part.
        """
        for number, group in groupby(parts, key=lambda part: part.source):
            source, paths = self.sources[number], [part.path for part in group]
            store = Store(source.address)
            found = read_frames(RunPlace(store), paths) if source.run else (read_part(store.read(p)) for p in paths)
            yield from ((source, with_whole_lineage(frame)) for frame in found)

    def rows(self, parts: Sequence[Part]) -> Iterator[list[Row]]:
        """The records of `parts`, a part at a time."""
        for source, frame in self.frames(parts):
            lineage = frame[LINEAGE_COLUMN].struct
            ids = lineage.field("id").to_list()
            names = [f"{source.run}/{id_}" for id_ in ids] if self.kind == "dataset" else ids
            aims = [aim or "{}" for aim in lineage.field("aim")]
            yield list(map(Row, names, read_records(frame, source.stored), aims))

    def alike_frames(self) -> Iterator[pl.DataFrame]:
        """All frames, each typed by `common`."""
        for source, frame in self.frames(self.parts):
            if source.stored == self.common:
                yield frame
            else:
                yield record_frame(read_records(frame, source.stored), self.common).with_columns(frame[LINEAGE_COLUMN])


def unchecked_schema(recipe: Recipe) -> RecordSchema:
    """What any records of `recipe` can be stored by, whether they fit its schema or not."""
    # Only the one field is asked for.
    return stored_schema(recipe, SynthesisSettings.model_construct(validate_records=False))

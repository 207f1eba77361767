"""Near-duplicates between parts: the earlier part keeps its record, and the next one is looked at in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.dedup.index import DedupSettings, Match, NearDuplicateIndex, View, views_for
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.proportions.records import Sourced

EXAMPLES = 50
"""Records by which the kind of a part's data is found out: as many as there commonly are seeds."""
LOOKED_AT = 2048
"""Records compared at once, where more are wanted; outcomes do not depend on it."""


@dataclass
class Picked:
    """What was taken of a part's records, in their order, and what was left out."""

    kept: list[Sourced] = field(default_factory=list)
    refused: list[tuple[Sourced, Match]] = field(default_factory=list)


def views_of_parts(parts: Sequence[tuple[RecordSchema, Sequence[Sourced]]]) -> tuple[View, ...]:
    """What of records of several forms is compared: the whole, and what asks in any of the forms.

    Args:
        parts: Schema and first records of each. Fields of one name are one field; texts of fields that have different
            names in different parts are compared as part of the whole record.
    """
    fields: dict[str, Field] = {}
    alone: dict[tuple[str, ...], View] = {}
    for schema, records in parts:
        compared = schema.only(tuple(one for one in schema.asked if one.name != "metadata"))
        for one in compared.fields:
            fields.setdefault(one.name, one)
        detection = detect_kind(compared, [one.record for one in records[:EXAMPLES]])
        for view in views_for(compared, detection)[1:]:
            alone.setdefault((view.name, *(one.name for one in view.fields)), view)
    return View("record", tuple(fields.values()), least_units=0), *alone.values()


def index_of_parts(views: tuple[View, ...], threshold: float) -> NearDuplicateIndex:
    """An empty index of records of several parts."""
    return NearDuplicateIndex(DedupSettings(threshold=threshold), views)


def pick(candidates: Sequence[Sourced], wanted: int, earlier: NearDuplicateIndex) -> Picked:
    """The first `wanted` of `candidates` that repeat no record of the parts in `earlier`.

    They are not compared with each other: within a part, records are as their owner, or their run, left them.
    """
    picked = Picked()
    position = 0
    while (missing := wanted - len(picked.kept)) > 0 and position < len(candidates):
        some = candidates[position : position + min(missing, LOOKED_AT)]
        position += len(some)
        for one, match in zip(some, earlier.peek([one.record for one in some]), strict=True):
            if match is None:
                picked.kept.append(one)
            else:
                picked.refused.append((one, match))
    return picked


def keep(part: str, picked: Picked, index: NearDuplicateIndex) -> None:
    """Adds what was picked of `part` to what later parts are compared with."""
    index.add([one.record for one in picked.kept], [f"{part}: {one.reference}" for one in picked.kept])

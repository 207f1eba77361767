"""A record schema by which records of any form are stored unchanged, found from their values."""

from collections.abc import Iterable, Sequence
from typing import Any

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.columns import EXACT_INTEGERS, INT64_MAX, INT64_MIN

MOST_NAMES = 64
"""Names in an object from which on it is a dictionary rather than a record, and kept as JSON text."""


class _Seen:
    """What values of one place were like."""

    def __init__(self) -> None:
        self.count = 0
        self.types: set[str] = set()
        self.nulls = False
        self.wide = False
        """An integer beyond 64 bits."""
        self.inexact = False
        """An integer that no 64-bit float holds."""
        self.fields: dict[str, _Seen] = {}
        self.items: _Seen | None = None

    def look(self, value: Any) -> None:
        self.count += 1
        match value:
            case None:
                self.nulls = True
            case bool():
                self.types.add("boolean")
            case int():
                self.types.add("integer")
                self.wide = self.wide or not INT64_MIN <= value <= INT64_MAX
                self.inexact = self.inexact or abs(value) > EXACT_INTEGERS
            case float():
                self.types.add("number")
            case str():
                self.types.add("string")
            case list() | tuple():
                self.types.add("array")
                self.items = self.items or _Seen()
                for item in value:
                    self.items.look(item)
            case dict():
                self.types.add("object")
                for name, inner in value.items():
                    self.fields.setdefault(name, _Seen()).look(inner)
            case _:
                self.types.add("any")

    def field(self, name: str, of: int) -> Field:
        """As a field of `of` objects; where a type would change a value, it holds any JSON value."""
        required = self.count == of
        free = Field(name=name, type="any", required=required)
        if self.nulls and not required:  # in a typed column, null and absent would be the same
            return free
        kept = Field(name=name, required=required, nullable=self.nulls)
        match sorted(self.types):
            case ["string"] | ["boolean"] | ["number"]:
                return kept.model_copy(update={"type": next(iter(self.types))})
            case ["integer"] if not self.wide:
                return kept.model_copy(update={"type": "integer"})
            case ["integer", "number"] if not self.inexact:
                return kept.model_copy(update={"type": "number"})
            case ["array"] if self.items is not None and self.items.count:
                item = self.items.field("item", of=self.items.count)
                return free if item.type == "any" else kept.model_copy(update={"type": "array", "items": item})
            case ["object"] if 0 < len(self.fields) <= MOST_NAMES and not self.nulls:
                inner = tuple(seen.field(inner, of=self.count) for inner, seen in self.fields.items())
                return kept.model_copy(update={"type": "object", "fields": inner, "additional": False})
            case _:
                return free


def schema_of_records(records: Iterable[dict[str, Any]], name: str = "") -> RecordSchema:
    """The schema of `records`, fields in the order in which they first appear."""
    seen = _Seen()
    for record in records:
        seen.look(record)
    return RecordSchema(name=name, fields=tuple(one.field(inner, of=seen.count) for inner, one in seen.fields.items()))


def common_schema(name: str, schemas: Sequence[RecordSchema | None], records: Iterable[dict[str, Any]]) -> RecordSchema:
    """The schema that the records of all parts are stored by.

    Args:
        name: Of the data set.
        schemas: Of each part that has one: a run's. Where all parts have the same, it stays.
        records: All of them; otherwise it is found from their values, and loses nothing of any.
    """
    first = schemas[0]
    if first is not None and all(one is not None and one.fields == first.fields for one in schemas):
        return first.model_copy(update={"name": name})
    found = schema_of_records(records, name)
    fields = [_kept(field) for field in found.fields if field.name != "id"]
    if found.identity is not None or any(one is not None and one.identity is not None for one in schemas):
        # Ids of several origins repeat; like those of any data set, they are given anew, and as texts.
        fields.insert(0, Field(name="id"))
    return found.only(tuple(fields))


def _kept(field: Field) -> Field:
    # An optional `metadata` is taken for bookkeeping and left out wherever a run's records are read.
    return field.model_copy(update={"required": True}) if field.name == "metadata" else field

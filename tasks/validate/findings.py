"""What a check finds: problems with their place in the record, and repairs that lose nothing."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from datasynth.schemas.messages import Message

DROP: Final = object()
"""In a `Fix`: leave the key out."""

VALUE_CHARACTERS: Final = 200
QUOTED_CHARACTERS: Final = 80

Key = str | int

PROBLEM_COLUMNS: Final = {
    "row": pl.Int64,
    "field": pl.String,
    "check": pl.String,
    "value": pl.String,
    "detail": pl.String,
}


class Problem(NamedTuple):
    """One failed check at one place."""

    row: int
    order: tuple[int, ...]
    """Ordinals of fields and positions of items from the record down; sorts problems in the schema's order."""
    keys: tuple[Key, ...]
    check: str
    value: str | None
    """The offending value as JSON, shortened; None where there is none."""
    sentence: Message


class Fix(NamedTuple):
    """A change at one place that loses nothing."""

    row: int
    keys: tuple[Key, ...]
    value: Any
    changes: int = 1
    """Values changed by it."""


@dataclass
class Findings:
    """Everything one pass over a batch found, in no order yet."""

    problems: list[Problem] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)


@dataclass(frozen=True)
class Rows:
    """Where the rows of one table stand: each is a value somewhere inside a record."""

    parent: "Rows | None" = None
    index: np.ndarray | None = None
    """Row of the parent table (of the batch, without a parent) for each row; None where they are the same."""
    key: str | None = None
    """The field of the parent row that holds this row, or holds the array that this row is an item of."""
    ordinal: int = 0
    position: np.ndarray | None = None
    """Position of each row in its array; None where the rows are no items."""

    def record(self, i: int) -> int:
        above = self._above(i)
        return above if self.parent is None else self.parent.record(above)

    def keys(self, i: int) -> tuple[Key, ...]:
        """Keys and positions from the record down to row `i`."""
        keys = self.parent.keys(self._above(i)) if self.parent else ()
        if self.key is not None:
            keys += (self.key,)
        return keys if self.position is None else (*keys, int(self.position[i]))

    def order(self, i: int) -> tuple[int, ...]:
        order = (*self.parent.order(self._above(i)), self.ordinal) if self.parent else ()
        return order if self.position is None else (*order, int(self.position[i]))

    def _above(self, i: int) -> int:
        return i if self.index is None else int(self.index[i])


def path_text(keys: Iterable[Key]) -> str:
    """`("steps", 2, "name")` as `steps[2].name`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return storable_text(text.removeprefix("."))


def storable_text(text: str) -> str:
    """`text` with lone surrogates, which UTF-8 cannot carry, written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


ENCODE: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode
"""Made once: `json.dumps` makes an encoder for every call with options."""


def json_text(value: Any, limit: int = VALUE_CHARACTERS) -> str:
    """`value` as JSON text of at most `limit` characters, for people: whatever it is, it does not raise."""
    try:
        text = ENCODE(value)
    except (ValueError, TypeError, RecursionError):
        # Integers of more than 4,300 digits, keys that are no text, nesting beyond the interpreter's limit.
        text = f"<{type(value).__name__}>"
    return shortened(storable_text(text), limit)


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def with_fixes(value: Any, fixes: Sequence[Fix]) -> Any:
    """`value` with `fixes` applied; what they touch is copied, the given value is left as it is."""
    if not fixes[-1].keys:
        return fixes[-1].value
    copies: dict[tuple[Key, ...], Any] = {(): value.copy()}
    for fix in fixes:
        for depth in range(1, len(fix.keys)):
            inside = fix.keys[:depth]
            if inside not in copies:
                holder = copies[inside[:-1]]
                copies[inside] = holder[inside[-1]] = holder[inside[-1]].copy()
        holder, last = copies[fix.keys[:-1]], fix.keys[-1]
        if fix.value is DROP:
            holder.pop(last, None)
        else:
            holder[last] = fix.value
    return copies[()]


def problem_frame(problems: Sequence[Problem]) -> pl.DataFrame:
    """`problems` as a frame: row, field, check, value, detail (an English sentence)."""
    columns = {
        "row": [p.row for p in problems],
        "field": [path_text(p.keys) for p in problems],
        "check": [p.check for p in problems],
        "value": [p.value for p in problems],
        "detail": [p.sentence.text() for p in problems],
    }
    return pl.DataFrame(columns, schema=PROBLEM_COLUMNS)

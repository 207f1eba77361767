"""The texts of records that content checks look at: where each stands, and what part it plays."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, Protocol

import polars as pl

from datasynth.schemas.messages import Message
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.detect.roles import INSTRUCTION, RESPONSE, called
from datasynth.tasks.detect.shapes import SPEAKERS as SPEAKER_KEYS
from datasynth.tasks.detect.shapes import message_keys
from datasynth.tasks.validate.content import SPEAKERS
from datasynth.tasks.validate.findings import Key

Part = Literal["ask", "context", "answer", "rejected", "free"]
"""What a text is for: the question; what comes with it (an input, a system message, a tool's result); the answer to
learn; the worse answer of a pair, which is meant to have a flaw; anything else."""

LEARNT: Final = frozenset[Part]({"answer", "free"})
"""What a model learns to write."""
FLAWLESS: Final = frozenset[Part]({"ask", "context", "answer", "free"})
"""All but the answer that is there to be worse."""

PART_OF_ROLE: Final[Mapping[str, Part]] = {
    "instruction": "ask",
    "prompt": "ask",
    "input": "context",
    "response": "answer",
    "chosen": "answer",
    "rejected": "rejected",
}
PART_OF_SPEAKER: Final[Mapping[str, Part]] = {"user": "ask", "system": "context", "tool": "context"}


class Passage(NamedTuple):
    """One text in a record."""

    row: int
    order: tuple[int, ...]
    """As in `Problem`: sorts by the schema's fields."""
    keys: tuple[Key, ...]
    place: str
    """Its path without positions, such as `messages.content`: the same for all records."""
    part: Part
    text: str
    listed: bool
    """Its field has a pattern or a format: no prose."""


class Finding(NamedTuple):
    """What a check found in one passage."""

    passage: int
    """Its position in `Passages.all`."""
    form: str
    """The kind of it, such as `[Name]` for a placeholder in brackets: what seeds show, they switch off by form."""
    value: str
    """The words that gave it away."""
    sentence: Message
    excused: bool = False
    """The rest of the record gives a reason for it. It counts in a seed, which shows what the data is like."""


class Check(Protocol):
    """A content check."""

    name: ContentCheck
    wished: bool
    """Asked for by the user, so no seed switches it off."""

    def find(self, passages: "Passages") -> Iterable[Finding]:
        """What is wrong, at most one finding for a passage."""
        ...


@dataclass(frozen=True)
class Passages:
    """The texts of a batch of records, by row and the schema's order."""

    all: tuple[Passage, ...]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Columns n (position in `all`), row, part, listed, text."""
        return pl.DataFrame(
            {
                "row": pl.Series([p.row for p in self.all], dtype=pl.Int64),
                "part": pl.Series([p.part for p in self.all], dtype=pl.String),
                "listed": pl.Series([p.listed for p in self.all], dtype=pl.Boolean),
                "text": pl.Series([p.text for p in self.all], dtype=pl.String),
            }
        ).with_row_index("n")

    @cached_property
    def by_row(self) -> dict[int, list[int]]:
        """Positions of the passages of each row."""
        rows: dict[int, list[int]] = {}
        for n, passage in enumerate(self.all):
            rows.setdefault(passage.row, []).append(n)
        return rows

    def prose(self, parts: Collection[Part]) -> pl.LazyFrame:
        """The rows of `frame` that play one of `parts` and are free text."""
        return self.frame.lazy().filter(pl.col("part").is_in(list(parts)), ~pl.col("listed"))

    def holding(self, literals: Sequence[str], parts: Collection[Part]) -> list[int]:
        """Free texts of these parts that hold one of `literals`, in whatever case: one pass of Aho-Corasick."""
        found = self.prose(parts).filter(pl.col("text").str.contains_any(list(literals), ascii_case_insensitive=True))
        return found.select("n").collect()["n"].to_list()

    def said(self, row: int, parts: Collection[Part] = ("ask", "context")) -> str:
        """The texts of these parts in the record at `row`, one below the other."""
        return "\n".join(self.all[n].text for n in self.by_row[row] if self.all[n].part in parts)


def passages_of(records: Sequence[dict[str, Any] | None], schema: RecordSchema, roles: Mapping[str, str]) -> Passages:
    """The texts of `records`; None among them is passed over, as are values from a list, which nobody wrote.

    Args:
        records: they fit `schema`.
        schema: its fields; what else a record holds is no matter.
        roles: field by role, as in `Detection.roles`.
    """
    parts = _parts(schema, roles)
    fields = [
        (field, Passage(0, (n,), (field.name,), field.name, parts.get(field.name, "free"), "", _listed(field)))
        for n, field in enumerate(schema.fields)
        if field.enum is None
    ]
    found: list[Passage] = []
    for row, record in enumerate(records):
        if record is None:
            continue
        for field, first in fields:
            value = record.get(field.name)
            if isinstance(value, str):
                found.append(Passage(row, *first[1:5], value, first.listed))
            elif isinstance(value, list | dict):
                found += _within(value, field, first._replace(row=row))
    return Passages(tuple(found))


def _parts(schema: RecordSchema, roles: Mapping[str, str]) -> dict[str, Part]:
    """Part by field; where the kind of data names no roles, by the names that data sets commonly give."""
    named: dict[str, Part] = {roles[role]: part for role, part in PART_OF_ROLE.items() if role in roles}
    if named or "conversation" in roles:
        return named
    asks: dict[str, Part] = {field.name: "ask" for field in called(INSTRUCTION, schema.fields)}
    answers: dict[str, Part] = {field.name: "answer" for field in called(RESPONSE, schema.fields)}
    return asks | answers


def _within(value: Any, field: Field | None, at: Passage) -> Iterator[Passage]:
    """The texts in `value`, which stands at `at`."""
    if field is not None and field.enum is not None:
        return
    if isinstance(value, str):
        yield at._replace(text=value, listed=field is not None and _listed(field))
    elif isinstance(value, list):
        items = field.items if field else None
        listed, fixed = _named(items, _listed), _named(items, _fixed)
        for n, item in enumerate(value):
            message = _plain_message(item)
            if message is not None and message[1] not in fixed:
                # Most of what is nested is this, so it takes no detour.
                ordinal, name, speaker = message
                order, keys = (*at.order, n, ordinal), (*at.keys, n, name)
                part = _spoken(speaker, at.part)
                yield Passage(at.row, order, keys, f"{at.place}.{name}", part, item[name], name in listed)
            else:
                yield from _within(item, items, _below(at, n, n, at.place, at.part))
    elif isinstance(value, dict):
        talks, who = _form(tuple(value))
        members = {f.name: f for f in field.fields} if field else {}
        for n, (name, inner) in enumerate(value.items()):
            if name != who:
                # A turn may also hold both sides, such as `human` and `assistant`.
                speaker = value[who] if who else name if talks else ""
                below = _below(at, n, name, f"{at.place}.{name}", _spoken(str(speaker), at.part))
                yield from _within(inner, members.get(name), below)


def _below(at: Passage, ordinal: int, key: Key, place: str, part: Part) -> Passage:
    return Passage(at.row, (*at.order, ordinal), (*at.keys, key), place, part, "", False)


def _plain_message(item: Any) -> tuple[int, str, str] | None:
    """Of an object that names a speaker and holds one text: the text's ordinal and key, and who speaks."""
    if type(item) is not dict or len(item) != 2:
        return None
    one, two = item
    who = _form((one, two))[1]
    if who is None:
        return None
    said = two if who == one else one
    if not isinstance(item[said], str) or not isinstance(item[who], str):
        return None
    return int(said == two), said, item[who]


@functools.lru_cache(maxsize=1024)
def _form(names: tuple[str, ...]) -> tuple[bool, str | None]:
    """Whether an object with these keys is a message or a turn, and under which key it names the speaker."""
    talks = bool(message_keys(names))
    return talks, next((name for name in names if talks and name.casefold() in SPEAKER_KEYS), None)


@functools.lru_cache(maxsize=1024)
def _spoken(speaker: str, part: Part) -> Part:
    """What a message is for; an assistant's in a list of rejected ones is as the list."""
    name = SPEAKERS.get(speaker.strip().lower(), "")
    return PART_OF_SPEAKER.get(name) or ("answer" if part == "free" and name == "assistant" else part)


def _named(field: Field | None, are: Callable[[Field], bool]) -> list[str]:
    """The names of the fields below `field` that are so."""
    return [below.name for below in field.fields if are(below)] if field else []


def _fixed(field: Field) -> bool:
    return field.enum is not None


def _listed(field: Field) -> bool:
    return field.pattern is not None or field.format is not None

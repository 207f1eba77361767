"""What a schema does not say and training data needs all the same: texts that say something, two answers that differ,
a conversation in which people take turns.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final

import numpy as np
import polars as pl

from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.checks import Check, Part, failures, frame_schema
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, Key, Problem, json_text, path_text
from datasynth.tasks.validate.scalars import canonical

TEXT_ROLES: Final = ("instruction", "response", "prompt", "chosen", "rejected")
"""Roles of a `Detection` whose text may not be blank. `input` is missing: an instruction often needs none."""

SPEAKERS: Final = {
    **dict.fromkeys(("user", "human", "用户"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "function_call", "助手"), "assistant"),
    **dict.fromkeys(("system", "developer", "系统"), "system"),
    **dict.fromkeys(("tool", "function", "observation"), "tool"),
}
"""Who speaks, by the names in use for it (OpenAI, ShareGPT, LLaMA-Factory); others stand for themselves."""

UNKNOWN, USER, ASSISTANT, SYSTEM, TOOL = range(-1, 4)
SPEAKER_CODES: Final = {
    name: {"user": USER, "assistant": ASSISTANT, "system": SYSTEM, "tool": TOOL}[role]
    for name, role in SPEAKERS.items()
}

CALLS: Final = ("tool_calls", "function_call")
"""Keys of a message that calls a tool, and so may have no text."""


class ContentRules:
    """Checks on records that already fit their schema.

    - `blank`: a required text (no `enum`, no `min_length` of 0), or one with a role of its own, is more than white
      space. A schema rarely says so, but an empty text trains nothing.
    - `same`: `rejected` is not `chosen` again.
    - `roles`: in a list of messages (`role` and `content`, or `from` and `value`) nobody speaks twice in a row
      (tools may), `system` speaks first if at all, the user opens (in the `conversation`: a `chosen` list may be
      the answer alone), and there is no third party beside user and assistant. `blank` holds for each message.
    """

    def __init__(self, schema: RecordSchema, roles: Mapping[str, str], *, may_be_blank: Collection[str] = ()) -> None:
        """Args:
        schema: the fields that records have.
        roles: field by role, as in `Detection.roles`.
        may_be_blank: fields that may be blank although they are required.
        """
        self._ordinals = {field.name: n for n, field in enumerate(schema.fields)}
        spoken = {roles.get(role) for role in TEXT_ROLES}
        exempt = {roles.get("input"), *may_be_blank}
        self._texts = [f.name for f in schema.fields if f.name not in exempt and (f.name in spoken or _says(f))]
        self._text_schema = frame_schema([Part(pl.String, (BLANK,)) for _ in self._texts])
        self._pair = tuple(roles[role] for role in ("chosen", "rejected") if roles.get(role) in self._ordinals)
        self._lists = [
            (field.name, field.name == roles.get("conversation"))
            for field in schema.fields
            if field.name in spoken | {roles.get("conversation")} and field.type in ("array", "any")
        ]

    def check(self, records: Sequence[dict[str, Any] | None]) -> list[Problem]:
        """The problems of `records`, by row and field; None among them is passed over."""
        rows = [row for row, record in enumerate(records) if record is not None]
        kept = [record for record in records if record is not None]
        problems = self._blank_texts(kept, rows)
        if len(self._pair) == 2:
            problems += self._same(kept, rows)
        for name, opens in self._lists:
            problems += self._turns(name, opens, kept, rows)
        return sorted(problems, key=lambda problem: (problem.row, problem.order))

    def _problem(self, row: int, keys: tuple[Key, ...], check: Check, value: Any, *position: int) -> Problem:
        sentence = check.sentence(path_text(keys), json_text(value, QUOTED_CHARACTERS))
        order = (self._ordinals[str(keys[0])], *position)
        return Problem(row, order, keys, check.name, json_text(value), sentence)

    def _blank_texts(self, records: list[dict[str, Any]], rows: list[int]) -> list[Problem]:
        if not self._texts:
            return []
        frame = pl.DataFrame(
            [
                pl.Series(str(n), [_text(record.get(name)) for record in records], dtype=pl.String)
                for n, name in enumerate(self._texts)
            ]
        )
        return [
            self._problem(rows[i], (self._texts[n],), BLANK, records[i][self._texts[n]])
            for n, _, i in failures(self._text_schema, frame)
        ]

    def _same(self, records: list[dict[str, Any]], rows: list[int]) -> list[Problem]:
        chosen, rejected = (
            pl.Series([_comparable(record.get(name)) for record in records], dtype=pl.String) for name in self._pair
        )
        frame = pl.DataFrame({"0": chosen != rejected})
        return [
            self._problem(rows[i], (self._pair[1],), SAME, records[i][self._pair[1]])
            for _, _, i in failures(SAME_SCHEMA, frame)
        ]

    def _turns(self, name: str, opens: bool, records: list[dict[str, Any]], rows: list[int]) -> list[Problem]:
        own = [
            i for i in suspects([record.get(name) for record in records], opens=opens) if _is_talk(records[i].get(name))
        ]
        if not own:
            return []
        talks: list[list[Any]] = [records[i][name] for i in own]
        empty = [i for i, messages in zip(own, talks, strict=True) if not messages]
        problems = [self._problem(rows[i], (name,), NO_MESSAGES, []) for i in empty]
        lengths = np.fromiter(map(len, talks), np.int64, len(talks))
        talk = np.repeat(np.arange(len(talks)), lengths)
        place = np.arange(len(talk)) - np.repeat(lengths.cumsum() - lengths, lengths)
        messages = list(chain.from_iterable(talks))
        schema = OPENING_SCHEMA if opens else TURNS_SCHEMA
        frame = _turn_frame(messages, talk, place)
        for n, which, i in failures(schema, frame):
            check = (TURNS if opens else TURNS[:-1])[which] if n == 0 else BLANK
            value, inside = _culprit(messages[i], n)
            position = int(place[i])
            keys = (name, position, *inside)
            problems.append(self._problem(rows[own[int(talk[i])]], keys, check, value, position, n))
        return problems


def _says(field: Field) -> bool:
    """Whether `field` holds a text that a record needs."""
    return field.type == "string" and field.required and field.enum is None and field.min_length != 0


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _comparable(value: Any) -> str | None:
    if value is None:
        return None
    return value.strip() if isinstance(value, str) else canonical(value)


def _culprit(message: Any, column: int) -> tuple[Any, tuple[str, ...]]:
    """What is wrong in `message` and the key it is under: its role (column 0) or its content (column 1)."""
    if not isinstance(message, dict):
        return message, ()
    names = ("role", "from") if column == 0 else ("content", "value")
    for name in names:
        if name in message:
            return message[name], (name,)
    return message, ()


def suspects(values: list[Any], *, opens: bool) -> Sequence[int]:
    """Places of the conversations in which something may be wrong: all that are not told to be right at a glance.

    Numbers in place of names, and no frame: so most conversations take a third of the time, and the checks, whose
    word counts, are made on the others alone.
    """
    everything = range(len(values))
    if not {list}.issuperset(map(type, values)):
        return everything
    messages = list(chain.from_iterable(values))
    try:
        speakers, texts = _plainly(messages)
        who = np.fromiter(map(SPEAKER_CODES.get, speakers, repeat(UNKNOWN)), np.int8, len(messages))
        blank = ~np.fromiter(map(str.strip, texts), bool, len(messages))
    except (KeyError, TypeError):
        return everything
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    first = np.zeros(len(messages), bool)
    first[(lengths.cumsum() - lengths)[lengths > 0]] = True
    before = np.append(UNKNOWN, who[:-1])
    wrong = (who == UNKNOWN) | blank | (~first & (before == who) & (who != TOOL)) | ((who == SYSTEM) & ~first)
    if opens:
        wrong |= (first | (before == SYSTEM)) & ((who == ASSISTANT) | (who == TOOL))
    talk = np.repeat(np.arange(len(values)), lengths)
    return np.union1d(talk[wrong], np.flatnonzero(lengths == 0)).tolist()


def _plainly(messages: list[Any]) -> tuple[list[Any], list[Any]]:
    """Speakers and texts of messages that are all written alike.

    Raises:
        KeyError, TypeError: they are not.
    """
    try:
        return [message["role"] for message in messages], [message["content"] for message in messages]
    except KeyError:
        if any("role" in message or "content" in message for message in messages):
            raise
        return [message["from"] for message in messages], [message["value"] for message in messages]


def _turn_frame(messages: list[Any], talk: np.ndarray, place: np.ndarray) -> pl.DataFrame:
    """Columns 0 (who speaks), 1 (the text), talk, place; one row for each message."""
    speakers, texts = _speakers_and_texts(messages)
    frame = pl.DataFrame(
        {
            "0": pl.Series(speakers, dtype=pl.String),
            "1": pl.Series(texts, dtype=pl.String),
            "talk": talk,
            "place": place,
        }
    )
    names = pl.col("0").str.strip_chars().str.to_lowercase()
    who = frame.select(names.replace(SPEAKERS).alias("0"), "1", "talk", "place")
    before = pl.when(pl.col("place") > 0).then(pl.col("0").shift(1))
    known = pl.col("0").is_in(["user", "assistant"]).any().over("talk")
    return who.with_columns(before.alias("before"), known.alias("known"))


def _is_talk(value: Any) -> bool:
    """Whether `value` is a list of messages; a list of bare texts names no speakers, so there is nothing to judge."""
    return isinstance(value, list) and (not value or not {str}.issuperset(map(type, value)))


def _speakers_and_texts(messages: list[Any]) -> tuple[Sequence[str], Sequence[str]]:
    """The name and the text of each message, "" where it has none; all at once where every message has both."""
    try:
        speakers, texts = [message["role"] for message in messages], [message["content"] for message in messages]
    except (KeyError, TypeError):
        pass
    else:
        # A blank text must be looked at more closely: its message may call a tool.
        if {str}.issuperset(map(type, speakers)) and {str}.issuperset(map(type, texts)) and all(map(str.strip, texts)):
            return speakers, texts
    odd = [message if isinstance(message, dict) else {} for message in messages]
    speakers = [_text(message.get("role", message.get("from"))) or "" for message in odd]
    return speakers, [_said(message) for message in odd]


def _said(message: dict[str, Any]) -> str:
    """The text of a message; for parts of other kinds, or a call of a tool, something that is not blank."""
    content = message.get("content", message.get("value"))
    if isinstance(content, str) and content.strip():
        return content
    return "…" if (content and not isinstance(content, str)) or any(message.get(key) for key in CALLS) else ""


def _is_blank(field: str, _: str) -> Message:
    return say("{field} is blank.", field=field)


BLANK: Final = Check("blank", lambda text: text.str.strip_chars().str.len_bytes() > 0, _is_blank)
NO_MESSAGES: Final = Check("blank", lambda text: text, lambda f, _: say("{field} has no messages.", field=f))
SAME: Final = Check("same", lambda differ: differ, lambda f, _: say("{field} is the same as the chosen one.", field=f))
SAME_SCHEMA: Final = frame_schema([Part(pl.Boolean, (SAME,))])

TURNS: Final = (
    Check(
        "roles",
        lambda who: who != "",
        lambda field, value: say("{field} has no role: {value}.", field=field, value=value),
    ),
    Check(
        "roles",
        lambda who: (pl.col("before") != who) | (who == "tool") | pl.col("before").is_null() | (who == ""),
        lambda field, value: say("{field} is {value} twice in a row.", field=field, value=value),
    ),
    Check(
        "roles",
        lambda who: (who != "system") | (pl.col("place") == 0),
        lambda field, value: say("{field} is {value}, but not the first message.", field=field, value=value),
    ),
    Check(
        "roles",
        lambda who: who.is_in(["user", "assistant", "system", "tool", ""]) | ~pl.col("known"),
        lambda field, value: say("{field} is {value}, beside user and assistant.", field=field, value=value),
    ),
    Check(
        "roles",
        lambda who: (
            (pl.col("before").is_not_null() & (pl.col("before") != "system")) | ~who.is_in(["assistant", "tool"])
        ),
        lambda field, value: say("{field} is {value}, but the user must open.", field=field, value=value),
    ),
)
"""The last one holds for conversations only."""
OPENING_SCHEMA: Final = frame_schema([Part(pl.String, TURNS), Part(pl.String, (BLANK,))])
TURNS_SCHEMA: Final = frame_schema([Part(pl.String, TURNS[:-1]), Part(pl.String, (BLANK,))])

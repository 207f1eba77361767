"""What of a record is compared: the whole of it, and the part that asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import Field, RecordSchema

ROLE_LABELS = ("role", "from", "speaker")
"""Fields of a conversation's turn that name who speaks: the same in every conversation, so left out of the text."""

USER_ROLES = ("user", "human", "customer", "student", "用户", "客户", "顾客", "学生")

QUESTION_NAMES = ("instruction", "prompt", "question", "query", "problem", "指令", "问题", "题目", "提问")
"""Names under which a record of no known kind keeps what it asks."""

LEAST_UNITS = 8
"""Words or characters from which an answer or a conversation's first turn says enough to tell records apart: many
good conversations open with "你好，我想问一下" or "Hi, can you help me?", and many answers are "Yes."."""


@dataclass(frozen=True)
class View:
    """The fields whose text is compared, as one text. A record is a duplicate if any of its views is."""

    name: str
    fields: tuple[Field, ...]
    first_turn: bool = False
    """Of a conversation, only what the user says first."""
    least_units: int = 1
    """Words or characters below which this view judges nothing. At 0 even records without a word are compared,
    exactly."""

    def text(self, record: dict[str, Any]) -> str:
        """The text of `record` in this view: strings and numbers, a line each, in the schema's order."""
        if self.first_turn:
            return "\n".join(_first_turn(record.get(self.fields[0].name), self.fields[0]))
        return "\n".join(part for field in self.fields for part in _strings(record.get(field.name), field))


def views_for(schema: RecordSchema, detection: Detection, dedup_on: tuple[str, ...] | None = None) -> tuple[View, ...]:
    """The whole record, and what must not repeat on its own: the fields `dedup_on`, else by kind of data.

    By kind, an instruction counts together with its input ("Translate this:" may repeat, with another text); a
    conversation by its first user turn; a preference pair by its prompt and by its chosen answer.

    Raises:
        InputError: a field of `dedup_on` is not in the schema, or has only a few values.
    """
    asked = schema.asked
    views = [View("record", asked, least_units=0)]
    if dedup_on is not None:
        alone = [(_required(schema, name),) for name in dict.fromkeys(dedup_on)]
        return (*views, *(View(fields[0].name, fields) for fields in alone if fields != asked))
    roles = detection.roles
    if field := _text_field(schema, roles.get("chosen", "")):
        views.append(View(field.name, (field,), least_units=LEAST_UNITS))
    conversation = schema.field(roles.get("conversation", ""))
    if conversation and conversation.type == "array":
        views.append(View("first turn", (conversation,), first_turn=True, least_units=LEAST_UNITS))
    key = _key_fields(schema, roles)
    if key and key != asked:
        views.insert(1, View("+".join(field.name for field in key), key))
    return tuple(view for i, view in enumerate(views) if i == 0 or view.first_turn or view.fields != asked)


def _required(schema: RecordSchema, name: str) -> Field:
    field = next((field for field in schema.asked if field.name == name), None)
    if field is None:
        raise InputError(
            "--dedup-on: there is no field {name} to compare. Name one of {known}.",
            name=name,
            known=", ".join(field.name for field in schema.asked),
        )
    if field.enum is not None or field.type == "boolean":
        raise InputError(
            "--dedup-on: {name} is a choice between a few values, so after a few records all would be duplicates. Name "
            "a field of free text.",
            name=name,
        )
    return field


def _key_fields(schema: RecordSchema, roles: dict[str, str]) -> tuple[Field, ...]:
    names = [roles[role] for role in ("instruction", "prompt", "question") if role in roles][:1]
    if not names and not roles:
        names = [field.name for field in schema.asked if field.name.casefold() in QUESTION_NAMES][:1]
    if names and "input" in roles:
        names.append(roles["input"])
    fields = tuple(field for name in names if (field := schema.field(name)))
    return fields if any(_text_field(schema, name) for name in names) else ()


def _text_field(schema: RecordSchema, name: str) -> Field | None:
    """The field called `name` if it holds free text: a fixed choice of values repeats by design."""
    field = schema.field(name)
    return field if field and field.type in ("string", "any") and field.enum is None else None


def _strings(value: Any, field: Field | None) -> Iterator[str]:
    """The scalars in `value`, depth first: objects in the schema's order, then what it does not know by name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | float):
        yield str(value)
    elif isinstance(value, list):
        for item in value:
            yield from _turn(item, field.items if field else None)
    elif isinstance(value, dict):
        yield from _object(value, field, leave_out=())


def _turn(item: Any, field: Field | None) -> Iterator[str]:
    if isinstance(item, dict):
        yield from _object(item, field, leave_out=ROLE_LABELS if len(item) > 1 else ())
    else:
        yield from _strings(item, field)


def _object(value: dict[str, Any], field: Field | None, leave_out: tuple[str, ...]) -> Iterator[str]:
    known = {f.name: f for f in field.fields} if field else {}
    for name in [*(n for n in known if n in value), *sorted(n for n in value if n not in known)]:
        if name not in leave_out:
            yield from _strings(value[name], known.get(name))


def _first_turn(turns: Any, field: Field) -> Iterator[str]:
    if not isinstance(turns, list):
        return iter(())
    labels = [_label(turn) for turn in turns]
    user = next((i for i, label in enumerate(labels) if label in USER_ROLES), None)
    first = next((i for i, label in enumerate(labels) if label != "system"), None) if user is None else user
    return iter(()) if first is None else _turn(turns[first], field.items)


def _label(turn: Any) -> str:
    if not isinstance(turn, dict):
        return ""
    label = next((turn[name] for name in ROLE_LABELS if isinstance(turn.get(name), str)), "")
    return label.strip().casefold()
